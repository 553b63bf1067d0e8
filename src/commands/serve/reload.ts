/**
 * Reads everything again that `serve` has read, as SIGHUP asks. What is bad by now is logged, and stays as it was.
 * Tests: test/clients/serve-operation.test.ts, serve-rotation.test.ts
 */
import type { Notifier } from '../../server/systemd.ts';
import type { Io } from '../command.ts';
import { attempt } from './cleanup.ts';
import type { Serving } from './serving.ts';

/** @param notifier tells systemd of it, once it was told that the service is ready */
export async function readAgain(serving: Serving, { log }: Io, notifier: Notifier | undefined): Promise<void> {
  await notifier?.notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  serving.audit?.reopen();
  await attempt(log, 'the CA bundle stays as it was', serving.vending.readRootsAgain);
  await attempt(log, 'the TLS certificate stays as it was', () => {
    serving.tls = serving.readTls();
    if (serving.tls !== undefined) serving.server?.setTls(serving.tls);
  });
  await serving.tokens.reload();
  await serving.identity.reload();
  serving.renewer?.check();
  for (const { provider } of serving.roles) provider.refresh('requested');
  await notifier?.notify('READY=1');
}
