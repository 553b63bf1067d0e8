import { describe, expect, it } from 'vitest';
import { clockOffset, confirmOffset, correctByService, span } from '../../src/aws/clock-offset.ts';
import { createServiceClock } from '../../src/aws/service-clock.ts';
import { createLog } from '../../src/platform/log.ts';
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

describe('correctByService', () => {
  const url = new URL('https://service.test');

  it.each([
    ['Sun, 01 Mar 2026 13:00:00 GMT', 3_600_000, /^warning: this machine's clock is 1 hour behind/],
    ['Sat, 28 Feb 2026 12:00:00 GMT', -86_400_000, /^warning: this machine's clock is 1 day ahead/],
  ])(
    'presumes the Date %s of whatever is answered, and believes it when a request succeeds',
    async (date, offset, words) => {
      let said = '';
      const log = createLog({ write: (line) => (said += line), format: 'plain' });
      const clock = createServiceClock(() => NOW);
      const transport = (): Promise<ReturnType<typeof answer>> => Promise.resolve(answer({ date }));
      expect(await correctByService({ transport, clock, log }, url)).toBe(true);
      expect([clock.presumed(), clock.offset(), said]).toEqual([offset, 0, '']);
      confirmOffset(clock, clock.presumed(), log);
      expect(clock.offset()).toBe(offset);
      expect(said).toMatch(words);
    },
  );

  it.each([
    ['nobody answers', () => Promise.reject(new Error('no network'))],
    ['it is right', () => Promise.resolve(answer({ date: 'Sun, 01 Mar 2026 12:00:00 GMT' }))],
  ])('leaves a clock alone when %s', async (_, transport) => {
    const clock = createServiceClock(() => NOW);
    expect(await correctByService({ transport, clock }, url)).toBe(false);
    expect(clock.offset()).toBe(0);
  });
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
