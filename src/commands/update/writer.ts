/** Keeps profiles of the credentials file as new as their credentials, whatever is wrong with the file for a while. */
// Tests: test/clients/update-service.heavy.test.ts
import type { SessionCredentials } from '../../credentials/credentials.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { asOurs } from '../../platform/unexpected.ts';

export interface WriterOptions {
  /** Writes one profile, and gives the file that was written. */
  readonly write: (profile: string, credentials: SessionCredentials) => Promise<string>;
  /** Told of each write. */
  readonly onWritten: (profile: string, file: string, credentials: SessionCredentials) => void;
  readonly log: Log;
  readonly clock: Clock;
}

/** Bounds of the wait after a failure, which doubles with each further one. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** One write after the other. One that fails is logged, and tried again until it succeeds or there is a newer set. */
export class ProfileWriter {
  readonly #options: WriterOptions;
  /** What is to be written yet, by profile. */
  readonly #pending = new Map<string, SessionCredentials>();
  /** What was written last, by profile. */
  readonly #written = new Map<string, SessionCredentials>();
  readonly #waiting = new Set<{ readonly profiles: readonly string[]; readonly resolve: () => void }>();
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Writes a set as soon as may be. */
  put(profile: string, credentials: SessionCredentials): void {
    this.#pending.set(profile, credentials);
    this.#wake();
  }

  /** Writes once more what was written last, and at once what failed. */
  again(): void {
    for (const [profile, credentials] of this.#written)
      if (!this.#pending.has(profile)) this.#pending.set(profile, credentials);
    this.#wake();
  }

  /** Resolves once each of the profiles was written. */
  async allWritten(profiles: readonly string[]): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.add({ profiles, resolve });
      this.#tell();
    });
  }

  /** The profiles that were written, with what is in each. */
  written(): ReadonlyMap<string, SessionCredentials> {
    return this.#written;
  }

  /** Writes nothing more; resolves when a write that is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #wake(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#closed || this.#running !== undefined || this.#pending.size === 0) return;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      if (this.#closed || this.#pending.size === 0) return;
      const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), LONGEST_WAIT_MS);
      this.#timer = this.#options.clock.setTimer(() => this.#wake(), wait);
    });
  }

  /** Writes everything that is pending; what fails is pending still. */
  async #work(): Promise<void> {
    const failed = new Map<string, SessionCredentials>();
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [profile, credentials] = next;
      this.#pending.delete(profile);
      if (!(await this.#write(profile, credentials))) failed.set(profile, credentials);
    }
    this.#failures = failed.size === 0 ? 0 : this.#failures + 1;
    for (const [profile, credentials] of failed)
      if (!this.#pending.has(profile)) this.#pending.set(profile, credentials);
  }

  #next(): readonly [string, SessionCredentials] | undefined {
    return this.#closed ? undefined : this.#pending.entries().next().value;
  }

  async #write(profile: string, credentials: SessionCredentials): Promise<boolean> {
    const { write, onWritten, log } = this.#options;
    try {
      const file = await write(profile, credentials);
      this.#written.set(profile, credentials);
      onWritten(profile, file, credentials);
      this.#tell();
      return true;
    } catch (error) {
      if (this.#closed) return false;
      const { message, code, hint } = asOurs(error, 'unexpected error');
      log.error(`the profile was not written: ${message}`, { profile, code, hint });
      return false;
    }
  }

  #tell(): void {
    for (const one of this.#waiting)
      if (one.profiles.every((profile) => this.#written.has(profile))) {
        this.#waiting.delete(one);
        one.resolve();
      }
  }
}
