import type { Clock, Timer } from '../../src/platform/clock.ts';

/** Both clocks and all timers, moved by hand. A timer that is due waits until it is fired: a process may not run for long. */
export class ModelClock implements Clock {
  wall = Date.UTC(2026, 0, 1);
  elapsed = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.elapsed;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { at: this.elapsed + Math.max(delayMs, 0), callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** When the next timer is due, on the monotonic clock. */
  get nextTimer(): number | undefined {
    return this.#timers.size === 0 ? undefined : Math.min(...[...this.#timers].map(({ at }) => at));
  }

  /** Lets time pass on both clocks, and no timer fires. */
  pass(ms: number): void {
    this.wall += ms;
    this.elapsed += ms;
  }

  /** Goes on to the next timer, unless it is overdue, and fires it. */
  fireNext(): void {
    const next = [...this.#timers].toSorted((a, b) => a.at - b.at)[0];
    if (next === undefined) return;
    this.#timers.delete(next);
    this.pass(Math.max(0, next.at - this.elapsed));
    next.callback();
  }
}

/** As many turns as the longest chain of promises takes, and many more. A turn of the event loop would take ten times as long. */
const TURNS = 50;

/** Until all promises that can settle without a timer or an answer have done so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
}
