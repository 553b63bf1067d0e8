/**
 * Reads everything again that `serve` has read, as SIGHUP asks. What is bad by now is logged, and stays as it was.
 * Tests: test/clients/serve-operation.test.ts, serve-rotation.test.ts
 */
import { attempt } from '../cleanup.ts';
import type { Io } from '../command.ts';
import { readRolesAgain } from '../running-roles.ts';
import type { Serving } from './serving.ts';

export async function readAgain(serving: Serving, io: Io): Promise<void> {
  serving.audit?.reopen();
  await attempt(io.log, 'the TLS certificate stays as it was', async () => {
    serving.tls = await serving.readTls();
    if (serving.tls !== undefined) serving.server?.setTls(serving.tls);
  });
  await serving.tokens.reload();
  await readRolesAgain(serving, io);
  serving.renewer?.check();
  const first = serving.server?.addresses.find(({ kind }) => kind !== 'ec2');
  if (first !== undefined) await serving.console?.announce(first);
}
