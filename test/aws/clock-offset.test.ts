import { describe, expect, it } from 'vitest';
import { clockOffset, measureClock, offsetWarning, span } from '../../src/aws/clock-offset.ts';
import { retryAfter } from '../../src/aws/service-error.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const answer = (headers: Record<string, string>) => ({ status: 403, headers, body: '' });

describe('clockOffset', () => {
  it.each([
    ['Sun, 01 Mar 2026 13:00:00 GMT', 3_600_000],
    ['Sun, 01 Mar 2026 11:00:00 GMT', -3_600_000],
    ['Mon, 02 Mar 2026 12:00:00 GMT', 86_400_000],
    ['Sun, 01 Mar 2026 12:01:01 GMT', 61_000],
    ['Sun, 01 Mar 2026 12:01:00 GMT', undefined],
    ['Sun, 01 Mar 2026 11:59:00 GMT', undefined],
    ['Sun, 01 Mar 2026 12:00:00 GMT', undefined],
    ['Sunday, 01-Mar-26 13:00:00 GMT', undefined],
    ['2026-03-01T13:00:00Z', undefined],
    ['tomorrow', undefined],
    ['Sun, 99 Mar 2026 13:00:00 GMT', undefined],
    ['', undefined],
  ])('of Date: %s is %s', (date, offset) => {
    expect(clockOffset(answer({ date }), NOW)).toBe(offset);
  });

  it('without Date is unknown', () => {
    expect(clockOffset(answer({}), NOW)).toBeUndefined();
  });
});

it('a clock that cannot be measured is not off', async () => {
  const request = { url: new URL('https://service.test'), headers: {} };
  expect(
    await measureClock(
      () => Promise.reject(new Error('no network')),
      request,
      () => NOW,
    ),
  ).toBeUndefined();
  const good = answer({ date: 'Sun, 01 Mar 2026 13:00:00 GMT' });
  expect(
    await measureClock(
      () => Promise.resolve(good),
      request,
      () => NOW,
    ),
  ).toBe(3_600_000);
});

it.each([
  [3_600_000, /1 hour behind/],
  [-86_400_000, /1 day ahead/],
])('%d ms is told as %s', (offset, words) => {
  expect(offsetWarning(offset)).toMatch(words);
});

it.each([
  [61_000, '1 minute 1 second'],
  [3_600_000, '1 hour'],
  [3_661_000, '1 hour 1 minute'],
  [90_000_000, '1 day 1 hour'],
  [200, '0 seconds'],
])('%d ms in words is %s', (ms, words) => {
  expect(span(ms)).toBe(words);
});

it.each([
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': 'Sun, 01 Mar 2026 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Sun, 01 Mar 2026 13:00:30 GMT', date: 'Sun, 01 Mar 2026 13:00:00 GMT' }, 30_000],
  [{ 'retry-after': 'Sun, 01 Mar 2026 11:00:30 GMT' }, 0],
  [{ 'retry-after': '-1' }, undefined],
  [{ 'retry-after': 'soon' }, undefined],
  [{}, undefined],
])('%j asks to wait %s ms', (headers, ms) => {
  expect(retryAfter(answer(headers as unknown as Record<string, string>), NOW)).toBe(ms);
});
