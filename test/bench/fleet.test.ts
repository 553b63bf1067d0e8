/** That the simulation of a fleet loses nobody, keeps to the quota, and does what the product's refresher and retries do. */
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Chances, type Fleet, type Outcome, simulate } from '../../bench/fleet/simulation.ts';
import { type Answer, Service } from '../../bench/fleet/service.ts';
import { Timers } from '../../bench/fleet/timers.ts';
import { withRetries } from '../../src/aws/retry.ts';
import { createProvider } from '../../src/credentials/refresher.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { HOUR, MINUTE, session } from '../credentials/support/scripted-service.ts';

const QUOTA = { perSecond: 10, burst: 10 };
const LATENCY_MS = 100;

interface Request {
  readonly host: number;
  readonly atMs: number;
  readonly answer: Answer;
}

function observed(fleet: Fleet): { outcome: Outcome; requests: Request[] } {
  const requests: Request[] = [];
  const outcome = simulate({ ...fleet, onRequest: (host, atMs, answer) => requests.push({ host, atMs, answer }) });
  return { outcome, requests };
}

describe('a simulated fleet', () => {
  const outage = { fromMs: 3 * HOUR, untilMs: 4 * HOUR };
  const fleet = { hosts: 200, sessionMs: HOUR, quota: QUOTA, outage, untilMs: 6 * HOUR };
  const { outcome, requests } = observed(fleet);

  it('loses no host: each has its first set, and one at the end', () => {
    const served = new Set(requests.filter(({ answer }) => answer === 'granted').map(({ host }) => host));
    expect(served.size).toBe(200);
    expect(outcome).toMatchObject({ with: 200, without: 0 });
    expect(outcome.allStartedMs).toBeGreaterThanOrEqual(((200 - QUOTA.burst) / QUOTA.perSecond) * 1000);
  });

  it('counts each request once, by its answer', () => {
    const { granted, throttled, lost } = outcome.requests;
    expect(granted + throttled + lost).toBe(requests.length);
    for (const answer of ['granted', 'throttled', 'lost'] as const)
      expect(requests.filter((request) => request.answer === answer)).toHaveLength(outcome.requests[answer]);
  });

  it('is never granted more than the quota, over any stretch of time', () => {
    const granted = requests.filter(({ answer }) => answer === 'granted').map(({ atMs }) => atMs);
    for (const stretchMs of [1000, 10_000, 60_000]) {
      const most = QUOTA.burst + (QUOTA.perSecond * stretchMs) / 1000;
      // As many as may be within the stretch, and one more, take longer than that.
      const tooClose = granted.filter((atMs, index) => (granted[index + most] ?? Infinity) - atMs < stretchMs);
      expect(tooClose).toEqual([]);
    }
  });

  it('loses what is sent while the service is away, and nothing else', () => {
    const away = requests.filter(({ atMs }) => atMs >= outage.fromMs && atMs < outage.untilMs);
    expect(away.length).toBeGreaterThan(200);
    expect(away.every(({ answer }) => answer === 'lost')).toBe(true);
    expect(outcome.requests.lost).toBe(away.length);
  });

  it('has no host without credentials before the service is lost, and none for longer than it was away', () => {
    expect(outcome.before).toEqual({ hosts: 0, longestMs: 0 });
    expect(outcome.after.hosts).toBeGreaterThan(0);
    expect(outcome.after.longestMs).toBeLessThan(HOUR);
    expect(outcome.allBackMs).toBeGreaterThan(outage.untilMs);
  });

  it('is never all served where it is larger than the quota has room for', () => {
    const large = simulate({ ...fleet, hosts: 200, untilMs: 3 * HOUR, quota: { perSecond: 0.01, burst: 1 } });
    expect(large.allStartedMs).toBeUndefined();
    expect(large.allBackMs).toBeUndefined();
    expect(large.with + large.without).toBe(200);
    expect(large.without).toBeGreaterThan(0);
  });

  it('with sessions of 12 hours, outlasts an hour without the service, whenever it begins', () => {
    for (const hour of [9, 9.75, 10.5, 11.25]) {
      const away = { fromMs: hour * HOUR, untilMs: (hour + 1) * HOUR };
      const long = simulate({ ...fleet, hosts: 100, sessionMs: 12 * HOUR, outage: away, untilMs: 13 * HOUR });
      expect(long.after).toEqual({ hosts: 0, longestMs: 0 });
    }
  });
});

