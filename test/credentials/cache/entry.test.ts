import { describe, expect, it } from 'vitest';
import {
  CACHE_VERSION,
  DEFAULT_MIN_REMAINING_MS,
  afterSetBack,
  type CacheEntry,
  isFresh,
  isStillGood,
  parseEntry,
  remainingOf,
  unpacked,
} from '../../../src/credentials/cache/entry.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

/** A set that was obtained now and lives for so long. */
function entry(lifeMs: number, more: Partial<CacheEntry> = {}): CacheEntry {
  return {
    version: CACHE_VERSION,
    obtained: NOW,
    clockOffset: 0,
    chance: 0,
    role: 'arn:aws:iam::111122223333:role/One',
    credentials: {
      accessKeyId: 'ASIAEXAMPLE',
      secretAccessKey: 'secret',
      sessionToken: 'token',
      expiration: `${new Date(NOW + lifeMs).toISOString().slice(0, 19)}Z`,
    },
    ...more,
  };
}

describe('a kept set', () => {
  it.each([
    ['an hour, until 15 minutes are left', 60, 15 * MINUTE, 45],
    ['an hour, but for more than a third of it', 60, 59 * MINUTE, 40],
    ['15 minutes, until a third is left', 15, 15 * MINUTE, 10],
    ['15 minutes, until one is left, where that was asked for', 15, MINUTE, 14],
  ])('of %s, is given out', (_, life, minRemaining, until) => {
    const kept = entry(life * MINUTE);
    expect(isFresh(kept, NOW + until * MINUTE - 1, minRemaining)).toBe(true);
    expect(isFresh(kept, NOW + until * MINUTE, minRemaining)).toBe(false);
  });

  it('is renewed earlier by chance, by up to a fifth', () => {
    const kept = entry(60 * MINUTE, { chance: 0.999 });
    expect(isFresh(kept, NOW + 42 * MINUTE, 15 * MINUTE)).toBe(true);
    expect(isFresh(kept, NOW + 42.1 * MINUTE, 15 * MINUTE)).toBe(false);
  });

  it('counts by the clock of the service', () => {
    const ahead = entry(60 * MINUTE, { clockOffset: 50 * MINUTE });
    expect(remainingOf(ahead, NOW)).toBe(10 * MINUTE);
    expect(remainingOf(entry(60 * MINUTE, { clockOffset: -50 * MINUTE }), NOW)).toBe(110 * MINUTE);
  });

  it.each([
    ['has expired', entry(-1000)],
    ['lives longer than any session', entry(13 * 60 * MINUTE)],
    ['is from the future', entry(60 * MINUTE, { obtained: NOW + 2 * MINUTE })],
    ['ends at no time', entry(0, { clockOffset: Number.NaN })],
  ])('that %s is not given out, and nothing is left of it', (_, kept) => {
    for (const minRemaining of [0, 1000, 15 * MINUTE]) expect(isFresh(kept, NOW, minRemaining)).toBe(false);
    expect(isStillGood(kept, NOW)).toBe(false);
    expect(isFresh({ ...kept, holdUntil: NOW + MINUTE }, NOW, 1000)).toBe(false);
  });

  it('is given out after a failure for as long as the hold lasts, and never for long', () => {
    const kept = entry(60 * MINUTE, { holdUntil: NOW + 51 * MINUTE });
    expect(isFresh(kept, NOW + 50 * MINUTE, 15 * MINUTE)).toBe(true);
    expect(isFresh(kept, NOW + 51 * MINUTE, 15 * MINUTE)).toBe(false);
    expect(isFresh({ ...kept, holdUntil: NOW + 1000 * MINUTE }, NOW + 50 * MINUTE, 15 * MINUTE)).toBe(false);
    expect(isFresh({ ...kept, holdUntil: NOW + 60 * MINUTE }, NOW + 59.8 * MINUTE, 15 * MINUTE)).toBe(false);
  });

  it('is good for what is left of it, to the millisecond', () => {
    expect(DEFAULT_MIN_REMAINING_MS).toBe(900_000);
    const kept = entry(60 * MINUTE);
    const end = NOW + 60 * MINUTE;
    expect([isStillGood(kept, end - 30_001), isStillGood(kept, end - 30_000)]).toEqual([true, false]);
    const longest = entry(721 * MINUTE);
    expect(remainingOf(longest, NOW)).toBe(721 * MINUTE);
    expect(remainingOf({ ...longest, clockOffset: -1 }, NOW)).toBe(0);
    const obtained = NOW + MINUTE;
    expect(remainingOf(entry(60 * MINUTE, { obtained }), NOW)).toBe(60 * MINUTE);
    expect(remainingOf(entry(60 * MINUTE, { obtained: obtained + 1 }), NOW)).toBe(0);
    // Of no life at all, and of one millisecond.
    expect(remainingOf(entry(MINUTE, { obtained }), NOW)).toBe(0);
    expect(remainingOf(entry(MINUTE, { obtained: obtained - 1 }), NOW)).toBe(MINUTE);
  });

  it('has a life by the clock of the service, of which a third counts', () => {
    expect(remainingOf(entry(600 * MINUTE, { clockOffset: 360 * MINUTE }), NOW)).toBe(240 * MINUTE);
    const half = entry(60 * MINUTE, { clockOffset: 30 * MINUTE });
    expect(isFresh(half, NOW + 18 * MINUTE, 15 * MINUTE)).toBe(true);
  });

  it('is held to the last millisecond, and by none that is longer than two minutes', () => {
    const now = NOW + 50 * MINUTE;
    const held = (ms: number): boolean => isFresh(entry(60 * MINUTE, { holdUntil: now + ms }), now, 15 * MINUTE);
    expect([held(0), held(1), held(120_000), held(120_001)]).toEqual([false, true, true, false]);
  });

  it('comes back from its text as it was', () => {
    const credentials = {
      ...entry(60 * MINUTE).credentials,
      accountId: '111122223333',
      assumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/One/x',
    };
    const full = entry(60 * MINUTE, { counted: ['boot', 5], holdUntil: NOW, credentials });
    expect(parseEntry(JSON.stringify({ ...full, version: 1 }))).toEqual(full);
    const kept = entry(60 * MINUTE, { certificate: ['/c.pem', '1 2 3 4'] });
    expect(parseEntry(JSON.stringify(kept))).toEqual(kept);
    expect(unpacked(kept.credentials)).toEqual({
      ...kept.credentials,
      expiration: new Date(NOW + 60 * MINUTE),
    });
  });

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['null', null],
    ['a list', [entry(MINUTE)]],
    ['of a newer version', { ...entry(MINUTE), version: CACHE_VERSION + 1 }],
    ['without a time', { ...entry(MINUTE), obtained: undefined }],
    ['with a time in words', { ...entry(MINUTE), obtained: '1' }],
    ['without a role', { ...entry(MINUTE), role: 1 }],
    ['with half a certificate', { ...entry(MINUTE), certificate: ['/c.pem'] }],
    ['with a certificate without a stamp', { ...entry(MINUTE), certificate: ['/c.pem', 1] }],
    ['with a stamp without a certificate', { ...entry(MINUTE), certificate: [1, '1 2 3 4'] }],
    ['counted by nobody', { ...entry(MINUTE), counted: [1, 2] }],
    ['counted in words', { ...entry(MINUTE), counted: ['boot', 'x'] }],
    ['counted in part', { ...entry(MINUTE), counted: ['boot'] }],
    ['counted in another form', { ...entry(MINUTE), counted: { 0: 'boot', 1: 5 } }],
    ['without credentials', { ...entry(MINUTE), credentials: null }],
    ['with an empty token', { ...entry(MINUTE), credentials: { ...entry(MINUTE).credentials, sessionToken: '' } }],
    [
      'with another form of time',
      { ...entry(MINUTE), credentials: { ...entry(MINUTE).credentials, expiration: 'soon' } },
    ],
    [
      'with a time of the right length in another form',
      {
        ...entry(MINUTE),
        credentials: { ...entry(MINUTE).credentials, expiration: 'Jan 01 2026 12:00:00' },
      },
    ],
    [
      'with an account that is a number',
      { ...entry(MINUTE), credentials: { ...entry(MINUTE).credentials, accountId: 1 } },
    ],
  ])('is none when its text is %s', (_, value) => {
    expect(parseEntry(typeof value === 'string' ? value : JSON.stringify(value))).toBeUndefined();
  });

  it('is none when its text is cut off, wherever', () => {
    const text = JSON.stringify(entry(60 * MINUTE));
    for (let length = 0; length < text.length; length++) expect(parseEntry(text.slice(0, length))).toBeUndefined();
  });
});

