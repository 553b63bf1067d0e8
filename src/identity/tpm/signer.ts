/** Signs with a key in a TPM, and shows whose key it is. Between two signatures nothing of it is in the TPM. */
// Tests: test/identity/tpm/keys.test.ts
import { type KeyObject, verify } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { KeyType } from '../../x509/algorithms.ts';
import type { Digest, Signer } from '../identity.ts';
import { ecdsaToDer } from '../../x509/ecdsa.ts';
import { type AccessOptions, withTpm } from './access.ts';
import type { Signature } from './commands.ts';
import { CURVES } from './constants.ts';
import { explain } from './failures.ts';
import { type TpmKey, examine, parentName, signWith, signingKeyIn } from './key.ts';
import type { TpmLocation } from './location.ts';
import { type Passwords, PersonNeeded } from './passwords.ts';
import type { Tries } from './tries.ts';
import { concat } from './wire.ts';

/** The key, its parent and its hierarchy may each want a password: nobody is asked more often. */
const MAX_QUESTIONS = 3;

export class TpmSigner implements Signer {
  readonly keyType: KeyType;
  readonly #location: () => TpmLocation;
  readonly #key: TpmKey;
  readonly #publicKey: KeyObject;
  readonly #passwords: Passwords;
  readonly #options: AccessOptions;
  #closed = false;

  /** @param location is asked for at each signature: a device may come and go */
  constructor(
    location: () => TpmLocation,
    key: TpmKey,
    publicKey: KeyObject,
    passwords: Passwords,
    options: AccessOptions,
  ) {
    this.keyType = signingKeyIn(key.area, key.source).type;
    this.#location = location;
    this.#key = key;
    this.#publicKey = publicKey;
    this.#passwords = passwords;
    this.#options = options;
  }

  async sign(message: Uint8Array, digest: Digest = 'SHA256'): Promise<Uint8Array> {
    for (let asked = 0; ; asked++) {
      if (this.#closed) throw new RolesAnywhereError('ERR_SIGN', 'the identity is closed');
      try {
        return this.#checked(message, digest, await this.#attempt(message, digest));
      } catch (error) {
        if (!(error instanceof PersonNeeded)) throw explain(error, this.#names());
        if (asked === MAX_QUESTIONS) throw explain(error.refused, this.#names());
        await this.#passwords.ask(error);
      }
    }
  }

  /** See {@link examine}. */
  async examine(): Promise<Tries | undefined> {
    try {
      return await withTpm(this.#location(), (tpm) => examine(tpm, this.#key), this.#options);
    } catch (error) {
      throw explain(error, this.#names());
    }
  }

  close(): void {
    this.#closed = true;
  }

  async #attempt(message: Uint8Array, digest: Digest): Promise<Signature> {
    return await withTpm(
      this.#location(),
      (tpm) => signWith(tpm, this.#key, this.#passwords, message, digest),
      this.#options,
    );
  }

  #names(): { source: string; parent: string | undefined } {
    return { source: this.#key.source, parent: parentName(this.#key.file) };
  }

  #checked(message: Uint8Array, digest: Digest, signature: Signature): Uint8Array {
    const bytes = signature.type === 'RSA' ? Uint8Array.from(signature.bytes) : this.#toDer(signature);
    if (verify(digest, message, this.#publicKey, bytes)) return bytes;
    throw new RolesAnywhereError('ERR_SIGN', `the signature that the TPM made is not one by ${this.#key.source}`, {
      hint: 'something between this program and the TPM has changed it, or the TPM is at fault',
    });
  }

  /** As X.509 wants it: RFC 3279, section 2.2.3. */
  #toDer({ r, s }: { r: Uint8Array; s: Uint8Array }): Uint8Array {
    const { key } = this.#key.area;
    const size = key?.type === 'EC' ? (CURVES.find(({ id }) => id === key.curve)?.bytes ?? 0) : 0;
    const padded = (number: Uint8Array): Uint8Array =>
      concat(new Uint8Array(Math.max(0, size - number.length)), number);
    return ecdsaToDer(concat(padded(r), padded(s)));
  }
}