/** The same fleet, by the code that ships. */
async function really({ hosts, sessionMs, quota, outage, untilMs }: Fleet): Promise<Request[]> {
  const clock = new FakeClock();
  const [wall, begun] = [clock.now(), clock.monotonic()];
  const service = new Service(quota, outage);
  const chances = new Chances(hosts);
  const requests: Request[] = [];
  const after = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, Math.ceil(ms)));
  const providers = Array.from({ length: hosts }, (_, host) => {
    const random = (): number => chances.next(host);
    const request = async (timeoutMs: number): Promise<ReturnType<typeof session>> => {
      const atMs = clock.now() - wall;
      const answer = service.ask(atMs);
      requests.push({ host, atMs, answer });
      await after(Math.min(LATENCY_MS, timeoutMs));
      if (timeoutMs <= LATENCY_MS) throw new RolesAnywhereError('ERR_TIMEOUT', 'no answer in time');
      if (answer === 'throttled') throw new RolesAnywhereError('ERR_THROTTLED', 'rate exceeded', { status: 429 });
      if (answer === 'lost') throw new RolesAnywhereError('ERR_SERVICE_FAILED', 'unavailable', { status: 503 });
      return session(clock.now() + sessionMs);
    };
    const vend = (): Promise<ReturnType<typeof session>> =>
      withRetries(request, { random, sleep: after, monotonic: () => clock.monotonic() - begun });
    // It looks at the clocks now and then, which changes nothing but the order of those who ask in the same millisecond.
    return createProvider({ vend, clock, random, clockCheckMs: 24 * HOUR });
  });
  const first = providers.map((provider) => provider.start().catch(() => undefined));
  await clock.advance(untilMs);
  for (const provider of providers) provider.close();
  await Promise.all(first);
  return requests;
}

describe('the simulation, beside the refresher and the retries of the product', () => {
  it.each([
    { name: 'that renews and loses the service', hosts: 8, perSecond: 2, sessionMs: 15 * MINUTE },
    { name: 'that is throttled all the time', hosts: 12, perSecond: 0.02, sessionMs: 15 * MINUTE },
    { name: 'with long sessions', hosts: 5, perSecond: 1, sessionMs: 4 * HOUR },
  ])('has a fleet $name make the same requests at the same times', async ({ hosts, perSecond, sessionMs }) => {
    const outage = { fromMs: sessionMs, untilMs: sessionMs + 20 * MINUTE };
    const quota = { perSecond, burst: 1 };
    const fleet: Fleet = { hosts, sessionMs, quota, outage, latencyMs: LATENCY_MS, untilMs: 2 * sessionMs };
    const { requests } = observed(fleet);
    const real = await really(fleet);
    expect(requests.length).toBeGreaterThan(3 * hosts);
    // The first that differs, and not all after it, which would differ too.
    const first = requests.findIndex((request, index) => !isDeepStrictEqual(request, real[index]));
    expect([first, requests[first], requests.length]).toEqual([-1, real[first], real.length]);
  });
});

describe('timers of a simulation', () => {
  it('go off in the order of their times, and of being set where those are the same, across blocks', () => {
    const timers = new Timers(5);
    const fired: [number, number][] = [];
    [70_000, 5, 70_000, 200_000, 5].forEach((atMs, host) => timers.set(host, atMs));
    timers.run(150_000, (host, nowMs) => {
      fired.push([host, nowMs]);
      if (nowMs === 5 && host === 1) timers.set(1, 70_000);
    });
    expect(fired).toEqual([
      [1, 5],
      [4, 5],
      [0, 70_000],
      [2, 70_000],
      [1, 70_000],
    ]);
    expect(timers.due(3)).toBe(200_000);
    expect(timers.due(0)).toBeUndefined();
  });

  it('are never lost or doubled: setting one twice, or in the past, is an error', () => {
    const timers = new Timers(1);
    timers.set(0, 10);
    expect(() => timers.set(0, 20)).toThrow('has a timer already');
    timers.run(10, () => undefined);
    expect(() => timers.set(0, 5)).toThrow('no time to come');
    expect(() => timers.set(0, 10.5)).toThrow('no time to come');
  });
});
