/** A clock that stands still until it is told otherwise. */
// Tests: test/emulator/wire/faults.test.ts

export interface Clock {
  /** To be handed to `startEmulator`. It needs no `this`. */
  readonly now: () => Date;
  set(date: Date): void;
  /** Moves the clock on. */
  advance(seconds: number): void;
}

/** @param start default: the system's time */
export function createClock(start: Date = new Date()): Clock {
  let at = start.getTime();
  return {
    now: () => new Date(at),
    set(date) {
      at = date.getTime();
    },
    advance(seconds) {
      at += seconds * 1000;
    },
  };
}
