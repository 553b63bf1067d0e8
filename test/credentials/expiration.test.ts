import { describe, expect, it } from 'vitest';
import { formatExpiration, parseExpiration } from '../../src/credentials/expiration.ts';

describe('parseExpiration', () => {
  it.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02t03:04:05z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05.123456789Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05+01:30', '2026-01-02T01:34:05Z'],
    ['2026-01-02T03:04:05-00:00', '2026-01-02T03:04:05Z'],
    ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ])('reads %s', (text, expected) => {
    const date = parseExpiration(text);
    expect(date && formatExpiration(date)).toBe(expected);
    expect(date?.getMilliseconds()).toBe(0);
  });

  it.each([
    '',
    'tomorrow',
    '1767323045',
    '2026-01-02',
    '2026-01-02T03:04:05',
    '2026-01-02 03:04:05Z',
    '2026-01-02T03:04Z',
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-02T24:00:00Z',
    '2026-01-02T03:60:05Z',
    '2026-12-31T23:59:60Z',
    '2026-01-02T03:04:05+25:00',
    '2026-01-02T03:04:05+0100',
    '+012026-01-02T03:04:05Z',
    ' 2026-01-02T03:04:05Z',
    '2026-01-02T03:04:05Z\n',
    '9999-12-31T23:59:59-00:01',
    '0000-01-01T00:00:00+00:01',
  ])('refuses %j', (text) => {
    expect(parseExpiration(text)).toBeUndefined();
  });
});
