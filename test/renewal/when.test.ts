import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DEFAULT_AT, dueTime, loudnessOf, parseAt, waitAfter } from '../../src/renewal/when.ts';

const DAY = 86_400_000;
const life = { notBefore: 0, notAfter: 30 * DAY };
const third = { part: 1 / 3 };

describe('when a certificate is renewed', () => {
  it.each([
    ['1/3', { part: 1 / 3 }],
    ['25%', { part: 0.25 }],
    ['.5', { part: 0.5 }],
    ['0.2', { part: 0.2 }],
    ['1s', { ms: 1000 }],
    ['2m', { ms: 120_000 }],
    ['8h', { ms: 8 * 3_600_000 }],
    ['30d', { ms: 30 * DAY }],
  ])('--at takes %s', (text, at) => {
    expect(parseAt(text)).toEqual(at);
  });

  it('is when a third is left, unless --at says otherwise', () => {
    expect(DEFAULT_AT).toEqual(parseAt('1/3'));
  });

  const nothing = ['', '0', '1', '1/1', '3/2', '1/0', '0/3', '100%', '0%', '0h', '-1d', 'soon', '1 d', '99999999d'];
  const more = ['a1/3', '1/3a', 'a25%', '25%a', 'a.5', '.5a', 'a8h', '8ha'];
  it.each([...nothing, ...more])('--at refuses %j', (text) => {
    expect(() => parseAt(text)).toThrow(expect.objectContaining({ code: 'ERR_FLAG_VALUE' }));
  });

  it('comes when a third of its life is left, or up to a tenth of that later', () => {
    for (let index = 0; index < 200; index++) {
      const due = dueTime(life, third, randomBytes(100));
      expect(due).toBeGreaterThanOrEqual(20 * DAY);
      expect(due).toBeLessThan(21 * DAY);
    }
  });

  it('is the same for a certificate each time, and spread over a fleet', () => {
    const fleet = Array.from({ length: 1000 }, () => randomBytes(100));
    expect(fleet.map((der) => dueTime(life, third, der))).toEqual(fleet.map((der) => dueTime(life, third, der)));
    const tenths = new Map<number, number>();
    for (const der of fleet) {
      const tenth = Math.floor(((dueTime(life, third, der) - 20 * DAY) / DAY) * 10);
      tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1);
    }
    expect(tenths.size).toBe(10);
    expect(Math.max(...tenths.values())).toBeLessThan(200);
  });

  it('never comes for ever, when the time to be left is longer than the life', () => {
    const due = dueTime(life, { ms: 90 * DAY }, randomBytes(10));
    expect(due).toBeGreaterThanOrEqual(15 * DAY);
    expect(due).toBeLessThan(16.5 * DAY);
  });

  it('is the same in the next version too: by the first six bytes of the SHA-256 of the certificate', () => {
    const chance = 0xe3b0c44298fc / 2 ** 48;
    const later = { notBefore: 100 * DAY, notAfter: 130 * DAY };
    expect(dueTime(later, third, new Uint8Array())).toBeCloseTo((130 - 10 * (1 - chance / 10)) * DAY, 0);
  });
});

describe('the wait after failures', () => {
  const month = { lifeMs: 30 * DAY, leftMs: 10 * DAY };
  const short = { lifeMs: 300_000, leftMs: 100_000 };

  it('doubles from a minute to an hour, give or take a quarter', () => {
    const waits = Array.from({ length: 10 }, (_, index) => waitAfter(index + 1, month, 0.5));
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map((minutes) => minutes * 60_000));
    expect(waitAfter(1, month, 0)).toBe(45_000);
    expect(waitAfter(1000, month, 0.999)).toBeLessThan(75 * 60_000);
  });

  it('is short for a certificate that lives for minutes', () => {
    expect(waitAfter(1, short, 0.5)).toBe(1500);
    expect(waitAfter(20, short, 0.5)).toBe(7500);
    expect(waitAfter(1, { lifeMs: 20_000, leftMs: 20_000 }, 0.5)).toBe(1000);
  });

  it.each([
    ['an hour', 60, 15],
    ['ten minutes', 10, 2.5],
    ['two minutes', 2, 1],
    ['a millisecond', 1 / 60_000, 1],
    ['nothing, and the certificate has ended', 0, 60],
    ['less than nothing', -600, 60],
  ])('leaves time for more attempts before the end: of %s', (_left, leftMinutes, wait) => {
    expect(waitAfter(20, { lifeMs: 30 * DAY, leftMs: leftMinutes * 60_000 }, 0.5)).toBe(wait * 60_000);
  });

  it('is no less than the CA asks for, up to an hour', () => {
    expect(waitAfter(1, month, 0.5, 600_000)).toBe(600_000);
    expect(waitAfter(1, month, 0.5, 1e9)).toBe(3_600_000);
    expect(waitAfter(1, { lifeMs: 30 * DAY, leftMs: 0 }, 0.5, 1e9)).toBe(3_600_000);
  });

  it('does not let the CA ask for more than half of what is left', () => {
    expect(waitAfter(1, { lifeMs: 30 * DAY, leftMs: 1_800_000 }, 0.5, 1e9)).toBe(900_000);
  });
});

describe('how loud a failure is said', () => {
  it('grows as the end comes nearer', () => {
    const days = [20, 24, 26, 28, 29, 31];
    expect(days.map((day) => loudnessOf(life, 20 * DAY, day * DAY))).toEqual([
      'warn',
      'warn',
      'error',
      'error',
      'last',
      'ended',
    ]);
  });

  it.each([
    [110, 'warn'],
    [115, 'warn'],
    [115.01, 'error'],
    [119, 'error'],
    [119.01, 'last'],
    [119.99, 'last'],
    [120, 'ended'],
  ])('on day %d of one from day 100 to 120 that was due on day 110: %s', (day, loudness) => {
    expect(loudnessOf({ notBefore: 100 * DAY, notAfter: 120 * DAY }, 110 * DAY, day * DAY)).toBe(loudness);
  });

  it('counts a millisecond that is left', () => {
    expect(loudnessOf(life, 20 * DAY, 30 * DAY - 1)).toBe('last');
  });
});
