import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { MAX_TTL_SECONDS, createSessionTokens } from '../../src/server/session-tokens.ts';

const counted = vi.hoisted(() => ({ hmacs: 0 }));
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  const createHmacCounted: typeof createHmac = (...args) => {
    counted.hmacs++;
    return real.createHmac(...args);
  };
  return { ...real, createHmac: createHmacCounted };
});

function tokens() {
  const clock = { now: 5000.4 };
  return Object.assign(clock, { made: createSessionTokens({ monotonic: () => clock.now }) });
}

it('a token is taken until its end, and not a millisecond longer', () => {
  const clock = tokens();
  const token = clock.made.issue(10);
  expect(clock.made.accepts(token)).toBe(true);
  clock.now += 9999;
  expect(clock.made.accepts(token)).toBe(true);
  clock.now += 2;
  expect(clock.made.accepts(token)).toBe(false);
});

it('a flood takes no room and pushes none out', () => {
  const { made } = tokens();
  const first = made.issue(21_600);
  const seen = new Set<string>();
  for (let i = 0; i < 100_000; i++) seen.add(made.issue(21_600));
  expect(seen.size).toBe(100_000);
  expect(made.accepts(first)).toBe(true);
});

it('a token with any character changed is refused', () => {
  const { made } = tokens();
  const token = made.issue(60);
  for (let i = 0; i < token.length; i++) {
    const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1);
    expect({ changed, accepted: made.accepts(changed) }).toEqual({ changed, accepted: false });
  }
});

it.each(['', 'x', 'A'.repeat(56), '='.repeat(56), `${'A'.repeat(55)}\u00ff`, 'A'.repeat(10_000)])(
  'what is no token is refused: %#',
  (text) => {
    expect(tokens().made.accepts(text)).toBe(false);
  },
);

it('a process does not take the tokens of another, unless it has its key', () => {
  expect(createSessionTokens().accepts(createSessionTokens().issue(60))).toBe(false);
  const key = randomBytes(32);
  const token = createSessionTokens({ key }).issue(60);
  expect(createSessionTokens({ key }).accepts(token)).toBe(true);
});

