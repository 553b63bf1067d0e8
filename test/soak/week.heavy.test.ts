/** A week of twenty roles and two hundred clients, on a clock that is moved by hand: nothing grows, and no answer is wrong. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { SessionCredentials } from '../../src/credentials/credentials.ts';
import type { CredentialsProvider } from '../../src/credentials/provider.ts';
import { createProvider } from '../../src/credentials/refresher.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { numbers } from './random.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A day, and the week under ROLES_ANYWHERE_LONG. */
const DAYS = process.env['ROLES_ANYWHERE_LONG'] === '1' ? 7 : 1;
const MINUTES = DAYS * 24 * 60;
const SAMPLES = 8;
const ROLES = 20;
const CLIENTS = 200;
/** What the heap may grow by from the second sample to the last. */
const MOST_GROWTH_BYTES = 2 ** 20;

interface Week {
  given: number;
  refused: number;
  wrong: number;
  sessions: number;
  failures: number;
  jumps: number;
}

async function week(seed: number): Promise<Week & { heap: number[]; timers: number[] }> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const clock = new FakeClock();
  const random = numbers(seed);
  const count: Week = { given: 0, refused: 0, wrong: 0, sessions: 0, failures: 0, jumps: 0 };
  const inFlight = Array.from({ length: ROLES }, () => 0);

  const vend = async (role: number, signal: AbortSignal): Promise<SessionCredentials> => {
    inFlight[role] = (inFlight[role] ?? 0) + 1;
    if (inFlight[role] > 1) count.wrong += 1;
    const done = new Promise<void>((resolve) => void clock.setTimer(resolve, random() * 3000));
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const luck = random();
    await (luck < 0.02 ? aborted : Promise.race([done, aborted]));
    inFlight[role] -= 1;
    if (luck < 0.05) throw new RolesAnywhereError('ERR_CONNECT', 'of the simulation');
    if (luck < 0.08) throw new RolesAnywhereError('ERR_THROTTLED', 'of the simulation', { retryAfterMs: 90_000 });
    if (luck < 0.1) throw new RolesAnywhereError('ERR_ACCESS_DENIED', 'of the simulation');
    count.sessions += 1;
    const accessKeyId = `role-${role}`;
    return {
      accessKeyId,
      secretAccessKey: 'secret',
      sessionToken: 'token',
      expiration: new Date(clock.now() + (random() < 0.5 ? HOUR : 15 * MINUTE)),
    };
  };
  const providers = Array.from({ length: ROLES }, (_, role): CredentialsProvider => {
    const provider = createProvider({ vend: (signal) => vend(role, signal), clock, random });
    provider.subscribe(({ type }) => {
      if (type === 'failed') count.failures += 1;
    });
    return provider;
  });

  const ask = async (role: number): Promise<void> => {
    try {
      const set = await providers[role]?.get();
      count.given += 1;
      if (set?.accessKeyId !== `role-${role}` || set.expiration.getTime() <= clock.now()) count.wrong += 1;
    } catch (error) {
      if (error instanceof RolesAnywhereError && error.class !== 'internal') count.refused += 1;
      else count.wrong += 1;
    }
  };
  const heap: number[] = [];
  const timers: number[] = [];
  for (let minute = 0; minute < MINUTES; minute++) {
    const asked = Array.from({ length: CLIENTS }, (_, client) => ask(client % ROLES));
    await clock.advance(MINUTE);
    await Promise.all(asked);
    if (random() < 0.002) providers[Math.floor(random() * ROLES)]?.refresh('rotated');
    if (random() < 0.002) {
      // A suspend, or somebody who sets the clock.
      clock.jump((random() - 0.4) * 2 * HOUR);
      count.jumps += 1;
    }
    if ((minute + 1) % (MINUTES / SAMPLES) !== 0) continue;
    collect();
    heap.push(process.memoryUsage().heapUsed);
    timers.push(clock.timers.all);
  }
  for (const provider of providers) provider.close();
  await clock.advance(HOUR);
  timers.push(clock.timers.all);
  return { ...count, heap, timers };
}

describe('a week of serving', () => {
  it(`gives no wrong answer in ${DAYS * 24} hours, and memory and timers stay as they are`, async () => {
    const { heap, timers, ...count } = await week(20);
    console.log(JSON.stringify(count), heap.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(' '), 'MiB', timers);
    expect(count.wrong).toBe(0);
    expect(count.given + count.refused).toBe(MINUTES * CLIENTS);
    expect(count.given).toBeGreaterThan(0.97 * MINUTES * CLIENTS);
    expect(count.failures).toBeGreaterThan(100 * DAYS);
    // One for each role, and one for each answer on its way.
    expect(Math.max(...timers)).toBeLessThanOrEqual(2 * ROLES);
    expect(timers.at(-1)).toBe(0);
    expect((heap.at(-1) ?? 0) - (heap[1] ?? 0)).toBeLessThan(MOST_GROWTH_BYTES);
  }, 600_000);
});
