/** Closes Node's debugger: through it, any local user could read what this process has in memory. Tests: test/clients/serve-hardening.test.ts */

import type { Log } from './log.ts';

/** Closes it where it is open, and says so. */
export async function closeDebugger(log: Log): Promise<void> {
  const { default: inspector } = await import('node:inspector');
  if (inspector.url() === undefined) return;
  inspector.close();
  log.warn("Node's debugger was open, and is closed: any user of this machine could have read the private key");
}
