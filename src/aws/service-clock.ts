/** The time that signatures, certificates and credentials are judged by. */
// Tests: test/aws/clock-offset.test.ts
export interface ServiceClock {
  /** Milliseconds since 1970, as the service has it, as far as that is known. */
  readonly now: () => number;
  /** How far the service is ahead of this machine, in milliseconds; 0 until measured. */
  readonly offset: () => number;
  /** The service turned out to be `ms` ahead of {@link now} (below 0: behind). */
  readonly correct: (ms: number) => void;
}

/**
 * This machine's clock, corrected by what the service shows it to be off: one
 * for a run, so that what the first request learns holds for all that follows.
 *
 * @param now milliseconds since 1970 as this machine has it
 */
export function createServiceClock(now: () => number = Date.now): ServiceClock {
  let offset = 0;
  return {
    now: () => now() + offset,
    offset: () => offset,
    correct(ms) {
      offset += ms;
    },
  };
}
