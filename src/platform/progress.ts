/** Tells a person at a terminal, again and again, how long a wait has taken. Loaded once one takes longer than a second. */
// Tests: test/network/debug.test.ts
import { isAsking } from './prompt.ts';

/** When it is said, in seconds since the wait began; then every half minute. */
const MOMENTS = [1, 5, 15, 30];
const THEN_EVERY = 30;

/**
 * Says it now, and at later moments. Nothing is said while a person is asked for something.
 *
 * @param what words that follow `waiting for`
 * @param say writes a line
 * @returns what ends it
 */
export function tellOfWait(what: string, say: (line: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const tell = (index: number): void => {
    const seconds = at(index);
    if (!isAsking()) say(`waiting for ${what} (${seconds} s)`);
    timer = setTimeout(tell, (at(index + 1) - seconds) * 1000, index + 1);
    timer.unref();
  };
  tell(0);
  return () => clearTimeout(timer);
}

function at(index: number): number {
  return MOMENTS[index] ?? (MOMENTS.at(-1) ?? 0) + (index - MOMENTS.length + 1) * THEN_EVERY;
}
