/** When to ask for new credentials, and how long to wait after a failure: arithmetic only, all times in milliseconds. */

export interface RefreshSettings {
  /** Part of a set's life that is left when it is renewed, before the two bounds. Default 0.5. */
  lifeFraction: number;
  /** Lower bound of that remaining life. Default 10 minutes: botocore may go on using what it got for that long. */
  minRemainingMs: number;
  /**
   * Upper bound of that remaining life. Default (undefined): 25 minutes, from where on botocore asks again and again, or an
   * eighth of the life where that is more; and chance moves a refresh to any time between what `lifeFraction` says and this
   * bound, so that a fleet that began at once does not stay together.
   */
  maxRemainingMs: number | undefined;
  /** Largest part of the time until a refresh by which chance moves it earlier. Default 0.1. */
  jitter: number;
  /** Largest time by which `jitter` moves a refresh earlier. Default 5 minutes. */
  maxJitterMs: number;
  /** Shortest time between the starts of two attempts while a valid set is in hand. Default 1 minute. */
  minIntervalMs: number;
  /** A set is no longer given out this long before its expiration. Default 1 second. */
  expiryMarginMs: number;
  /** Bound of the wait after the first failure; it doubles with each further one. Default 1 second. */
  backoffBaseMs: number;
  /** Bound of the wait after any failure. Default 30 seconds. */
  backoffCapMs: number;
  /** Longest wait that the service may ask for. Default 5 minutes. */
  maxRetryAfterMs: number;
}

export const DEFAULT_REFRESH: Readonly<RefreshSettings> = {
  lifeFraction: 0.5,
  minRemainingMs: 10 * 60_000,
  maxRemainingMs: undefined,
  jitter: 0.1,
  maxJitterMs: 5 * 60_000,
  minIntervalMs: 60_000,
  expiryMarginMs: 1000,
  backoffBaseMs: 1000,
  backoffCapMs: 30_000,
  maxRetryAfterMs: 5 * 60_000,
};

const LEAST_UPPER_BOUND_MS = 25 * 60_000;
const UPPER_BOUND_PART = 1 / 8;

/**
 * The remaining life at which a set is renewed: half of its life within the
 * bounds, and by chance somewhat more. The reasons for the bounds are the
 * windows in which the SDKs ask again, and what a fleet of many hosts goes
 * through in bench/fleet.ts.
 *
 * @param lifeMs of the set, from its arrival to its expiration
 * @param random uniform in [0, 1)
 */
export function refreshThreshold(lifeMs: number, random: number, settings: RefreshSettings): number {
  const { lifeFraction, minRemainingMs, jitter, maxJitterMs } = settings;
  const wanted = lifeMs * lifeFraction;
  const upperBound = settings.maxRemainingMs ?? Math.max(LEAST_UPPER_BOUND_MS, lifeMs * UPPER_BOUND_PART);
  const window = Math.min(Math.max(wanted, minRemainingMs), upperBound);
  const byJitter = Math.min(Math.max(0, lifeMs - window) * jitter, maxJitterMs);
  return window + random * (settings.maxRemainingMs === undefined ? Math.max(byJitter, wanted - window) : byJitter);
}

/**
 * The settings with which a set is renewed when so much of its life is left,
 * in place of half. Who asks for less than a minute has sets that live no
 * longer than minutes, and then the shortest interval is no longer either.
 */
export function renewalAt(remainingMs: number): Partial<RefreshSettings> {
  return {
    minRemainingMs: remainingMs,
    maxRemainingMs: remainingMs,
    minIntervalMs: Math.min(DEFAULT_REFRESH.minIntervalMs, remainingMs),
  };
}

/** What decides about the next attempt. */
export interface Situation {
  /** Validity left of the set in hand; 0 or less when there is none. */
  remainingMs: number;
  /** Remaining life at which that set is to be renewed. */
  thresholdMs: number;
  /** Whether someone wants a new set now, although the one in hand is good. */
  requested: boolean;
  /** Since the start of the last attempt; Infinity before the first. */
  sinceAttemptMs: number;
  /** What is left of the wait after a failure; 0 or less when there is none. */
  holdMs: number;
}

/** How long to wait before the next attempt; 0 means now. */
export function untilAttempt(situation: Situation, settings: RefreshSettings): number {
  const hold = Math.max(0, situation.holdMs);
  const due = situation.requested ? 0 : situation.remainingMs - situation.thresholdMs;
  const allowed = Math.max(due, settings.minIntervalMs - situation.sinceAttemptMs, hold);
  // Once the set has ceased to be valid, or where there is none, only the failure's wait counts.
  return Math.min(allowed, Math.max(situation.remainingMs, hold));
}

/** The failure to wait after. */
export interface Failure {
  /** Failures in a row, this one included. */
  failures: number;
  throttled: boolean;
  retryAfterMs: number | undefined;
}

/** A quarter of the first step: below it, an unlucky draw would make two attempts one. */
const FLOOR = 0.25;
/** A throttled caller starts this many doublings further. */
const THROTTLED_STEPS = 2;

/**
 * The wait after a failure: capped exponential backoff with full jitter. Where the service asked for a wait (up to a
 * bound) that comes first, and the random part is up to half as long, so that a fleet does not come back in one moment.
 *
 * @param random uniform in [0, 1)
 */
export function backoff(failure: Failure, random: number, settings: RefreshSettings): number {
  const doublings = failure.failures - 1 + (failure.throttled ? THROTTLED_STEPS : 0);
  const ceiling = Math.min(settings.backoffBaseMs * 2 ** doublings, settings.backoffCapMs);
  const floor = Math.min(settings.backoffBaseMs * FLOOR, ceiling);
  const asked = Math.min(failure.retryAfterMs ?? 0, settings.maxRetryAfterMs);
  return Math.max(floor + random * (ceiling - floor), asked + (random * asked) / 2);
}
