import { describe, expect, it } from 'vitest';
import { countdown, duration, nearness, policyProblem, readDuration } from '../../../src/console/page/text.ts';

describe('a duration', () => {
  it.each([
    ['90', 5400],
    ['90 min', 5400],
    ['2 h', 7200],
    ['1h30', 5400],
    ['1 h 30 min', 5400],
    ['1:30', 5400],
    ['900 s', 900],
    ['1.5h', 5400],
    ['12 hours', 43_200],
  ])('is read from %s', (text, seconds) => expect(readDuration(text)).toBe(seconds));

  it.each(['', 'soon', '-1 h', '1 h 30 x', '1:3', 'h'])('is not read from %j', (text) =>
    expect(readDuration(text)).toBeUndefined(),
  );

  it.each([900, 3600, 5400, 43_200, 3661])('of %d seconds is shown in words that are read again', (seconds) =>
    expect(readDuration(duration(seconds))).toBe(seconds === 3661 ? 3660 : seconds),
  );

  it('counts down', () => expect([countdown(7147), countdown(59), countdown(-1)]).toEqual(['1:59:07', '0:59', '0:00']));
});

describe('the end of a certificate', () => {
  it.each([
    [31, 'good'],
    [30, 'month'],
    [7, 'week'],
    [1, 'day'],
    [0, 'over'],
  ] as const)('in %d days is %s', (days, near) =>
    expect(nearness(new Date(days * 86_400_000).toISOString(), 0)).toBe(near),
  );
});

describe('a session policy', () => {
  it('is told to be wrong while it is typed', () => {
    expect(policyProblem('')).toBeUndefined();
    expect(policyProblem('{"Statement":[]}')).toBeUndefined();
    expect(policyProblem('{"a":')).toMatch(/^not JSON/);
    expect(policyProblem('[]')).toBe('a policy has a Statement');
    expect(policyProblem(' '.repeat(2048) + '{}')).toBe('2 characters too long');
  });
});
