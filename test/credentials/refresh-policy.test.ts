import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_REFRESH,
  backoff,
  refreshThreshold,
  renewalAt,
  untilAttempt,
} from '../../src/credentials/refresh-policy.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Evenly spread: most of `fc.double` is next to 0, where chance changes nothing. */
const chance = fc.integer({ min: 0, max: 999_999 }).map((parts) => parts / 1_000_000);

describe('the remaining life at which a set is renewed', () => {
  it.each([
    { life: 15 * MINUTE, left: 10 * MINUTE, why: 'botocore may use what it got for ten minutes more' },
    { life: 30 * MINUTE, left: 15 * MINUTE, why: 'half of it' },
    { life: HOUR, left: 25 * MINUTE, why: 'botocore asks again from 25 minutes on' },
    { life: 200 * MINUTE, left: 25 * MINUTE, why: 'the same' },
    { life: 6 * HOUR, left: 45 * MINUTE, why: 'an eighth, to outlast a loss of the service' },
    { life: 12 * HOUR, left: 90 * MINUTE, why: 'the same for the longest session' },
  ])('a life of $life ms: $left ms ($why)', ({ life, left }) => {
    expect(refreshThreshold(life, 0, DEFAULT_REFRESH)).toBe(left);
  });

  it.each([
    { asked: 5 * MINUTE, life: 15 * MINUTE, left: 5 * MINUTE, interval: MINUTE },
    { asked: 5 * MINUTE, life: 12 * HOUR, left: 5 * MINUTE, interval: MINUTE },
    { asked: 2000, life: 5000, left: 2000, interval: 2000 },
  ])('when $asked ms are asked for, a life of $life ms: $left ms', ({ asked, life, left, interval }) => {
    const settings = { ...DEFAULT_REFRESH, ...renewalAt(asked) };
    expect(refreshThreshold(life, 0, settings)).toBe(left);
    expect(settings.minIntervalMs).toBe(interval);
  });

  it('is no more than an upper bound that was given, whatever the life', () => {
    const settings = { ...DEFAULT_REFRESH, maxRemainingMs: 25 * MINUTE };
    expect(refreshThreshold(12 * HOUR, 0, settings)).toBe(25 * MINUTE);
  });

  it.each([
    { life: 15 * MINUTE, most: 10.5 * MINUTE, why: 'a tenth of the wait' },
    { life: HOUR, most: 30 * MINUTE, why: 'half of the life' },
    { life: 12 * HOUR, most: 6 * HOUR, why: 'the same' },
  ])('is by chance up to $most ms of a life of $life ms ($why)', ({ life, most }) => {
    expect(refreshThreshold(life, 1, DEFAULT_REFRESH)).toBe(most);
  });

  it('chance moves it only earlier, by a tenth of the wait and five minutes at most where an upper bound is given', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 * HOUR }), chance, (life, random) => {
        const settings = { ...DEFAULT_REFRESH, maxRemainingMs: 25 * MINUTE };
        const plain = refreshThreshold(life, 0, settings);
        const moved = refreshThreshold(life, random, settings) - plain;
        expect(moved).toBeGreaterThanOrEqual(0);
        expect(moved).toBeLessThanOrEqual(Math.min(5 * MINUTE, Math.max(0, life - plain) / 10) + 1e-6);
      }),
    );
  });

  it('is by chance any time between half of the life and the bound, and never before half', () => {
    fc.assert(
      fc.property(fc.integer({ min: HOUR, max: 12 * HOUR }), chance, (life, random) => {
        const [late, early] = [refreshThreshold(life, 0, DEFAULT_REFRESH), life / 2];
        const threshold = refreshThreshold(life, random, DEFAULT_REFRESH);
        expect(threshold).toBeCloseTo(late + random * (early - late));
      }),
    );
  });

  it.each([
    { life: HOUR, moved: 1.75 * MINUTE, why: 'a tenth of the 35 minutes until the refresh, halved' },
    { life: 12 * HOUR, moved: 2.5 * MINUTE, why: 'half of five minutes' },
  ])('middling chance moves it by $moved ms for a life of $life ms with an upper bound: $why', ({ life, moved }) => {
    const settings = { ...DEFAULT_REFRESH, maxRemainingMs: 25 * MINUTE };
    expect(refreshThreshold(life, 0.5, settings)).toBe(25 * MINUTE + moved);
  });

  it('leaves a second between the end of a set and the last time it is given out', () => {
    expect(DEFAULT_REFRESH.expiryMarginMs).toBe(1000);
  });
});

