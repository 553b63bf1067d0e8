/** How much work a file may ask for before it is known that its password is right. */
// Tests: test/identity/containers/malformed.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';

/**
 * In all that one password is tried for: some ten seconds at most, by the slowest digest. What is in use today has between
 * 1 and 1,000,000 for each of its parts.
 */
export const MAX_ITERATIONS = 10_000_000;
/** 256 MiB. RFC 7914's strong setting needs 1 GiB, but nothing writes keys with it; OpenSSL's default needs 16 MiB. */
export const MAX_SCRYPT_BYTES = 256 * 1024 * 1024;
/** Memory times passes: with `p` passes scrypt takes as long as with `p` times the memory. */
const MAX_SCRYPT_WORK = 4 * MAX_SCRYPT_BYTES;

/** Counts what the key derivations of one file cost, before they are run. */
export class WorkBudget {
  readonly #source: string;
  readonly #most: number;
  #iterations = 0;
  #scryptWork = 0;

  /**
   * @param source how errors name the file
   * @param most how many iterations there are; default {@link MAX_ITERATIONS}
   */
  constructor(source: string, most = MAX_ITERATIONS) {
    this.#source = source;
    this.#most = most;
  }

  /** How many were taken. */
  get iterations(): number {
    return this.#iterations;
  }

  /** @throws RolesAnywhereError `ERR_KDF_TOO_COSTLY` */
  takeIterations(iterations: number): void {
    this.#iterations += iterations;
    if (this.#iterations > this.#most)
      throw this.#tooCostly(`more than ${this.#most} iterations to derive keys from its password`);
  }

  /** @throws RolesAnywhereError `ERR_KDF_TOO_COSTLY` */
  takeScrypt(bytes: number, passes: number): void {
    if (bytes > MAX_SCRYPT_BYTES)
      throw this.#tooCostly(`more than ${MAX_SCRYPT_BYTES / 1024 / 1024} MiB of memory for scrypt`);
    this.#scryptWork += bytes * passes;
    if (this.#scryptWork > MAX_SCRYPT_WORK) throw this.#tooCostly('too many passes of scrypt');
  }

  /** Whether there is enough left for what `charge` takes, which then is not taken. */
  affords(charge: (budget: WorkBudget) => void): boolean {
    const [iterations, scryptWork] = [this.#iterations, this.#scryptWork];
    try {
      charge(this);
      return true;
    } catch (error) {
      if (error instanceof RolesAnywhereError) return false;
      throw error;
    } finally {
      [this.#iterations, this.#scryptWork] = [iterations, scryptWork];
    }
  }

  #tooCostly(what: string): RolesAnywhereError {
    return new RolesAnywhereError('ERR_KDF_TOO_COSTLY', `${this.#source} asks for ${what}`, {
      hint: 'the file is damaged, or was made to keep programs busy: make it again with the usual settings',
    });
  }
}
