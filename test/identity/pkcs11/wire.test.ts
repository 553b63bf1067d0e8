import { assert, array, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Operation, Operations } from '../../../src/identity/pkcs11/port.ts';
import { Lines, fromLine, isOperation, readAnswer, readAsk, toLine } from '../../../src/identity/pkcs11/wire.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const token = { label: 'é\n"\ud800', manufacturer: '', model: 'm', serial: '1', flags: 0xffffffff };
const library = { manufacturer: 'm', description: 'd', version: { major: 2, minor: 40 } };
const certificate = { label: 'l', id: bytes(), der: bytes(0, 255, 10) };
const slot = 2n ** 64n - 1n;

/** One of each, with the largest numbers. */
const ASKED: { readonly [O in Operation]: Operations[O]['ask'] } = {
  open: { libraries: ['/a', '/b'] },
  tokens: {},
  token: { slot },
  certificates: { slot, filter: {} },
  keys: { slot, filter: { label: 'l', id: bytes(1) } },
  replace: {
    slot,
    fresh: [{ ...certificate, subject: bytes(1), issuer: bytes(2), serialNumber: bytes(3) }],
    old: bytes(4),
  },
  mechanisms: { slot },
  login: { slot, pin: null },
  authorise: { slot, key: 1n, mechanism: 0x1041, pin: null },
  sign: { slot, key: 0n, mechanism: 1, data: bytes(9, 9), begun: true },
};
const ANSWERED: { readonly [O in Operation]: Operations[O]['answer'] } = {
  open: library,
  tokens: [{ ...token, slot, slotInfo: { description: 'd', manufacturer: 'm' }, library }],
  token,
  certificates: [certificate],
  keys: [
    { handle: slot, label: '', id: bytes(1), type: 3, alwaysAuthenticate: true, publicPart: { point: bytes(4, 1) } },
    { handle: 1n, label: '', id: bytes(), type: Infinity, alwaysAuthenticate: false, publicPart: {} },
  ],
  replace: undefined,
  mechanisms: [0, 2 ** 32, 2 ** 64],
  login: undefined,
  authorise: undefined,
  sign: bytes(1, 2, 3),
};
const OPERATIONS = Object.keys(ASKED).filter((name) => isOperation(name));

/** What has come through a channel. */
function sent(message: object): unknown {
  const lines = [...new Lines().push(toLine(message))];
  expect(lines).toHaveLength(1);
  return fromLine(lines[0] ?? bytes());
}

function member(message: unknown, name: string): unknown {
  return new Map<string, unknown>(Object.entries(message ?? {})).get(name);
}

describe('what is sent', () => {
  it.each(OPERATIONS)('is what comes: the question and the answer of %s', (operation) => {
    expect(readAsk(operation, member(sent({ ask: ASKED[operation] }), 'ask'))).toEqual(ASKED[operation]);
    const answer = ANSWERED[operation] ?? null;
    expect(readAnswer(operation, member(sent({ answer }), 'answer'))).toEqual(ANSWERED[operation]);
  });

  it('is taken from a view of a larger buffer alone, and is no view itself', () => {
    const view = bytes(1, 2, 3, 4).subarray(1, 3);
    const answer = readAnswer('sign', member(sent({ answer: view }), 'answer'));
    expect([answer, answer.buffer.byteLength]).toEqual([bytes(2, 3), 2]);
  });
});

describe('an answer', () => {
  const wrong: readonly unknown[] = [null, 0, -1, true, 'x', [], {}, [null], [[]], { length: 1 }, undefined];

  it.each(OPERATIONS)('to %s is refused in any other form', (operation) => {
    const right = ANSWERED[operation];
    const others = wrong.filter(
      (value) =>
        !(right === undefined && value === null) &&
        !(Array.isArray(right) && Array.isArray(value) && value.length === 0) &&
        !(operation === 'sign' && typeof value === 'string'),
    );
    expect(others.map((value) => outcome(operation, value))).toEqual(others.map(() => 'TypeError'));
  });

  it.each(OPERATIONS)('to %s is refused with a part of another form, wherever it is', (operation) => {
    const whole = member(sent({ answer: ANSWERED[operation] ?? null }), 'answer');
    const spoilt = spoil(whole);
    expect(outcome(operation, whole)).toBe('taken');
    expect(spoilt.map((value) => outcome(operation, value))).toEqual(spoilt.map(() => 'TypeError'));
    expect(spoilt.length).toBeGreaterThanOrEqual(operation === 'tokens' ? 20 : 2);
  });

  it('has no members but its own', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"label":"x"},"constructor":1}');
    expect(() => readAnswer('token', hostile)).toThrow(TypeError);
    const given: unknown = JSON.parse(JSON.stringify({ ...token, __proto__: null, other: 1 }));
    expect(readAnswer('token', given)).toEqual(token);
  });

  it.each(['-1', '1e3', '0x10', '', ' 1', '9'.repeat(21)])('has no 64-bit number "%s"', (handle) => {
    const [key] = ANSWERED.keys;
    expect(() => readAnswer('keys', [{ ...key, id: '', publicPart: {}, handle }])).toThrow(TypeError);
  });
});

