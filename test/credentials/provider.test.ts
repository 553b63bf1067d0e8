import { describe, expect, it } from 'vitest';
import { settle } from '../support/fake-clock.ts';
import { bench, failure, started } from './support/bench.ts';
import { HOUR, MINUTE, session } from './support/scripted-service.ts';

describe('one set, one request in flight', () => {
  it('1,000 gets with nothing in hand make one call and get the same set', async () => {
    const { provider, service, clock } = bench({ delayMs: 800 });
    const gets = Array.from({ length: 1000 }, () => provider.get());
    await clock.advance(800);
    const sets = new Set(await Promise.all(gets));
    expect(sets.size).toBe(1);
    expect(service.calls).toHaveLength(1);
  });

  it('1,000 gets at refresh time are served at once from the set in hand, with one call', async () => {
    const { provider, service, clock } = await started({ delayMs: 800 });
    const old = provider.peek();
    await clock.advance(35 * MINUTE);
    expect(service.inFlight).toBe(1);
    const sets = new Set(await Promise.all(Array.from({ length: 1000 }, () => provider.get())));
    expect([...sets]).toEqual([old]);
    await clock.advance(800);
    expect(provider.peek()).not.toBe(old);
    expect(service.calls).toHaveLength(2);
  });

  it('gets, starts and refreshes at once never put two calls in flight', async () => {
    const { provider, service, clock } = bench({ delayMs: 500 });
    const asked = [provider.start(), provider.get(), provider.start(), provider.get()];
    provider.refresh('rotated');
    provider.refresh('requested');
    await clock.advance(10 * HOUR);
    await Promise.all(asked);
    expect(service.calls.length).toBeGreaterThan(10);
    expect(service.mostInFlight).toBe(1);
  });

  it('a listener that asks back does not begin a second attempt', async () => {
    const { provider, service } = bench();
    const inside: Promise<unknown>[] = [];
    provider.subscribe(({ type }) => {
      if (type === 'attempt') inside.push(provider.get());
    });
    await provider.get();
    await Promise.all(inside);
    expect(inside).toHaveLength(1);
    expect(service.calls).toHaveLength(1);
  });

  it('a listener that throws costs nobody anything', async () => {
    const { provider } = bench();
    provider.subscribe(() => {
      throw new Error('of the listener');
    });
    await expect(provider.start()).resolves.toMatchObject({ accessKeyId: expect.any(String) });
  });
});

describe('refreshing ahead', () => {
  it.each([
    { life: 15 * MINUTE, after: 5 * MINUTE },
    { life: HOUR, after: 35 * MINUTE },
    { life: 12 * HOUR, after: 12 * HOUR - 90 * MINUTE },
  ])('a session of $life ms is renewed after $after ms, unasked', async ({ life, after }) => {
    const { service, clock } = await started({ lifeMs: life });
    await clock.advance(after - 1);
    expect(service.calls).toHaveLength(1);
    await clock.advance(1);
    expect(service.calls).toHaveLength(2);
  });

  it('chance moves it earlier', async () => {
    const { service, clock } = await started({ random: () => 0.999 });
    await clock.advance(31.6 * MINUTE);
    expect(service.calls).toHaveLength(2);
  });

  it('sessions shorter than the window are renewed once a minute, not more often', async () => {
    const { service, clock } = await started({ lifeMs: 5 * MINUTE });
    await clock.advance(10 * MINUTE);
    const gaps = service.calls.slice(1).map((at, index) => at - (service.calls[index] ?? 0));
    expect(gaps).toEqual(Array.from({ length: 10 }, () => MINUTE));
  });

  it('sessions of seconds work with settings of seconds', async () => {
    const refresh = { minRemainingMs: 500, maxRemainingMs: 2000, minIntervalMs: 100, expiryMarginMs: 50 };
    const { service, provider, clock } = await started({ lifeMs: 3000, refresh });
    await clock.advance(30_000);
    expect(service.calls).toHaveLength(21);
    expect(provider.status().state).toBe('valid');
  });

  it('settings that always want more do not starve the event loop', async () => {
    const { service, provider, clock } = await started({ lifeMs: 5 * MINUTE, refresh: { minIntervalMs: 0 } });
    await clock.advance(100);
    expect(service.calls).toHaveLength(101);
    provider.close();
  });

  it('without background refresh nothing happens unasked, and a get near the end is served at once while it refreshes', async () => {
    const { provider, service, clock } = bench({ background: false, delayMs: 100 });
    const first = provider.get();
    await clock.advance(100);
    const old = await first;
    expect(clock.timers.all).toBe(0);
    await clock.advance(59 * MINUTE);
    expect(service.calls).toHaveLength(1);
    expect(await provider.get()).toBe(old);
    await clock.advance(100);
    expect(service.calls).toHaveLength(2);
    expect(await provider.get()).not.toBe(old);
  });

  it('only a provider that is told so keeps the process alive', async () => {
    const library = await started({ keepAlive: false });
    expect(library.clock.timers).toEqual({ all: 1, keepAlive: 0 });
    const server = await started();
    expect(server.clock.timers).toEqual({ all: 1, keepAlive: 1 });
  });
});

