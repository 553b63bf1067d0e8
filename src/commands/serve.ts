/**
 * `serve`: one identity and its roles, given to every SDK on this machine until the process is told to stop.
 * Tests: test/clients/serve.test.ts, serve-operation.test.ts, serve-outage.test.ts, serve-rotation.test.ts
 */
import { systemClock } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { refuseStreams } from '../platform/files.ts';
import { statusReporter } from '../server/provider-events.ts';
import { createNotifier } from '../server/systemd.ts';
import type { RunCommand } from './command.ts';
import { Cleanup, attempt } from './serve/cleanup.ts';
import { checkPorts, openPorts, openStatusPort } from './serve/listen.ts';
import { prepare } from './serve/prepare.ts';
import { readAgain } from './serve/reload.ts';

export const run: RunCommand<'serve'> = async (flags, io) => {
  const { log } = io;
  const cleanup = new Cleanup(log);
  const stopping = new AbortController();
  const { signal } = stopping;
  const stopped = io.stop().then(() => stopping.abort());
  // From the first moment on: by default, the signal would end the process.
  let reload: (() => Promise<void>) | undefined;
  io.onReload?.(() => {
    if (reload === undefined || signal.aborted) return;
    log.info('reading files again');
    void attempt(log, 'the files were not all read again', reload);
  });
  try {
    const notifier = createNotifier({ env: io.env, pid: process.pid, clock: systemClock, log });
    cleanup.add(() => notifier?.stop());
    const serving = await unlessStopped(prepare(flags, io, cleanup), stopped);
    refuseStreams();
    const reportStatus = statusReporter(serving.roles, notifier);
    for (const { provider } of serving.roles) provider.subscribe(reportStatus);
    await openStatusPort(serving, io, cleanup);
    await checkPorts(serving.targets);

    let ready = false;
    reload = () => readAgain(serving, io, ready ? notifier : undefined);
    await Promise.all(serving.roles.map(({ provider }) => provider.start(signal)));
    await openPorts(serving, io, cleanup);

    ready = true;
    await notifier?.notify('READY=1');
    notifier?.startWatchdog();
    reportStatus();
    await stopped;
    log.info('stopping');
    await notifier?.notify('STOPPING=1', 'STATUS=stopping');
  } catch (error) {
    // Asked to stop before it was ready: that is no failure.
    if (!signal.aborted) throw error;
  } finally {
    await cleanup.run();
  }
};

/** A start that a module or a file system holds up is not waited for: the process ends, and with it whatever was begun. */
async function unlessStopped<T>(start: Promise<T>, stopped: Promise<void>): Promise<T> {
  return Promise.race([
    start,
    stopped.then(() => {
      throw new RolesAnywhereError('ERR_INTERRUPTED', 'stopped while starting');
    }),
  ]);
}
