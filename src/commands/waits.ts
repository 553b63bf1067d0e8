/** Tells a person at a terminal what is waited for, and for how long. */
// Tests: test/network/debug.test.ts
import type { Io } from './command.ts';

/** Waits up to this one are not worth a line. */
const PATIENCE_MS = 1000;

export interface Waits {
  /** From now on the wait is for this: words that follow `waiting for`. Undefined: for nothing. */
  awaiting: (what: string | undefined) => void;
  /** Nothing more is waited for. */
  done: () => void;
}

/** One wait after the other; each that takes more than a second is named in the log, if a person reads it on a terminal. */
export function watchWaits({ log, stderrIsTerminal }: Pick<Io, 'log' | 'stderrIsTerminal'>): Waits {
  let end: (() => void) | undefined;
  const awaiting = (what: string | undefined): void => {
    end?.();
    end = undefined;
    if (what === undefined) return;
    let ended = false;
    let quiet: (() => void) | undefined;
    const tell = async (): Promise<void> => {
      const { tellOfWait } = await import('../platform/progress.ts');
      if (!ended) quiet = tellOfWait(what, (line) => log.info(line));
    };
    const timer = setTimeout(() => {
      if (stderrIsTerminal?.() === true) void tell();
    }, PATIENCE_MS);
    timer.unref();
    end = () => {
      ended = true;
      clearTimeout(timer);
      quiet?.();
    };
  };
  return { awaiting, done: () => awaiting(undefined) };
}