describe('a refresh that was asked for', () => {
  it('waits until the set in hand is a minute old', async () => {
    const { provider, service, clock, events } = await started();
    await clock.advance(10_000);
    provider.refresh('rotated');
    await clock.advance(49_999);
    expect(service.calls).toHaveLength(1);
    await clock.advance(1);
    expect(service.calls).toHaveLength(2);
    expect(events[0]).toEqual({ type: 'attempt', reason: 'rotated' });
  });

  it('is made at once when the last attempt is older', async () => {
    const { provider, service, clock } = await started();
    await clock.advance(2 * MINUTE);
    provider.refresh('requested');
    await settle();
    expect(service.calls).toHaveLength(2);
  });

  it('many of them are one a minute', async () => {
    const { provider, service, clock } = await started();
    for (let second = 0; second < 600; second++) {
      provider.refresh('rotated');
      await clock.advance(1000);
    }
    expect(service.calls).toHaveLength(11);
  });

  it('follows an attempt that is in flight with the old certificate', async () => {
    const { provider, service, clock } = await started({ delayMs: 5000 });
    await clock.advance(35 * MINUTE + 1000);
    expect(service.inFlight).toBe(1);
    provider.refresh('rotated');
    await clock.advance(2 * MINUTE);
    expect(service.calls).toHaveLength(3);
  });

  it('is tried again when it fails', async () => {
    const { provider, service, clock, took } = await started();
    await clock.advance(2 * MINUTE);
    service.behaviour = service.failing('ERR_CONNECT');
    provider.refresh('rotated');
    await settle();
    expect(took()).toEqual(['attempt', 'failed']);
    service.behaviour = service.vending(HOUR);
    await clock.advance(MINUTE);
    expect(took()).toEqual(['attempt', 'refreshed']);
  });

  it('cuts the backoff short, but not a wait that the service asked for', async () => {
    const { provider, service, clock } = bench({ random: () => 0.99 });
    service.behaviour = service.failing('ERR_SERVICE_FAILED');
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_SERVICE_FAILED' });
    provider.refresh('rotated');
    await settle();
    expect(service.calls).toHaveLength(2);
    service.behaviour = service.failing('ERR_THROTTLED', { retryAfterMs: 20_000 });
    await clock.advance(2000);
    expect(service.calls).toHaveLength(3);
    provider.refresh('rotated');
    await clock.advance(17_000);
    expect(service.calls).toHaveLength(3);
  });
});

