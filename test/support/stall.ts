/** Stands still, timers and sockets with it, as a process does on a machine that is overloaded or was suspended. */
export function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
