/** Keeps a certificate renewed for as long as a process runs. */
// Tests: test/renewal/renewer.test.ts
import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { asOurs } from '../platform/unexpected.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { Renewal } from './renew.ts';
import { type At, type Life, dueTime, loudnessOf, waitAfter } from './when.ts';

export interface RenewerOptions {
  /** The certificate in use; asked at each look, for others may replace it too. */
  readonly certificate: () => Promise<Certificate>;
  readonly renew: (signal: AbortSignal) => Promise<Renewal>;
  readonly at: At;
  readonly clock: Clock;
  readonly log: Log;
  /** At least 0 and below 1. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Told of each renewal. What it throws counts as a failure. */
  readonly onRenewed: (renewal: Renewal) => void | Promise<void>;
}

/** What is known of renewals, for metrics and health. In milliseconds since the epoch. */
export interface RenewerStatus {
  readonly succeeded: number;
  readonly failed: number;
  /** In a row, up to now. */
  readonly failures: number;
  readonly lastSuccess: number | undefined;
  /** When the next attempt is made. */
  readonly next: number;
}

export interface Renewer {
  status(): RenewerStatus;
  /** Looks at the certificate anew, for one that was just replaced by others. */
  check(): void;
  /** Gives up what is under way. Safe to call twice. */
  close(): Promise<void>;
}

/** The clock may be set, and the machine may sleep: it is looked at again after this time at the latest. */
const CHECK_MS = 600_000;

/** A CA that gives certificates that are due as they come is not asked again at once. */
const LEAST_PAUSE_MS = 1000;

/** Begins to keep a certificate renewed. Its timers do not keep the process alive. */
export function startRenewer(options: RenewerOptions): Renewer {
  const renewer = new RunningRenewer(options);
  renewer.check();
  return renewer;
}

class RunningRenewer implements Renewer {
  readonly #options: RenewerOptions;
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  #working: Promise<void> | undefined;
  #succeeded = 0;
  #failed = 0;
  #failures = 0;
  #lastSuccess: number | undefined;
  #next: number;
  /** After a failure no attempt is made within this time. A clock that is set back behind it ends it. */
  #hold = { from: -Infinity, until: -Infinity };

  constructor(options: RenewerOptions) {
    this.#options = options;
    this.#next = options.clock.now();
  }

  status(): RenewerStatus {
    return {
      succeeded: this.#succeeded,
      failed: this.#failed,
      failures: this.#failures,
      lastSuccess: this.#lastSuccess,
      next: this.#next,
    };
  }

  check(): void {
    if (this.#closing.signal.aborted) return;
    this.#timer?.cancel();
    this.#working ??= this.#look().finally(() => {
      this.#working = undefined;
      this.#schedule();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#timer?.cancel();
    await this.#working;
  }

  #schedule(): void {
    const { clock } = this.#options;
    if (this.#closing.signal.aborted) return;
    const left = this.#next - clock.now();
    this.#timer = clock.setTimer(() => this.check(), Math.min(Math.max(left, LEAST_PAUSE_MS), CHECK_MS), false);
  }

  async #look(): Promise<void> {
    const { clock, at, certificate, log } = this.#options;
    let life: Life | undefined;
    const now = clock.now();
    let due = now;
    try {
      const current = await certificate();
      life = { notBefore: current.notBefore.getTime(), notAfter: current.notAfter.getTime() };
      due = dueTime(life, at, current.der);
      this.#next = now < this.#hold.from ? due : Math.max(due, this.#hold.until);
      if (now < this.#next) return;
      const renewal = await this.#options.renew(this.#closing.signal);
      await this.#took(renewal);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#missed(error, life, due, log);
    }
  }

  async #took(renewal: Renewal): Promise<void> {
    const { clock, log, at, onRenewed } = this.#options;
    const { leaf, newKey } = renewal;
    this.#succeeded++;
    this.#failures = 0;
    this.#lastSuccess = clock.now();
    const life = { notBefore: leaf.notBefore.getTime(), notAfter: leaf.notAfter.getTime() };
    this.#next = Math.max(dueTime(life, at, leaf.der), clock.now() + LEAST_PAUSE_MS);
    log.info('the certificate was renewed', {
      serialNumber: leaf.serialNumber,
      notAfter: leaf.notAfter.toISOString(),
      newKey,
      next: new Date(this.#next).toISOString(),
    });
    await onRenewed(renewal);
  }

  #missed(thrown: unknown, life: Life | undefined, due: number, log: Log): void {
    const { clock, random = Math.random } = this.#options;
    const error = asOurs(thrown, 'the certificate could not be renewed: unexpected error');
    this.#failed++;
    this.#failures++;
    const now = clock.now();
    const known =
      life === undefined
        ? { lifeMs: Infinity, leftMs: Infinity }
        : { lifeMs: life.notAfter - life.notBefore, leftMs: life.notAfter - now };
    const wait = waitAfter(this.#failures, known, random(), error.retryAfterMs);
    this.#hold = { from: now, until: now + wait };
    this.#next = this.#hold.until;
    const { code, hint, message } = error;
    const fields = { code, hint, failures: this.#failures, next: new Date(this.#next).toISOString() };
    const loudness = life === undefined ? 'error' : loudnessOf(life, due, now);
    const end = life === undefined ? {} : { notAfter: new Date(life.notAfter).toISOString() };
    if (loudness === 'ended')
      log.error(`THE CERTIFICATE HAS ENDED and is not renewed: ${message}`, { ...end, ...fields });
    else if (loudness === 'last')
      log.error(`THE CERTIFICATE ENDS IN ${timeText((life?.notAfter ?? now) - now)} and is not renewed: ${message}`, {
        ...end,
        ...fields,
      });
    else log[loudness](`the certificate is not renewed: ${message}`, { ...end, ...fields });
  }
}

/** A time for people, of two units at most. */
export function timeText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.max(0, Math.floor(ms / 1000))} s`;
}