describe('failures', () => {
  it('the service down for the rest of a session: the set is used to its end, then errors, then recovery within one backoff step', async () => {
    const { provider, service, clock, took } = await started({ random: () => 0.999 });
    const good = provider.peek();
    service.behaviour = service.failing('ERR_SERVICE_FAILED');
    const end = clock.now() + HOUR - 1000;
    while (clock.now() < end) {
      expect(await provider.get()).toBe(good);
      await clock.advance(Math.min(30_000, end - clock.now()));
    }
    expect(provider.status()).toMatchObject({ state: 'unavailable', lastError: { code: 'ERR_SERVICE_FAILED' } });
    const whileGood = service.calls.filter((at) => at < end);
    expect(whileGood.length).toBeLessThanOrEqual(32);
    expect(took().filter((type) => type === 'expired')).toHaveLength(1);
    for (let second = 0; second < 300; second++) {
      await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_SERVICE_FAILED' });
      expect(provider.peek()).toBeUndefined();
      await clock.advance(1000);
    }
    service.behaviour = service.vending(HOUR);
    await clock.advance(30_000);
    expect(provider.status()).toMatchObject({ state: 'valid', failures: 0, lastError: undefined });
    expect(await provider.get()).not.toBe(good);
  });

  it('while a valid set is in hand a failing service is asked once a minute at most', async () => {
    const { service, clock } = await started();
    service.behaviour = service.failing('ERR_CONNECT');
    await clock.advance(59 * MINUTE);
    const gaps = service.calls.slice(1).map((at, index) => at - (service.calls[index] ?? 0));
    expect(gaps.length).toBeGreaterThan(20);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(MINUTE);
  });

  it('with nothing in hand the backoff holds callers apart, and they learn the reason at once', async () => {
    const { provider, service, clock } = bench({ background: false, random: () => 0.999 });
    service.behaviour = service.failing('ERR_DNS');
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_DNS' });
    await clock.advance(900);
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_DNS' });
    expect(service.calls).toHaveLength(1);
    await clock.advance(100);
    service.behaviour = service.vending(HOUR);
    await expect(provider.get()).resolves.toBeDefined();
    expect(service.calls).toHaveLength(2);
  });

  it('throttling with Retry-After: not before that time', async () => {
    const { provider, service, clock, events } = bench();
    service.behaviour = service.failing('ERR_THROTTLED', { retryAfterMs: 120_000 });
    const ready = provider.start();
    await clock.advance(119_999);
    expect(service.calls).toHaveLength(1);
    expect(events[1]).toMatchObject({ type: 'failed', failures: 1, retryInMs: 120_000 });
    service.behaviour = service.vending(HOUR);
    await clock.advance(1);
    await ready;
    expect(service.calls).toHaveLength(2);
  });

  it('a service that hangs is given up after a time, its signal aborted and its late answer dropped', async () => {
    const { provider, service, clock } = bench({ vendTimeoutMs: 20_000, background: false });
    const late: ((set: ReturnType<typeof session>) => void)[] = [];
    service.behaviour = () => new Promise((resolve) => late.push(resolve));
    const got = provider.get();
    const refused = failure(got);
    await clock.advance(20_000);
    expect(await refused).toMatchObject({ code: 'ERR_TIMEOUT', class: 'unavailable' });
    expect(service.signals[0]?.aborted).toBe(true);
    late[0]?.(session(clock.now() + HOUR));
    await settle();
    expect(provider.peek()).toBeUndefined();
  });

  it.each([
    { name: 'without keys', set: { ...session(0), accessKeyId: '' }, code: 'ERR_CREDENTIALS_EMPTY' },
    { name: 'already expired', set: session(Date.UTC(2025, 0, 1)), code: 'ERR_CREDENTIALS_EXPIRED' },
    { name: 'with a garbage expiration', set: session(Number.NaN), code: 'ERR_RESPONSE_INVALID' },
  ])('a set $name is a failure, and the good one is kept', async ({ set, code }) => {
    const { provider, service, clock, events } = await started();
    const good = provider.peek();
    service.behaviour = () => Promise.resolve(set);
    await clock.advance(36 * MINUTE);
    expect(events[1]).toMatchObject({ type: 'failed', error: { code }, expiration: good?.expiration });
    expect(await provider.get()).toBe(good);
    expect(provider.status().state).toBe('degraded');
  });

  it('an error that is not of this project becomes one, with its cause', async () => {
    const { provider, service } = bench();
    const cause = new TypeError('of a stranger');
    service.behaviour = () => {
      throw cause;
    };
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_INTERNAL', cause });
  });
});

