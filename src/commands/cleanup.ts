/** Undoes what a start has done. */
// Tests: test/clients/serve-operation.test.ts
import type { Log } from '../platform/log.ts';

/** Steps that undo others. They run in the opposite order, and each whether or not the others fail. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) await attempt(this.#log, 'stopping: a step failed', step);
  }
}

/** Makes a step whose failure is logged and goes no further. */
export async function attempt(log: Log, message: string, step: () => unknown): Promise<void> {
  try {
    await step();
  } catch (error) {
    log.error(message, { reason: error instanceof Error ? error.message : 'unknown error' });
  }
}
