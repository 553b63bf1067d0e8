/**
 * What this process waits for. Whoever waits for something outside says so here; a command tells a person at a terminal of
 * it, and a library tells nobody. One for the process, as its terminal is.
 */
// Tests: test/cli/waits.heavy.test.ts, test/network/debug.test.ts
import type { Log } from './log.ts';

/** Waits up to this one are not worth a line. */
const PATIENCE_MS = 1000;

/** Who is told. */
interface Teller {
  readonly log: Pick<Log, 'info'>;
  /** Whether a person reads it, asked when there is something to say: to find out takes time. */
  readonly isTerminal: () => boolean;
}

let teller: Teller | undefined;
/** Ends the telling of each wait that goes on. */
const going = new Set<() => void>();

/** From now on each wait of more than a second is named in a log. Undefined: in none, and those that go on are named no more. */
export function tellWaits(told: Teller | undefined): void {
  teller = told;
  if (told === undefined) for (const end of going) end();
}

/**
 * Says what is waited for from now on.
 *
 * @param what words that follow `waiting for`
 * @returns what ends it. Safe to call twice
 */
export function beginWait(what: string): () => void {
  if (teller === undefined) return () => undefined;
  const { log, isTerminal } = teller;
  let ended = false;
  let quiet: (() => void) | undefined;
  const tell = async (): Promise<void> => {
    const { tellOfWait } = await import('./progress.ts');
    if (!ended) quiet = tellOfWait(what, (line) => log.info(line));
  };
  const timer = setTimeout(() => {
    if (isTerminal()) void tell();
  }, PATIENCE_MS);
  timer.unref();
  const end = (): void => {
    ended = true;
    going.delete(end);
    clearTimeout(timer);
    quiet?.();
  };
  going.add(end);
  return end;
}

/**
 * Says, at once, what a wait that lets no timer run has been for so far. The caller tells when it is worth a line.
 *
 * @param what words that follow `waiting for`
 */
export function tellOfBlockingWait(what: string, seconds: number): void {
  if (teller?.isTerminal() === true) teller.log.info(`waiting for ${what} (${seconds} s)`);
}

/**
 * Waits for something, and says so.
 *
 * @param what words that follow `waiting for`
 * @throws what `work` throws
 */
export async function awaited<T>(what: string, work: () => Promise<T>): Promise<T> {
  const end = beginWait(what);
  try {
    return await work();
  } finally {
    end();
  }
}