describe('the start', () => {
  it.each([
    { code: 'ERR_ARN', wrong: 'a bad ARN' },
    { code: 'ERR_KEY_MISMATCH', wrong: 'a key that does not match' },
    { code: 'ERR_ACCESS_DENIED', wrong: 'access denied' },
    { code: 'ERR_INTERNAL', wrong: 'a defect' },
  ] as const)('ends at once with $wrong, and nothing goes on', async ({ code }) => {
    const { provider, service, clock, events } = bench();
    service.behaviour = service.failing(code);
    await expect(provider.start()).rejects.toMatchObject({ code });
    expect(events[1]).toMatchObject({ type: 'failed', retryInMs: undefined });
    expect(clock.timers.all).toBe(0);
    await clock.advance(HOUR);
    expect(service.calls).toHaveLength(1);
  });

  it.each([
    'ERR_DNS',
    'ERR_CONNECT',
    'ERR_TLS',
    'ERR_THROTTLED',
    'ERR_SERVICE_FAILED',
    'ERR_RESPONSE_INVALID',
  ] as const)('goes on trying after %s, also without background refresh', async (code) => {
    const { provider, service, clock } = bench({ background: false });
    service.behaviour = service.failing(code);
    let ready = false;
    const start = provider.start().then(() => (ready = true));
    await clock.advance(5 * MINUTE);
    expect(ready).toBe(false);
    expect(provider.status()).toMatchObject({ state: 'starting', lastError: { code } });
    expect(service.calls.length).toBeGreaterThan(5);
    service.behaviour = service.vending(HOUR);
    await clock.advance(30_000);
    await start;
    expect(provider.status().state).toBe('valid');
  });

  it('a refusal after a start that succeeded is tried again: access may be given back', async () => {
    const { provider, service, clock } = await started();
    service.behaviour = service.failing('ERR_ACCESS_DENIED');
    await clock.advance(2 * HOUR);
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_ACCESS_DENIED' });
    service.behaviour = service.vending(HOUR);
    await clock.advance(30_000);
    await expect(provider.get()).resolves.toBeDefined();
  });

  it('is over for the caller whose signal is aborted', async () => {
    const { provider, service } = bench();
    service.behaviour = service.hanging();
    const controller = new AbortController();
    const refused = failure(provider.start(controller.signal));
    await settle();
    controller.abort();
    expect(await refused).toMatchObject({ code: 'ERR_INTERRUPTED' });
    await expect(provider.start(controller.signal)).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
    provider.close();
  });
});

describe('clocks', () => {
  it('after hours of suspend the first get waits for a new set', async () => {
    const { provider, service, clock, took } = await started();
    const old = provider.peek();
    clock.jump(8 * HOUR);
    expect(provider.peek()).toBeUndefined();
    expect(await provider.get()).not.toBe(old);
    expect(service.calls).toHaveLength(2);
    expect(took()).toEqual(['clock-jump', 'expired', 'attempt', 'refreshed']);
  });

  it('after a suspend it refreshes unasked, within one look at the clocks', async () => {
    const { provider, service, clock } = await started();
    clock.jump(8 * HOUR);
    await clock.advance(15_000);
    expect(service.calls).toHaveLength(2);
    expect(provider.status().state).toBe('valid');
  });

  it('a suspend counts as waiting: no backoff and no minute is left of before', async () => {
    const { provider, service, clock } = await started({ lifeMs: 12 * HOUR });
    clock.jump(11.7 * HOUR);
    await provider.get();
    await settle();
    expect(service.calls).toHaveLength(2);
  });

  it('an attempt that was in flight before a suspend is given up after it', async () => {
    const { provider, service, clock } = await started();
    service.behaviour = service.hanging();
    await clock.advance(35 * MINUTE + 1000);
    expect(service.inFlight).toBe(1);
    clock.jump(3 * HOUR);
    service.behaviour = service.vending(HOUR);
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    await clock.advance(1000);
    await expect(provider.get()).resolves.toBeDefined();
  });

  it('a clock put back by hours does not keep a set alive', async () => {
    const { provider, service, clock, events } = await started();
    service.behaviour = service.failing('ERR_ACCESS_DENIED');
    clock.jump(-5 * HOUR);
    await clock.advance(30 * MINUTE);
    expect(events[0]).toEqual({ type: 'clock-jump', byMs: -5 * HOUR });
    expect(provider.peek()).toBeDefined();
    await clock.advance(30 * MINUTE);
    expect(provider.peek()).toBeUndefined();
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_ACCESS_DENIED' });
  });

  it('a clock put back does not stop refreshing', async () => {
    const { provider, service, clock } = await started();
    clock.jump(-5 * HOUR);
    await clock.advance(6 * HOUR);
    expect(service.calls.length).toBeGreaterThan(9);
    expect(provider.status().state).toBe('valid');
  });

  it('a clock that was wrong for a moment gives the set back', async () => {
    const { provider, service, clock } = await started();
    const good = provider.peek();
    service.behaviour = service.failing('ERR_ACCESS_DENIED');
    clock.jump(5 * HOUR);
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_ACCESS_DENIED' });
    clock.jump(-5 * HOUR);
    expect(await provider.get()).toBe(good);
  });

  it('drift below seconds is no jump', async () => {
    const { clock, took } = await started();
    for (let step = 0; step < 100; step++) {
      clock.jump(100);
      await clock.advance(15_000);
    }
    expect(took()).toEqual([]);
  });
});

