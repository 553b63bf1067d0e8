/**
 * systemd's services to a service: sd_notify(3) and inherited sockets
 * (sd_listen_fds(3)). Node has no datagram sockets of the Unix kind, so the
 * messages go through the `systemd-notify` program, which the unit has to
 * permit with `NotifyAccess=all`.
 */
import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A socket that systemd opened for this process. */
export interface InheritedSocket {
  readonly fd: number;
  /** `FileDescriptorName=` of the socket unit; its default is the unit's name. */
  readonly name: string;
}

/** SD_LISTEN_FDS_START */
const FIRST_FD = 3;

/** The sockets that are meant for this process; none when the variables are another's. */
export function inheritedSockets(env: Environment, pid: number): InheritedSocket[] {
  const count = Number(env['LISTEN_FDS']);
  if (env['LISTEN_PID'] !== String(pid) || !Number.isSafeInteger(count) || count < 1 || count > 64) return [];
  const names = env['LISTEN_FDNAMES']?.split(':') ?? [];
  return Array.from({ length: count }, (_, index) => ({ fd: FIRST_FD + index, name: names[index] ?? 'unknown' }));
}

export interface Notifier {
  /** Sends assignments such as `READY=1`, after those sent before. Resolves when systemd has them; never rejects. */
  notify(...assignments: string[]): Promise<void>;
  /** Sends WATCHDOG=1 in time, when systemd asked for it. */
  startWatchdog(): void;
  /** Ends the watchdog's messages. */
  stop(): void;
}

export interface NotifierOptions {
  readonly env: Environment;
  readonly pid: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs a program and gives its exit status. Default node:child_process'. */
  readonly run?: ((file: string, args: readonly string[], env: Record<string, string>) => Promise<number>) | undefined;
}

/** @returns undefined when systemd does not listen */
export function createNotifier({ env, pid, clock, log, run = runProgram }: NotifierOptions): Notifier | undefined {
  const socket = env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') return undefined;
  const childEnv = { NOTIFY_SOCKET: socket, PATH: env['PATH'] ?? '/usr/bin:/bin' };
  const intervalMs = watchdogInterval(env, pid);
  let broken = false;
  let queue = Promise.resolve();
  let timer: Timer | undefined;

  const send = async (assignments: readonly string[]): Promise<void> => {
    if (broken) return;
    try {
      const status = await run('systemd-notify', assignments, childEnv);
      if (status === 0) return;
      log.warn('systemd-notify failed', { status });
    } catch (error) {
      broken = true;
      log.warn('systemd cannot be notified: systemd-notify cannot be run', {
        reason: error instanceof Error ? error.message : 'unknown error',
      });
    }
  };
  const notify = (...assignments: string[]): Promise<void> => {
    queue = queue.then(() => send(assignments));
    return queue;
  };
  const beat = (): void => {
    if (intervalMs === undefined) return;
    timer = clock.setTimer(
      () => {
        void notify('WATCHDOG=1');
        beat();
      },
      intervalMs,
      false,
    );
  };
  return { notify, startWatchdog: beat, stop: () => timer?.cancel() };
}

/** Half of the time that systemd grants, as sd_watchdog_enabled(3) advises. */
function watchdogInterval(env: Environment, pid: number): number | undefined {
  const micros = Number(env['WATCHDOG_USEC']);
  const forUs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(pid);
  return forUs && Number.isSafeInteger(micros) && micros > 0 ? micros / 2000 : undefined;
}

async function runProgram(file: string, args: readonly string[], env: Record<string, string>): Promise<number> {
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (status) => resolve(status ?? 1));
  });
}
