import { describe, expect, it } from 'vitest';
import { senderOnTime } from '../../src/aws/send-on-time.ts';
import { createServiceClock } from '../../src/aws/service-clock.ts';
import type { HttpResponse } from '../../src/http/http.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** A service with a clock of its own, which takes signatures of up to five minutes from it. */
function service(ahead: number): (signedAt: number) => Promise<HttpResponse> {
  return async (signedAt) => ({
    status: Math.abs(NOW + ahead - signedAt) > 5 * MINUTE ? 403 : 201,
    headers: { date: new Date(NOW + ahead).toUTCString() },
    body: '',
  });
}

const still = { monotonic: () => 0 };

describe('requests that share a clock', () => {
  it.each([HOUR, -HOUR, 10 * MINUTE])(
    'are all corrected when all were signed with the wrong time (%d ms)',
    async (ahead) => {
      const clock = createServiceClock(() => NOW);
      const told: number[] = [];
      const connection = { ...still, onClockOffset: (offset: number) => void told.push(offset) };
      // Each is answered when all were sent.
      let sent = 0;
      let open!: () => void;
      const all = new Promise<void>((resolve) => (open = resolve));
      const send = async (signedAt: number): Promise<HttpResponse> => {
        if (++sent === 7) open();
        await all;
        return await service(ahead)(signedAt);
      };
      const answers = await Promise.all(
        Array.from({ length: 7 }, async () => await senderOnTime(clock, connection)(send, 1000)),
      );
      expect(answers.map(({ response }) => response.status)).toEqual([201, 201, 201, 201, 201, 201, 201]);
      expect([clock.offset(), told]).toEqual([ahead, [ahead]]);
    },
  );

  it('keep the clock when a stranger refuses with a Date of his own', async () => {
    const clock = createServiceClock(() => NOW);
    const blocked = async (): Promise<HttpResponse> => ({
      status: 403,
      headers: { date: new Date(NOW + 30 * 24 * HOUR).toUTCString() },
      body: 'blocked',
    });
    expect((await senderOnTime(clock, still)(blocked, 1000)).response.status).toBe(403);
    expect([clock.offset(), clock.now()]).toEqual([0, NOW]);
    await senderOnTime(clock, still)(service(0), 1000);
    expect(clock.offset()).toBe(0);
  });

  it('forget an offset that was presumed and is refused', async () => {
    const clock = createServiceClock(() => NOW);
    clock.presume(10 * HOUR);
    const { response } = await senderOnTime(clock, still)(service(0), 1000);
    expect([response.status, clock.offset(), clock.presumed()]).toEqual([201, 0, 0]);
  });

  it.each([HOUR, -HOUR, 7 * MINUTE])(
    'leave the clock alone at a good answer whose Date is %d ms off: who took the signature has another time',
    async (by) => {
      const clock = createServiceClock(() => NOW);
      const headers = { date: new Date(NOW + by).toUTCString() };
      const odd = async (signedAt: number): Promise<HttpResponse> => ({ ...(await service(0)(signedAt)), headers });
      expect((await senderOnTime(clock, still)(odd, 1000)).response.status).toBe(201);
      expect([clock.offset(), clock.presumed()]).toEqual([0, 0]);
    },
  );

  it.each([4 * MINUTE, -4 * MINUTE])('learn from a good answer that the clock is %d ms off', async (ahead) => {
    const clock = createServiceClock(() => NOW);
    await senderOnTime(clock, still)(service(ahead), 1000);
    expect(clock.offset()).toBe(ahead);
  });

  it('learn it of a request that is not signed, too', async () => {
    const clock = createServiceClock(() => NOW);
    await senderOnTime(clock, still, false)(async () => ({ ...(await service(HOUR)(NOW + HOUR)), status: 200 }), 1000);
    expect(clock.offset()).toBe(HOUR);
  });

  it('take an answer that came late for late, not for a clock that is behind', async () => {
    const clock = createServiceClock(() => NOW);
    let passed = 0;
    const slow = async (): Promise<HttpResponse> => {
      passed = 2 * MINUTE;
      return { status: 201, headers: { date: new Date(NOW + passed).toUTCString() }, body: '' };
    };
    await senderOnTime(clock, { monotonic: () => passed })(slow, 1000);
    expect(clock.offset()).toBe(0);
  });

  it('spend one time on both requests of a correction', async () => {
    let passed = 0;
    const given: number[] = [];
    const send = async (signedAt: number, timeoutMs: number): Promise<HttpResponse> => {
      given.push(timeoutMs);
      passed += 400;
      return await service(HOUR)(signedAt);
    };
    await senderOnTime(
      createServiceClock(() => NOW),
      { monotonic: () => passed },
    )(send, 1000);
    expect(given).toEqual([1000, 600]);
  });
});