it('what is left of a token does not change with the process: its end is counted from the start of the system', () => {
  const script = 'const [seconds] = process.hrtime(); console.log(seconds)';
  const other = Number(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
  const key = randomBytes(32);
  const token = createSessionTokens({ key, monotonic: () => other * 1000 }).issue(3600);
  expect(createSessionTokens({ key }).accepts(token)).toBe(true);
  expect(createSessionTokens({ key, monotonic: () => (other + 3601) * 1000 }).accepts(token)).toBe(false);
});

it('a token is over in the very millisecond in which it ends, and is taken in one spelling alone', () => {
  const clock = tokens();
  clock.now = 5000;
  const token = clock.made.issue(10);
  for (const spelling of [`${token}=`, `${token}\n`, ` ${token}`]) expect(clock.made.accepts(spelling)).toBe(false);
  clock.now = 14_999;
  expect(clock.made.accepts(token)).toBe(true);
  clock.now = 15_000;
  expect(clock.made.accepts(token)).toBe(false);
});

it('tokens that were forgotten, and those of another process with the same key, are told by the key: the first and the last of many, and none after its end', () => {
  const clock = { now: 0 };
  const key = randomBytes(32);
  const issuer = createSessionTokens({ key, monotonic: () => clock.now });
  const taker = createSessionTokens({ key, monotonic: () => clock.now });
  const many = Array.from({ length: 3000 }, () => issuer.issue(10));
  // Twice: remembered ones the second time, as far as there is room.
  for (const _ of [1, 2])
    for (const made of [issuer, taker]) expect(many.every((token) => made.accepts(token))).toBe(true);
  clock.now = 10_000;
  for (const made of [issuer, taker]) expect(many.some((token) => made.accepts(token))).toBe(false);
});

it('a token that differs from a remembered one in its last bits alone is refused', () => {
  const { made } = tokens();
  const token = made.issue(60);
  expect(made.accepts(token)).toBe(true);
  for (const last of ['A', 'B', 'w', '_', '-']) {
    const other = token.slice(0, -1) + last;
    expect(made.accepts(other)).toBe(other === token);
  }
});

it('a token is authenticated by HMAC-SHA-256, as node:crypto makes it', () => {
  const key = randomBytes(32);
  for (let made = 0; made < 100; made++) {
    const bytes = Buffer.from(createSessionTokens({ key }).issue(60), 'base64url');
    const mac = createHmac('sha256', key).update(bytes.subarray(0, 18)).digest();
    expect(bytes.subarray(18).toString('hex')).toBe(mac.subarray(0, 24).toString('hex'));
  }
});

it('a token is its end in milliseconds, 12 random bytes, and 24 of the HMAC of both: one process takes those of another', () => {
  const key = randomBytes(32);
  const sizes: number[] = [];
  const random = (size: number): Buffer => (sizes.push(size), Buffer.alloc(size, 7));
  const token = createSessionTokens({ key, random, monotonic: () => 0x0102_0304_0506 - 60_000 }).issue(60);
  const signed = Buffer.from(`010203040506${'07'.repeat(12)}`, 'hex');
  const mac = createHmac('sha256', key).update(signed).digest().subarray(0, 24);
  expect(Buffer.from(token, 'base64url')).toEqual(Buffer.concat([signed, mac]));
  // Enough for many tokens at once.
  expect(sizes).toEqual([64 * 12]);
  createSessionTokens({ random });
  expect(sizes).toEqual([64 * 12, 32]);
});

/** Milliseconds since the start of the system. */
function age(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

it('a token ends after its time on the clock of the system', () => {
  const before = age();
  const token = createSessionTokens().issue(60);
  const after = age();
  const end = Buffer.from(token, 'base64url').readUIntBE(0, 6) - 60_000;
  expect(end).toBeGreaterThan(before - 1);
  expect(end).toBeLessThan(after + 1);
});

it('a token may be asked for six hours, as on EC2', () => {
  expect(MAX_TTL_SECONDS).toBe(6 * 60 * 60);
});

/** Whether a token is taken without being authenticated. */
function isKnown(made: ReturnType<typeof createSessionTokens>, token: string): boolean {
  const before = counted.hmacs;
  expect(made.accepts(token)).toBe(true);
  return counted.hmacs === before;
}

describe('a token that is remembered', () => {
  it('is not authenticated again, whether it was given out or taken', () => {
    const key = randomBytes(32);
    const [issuer, taker] = [createSessionTokens({ key }), createSessionTokens({ key })];
    const token = issuer.issue(60);
    expect([1, 2].map(() => isKnown(issuer, token))).toEqual([true, true]);
    expect([1, 2, 3].map(() => isKnown(taker, token))).toEqual([false, true, true]);
  });

  it('is one of the last 1024, and of at least 512', () => {
    for (const [more, known] of [
      [1023, true],
      [1024, false],
    ] as const) {
      const { made } = tokens();
      const first = made.issue(60);
      const others = Array.from({ length: more }, () => made.issue(60));
      expect(isKnown(made, first)).toBe(known);
      expect(others.slice(-512).every((token) => isKnown(made, token))).toBe(true);
    }
  });

  it('is one of the last 1024 again when it was taken, and counts as one', () => {
    const { made } = tokens();
    const [first = '', second = '', third = ''] = Array.from({ length: 1000 }, () => made.issue(60));
    expect(isKnown(made, first)).toBe(true);
    // 488 + 1 are in the newer table: 23 more fill it.
    const last = Array.from({ length: 23 }, () => made.issue(60)).at(-1) ?? '';
    for (const _ of [1, 2]) expect(isKnown(made, last)).toBe(true);
    // Taken into a new one, for which the older one is left out whole.
    expect(isKnown(made, second)).toBe(true);
    expect([isKnown(made, first), isKnown(made, third)]).toEqual([true, false]);
  });

  it('is taken at no other time than one that is authenticated', () => {
    const clock = tokens();
    const token = clock.made.issue(10);
    clock.now += 10_001;
    expect(clock.made.accepts(token)).toBe(false);
  });
});

it('random bytes are fetched for 64 tokens at once, and no token has those of another', () => {
  let fetched = 0;
  const made = createSessionTokens({ key: randomBytes(32), random: (size) => (fetched++, randomBytes(size)) });
  const nonces = Array.from({ length: 64 }, () => Buffer.from(made.issue(60), 'base64url').toString('hex', 6, 18));
  expect([new Set(nonces).size, fetched]).toEqual([64, 1]);
  made.issue(60);
  expect(fetched).toBe(2);
});
