/** What happened, in order: the last of it is told with a wrong answer. */

const KEPT = 400;

export interface Events {
  /** Seconds since the start. */
  now(): number;
  note(text: string): void;
  /** The newest, oldest first. */
  last(): readonly string[];
}

export function createEvents(): Events {
  const begin = performance.now();
  const kept: string[] = [];
  const now = (): number => (performance.now() - begin) / 1000;
  return {
    now,
    note(text) {
      kept.push(`${now().toFixed(1)} ${text}`);
      if (kept.length > KEPT) kept.shift();
    },
    last: () => kept,
  };
}