const isSame = (boot: string): boolean => boot === 'boot';

describe('a clock that was set back', () => {
  const counted = ['boot', 1000 * MINUTE] as const;
  /** What is left of an hour, when by each clock so many minutes have passed. */
  const left = (wall: number, passed: number, more: Partial<CacheEntry> = {}): number => {
    const now = NOW + wall * MINUTE;
    const seen = afterSetBack(entry(60 * MINUTE, { counted, ...more }), now, (1000 + passed) * MINUTE, isSame);
    return remainingOf(seen, now) / MINUTE;
  };

  it('makes no set live longer', () => {
    expect([left(0, 50), left(-40, 50), left(10, 70)]).toEqual([10, 10, 0]);
  });

  it('is none where both count alike, or the machine slept, which one of them does not count', () => {
    expect([left(50, 50), left(50, 50.5), left(50, 10)]).toEqual([10, 10, 10]);
  });

  it('counts from a minute on: by less, two machines that share a folder may differ', () => {
    const kept = entry(60 * MINUTE, { counted });
    const after = (ms: number): number => afterSetBack(kept, NOW, 1000 * MINUTE + ms, isSame).obtained;
    expect([after(MINUTE), after(MINUTE + 1)]).toEqual([NOW, NOW - MINUTE - 1]);
  });

  it('is not looked for in what another machine, or another start, has counted', () => {
    expect(left(0, 50, { counted: ['other', 1000 * MINUTE] })).toBe(60);
    expect(left(0, 50, { counted: undefined })).toBe(60);
  });

  it('leaves the other clock of the service as it was told', () => {
    const now = NOW;
    const { obtained, clockOffset } = afterSetBack(
      entry(60 * MINUTE, { counted, clockOffset: 5 * MINUTE }),
      now,
      1050 * MINUTE,
      isSame,
    );
    expect([obtained, clockOffset]).toEqual([NOW - 50 * MINUTE, 55 * MINUTE]);
  });
});
