import { expect, it } from 'vitest';
import { createAuthorization, generateToken } from '../../src/server/authorization.ts';

it('generated tokens differ, and fit a header', () => {
  const tokens = new Set(Array.from({ length: 100 }, generateToken));
  expect(tokens.size).toBe(100);
  for (const token of tokens) expect(token).toMatch(/^[\w-]{43}$/);
});

it('an authorization takes its token again and again, and nothing in between', () => {
  const authorization = createAuthorization('0123456789abcdef');
  for (let i = 0; i < 3; i++) {
    expect(authorization.accepts('0123456789abcdef')).toBe(true);
    expect(authorization.accepts('0123456789abcdeg')).toBe(false);
    expect(authorization.accepts('')).toBe(false);
  }
});

it('an authorization takes no more and no less than its token, whatever it compared last', () => {
  const authorization = createAuthorization('0123456789abcdef');
  expect(authorization.accepts('0123456789abcdef')).toBe(true);
  for (const header of ['', '0123456789abcde', '0123456789abcdef0', '0123456789abcdef '])
    expect({ header, accepted: authorization.accepts(header) }).toEqual({ header, accepted: false });
});

it('an authorization compares the bytes of a header, which Node gives as Latin-1', () => {
  expect(createAuthorization('0123456789abcde\u00e9').accepts('0123456789abcde\u00e9')).toBe(true);
});
