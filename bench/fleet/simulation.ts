/**
 * A fleet of hosts that keep credentials fresh as `serve` does, against one quota, on a clock of the simulation's own. What
 * is decided is decided by the product's code: when to renew (refresh-policy.ts), how long to wait after a failure
 * (the same) and between the requests of one attempt (retry.ts). What joins those, the refresher and the loop of retries,
 * is done here without promises, for the sake of a hundred thousand hosts; the test compares it with the real ones.
 */
// Tests: test/bench/fleet.test.ts
import { DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT_MS, delayAfter } from '../../src/aws/retry.ts';
import {
  DEFAULT_REFRESH,
  type RefreshSettings,
  backoff,
  refreshThreshold,
  untilAttempt,
} from '../../src/credentials/refresh-policy.ts';
import { type Answer, type Outage, type Quota, Service } from './service.ts';
import { Timers } from './timers.ts';

export interface Fleet {
  readonly hosts: number;
  readonly sessionMs: number;
  /** Default: the product's. */
  readonly refresh?: Partial<RefreshSettings> | undefined;
  readonly quota: Quota;
  readonly outage?: Outage | undefined;
  /** When the simulation ends. */
  readonly untilMs: number;
  /** From request to answer. Default 100. */
  readonly latencyMs?: number | undefined;
  /** Told of each request. */
  readonly onRequest?: ((host: number, atMs: number, answer: Answer) => void) | undefined;
}

/** Times without credentials. */
export interface Gaps {
  readonly hosts: number;
  readonly longestMs: number;
}

export interface Outcome {
  /** When the last host had its first set; undefined where one never had. */
  readonly allStartedMs: number | undefined;
  readonly requests: Readonly<Record<Answer, number>>;
  /** Of the busiest second. */
  readonly mostInSecond: number;
  /** Those that began after a host's first set and before the outage. */
  readonly before: Gaps;
  /** Those that began from the outage on. */
  readonly after: Gaps;
  /** When the last of them was over; undefined where one never was. */
  readonly allBackMs: number | undefined;
  /** Hosts at the end, with credentials, and without. */
  readonly with: number;
  readonly without: number;
}

export function simulate(fleet: Fleet): Outcome {
  return new Simulation(fleet).run();
}

/** A sequence of numbers in [0, 1) for each host (mulberry32), so that hosts can be simulated in any order. */
export class Chances {
  readonly #states: Uint32Array;

  constructor(hosts: number) {
    this.#states = Uint32Array.from({ length: hosts }, (_, host) => Math.imul(host + 1, 0x9e3779b1));
  }

