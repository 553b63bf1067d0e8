/** The time that signatures, certificates and credentials are judged by. */
// Tests: test/aws/clock-offset.test.ts
export interface ServiceClock {
  /** Milliseconds since 1970, as the service has it, as far as that is known: credentials are judged by it. */
  readonly now: () => number;
  /** How far the service is ahead of this machine, in milliseconds; 0 until measured. */
  readonly offset: () => number;
  /**
   * How far it is thought to be: the offset, or what an answer suggests that may be a stranger's. Requests are signed
   * with it, and certificates judged by it.
   */
  readonly presumed: () => number;
  /** Presumes an offset until a request that was signed with it succeeds or fails; undefined to presume none. */
  readonly presume: (offset: number | undefined) => void;
  /** A request that was signed with that offset succeeded: it stands. */
  readonly confirm: (offset: number) => void;
}

/**
 * This machine's clock, corrected by what the service shows it to be off: one
 * for a run, so that what the first request learns holds for all that follows.
 *
 * @param now milliseconds since 1970 as this machine has it
 */
export function createServiceClock(now: () => number = Date.now): ServiceClock {
  let offset = 0;
  let presumed: number | undefined;
  return {
    now: () => now() + offset,
    offset: () => offset,
    presumed: () => presumed ?? offset,
    presume(guess) {
      presumed = guess;
    },
    confirm(measured) {
      offset = measured;
      presumed = undefined;
    },
  };
}

/** The time that a certificate is judged by: as {@link ServiceClock.now}, with the offset that is presumed. */
export function presumedNow({ now, offset, presumed }: ServiceClock): number {
  return now() - offset() + presumed();
}