describe('lines', () => {
  it('are the same however they are cut', () => {
    assert(
      property(array(uint8Array({ maxLength: 40 })), (chunks) => {
        const whole = Buffer.concat(chunks);
        const lines = new Lines();
        const seen = chunks.flatMap((chunk) => [...lines.push(chunk)].map((line) => Buffer.from(line).toString('hex')));
        const expected = whole.toString('latin1').split('\n').slice(0, -1);
        expect(seen).toEqual(expected.map((line) => Buffer.from(line, 'latin1').toString('hex')));
      }),
    );
  });

  it('may be as long as the limit, and no longer', () => {
    const lines = new Lines(4);
    expect([...lines.push(Buffer.from('1234\n12'))].map(String)).toEqual(['1234']);
    expect([...lines.push(Buffer.from('34\n'))].map(String)).toEqual(['1234']);
    expect(() => [...lines.push(Buffer.from('12345'))]).toThrow(RangeError);
    expect(() => [...new Lines(4).push(Buffer.from('12345\n'))]).toThrow(RangeError);
  });

  it('keep nothing of a chunk that is used again', () => {
    const chunk = Buffer.from('ab');
    const lines = new Lines();
    expect([...lines.push(chunk)]).toEqual([]);
    chunk.fill(0);
    expect([...lines.push(Buffer.from('c\n'))].map(String)).toEqual(['abc']);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'x'],
    ['half of it', '{"id":1'],
    ['two', '{}{}'],
    ['a mark before it', '\ufeff{}'],
    ['too many values', `[${'0,'.repeat(256 * 1024)}0]`],
    ['too many lists', '['.repeat(256 * 1024 + 1)],
    ['too many members', `{${'"":0,'.repeat(130 * 1024)}"":0}`],
    ['a text without an end', String.raw`"\\\"`],
  ])('with %s are refused', (_name, line) => {
    expect(() => fromLine(Buffer.from(line))).toThrow(/./);
  });

  it('that are not UTF-8 are refused', () => {
    expect(() => fromLine(Buffer.from('"\xff"', 'latin1'))).toThrow(TypeError);
  });

  it('may have as many brackets and commas in texts as they like', () => {
    const label = `${'[{,:'.repeat(100 * 1024)}\\"\\`;
    expect(fromLine(toLine({ label }).subarray(0, -1))).toEqual({ label });
  });
});

/** What becomes of an answer. */
function outcome(operation: Operation, answer: unknown): string {
  try {
    readAnswer(operation, answer);
    return 'taken';
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

/** Copies of a value, each with one part that is of another kind or, in a record, not there. */
function spoil(value: unknown): unknown[] {
  if (Array.isArray(value))
    return value.flatMap((item: unknown, at) =>
      [...spoil(item), { not: 'this' }].map((other) => value.with(at, other)),
    );
  if (typeof value !== 'object' || value === null) return [[], {}];
  return Object.entries(value).flatMap(([name, part]) => {
    const { [name]: _left, ...others } = value as Record<string, unknown>;
    const isOptional = ['modulus', 'exponent', 'parameters', 'point'].includes(name);
    const changed = spoil(part)
      .concat({ not: 'this' })
      .filter((other) => !isEmptyRecord(other, name));
    return changed
      .map((other): unknown => Object.assign({}, others, { [name]: other }))
      .concat(isOptional ? [] : others);
  });
}

/** A public part without any member is one. */
function isEmptyRecord(value: unknown, name: string): boolean {
  return name === 'publicPart' && typeof value === 'object' && value !== null && !Array.isArray(value);
}
