/** Time as an argument: two clocks and timers, so that tests can hold all three in their hands. */
// Tests: test/credentials/provider.test.ts

/** A timer that was set and may be cancelled. */
export interface Timer {
  /** Does nothing when the timer has fired or was cancelled before. */
  cancel(): void;
}

export interface Clock {
  /** Wall clock, in milliseconds since the epoch. It may jump, both ways. */
  now(): number;
  /** Milliseconds since some fixed moment. It never goes back, and on most systems it stands still during suspend. */
  monotonic(): number;
  /**
   * Calls `callback` once, `delayMs` from now on the monotonic clock.
   *
   * @param delayMs above 2^31 - 1 (24.8 days) it is cut to that, so the timer fires early
   * @param keepAlive whether the timer keeps the process alive; default true
   */
  setTimer(callback: () => void, delayMs: number, keepAlive?: boolean): Timer;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

const BEGUN = process.hrtime();

/**
 * Milliseconds since the process began, near enough. Not `performance.now`, for which Node 20 loads a module that stays
 * in memory, and not `process.uptime`, which takes twice as long.
 */
export function processAge(): number {
  const [seconds, nanoseconds] = process.hrtime(BEGUN);
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Lets come in what was sent to this process meanwhile: work, or a machine that is busy, may have kept it from looking. */
export async function catchUp(): Promise<void> {
  // What is ready now is looked for before the second, whatever this is called from.
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((next) => void setImmediate(next));
}

/** The system's clocks and Node's timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: processAge,
  setTimer(callback, delayMs, keepAlive = true) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS));
    if (!keepAlive) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