describe('the wait before the next attempt', () => {
  const good = {
    remainingMs: HOUR,
    thresholdMs: 25 * MINUTE,
    requested: false,
    sinceAttemptMs: Infinity,
    holdMs: 0,
  };
  it.each([
    { name: 'lasts until the threshold', situation: good, wait: 35 * MINUTE },
    { name: 'is over at the threshold', situation: { ...good, remainingMs: 25 * MINUTE }, wait: 0 },
    { name: 'is over when someone wants a new set', situation: { ...good, requested: true }, wait: 0 },
    {
      name: 'is a minute at least since the last attempt, while a set is in hand',
      situation: { ...good, requested: true, sinceAttemptMs: 1000 },
      wait: 59_000,
    },
    {
      name: 'ends with the set in hand, minute or not',
      situation: { ...good, remainingMs: 2000, sinceAttemptMs: 1000 },
      wait: 2000,
    },
    {
      name: 'is over with nothing in hand, minute or not',
      situation: { ...good, remainingMs: 0, sinceAttemptMs: 1000 },
      wait: 0,
    },
    {
      name: 'is the backoff with nothing in hand',
      situation: { ...good, remainingMs: -5, sinceAttemptMs: 1000, holdMs: 700 },
      wait: 700,
    },
    {
      name: 'is the backoff when the set in hand ends before it',
      situation: { ...good, remainingMs: 100, sinceAttemptMs: 1000, holdMs: 700 },
      wait: 700,
    },
  ])('$name', ({ situation, wait }) => {
    expect(untilAttempt(situation, DEFAULT_REFRESH)).toBe(wait);
  });

  it('is never negative, never below the backoff, and never beyond set and backoff', () => {
    fc.assert(
      fc.property(
        fc.record({
          remainingMs: fc.integer({ min: -HOUR, max: 12 * HOUR }),
          thresholdMs: fc.integer({ min: 0, max: HOUR }),
          requested: fc.boolean(),
          sinceAttemptMs: fc.integer({ min: 0, max: HOUR }),
          holdMs: fc.integer({ min: -HOUR, max: 5 * MINUTE }),
        }),
        (situation) => {
          const wait = untilAttempt(situation, DEFAULT_REFRESH);
          expect(wait).toBeGreaterThanOrEqual(Math.max(0, situation.holdMs));
          expect(wait).toBeLessThanOrEqual(Math.max(0, situation.remainingMs, situation.holdMs));
        },
      ),
    );
  });
});

describe('the wait after a failure', () => {
  const failure = { failures: 1, throttled: false, retryAfterMs: undefined };

  it('doubles its bound with each failure up to the cap', () => {
    const most = [1, 2, 3, 4, 5, 6, 7, 2000].map((failures) => backoff({ ...failure, failures }, 1, DEFAULT_REFRESH));
    expect(most).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('is a quarter of the first step at least, for the luckiest draw', () => {
    expect([1, 2, 7].map((failures) => backoff({ ...failure, failures }, 0, DEFAULT_REFRESH))).toEqual([250, 250, 250]);
  });

  it('stays between a quarter of the first step and the cap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.boolean(), chance, (failures, throttled, random) => {
        const wait = backoff({ failures, throttled, retryAfterMs: undefined }, random, DEFAULT_REFRESH);
        expect(wait).toBeGreaterThanOrEqual(250);
        expect(wait).toBeLessThanOrEqual(30_000);
      }),
    );
  });

  it('is longer for a throttled caller', () => {
    expect(backoff({ ...failure, throttled: true }, 1, DEFAULT_REFRESH)).toBe(4000);
  });

  it('is at least what the service asks for', () => {
    expect(backoff({ ...failure, retryAfterMs: 90_000 }, 0, DEFAULT_REFRESH)).toBe(90_000);
    expect(backoff({ ...failure, retryAfterMs: 90_000 }, 1, DEFAULT_REFRESH)).toBe(135_000);
    expect(backoff({ ...failure, retryAfterMs: 10 }, 1, DEFAULT_REFRESH)).toBe(1000);
  });

  it('is bounded, whatever the service asks for', () => {
    expect(backoff({ ...failure, retryAfterMs: 24 * HOUR }, 0, DEFAULT_REFRESH)).toBe(5 * MINUTE);
  });
});
