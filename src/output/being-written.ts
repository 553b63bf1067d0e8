/** Whether a file can be taken for whole, or somebody is in the middle of writing it in place. */

/** Programs that write in place, as the AWS CLI does, empty the file first: what changed so shortly ago may be a part of it. */
const SETTLE_MS = 20;
/** So long is waited for the rest of what looks like a part; the AWS CLI's own end with a line end. */
const SETTLE_PART_MS = 1000;
/** Nobody is waited for any longer. */
const PATIENCE_MS = 10_000;

/** What is seen of a file. */
export interface Look {
  readonly text: string;
  /** Whether it changed while it was read. */
  readonly isTorn: boolean;
  /** Milliseconds since 1970 of its last change, by the clock of its file system. */
  readonly changedMs: number;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** How long it has been looked at already. */
  readonly waitedMs: number;
}

/** What to do about a file: take it, look again soon, or give it up. */
export function verdictOf({ text, isTorn, changedMs, nowMs, waitedMs }: Look): 'whole' | 'wait' | 'give up' {
  // One that is far in the future was made by another clock, which says nothing here.
  const ageMs = Math.abs(nowMs - changedMs);
  const isWhole = text.endsWith('\n') ? Math.max(ageMs, waitedMs) >= SETTLE_MS : ageMs >= SETTLE_PART_MS;
  if (isWhole && !isTorn) return 'whole';
  return waitedMs >= PATIENCE_MS ? 'give up' : 'wait';
}
