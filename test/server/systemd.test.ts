import { describe, expect, it } from 'vitest';
import { createLog, silentLog } from '../../src/platform/log.ts';
import { createNotifier, inheritedSockets } from '../../src/server/systemd.ts';
import { FakeClock } from '../support/fake-clock.ts';

const PID = 4242;

describe('inherited sockets', () => {
  it('are those that the variables name for this process', () => {
    expect(inheritedSockets({ LISTEN_PID: '4242', LISTEN_FDS: '2', LISTEN_FDNAMES: 'main:metrics' }, PID)).toEqual([
      { fd: 3, name: 'main' },
      { fd: 4, name: 'metrics' },
    ]);
    expect(inheritedSockets({ LISTEN_PID: '4242', LISTEN_FDS: '1' }, PID)).toEqual([{ fd: 3, name: 'unknown' }]);
  });

  it.each([
    {},
    { LISTEN_PID: '1', LISTEN_FDS: '1' },
    { LISTEN_FDS: '1' },
    { LISTEN_PID: '4242' },
    { LISTEN_PID: '4242', LISTEN_FDS: '0' },
    { LISTEN_PID: '4242', LISTEN_FDS: '-1' },
    { LISTEN_PID: '4242', LISTEN_FDS: 'x' },
    { LISTEN_PID: '4242', LISTEN_FDS: '65' },
  ])('are none with %o', (env) => {
    expect(inheritedSockets(env, PID)).toEqual([]);
  });
});

function notifier(env: Record<string, string>, run?: (args: readonly string[]) => Promise<number>) {
  const sent: string[][] = [];
  const logged: string[] = [];
  const clock = new FakeClock();
  const made = createNotifier({
    env: { NOTIFY_SOCKET: '/run/notify', ...env },
    pid: PID,
    clock,
    log: createLog({ write: (line) => void logged.push(line) }),
    run: (_file, args) => {
      sent.push([...args]);
      return run?.(args) ?? Promise.resolve(0);
    },
  });
  return { made, sent, logged, clock };
}

describe('the notifier', () => {
  it('is none where systemd does not listen', () => {
    expect(createNotifier({ env: {}, pid: PID, clock: new FakeClock(), log: silentLog })).toBeUndefined();
    expect(
      createNotifier({ env: { NOTIFY_SOCKET: '' }, pid: PID, clock: new FakeClock(), log: silentLog }),
    ).toBeUndefined();
  });

  it('hands the program the socket and the path, and nothing else of the environment', async () => {
    const environments: Record<string, string>[] = [];
    const made = createNotifier({
      env: { NOTIFY_SOCKET: '@abstract', PATH: '/usr/bin', AWS_SECRET_ACCESS_KEY: 'secret' },
      pid: PID,
      clock: new FakeClock(),
      log: silentLog,
      run: (_file, _args, env) => {
        environments.push(env);
        return Promise.resolve(0);
      },
    });
    await made?.notify('READY=1');
    expect(environments).toEqual([{ NOTIFY_SOCKET: '@abstract', PATH: '/usr/bin' }]);
  });

  it('sends one message after the other', async () => {
    const steps: string[] = [];
    const { made } = notifier({}, async ([first = '']) => {
      steps.push(`begin ${first}`);
      await new Promise((resolve) => setImmediate(resolve));
      steps.push(`end ${first}`);
      return 0;
    });
    await Promise.all([made?.notify('READY=1'), made?.notify('STATUS=x')]);
    expect(steps).toEqual(['begin READY=1', 'end READY=1', 'begin STATUS=x', 'end STATUS=x']);
  });

  it('beats twice in the time that systemd grants, until it is stopped', async () => {
    const { made, sent, clock } = notifier({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '4242' });
    made?.startWatchdog();
    await clock.advance(60_000);
    expect(sent).toEqual(Array.from({ length: 4 }, () => ['WATCHDOG=1']));
    expect(clock.timers.keepAlive).toBe(0);
    made?.stop();
    await clock.advance(60_000);
    expect(sent).toHaveLength(4);
  });

  it.each([{}, { WATCHDOG_USEC: '0' }, { WATCHDOG_USEC: 'x' }, { WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }])(
    'does not beat with %o',
    async (env) => {
      const { made, sent, clock } = notifier(env);
      made?.startWatchdog();
      await clock.advance(60_000);
      expect(sent).toEqual([]);
    },
  );

  it('that cannot run its program says so once, and is silent from then on', async () => {
    const { made, sent, logged } = notifier({}, () => Promise.reject(new Error('spawn systemd-notify ENOENT')));
    await made?.notify('READY=1');
    await made?.notify('STATUS=x');
    expect(sent).toHaveLength(1);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain('ENOENT');
  });

  it('whose program fails says so and tries again', async () => {
    const { made, sent, logged } = notifier({}, () => Promise.resolve(1));
    await made?.notify('READY=1');
    await made?.notify('STATUS=x');
    expect(sent).toHaveLength(2);
    expect(logged).toHaveLength(2);
  });
});
