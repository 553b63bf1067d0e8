import { describe, expect, it } from 'vitest';
import { createProvider } from '../../src/credentials/refresher.ts';
import type { SessionCredentials } from '../../src/credentials/credentials.ts';
import { deferred } from '../../src/credentials/outcome.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { bench, failure, started } from './support/bench.ts';
import { HOUR, MINUTE, session } from './support/scripted-service.ts';

const SECOND = 1000;
const DAY = 24 * HOUR;
/** A provider that looks at the clocks for no other reason than what is due. */
const SELDOM = { clockCheckMs: DAY };

describe('renewing', () => {
  it('gets another set than the one in hand', async () => {
    const { provider, service, clock, events } = await started({ delayMs: 500 });
    await clock.advance(2 * MINUTE);
    const old = provider.peek();
    const renewed = provider.renew();
    await clock.advance(500);
    expect(await renewed).not.toBe(old);
    expect(provider.peek()).toBe(await renewed);
    expect(service.calls).toHaveLength(2);
    expect(events[0]).toEqual({ type: 'attempt', reason: 'requested' });
  });

  it.each([true, false])('gets the first set, with background refresh or not: %s', async (background) => {
    const { provider, service, clock, events } = bench({ background });
    const set = await provider.renew();
    expect(provider.peek()).toBe(set);
    expect(events[0]).toEqual({ type: 'attempt', reason: 'requested' });
    expect(service.calls).toHaveLength(1);
    await clock.advance(50 * MINUTE);
    expect(service.calls).toHaveLength(background ? 2 : 1);
  });

  it('joins the attempt in flight, and asks for no further one', async () => {
    const { provider, service, clock } = bench({ delayMs: 500, background: false });
    const first = provider.get();
    const renewed = provider.renew();
    await clock.advance(500);
    expect(await renewed).toBe(await first);
    await clock.advance(2 * MINUTE);
    await provider.get();
    expect(service.calls).toHaveLength(1);
  });

  it('gives the set in hand where that is younger than a minute, and asks when the minute is over', async () => {
    const { provider, service, clock } = await started();
    await clock.advance(MINUTE - 1);
    expect(await provider.renew()).toBe(provider.peek());
    expect(service.calls).toHaveLength(1);
    await clock.advance(1);
    expect(service.calls).toHaveLength(2);
  });

  it('fails as the attempt before while the service asked for a wait, with a good set in hand or not', async () => {
    const { provider, service, clock } = await started();
    await clock.advance(2 * MINUTE);
    service.behaviour = service.failing('ERR_THROTTLED', { retryAfterMs: 100_000 });
    await expect(provider.renew()).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    await clock.advance(99_000);
    await expect(provider.renew()).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    expect(service.calls).toHaveLength(2);
    expect(provider.peek()).toBeDefined();
  });

  it('is over for the caller whose signal is aborted, and not begun where it was before', async () => {
    const { provider, service } = await started();
    const controller = new AbortController();
    await expect(provider.renew(AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
    await expect(provider.get(AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
    await expect(provider.start(AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
    expect(service.calls).toHaveLength(1);
    const idle = bench();
    idle.service.behaviour = idle.service.hanging();
    const renewed = failure(idle.provider.renew(controller.signal));
    await settle();
    controller.abort();
    expect(await renewed).toMatchObject({ code: 'ERR_INTERRUPTED', message: 'waiting for credentials was given up' });
    idle.provider.close();
  });

  it('makes no call where the signal had fired', async () => {
    for (const ask of ['renew', 'get', 'start'] as const) {
      const { provider, service, clock } = bench();
      // oxlint-disable-next-line no-await-in-loop -- one provider after the other
      await failure(provider[ask](AbortSignal.abort()));
      // oxlint-disable-next-line no-await-in-loop -- as above
      await clock.advance(MINUTE);
      expect(service.calls).toHaveLength(0);
      expect(provider.status().state).toBe('idle');
    }
  });

  it('gets another set without background refresh too', async () => {
    const { provider, service, clock } = await started({ background: false });
    await clock.advance(2 * MINUTE);
    const old = provider.peek();
    expect(await provider.renew()).not.toBe(old);
    expect(service.calls).toHaveLength(2);
  });

  it.each(['renew', 'get'] as const)('makes no call when a listener closes the provider meanwhile: %s', async (ask) => {
    for (const background of [true, false]) {
      // oxlint-disable-next-line no-await-in-loop -- one provider after the other
      const { provider, service, clock } = await started({ background });
      provider.subscribe(({ type }) => {
        if (type === 'clock-jump') provider.close();
      });
      clock.jump(2 * HOUR);
      // oxlint-disable-next-line no-await-in-loop -- as above
      expect(await failure(provider[ask]())).toMatchObject({ code: 'ERR_INTERRUPTED' });
      // oxlint-disable-next-line no-await-in-loop -- as above
      await settle();
      expect(service.calls).toHaveLength(1);
      expect(clock.timers.all).toBe(0);
    }
  });

  it.each(['renew', 'get', 'start'] as const)('is refused as closed, though nobody waits: %s', async (ask) => {
    const { provider } = bench();
    provider.close();
    expect(await failure(provider[ask](AbortSignal.abort()))).toMatchObject({
      message: 'the credentials provider is closed',
    });
  });

  it('is refused by a provider that is closed', async () => {
    const { provider, service, clock } = await started();
    service.behaviour = service.failing('ERR_CONNECT');
    await clock.advance(35 * MINUTE);
    provider.close();
    await expect(provider.renew()).rejects.toMatchObject({
      code: 'ERR_INTERRUPTED',
      message: 'the credentials provider is closed',
    });
    provider.refresh('requested');
    await settle();
    expect(service.calls).toHaveLength(2);
  });
});

describe('what a provider says of itself', () => {
  const nothing = { expiration: undefined, refreshedAt: undefined, lastError: undefined, nextAttempt: undefined };

  it('from idle to closed', async () => {
    const { provider, service, clock } = bench({ delayMs: 500 });
    const begin = clock.now();
    expect(provider.status()).toEqual({ ...nothing, state: 'idle', refreshing: false, failures: 0 });

    const ready = provider.get();
    expect(provider.status()).toEqual({ ...nothing, state: 'starting', refreshing: true, failures: 0 });

    await clock.advance(500);
    await ready;
    const valid = {
      state: 'valid',
      refreshing: false,
      failures: 0,
      lastError: undefined,
      expiration: new Date(begin + 500 + HOUR),
      refreshedAt: new Date(begin + 500),
      nextAttempt: new Date(begin + 500 + 35 * MINUTE),
    };
    expect(provider.status()).toEqual(valid);

    service.behaviour = service.failing('ERR_CONNECT');
    await clock.advance(35 * MINUTE);
    expect(provider.status()).toEqual({
      ...valid,
      state: 'degraded',
      failures: 1,
      lastError: expect.objectContaining({ code: 'ERR_CONNECT' }) as unknown,
      nextAttempt: new Date(begin + 500 + 36 * MINUTE),
    });

    service.behaviour = service.hanging();
    await clock.advance(MINUTE);
    expect(provider.status()).toMatchObject({
      state: 'degraded',
      refreshing: true,
      failures: 1,
      nextAttempt: undefined,
    });

    service.behaviour = service.failing('ERR_DNS');
    await clock.advance(HOUR);
    expect(provider.status()).toMatchObject({
      state: 'unavailable',
      lastError: { code: 'ERR_DNS' },
      expiration: valid.expiration,
      refreshedAt: valid.refreshedAt,
    });

    provider.close();
    expect(provider.status()).toMatchObject({ ...nothing, lastError: { code: 'ERR_DNS' }, state: 'closed' });
  });

  it('is unavailable after a first failure, and starting where somebody waits for the start', async () => {
    const { provider, service, clock } = bench();
    service.behaviour = service.failing('ERR_CONNECT');
    await failure(provider.get());
    expect(provider.status()).toMatchObject({ state: 'unavailable', refreshing: false, failures: 1 });
    const controller = new AbortController();
    const ready = failure(provider.start(controller.signal));
    expect(provider.status().state).toBe('starting');
    controller.abort();
    await ready;
    await clock.advance(0);
    expect(provider.status().state).toBe('unavailable');
  });

  it('is unavailable when its set has ended, and starting only before the first one', async () => {
    const { provider, clock } = await started({ background: false });
    await clock.advance(HOUR);
    expect(provider.status()).toMatchObject({ state: 'unavailable', failures: 0, lastError: undefined });
  });

  it('has no next attempt planned where only those who ask make one', async () => {
    const { provider, service, clock, events } = bench({ background: false });
    await provider.get();
    expect(provider.status()).toMatchObject({ state: 'valid', nextAttempt: undefined });
    service.behaviour = service.failing('ERR_CONNECT');
    await clock.advance(HOUR);
    await failure(provider.get());
    expect(events.at(-1)).toMatchObject({ type: 'failed', retryInMs: undefined });
    expect(provider.status()).toMatchObject({ state: 'unavailable', nextAttempt: undefined });
  });
});

describe('the events of a provider', () => {
  it('tell why each attempt was made, how long it took and what came of it', async () => {
    const { provider, service, clock, events } = bench({ delayMs: 500, random: () => 0.5 });
    const begin = clock.now();
    const ready = provider.start();
    await clock.advance(500);
    const { expiration } = await ready;
    expect(events.splice(0)).toEqual([
      { type: 'attempt', reason: 'start' },
      { type: 'refreshed', reason: 'start', durationMs: 500, expiration: new Date(begin + 500 + HOUR) },
    ]);

    const failing = service.failing('ERR_CONNECT');
    service.behaviour = async (signal) => {
      await service.vending(HOUR, 200)(signal);
      return failing(signal);
    };
    await clock.advance(33 * MINUTE);
    const error: unknown = expect.objectContaining({ code: 'ERR_CONNECT' });
    const failed = { type: 'failed', durationMs: 200, error, expiration };
    expect(events.splice(0)).toEqual([
      { type: 'attempt', reason: 'due' },
      { ...failed, reason: 'due', failures: 1, retryInMs: MINUTE - 200 },
    ]);
    await clock.advance(MINUTE);
    expect(events.splice(0)).toEqual([
      { type: 'attempt', reason: 'retry' },
      { ...failed, reason: 'retry', failures: 2, retryInMs: MINUTE - 200 },
    ]);

    await clock.advance(23 * MINUTE);
    expect(events.filter(({ type }) => type === 'expired')).toEqual([]);
    await clock.advance(10 * MINUTE);
    expect(events.filter(({ type }) => type === 'expired')).toEqual([{ type: 'expired', expiration }]);
    expect(events.at(-1)).toMatchObject({ type: 'failed', reason: 'retry', expiration: undefined });
  });

  it('name the demand of a caller, with nothing good in hand, as the reason', async () => {
    const { provider, service, clock, events } = bench({ background: false });
    service.behaviour = service.failing('ERR_CONNECT');
    await failure(provider.get());
    await clock.advance(2 * MINUTE);
    service.behaviour = service.vending(HOUR);
    await provider.get();
    await clock.advance(40 * MINUTE);
    await provider.get();
    await settle();
    await clock.advance(2 * HOUR);
    await provider.get();
    expect(events.flatMap((event) => (event.type === 'attempt' ? [event.reason] : []))).toEqual([
      'demand',
      'demand',
      'due',
      'demand',
    ]);
  });

  it('reach each subscription until it ends, and nobody after the close', async () => {
    const { provider, clock } = bench();
    const told: string[] = [];
    const listener = ({ type }: { type: string }): void => void told.push(type);
    const [first, second] = [provider.subscribe(listener), provider.subscribe(listener)];
    await provider.get();
    expect(told.splice(0)).toEqual(['attempt', 'attempt', 'refreshed', 'refreshed']);
    first();
    first();
    await clock.advance(35 * MINUTE);
    expect(told.splice(0)).toEqual(['attempt', 'refreshed']);
    second();
    await clock.advance(35 * MINUTE);
    expect(told).toEqual([]);
  });

  it('tell of a clock that moved by five seconds, and not of less', async () => {
    const { provider, clock, events } = await started();
    for (const [ms, byMs] of [
      [4999, undefined],
      [-4999, undefined],
      [5000, 5000],
      [-5000, -5000],
    ] as const) {
      clock.jump(ms);
      // oxlint-disable-next-line no-await-in-loop -- one jump after the other
      await provider.get();
      expect(events.splice(0)).toEqual(byMs === undefined ? [] : [{ type: 'clock-jump', byMs }]);
    }
  });

  it('tell of a clock that moved before the first use', async () => {
    const { provider, clock, events } = bench();
    clock.jump(HOUR);
    await provider.get();
    expect(events[0]).toEqual({ type: 'clock-jump', byMs: HOUR });
  });

  it('tell that an attempt which nobody asked for was due', async () => {
    const { clock, events } = await started();
    clock.jump(8 * HOUR);
    await clock.advance(15 * SECOND);
    expect(events).toContainEqual({ type: 'attempt', reason: 'due' });
  });

  it('reach no listener behind the one that closes the provider', async () => {
    const { provider, clock } = await started();
    const told: string[] = [];
    provider.subscribe(() => provider.close());
    provider.subscribe(({ type }) => told.push(type));
    clock.jump(MINUTE);
    await failure(provider.renew());
    expect(told).toEqual([]);
  });

  it('tell of no expiration before the first set', async () => {
    const { provider, service, clock, took } = bench();
    service.behaviour = service.failing('ERR_CONNECT');
    await failure(provider.get());
    await clock.advance(10);
    expect(took()).not.toContain('expired');
  });
});

describe('times that are to the millisecond', () => {
  it('an attempt is given up after a minute', async () => {
    const { provider, service, clock } = bench();
    service.behaviour = service.hanging();
    const got = failure(provider.get());
    await clock.advance(MINUTE - 1);
    expect(service.signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    expect(await got).toMatchObject({ code: 'ERR_TIMEOUT', message: 'no credentials came within 60 s' });
    expect(service.signals[0]?.aborted).toBe(true);
  });

  it('the clocks are looked at every quarter of a minute', async () => {
    const { service, clock } = await started();
    clock.jump(2 * HOUR);
    await clock.advance(15 * SECOND - 1);
    expect(service.calls).toHaveLength(1);
    await clock.advance(1);
    expect(service.calls).toHaveLength(2);
  });

  it('a set ceases to be given out a second before it ends, which is told then', async () => {
    const { provider, service, clock, events } = await started({ ...SELDOM, background: true });
    service.behaviour = service.hanging();
    await clock.advance(HOUR - SECOND - 1);
    expect(await provider.get()).toBe(provider.peek());
    expect(provider.status().state).toBe('degraded');
    expect(events.filter(({ type }) => type === 'expired')).toHaveLength(0);
    await clock.advance(1);
    expect(provider.peek()).toBeUndefined();
    expect(provider.status().state).toBe('unavailable');
    expect(events.filter(({ type }) => type === 'expired')).toHaveLength(1);
  });

  it('a set that comes with no more than that second left is no set', async () => {
    const { provider, service, clock } = bench({ background: false });
    service.behaviour = () => Promise.resolve(session(clock.now() + SECOND));
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_EXPIRED' });
    await clock.advance(MINUTE);
    service.behaviour = () => Promise.resolve(session(clock.now() + SECOND + 1));
    await expect(provider.get()).resolves.toBeDefined();
  });

  it.each<{ clockCheckMs: number; vendTimeoutMs?: number }>([SELDOM, { ...SELDOM, vendTimeoutMs: 5 * SECOND }])(
    'a refresh and the end of an attempt come when they are due, however seldom the clocks are looked at',
    async (options) => {
      const { service, clock, took } = await started(options);
      service.behaviour = service.hanging();
      await clock.advance(35 * MINUTE - 1);
      expect(took()).toEqual([]);
      await clock.advance(1);
      expect(took()).toEqual(['attempt']);
      await clock.advance((options.vendTimeoutMs ?? MINUTE) - 1);
      expect(took()).toEqual([]);
      await clock.advance(1);
      expect(took()).toContain('failed');
    },
  );

  it('in its last millisecond a set is still one to be renewed', async () => {
    const { provider, clock, events } = await started({ background: false, keepAlive: false, delayMs: 500 });
    await clock.advance(HOUR - SECOND - 1);
    expect(await provider.get()).toBe(provider.peek());
    expect(events).toEqual([{ type: 'attempt', reason: 'due' }]);
    // One of the two is that of the service.
    expect(clock.timers).toEqual({ all: 2, keepAlive: 1 });
    await clock.advance(1);
    expect(events.map(({ type }) => type)).toEqual(['attempt', 'expired']);
    expect(clock.timers).toEqual({ all: 2, keepAlive: 2 });
  });

  it('the end of an attempt is met however the looks at the clocks fall', async () => {
    const { provider, service, clock } = bench({ clockCheckMs: 25 * SECOND });
    service.behaviour = service.hanging();
    const got = failure(provider.get());
    await clock.advance(MINUTE - 1);
    expect(service.signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    expect(service.signals[0]?.aborted).toBe(true);
    expect(await got).toMatchObject({ code: 'ERR_TIMEOUT' });
  });

  it('with nothing in hand the clocks are looked at no more often', async () => {
    const { provider, service, clock, events } = bench({ ...SELDOM, vendTimeoutMs: HOUR });
    service.behaviour = service.hanging();
    const got = failure(provider.get());
    await clock.advance(20);
    clock.jump(2 * HOUR);
    await clock.advance(20);
    expect(events).toEqual([{ type: 'attempt', reason: 'demand' }]);
    provider.close();
    expect(await got).toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it('an attempt in flight is given up by the time that has passed on either clock', async () => {
    const { service, clock } = await started({ vendTimeoutMs: 20 * SECOND });
    service.behaviour = service.hanging();
    await clock.advance(35 * MINUTE);
    await clock.advance(5 * SECOND);
    clock.jump(-HOUR);
    await clock.advance(15 * SECOND - 1);
    expect(service.signals[1]?.aborted).toBe(false);
    await clock.advance(1);
    expect(service.signals[1]?.aborted).toBe(true);
  });
});

describe('what keeps a process alive', () => {
  it('is, for one that is not told to, the attempt for a caller and the start, and nothing else', async () => {
    const { provider, service, clock } = bench({ keepAlive: false });
    service.behaviour = service.hanging();
    const got = failure(provider.get());
    expect(clock.timers).toEqual({ all: 1, keepAlive: 1 });
    await clock.advance(MINUTE);
    expect(await got).toMatchObject({ code: 'ERR_TIMEOUT' });
    // The wait after the failure is nobody's.
    service.behaviour = service.failing('ERR_CONNECT');
    await clock.advance(MINUTE);
    expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
    const ready = provider.start();
    expect(clock.timers).toEqual({ all: 1, keepAlive: 1 });
    service.behaviour = service.vending(HOUR);
    await clock.advance(30 * SECOND);
    await ready;
    expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
    // A refresh with a good set in hand neither.
    service.behaviour = service.hanging();
    await clock.advance(36 * MINUTE);
    expect(provider.status().refreshing).toBe(true);
    expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
    // Unless that set ends under it.
    await clock.advance(25 * MINUTE);
    expect(provider.peek()).toBeUndefined();
    expect(clock.timers.keepAlive).toBe(provider.status().refreshing ? 1 : 0);
    provider.close();
    expect(clock.timers.all).toBe(0);
  });

  it('is a start that waits for the service', async () => {
    const { provider, service, clock } = bench({ keepAlive: false });
    service.behaviour = service.failing('ERR_CONNECT', { retryAfterMs: MINUTE });
    await failure(provider.get());
    expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
    const ready = failure(provider.start());
    expect(provider.status().refreshing).toBe(false);
    expect(clock.timers).toEqual({ all: 1, keepAlive: 1 });
    provider.close();
    expect(await ready).toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it('is nothing after a start without background refresh', async () => {
    const { provider, clock } = bench({ background: false });
    await provider.start();
    expect(clock.timers.all).toBe(0);
  });

  it('is nothing after a start that was given up, without background refresh', async () => {
    const { provider, service, clock } = bench({ background: false });
    service.behaviour = service.failing('ERR_CONNECT');
    const controller = new AbortController();
    const ready = failure(provider.start(controller.signal));
    await clock.advance(3 * SECOND);
    const before = service.calls.length;
    controller.abort();
    await ready;
    await clock.advance(HOUR);
    expect(service.calls.length).toBeLessThanOrEqual(before + 1);
    expect(clock.timers.all).toBe(0);
  });

  it('is one timer at a time', async () => {
    const { provider, service, clock } = await started();
    for (let times = 0; times < 10; times++) provider.refresh('rotated');
    expect(clock.timers.all).toBe(1);
    service.behaviour = service.hanging();
    await clock.advance(2 * MINUTE);
    expect(clock.timers.all).toBe(1);
  });
});

describe('the wait after a failure', () => {
  it.each([
    ['that is about files is none where only callers ask', false, 'ERR_FILE_NOT_FOUND', 2],
    ['that is about files is one where attempts are made unasked', true, 'ERR_FILE_NOT_FOUND', 1],
    ['of the service is one where only callers ask', false, 'ERR_CONNECT', 1],
  ] as const)('%s', async (_what, background, code, calls) => {
    const { provider, service } = bench({ background, random: () => 0.99 });
    service.behaviour = service.failing(code);
    await failure(provider.get());
    await failure(provider.get());
    expect(service.calls).toHaveLength(calls);
  });

  it.each([
    ['ERR_CONNECT', undefined, 2],
    ['ERR_CONNECT', 10_000, 1],
    ['ERR_THROTTLED', undefined, 1],
    ['ERR_THROTTLED', 10_000, 1],
  ] as const)('with %s and Retry-After %s ends by what is asked for or not', async (code, retryAfterMs, calls) => {
    const { provider, service } = bench({ random: () => 0.99 });
    service.behaviour = service.failing(code, { retryAfterMs });
    await failure(provider.get());
    provider.refresh('requested');
    await settle();
    expect(service.calls).toHaveLength(calls);
  });

  it('doubles from failure to failure, and begins anew after a set', async () => {
    const { provider, service, clock } = bench({ random: () => 0.999_999, ...SELDOM });
    service.behaviour = service.failing('ERR_CONNECT');
    const ready = provider.start();
    await clock.advance(20 * SECOND);
    const seconds = (): number[] =>
      service.calls.map((at) => Math.round((at - (service.calls[0] ?? 0)) / SECOND)).slice(1);
    expect(seconds()).toEqual([1, 3, 7, 15]);
    service.behaviour = service.vending(HOUR);
    await clock.advance(MINUTE);
    await ready;
    expect(provider.status()).toMatchObject({ failures: 0, lastError: undefined });
    service.behaviour = service.failing('ERR_CONNECT');
    await clock.advance(2 * HOUR);
    expect(provider.status().failures).toBeGreaterThan(10);
  });

  it('is over with a set that came in spite of it', async () => {
    const { provider, service, clock } = bench({ random: () => 0.99, background: false });
    service.behaviour = service.failing('ERR_CONNECT', { retryAfterMs: 5 * MINUTE });
    await failure(provider.get());
    clock.jump(8 * MINUTE);
    service.behaviour = service.vending(HOUR);
    await provider.get();
    clock.jump(-8 * MINUTE);
    await clock.advance(2 * MINUTE);
    await expect(provider.renew()).resolves.toBeDefined();
    expect(service.calls).toHaveLength(3);
  });

  it('of a refusal, behind a set that was good, is followed by further attempts unasked', async () => {
    const { service, clock } = await started();
    service.behaviour = service.failing('ERR_ACCESS_DENIED');
    await clock.advance(40 * MINUTE);
    expect(service.calls).toHaveLength(7);
  });

  it('keeps what was asked for, as the reason of the next attempt', async () => {
    const { provider, service, clock, events } = await started();
    await clock.advance(2 * MINUTE);
    service.behaviour = service.failing('ERR_CONNECT');
    provider.refresh('rotated');
    await settle();
    service.behaviour = service.vending(HOUR);
    await clock.advance(2 * MINUTE);
    expect(events.flatMap((event) => (event.type === 'attempt' ? [event.reason] : []))).toEqual(['rotated', 'rotated']);
  });

  it('keeps what was asked for last, when that was during the attempt', async () => {
    const { provider, service, clock, events } = await started();
    await clock.advance(2 * MINUTE);
    service.behaviour = async (signal) => {
      await service.vending(HOUR, 500)(signal);
      return service.failing('ERR_CONNECT')(signal);
    };
    provider.refresh('rotated');
    await settle();
    provider.refresh('requested');
    await clock.advance(500);
    service.behaviour = service.vending(HOUR);
    await clock.advance(2 * MINUTE);
    expect(events.flatMap((event) => (event.type === 'attempt' ? [event.reason] : []))).toEqual([
      'rotated',
      'requested',
    ]);
  });
});

describe('the end of a provider', () => {
  it('is one of a provider that did nothing, too', async () => {
    const { provider } = bench();
    provider.close();
    expect(provider.status().state).toBe('closed');
    await expect(provider.start()).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it('leaves nothing in hand, in whatever moment of an attempt it comes', async () => {
    for (let turns = 0; turns < 20; turns++) {
      const { promise, resolve } = deferred<SessionCredentials>();
      const clock = new FakeClock();
      const provider = createProvider({ vend: () => promise, clock });
      const told: string[] = [];
      const got = provider.get().catch((error: unknown) => error);
      // oxlint-disable-next-line no-await-in-loop -- one moment after the other
      await settle();
      resolve(session(clock.now() + HOUR));
      // oxlint-disable-next-line no-await-in-loop -- as above
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      provider.close();
      provider.subscribe(({ type }) => told.push(type));
      // oxlint-disable-next-line no-await-in-loop -- as above
      await got;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await settle();
      expect([provider.peek(), provider.status().expiration, provider.status().refreshedAt]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect([clock.timers.all, told]).toEqual([0, []]);
    }
  });

  it('counts no failure of the attempt that it ended', async () => {
    const { provider, service } = bench();
    service.behaviour = service.hanging();
    const got = failure(provider.get());
    await settle();
    provider.close();
    await got;
    expect(provider.status()).toMatchObject({ state: 'closed', failures: 0, lastError: undefined, refreshing: false });
  });
});

describe('a start', () => {
  it('with a good set in hand gives that, and makes no call', async () => {
    const { provider, service, clock } = await started({ lifeMs: 5 * MINUTE });
    await clock.advance(30 * SECOND);
    expect(await provider.start()).toBe(provider.peek());
    expect(service.calls).toHaveLength(1);
  });

  it.each([
    ['a set', undefined],
    ['an error', 'ERR_ACCESS_DENIED'],
  ] as const)('that several wait for ends for all of them with %s', async (_what, code) => {
    const { provider, service } = bench();
    if (code !== undefined) service.behaviour = service.failing(code);
    const outcomes = await Promise.all([failure(provider.start()), failure(provider.start())]);
    expect(outcomes.map((error) => (error as { code?: string } | undefined)?.code)).toEqual([code, code]);
    expect(service.calls).toHaveLength(1);
  });

  it('that failed for good lets the next caller try again', async () => {
    const { provider, service, clock } = bench();
    service.behaviour = service.failing('ERR_ACCESS_DENIED');
    await failure(provider.start());
    await clock.advance(MINUTE);
    expect(service.calls).toHaveLength(1);
    service.behaviour = service.vending(HOUR);
    await expect(provider.start()).resolves.toBeDefined();
    await clock.advance(40 * MINUTE);
    expect(service.calls).toHaveLength(3);
  });
});

describe('a provider without clock and chance of the test', () => {
  it('uses those of the machine', async () => {
    const provider = createProvider({ vend: () => Promise.resolve(session(Date.now() + HOUR)) });
    try {
      await expect(provider.get()).resolves.toMatchObject({ accessKeyId: expect.any(String) as string });
      const { state, nextAttempt } = provider.status();
      expect(state).toBe('valid');
      expect(nextAttempt?.getTime()).toBeGreaterThan(Date.now() + 29 * MINUTE);
      expect(nextAttempt?.getTime()).toBeLessThan(Date.now() + 36 * MINUTE);
    } finally {
      provider.close();
    }
  });
});