describe('the end', () => {
  it('closing rejects those who wait, aborts the attempt and leaves no timer', async () => {
    const { provider, service, clock } = bench();
    service.behaviour = service.hanging();
    const waiting = [provider.get(), provider.start(), provider.get(new AbortController().signal)];
    const outcomes = Promise.allSettled(waiting);
    await settle();
    provider.close();
    provider.close();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_INTERRUPTED' } });
    }
    expect(service.signals[0]?.aborted).toBe(true);
    expect(clock.timers.all).toBe(0);
    expect(provider.peek()).toBeUndefined();
    expect(provider.status().state).toBe('closed');
    await expect(provider.get()).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
    await expect(provider.start()).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it('closing during a refresh drops its outcome, good or bad', async () => {
    for (const behaviour of ['vending', 'failing'] as const) {
      const { provider, service, clock, took } = await started();
      const slow = service.vending(HOUR, 5000);
      service.behaviour = async (signal) => {
        const set = await slow(signal);
        return behaviour === 'vending' ? set : service.failing('ERR_CONNECT')(signal);
      };
      await clock.advance(35 * MINUTE + 1000);
      expect(took()).toEqual(['attempt']);
      provider.close();
      await clock.advance(HOUR);
      expect(took()).toEqual([]);
      expect(clock.timers.all).toBe(0);
      expect(provider.peek()).toBeUndefined();
    }
  });

  it('closing in the same turn as a get makes no call', async () => {
    const { provider, service } = bench();
    const got = failure(provider.get());
    provider.close();
    expect(await got).toMatchObject({ code: 'ERR_INTERRUPTED' });
    await settle();
    expect(service.calls).toHaveLength(0);
  });

  it("one caller's abort leaves the attempt to the others", async () => {
    const { provider, service, clock } = bench({ delayMs: 500 });
    const controller = new AbortController();
    const impatient = failure(provider.get(controller.signal));
    const patient = provider.get();
    await settle();
    controller.abort();
    expect(await impatient).toMatchObject({ code: 'ERR_INTERRUPTED' });
    await clock.advance(500);
    await expect(patient).resolves.toBeDefined();
    expect(service.signals[0]?.aborted).toBe(false);
  });

  it('a failure that nobody waits for is no unhandled rejection', async () => {
    const seen: unknown[] = [];
    const note = (reason: unknown): void => void seen.push(reason);
    process.on('unhandledRejection', note);
    try {
      const { provider, service, clock } = await started();
      service.behaviour = service.failing('ERR_CONNECT');
      await clock.advance(2 * HOUR);
      service.behaviour = service.hanging();
      await clock.advance(HOUR);
      provider.close();
      await settle();
      await settle();
    } finally {
      process.off('unhandledRejection', note);
    }
    expect(seen).toEqual([]);
  });
});

it('nothing secret is in an event or in the status', async () => {
  const { provider, service, clock, events } = await started();
  await clock.advance(36 * MINUTE);
  service.behaviour = service.failing('ERR_CONNECT');
  await clock.advance(3 * HOUR);
  const shown = JSON.stringify([events, provider.status()]);
  expect(events.length).toBeGreaterThan(10);
  expect(shown).not.toMatch(/secret-|token-|ASIA/);
});
