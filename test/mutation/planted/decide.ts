/** What the suite of the mutator mutates: its tests see some of it, and not all. */

/** How many steps of one it takes to come to nothing. */
export function steps(from: number): number {
  let taken = 0;
  let left = from;
  while (left > 0) {
    left -= 1;
    taken += 1;
  }
  return taken;
}

/** Whether somebody may come in: this has no test at all. */
export function admits(age: number): boolean {
  return age >= 18;
}

/** The larger of two: which one, where they are the same, nobody can tell. */
export function larger(a: number, b: number): number {
  return a > b ? a : b;
}

/** Whether there is such a process. To ask with another signal than none would end it. */
export function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