  next(host: number): number {
    const state = (this.#states[host]! += 0x6d2b79f5);
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** How a request ends: by an answer, or because the time for its attempt is up. */
type End = Answer | 'late';

class Simulation {
  readonly #fleet: Fleet;
  readonly #settings: RefreshSettings;
  readonly #latencyMs: number;
  readonly #service: Service;
  readonly #timers: Timers;
  readonly #chances: Chances;

  /** Whether a host's timer is for a further request of its attempt, and not for a new attempt. */
  readonly #retries: Uint8Array;
  /** When the attempt began that is under way, or was last. */
  readonly #begun: Float64Array;
  /** Requests of that attempt, and those of them that count against its limit. */
  readonly #made: Uint32Array;
  readonly #counted: Uint8Array;
  readonly #failures: Uint32Array;
  /** When the set in hand is given out no longer; -1 before the first. */
  readonly #end: Float64Array;
  readonly #threshold: Float64Array;

  #started = 0;
  #lastStartMs = 0;
  #second = 0;
  #inSecond = 0;
  #mostInSecond = 0;
  #allBackMs = 0;
  readonly #gaps: Record<'before' | 'after', { of: Uint8Array; longestMs: number }>;

  constructor(fleet: Fleet) {
    const { hosts, refresh, quota, outage, latencyMs = 100 } = fleet;
    this.#fleet = fleet;
    this.#settings = { ...DEFAULT_REFRESH, ...refresh };
    this.#latencyMs = latencyMs;
    this.#service = new Service(quota, outage);
    this.#timers = new Timers(hosts);
    this.#chances = new Chances(hosts);
    this.#retries = new Uint8Array(hosts);
    this.#begun = new Float64Array(hosts);
    this.#made = new Uint32Array(hosts);
    this.#counted = new Uint8Array(hosts);
    this.#failures = new Uint32Array(hosts);
    this.#end = new Float64Array(hosts).fill(-1);
    this.#threshold = new Float64Array(hosts);
    this.#gaps = {
      before: { of: new Uint8Array(hosts), longestMs: 0 },
      after: { of: new Uint8Array(hosts), longestMs: 0 },
    };
  }

  run(): Outcome {
    const { hosts, untilMs } = this.#fleet;
    for (let host = 0; host < hosts; host += 1) this.#timers.set(host, 0);
    this.#timers.run(untilMs, (host, nowMs) => {
      if (this.#retries[host] === 0) this.#begin(host, nowMs);
      this.#send(host, nowMs);
    });

    let without = 0;
    for (let host = 0; host < hosts; host += 1) {
      if (this.#timers.due(host) === undefined) throw new Error(`host ${host} is lost: nothing will happen to it`);
      const end = this.#end[host]!;
      if (end > untilMs) continue;
      without += 1;
      if (end >= 0) this.#note(host, end, untilMs);
    }
    return {
      allStartedMs: this.#started === hosts ? this.#lastStartMs : undefined,
      requests: this.#service.counts,
      mostInSecond: Math.max(this.#mostInSecond, this.#inSecond),
      before: gapsOf(this.#gaps.before),
      after: gapsOf(this.#gaps.after),
      allBackMs: without === 0 ? this.#allBackMs : undefined,
      with: hosts - without,
      without,
    };
  }

  #begin(host: number, nowMs: number): void {
    this.#begun[host] = nowMs;
    this.#made[host] = 0;
    this.#counted[host] = 0;
  }

  #send(host: number, nowMs: number): void {
    this.#made[host]! += 1;
    const answer = this.#service.ask(nowMs);
    this.#count(nowMs);
    this.#fleet.onRequest?.(host, nowMs, answer);
    const deadlineMs = this.#begun[host]! + DEFAULT_TIMEOUT_MS;
    const answeredMs = nowMs + this.#latencyMs;
    // What comes of it depends on nobody else, and needs no timer.
    if (answeredMs >= deadlineMs) this.#fail(host, deadlineMs, 'late');
    else if (answer === 'granted') this.#succeed(host, answeredMs);
    else this.#fail(host, answeredMs, answer);
  }

  #succeed(host: number, nowMs: number): void {
    const before = this.#end[host]!;
    if (before < 0) {
      this.#started += 1;
      this.#lastStartMs = Math.max(this.#lastStartMs, nowMs);
    } else if (before < nowMs) this.#note(host, before, nowMs);
    const { sessionMs } = this.#fleet;
    const { expiryMarginMs } = this.#settings;
    this.#threshold[host] = refreshThreshold(sessionMs, this.#chances.next(host), this.#settings) - expiryMarginMs;
    this.#end[host] = nowMs + sessionMs - expiryMarginMs;
    this.#failures[host] = 0;
    this.#plan(host, nowMs, 0);
  }

  /** A request failed: the loop of retries waits, or the attempt is over. */
  #fail(host: number, nowMs: number, how: Exclude<End, 'granted'>): void {
    // Throttling uses up no attempts.
    if (how !== 'throttled') this.#counted[host]! += 1;
    if (how !== 'late' && this.#counted[host]! < DEFAULT_ATTEMPTS) {
      const leftMs = this.#begun[host]! + DEFAULT_TIMEOUT_MS - nowMs;
      const delayMs = delayAfter(this.#made[host]!, 0, leftMs, this.#chances.next(host));
      if (delayMs !== undefined) return this.#later(host, nowMs + Math.ceil(delayMs), true);
    }
    this.#failures[host]! += 1;
    const failure = { failures: this.#failures[host]!, throttled: how === 'throttled', retryAfterMs: undefined };
    this.#plan(host, nowMs, backoff(failure, this.#chances.next(host), this.#settings));
    // The request that was given up draws once more when it ends, for a wait that there is no time for.
    if (how === 'late' && this.#counted[host]! < DEFAULT_ATTEMPTS) this.#chances.next(host);
  }

  #plan(host: number, nowMs: number, holdMs: number): void {
    const situation = {
      remainingMs: this.#end[host]! - nowMs,
      thresholdMs: this.#threshold[host]!,
      requested: false,
      sinceAttemptMs: nowMs - this.#begun[host]!,
      holdMs,
    };
    this.#later(host, nowMs + Math.max(1, Math.ceil(untilAttempt(situation, this.#settings))), false);
  }

  #later(host: number, atMs: number, isRetry: boolean): void {
    this.#retries[host] = Number(isRetry);
    this.#timers.set(host, atMs);
  }

  #note(host: number, fromMs: number, untilMs: number): void {
    const { outage } = this.#fleet;
    const gaps = this.#gaps[outage !== undefined && fromMs >= outage.fromMs ? 'after' : 'before'];
    gaps.of[host] = 1;
    gaps.longestMs = Math.max(gaps.longestMs, untilMs - fromMs);
    this.#allBackMs = Math.max(this.#allBackMs, untilMs);
  }

  #count(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#mostInSecond = Math.max(this.#mostInSecond, this.#inSecond);
      this.#second = second;
      this.#inSecond = 0;
    }
    this.#inSecond += 1;
  }
}

function gapsOf({ of, longestMs }: { of: Uint8Array; longestMs: number }): Gaps {
  return { hosts: of.reduce((sum, one) => sum + one, 0), longestMs };
}
