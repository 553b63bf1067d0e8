/** Tells a person at a terminal what is waited for. */
// Tests: test/network/debug.test.ts
import type { Io } from './command.ts';

/** Waits up to this one are not worth a line. */
const PATIENCE_MS = 1000;

export interface Waits {
  /** From now on the wait is for this: words that follow `waiting for`. */
  awaiting: (what: string) => void;
  /** Nothing more is waited for. */
  done: () => void;
}

/** One wait after the other; each that takes more than a second is named in the log, if a person reads it on a terminal. */
export function watchWaits({ log, stderrIsTerminal }: Pick<Io, 'log' | 'stderrIsTerminal'>): Waits {
  let timer: NodeJS.Timeout | undefined;
  return {
    awaiting(what) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (stderrIsTerminal?.() === true) log.info(`waiting for ${what}`);
      }, PATIENCE_MS);
      timer.unref();
    },
    done: () => clearTimeout(timer),
  };
}
