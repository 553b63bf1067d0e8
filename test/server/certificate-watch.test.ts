import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { stageOf, watchCertificate } from '../../src/server/certificate-watch.ts';
import { FakeClock } from '../support/fake-clock.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

function watch(lifeMs: number, leftMs = lifeMs, credentialsMs?: number) {
  const clock = new FakeClock();
  const logged: string[] = [];
  const end = clock.now() + leftMs;
  const state = { validity: { notBefore: end - lifeMs, notAfter: end } };
  const log = createLog({ write: (line) => void logged.push(line), format: 'json' });
  const until = credentialsMs === undefined ? undefined : new Date(clock.now() + credentialsMs);
  const made = watchCertificate({ validity: () => state.validity, credentialsUntil: () => until, log, clock });
  const took = (): string[] => logged.splice(0).map((line) => (JSON.parse(line) as { message: string }).message);
  return { clock, state, made, took };
}

const THIRD = 'less than a third of the life of the certificate is left';
const TENTH = 'less than a tenth of the life of the certificate is left';

describe('the watch over a certificate', () => {
  it.each([3 * MINUTE, 60 * MINUTE, DAY, 365 * DAY])(
    'tells a third, a tenth and the end of %d ms, each in its moment and once',
    async (life) => {
      const { clock, took } = watch(life);
      await clock.advance(life * 0.66);
      expect(took()).toEqual([]);
      await clock.advance(life * 0.01);
      expect(took()).toEqual([THIRD]);
      await clock.advance(life * 0.22);
      expect(took()).toEqual([]);
      await clock.advance(life * 0.02);
      expect(took()).toEqual([TENTH]);
      await clock.advance(life * 0.09 + 2);
      expect(took()).toEqual(['the certificate has expired, and there are no credentials']);
      await clock.advance(life);
      expect(took()).toEqual([]);
    },
  );

  it('tells until when credentials are good', async () => {
    const { clock, took } = watch(10 * MINUTE, MINUTE / 2, 40 * MINUTE);
    took();
    await clock.advance(MINUTE);
    expect(took()).toEqual(['the certificate has expired; credentials are good until 2026-01-01T00:40:00.000Z']);
  });

  it('tells the nearest alone at a start near the end', () => {
    expect(watch(100 * DAY, DAY).took()).toEqual([TENTH]);
  });

  it('looks at a new certificate anew, as soon as it is there', () => {
    const { state, made, took, clock } = watch(DAY, DAY / 20);
    took();
    state.validity = { notBefore: clock.now(), notAfter: clock.now() + DAY };
    made.check();
    expect(took()).toEqual([]);
    state.validity = { notBefore: clock.now() - DAY, notAfter: clock.now() + DAY / 4 };
    made.check();
    made.check();
    expect(took()).toEqual([THIRD]);
  });

  it('does not keep the process alive, and ends when it is told', async () => {
    const { clock, made, took } = watch(DAY);
    expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
    made.stop();
    await clock.advance(2 * DAY);
    expect([took(), clock.timers.all]).toEqual([[], 0]);
  });
});

it.each([
  [0, 'good'],
  [66, 'good'],
  [67, 'third'],
  [91, 'tenth'],
  [100, 'expired'],
  [101, 'expired'],
])('after %d of a hundred the stage is %s', (now, stage) => {
  expect(stageOf({ notBefore: 0, notAfter: 100 }, now)).toBe(stage);
});
