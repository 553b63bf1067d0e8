import { expect, it } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { watchCertificate } from '../../src/server/certificate-watch.ts';
import { FakeClock } from '../support/fake-clock.ts';

const DAY = 86_400_000;

function watch(daysLeft: number) {
  const clock = new FakeClock();
  const logged: string[] = [];
  const state = { end: clock.now() + daysLeft * DAY };
  const log = createLog({ write: (line) => void logged.push(line), format: 'json' });
  const made = watchCertificate({ notAfter: () => state.end, log, clock });
  const took = (): string[] => logged.splice(0).map((line) => (JSON.parse(line) as { message: string }).message);
  return { clock, state, made, took };
}

it('each threshold is reported once, and the end as an error', async () => {
  const { clock, took } = watch(31);
  expect(took()).toEqual([]);
  await clock.advance(2 * DAY);
  expect(took()).toEqual(['the certificate ends within 30 days']);
  await clock.advance(20 * DAY);
  expect(took()).toEqual([]);
  await clock.advance(3 * DAY);
  expect(took()).toEqual(['the certificate ends within 7 days']);
  await clock.advance(5.5 * DAY);
  expect(took()).toEqual(['the certificate ends within 1 day']);
  await clock.advance(DAY);
  expect(took()).toEqual(['the certificate has expired']);
  await clock.advance(30 * DAY);
  expect(took()).toEqual([]);
});

it('a start near the end reports the nearest threshold only', () => {
  expect(watch(0.5).took()).toEqual(['the certificate ends within 1 day']);
});

it('a new certificate is looked at anew, and as soon as it is there', () => {
  const { state, made, took, clock } = watch(0.5);
  took();
  state.end = clock.now() + 90 * DAY;
  made.check();
  expect(took()).toEqual([]);
  state.end = clock.now() + 5 * DAY;
  made.check();
  expect(took()).toEqual(['the certificate ends within 7 days']);
});

it('does not keep the process alive, and ends when it is told', async () => {
  const { clock, made, took } = watch(31);
  expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
  made.stop();
  await clock.advance(31 * DAY);
  expect(took()).toEqual([]);
});
