/** What a service does, whatever it is for: it ends when it is told to, reads its files again, and tells systemd how it fares. */
// Tests: test/clients/serve-operation.test.ts, test/clients/update.test.ts
import { setMaxListeners } from 'node:events';
import { systemClock } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { endBySignalsWhileReading } from '../platform/files.ts';
import { statusReporter } from '../server/provider-events.ts';
import type { RunningRole } from './running-roles.ts';
import { createNotifier } from '../server/systemd.ts';
import type { Io } from './command.ts';
import { Cleanup, attempt } from './cleanup.ts';

/** A service that starts, or has. */
export interface Service {
  /** What undoes the start, at the end. */
  readonly cleanup: Cleanup;
  /** Fires when the service is told to end. */
  readonly signal: AbortSignal;
  /** A step of the start that a module or a file system may hold up: it is not waited for once the service is told to end. */
  unlessStopped<T>(step: Promise<T>): Promise<T>;
  /** From now on, reads again what has been read, when asked to. What is bad by now stays as it was. */
  onReload(reload: () => Promise<void>): void;
  /** From now on, systemd is told of the state of these. */
  watch(roles: readonly RunningRole[]): void;
}

/**
 * Runs a service: returns when it was told to end, and has.
 *
 * @param start everything that comes before the service is ready
 * @throws what `start` throws, unless it was told to end meanwhile
 */
export async function runService(io: Io, start: (service: Service) => Promise<void>): Promise<void> {
  const { log } = io;
  const cleanup = new Cleanup(log);
  const stopping = new AbortController();
  const { signal } = stopping;
  // Each role listens to it, and from the eleventh on Node would warn of a leak.
  setMaxListeners(0, signal);
  const stopped = io.stop().then(() => stopping.abort());
  endBySignalsWhileReading();
  // From the first moment on: by default, the signal would end the process.
  let readAgain: (() => Promise<void>) | undefined;
  let reportStatus: (() => void) | undefined;
  let ready = false;
  const notifier = createNotifier({ env: io.env, pid: process.pid, clock: systemClock, log });
  cleanup.add(() => notifier?.stop());
  const reload = async (work: () => Promise<void>): Promise<void> => {
    const told = ready ? notifier : undefined;
    await told?.notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    await work();
    await told?.notify('READY=1');
  };
  io.onReload?.(() => {
    if (readAgain === undefined || signal.aborted) return;
    const work = readAgain;
    log.info('reading files again');
    void attempt(log, 'the files were not all read again', () => reload(work));
  });
  try {
    await start({
      cleanup,
      signal,
      unlessStopped: (step) => unlessStopped(step, stopped),
      onReload: (work) => (readAgain = work),
      watch(roles) {
        reportStatus = statusReporter(roles, notifier);
        for (const { provider } of roles) provider.subscribe(() => reportStatus?.());
      },
    });
    ready = true;
    await notifier?.notify('READY=1');
    notifier?.startWatchdog();
    reportStatus?.();
    await stopped;
    log.info('stopping');
    await notifier?.notify('STOPPING=1', 'STATUS=stopping');
  } catch (error) {
    // Asked to stop before it was ready: that is no failure.
    if (!signal.aborted) throw error;
  } finally {
    await cleanup.run();
  }
}

async function unlessStopped<T>(step: Promise<T>, stopped: Promise<void>): Promise<T> {
  return Promise.race([
    step,
    stopped.then(() => {
      throw new RolesAnywhereError('ERR_INTERRUPTED', 'stopped while starting');
    }),
  ]);
}
