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
