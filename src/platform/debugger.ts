/** Closes Node's debugger: through it, any local user could read what this process has in memory. Tests: test/clients/serve-hardening.test.ts */

import type { Log } from './log.ts';

/**
 * A SIGUSR1 before this program's first line asks Node twice to open it: as soon as code runs, and in a turn of the event
 * loop, which opens again what was closed meanwhile. On a busy machine these turns are late.
 */
const LATER_MS = [100, 1000, 5000];

/** Closes it where it is open, and says so; also what a signal that came before has opened by a little later. */
export async function closeDebugger(log: Log): Promise<void> {
  const { default: inspector } = await import('node:inspector');
  let told = false;
  const close = (): void => {
    if (inspector.url() === undefined) return;
    inspector.close();
    if (!told)
      log.warn("Node's debugger was open, and is closed: any user of this machine could have read the private key");
    told = true;
  };
  close();
  // Before a key is read.
  await new Promise((resolve) => setImmediate(resolve));
  close();
  for (const ms of LATER_MS) setTimeout(close, ms).unref();
}
