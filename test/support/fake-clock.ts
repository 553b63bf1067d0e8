import type { Clock, Timer } from '../../src/platform/clock.ts';

/** Both clocks and all timers, moved by hand. */
export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 1_000_000;
  readonly #timers = new Set<{ at: number; callback: () => void; keepAlive: boolean }>();

  constructor(wall = Date.UTC(2026, 0, 1)) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimer(callback: () => void, delayMs: number, keepAlive = true): Timer {
    const timer = { at: this.#monotonic + Math.max(delayMs, 0), callback, keepAlive };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers that are set, and how many of them would keep a process alive. */
  get timers(): { all: number; keepAlive: number } {
    return { all: this.#timers.size, keepAlive: [...this.#timers].filter(({ keepAlive }) => keepAlive).length };
  }

  /** Lets time pass on both clocks, firing timers in order, with everything settled between them. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      await settle();
      const next = [...this.#timers].toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#pass(next.at - this.#monotonic);
      this.#timers.delete(next);
      next.callback();
    }
    this.#pass(end - this.#monotonic);
    await settle();
  }

  /** Moves the wall clock alone: a suspend, or somebody setting it. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #pass(ms: number): void {
    this.#wall += Math.max(ms, 0);
    this.#monotonic += Math.max(ms, 0);
  }
}

/** Until all promises that can settle without a timer have done so. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
