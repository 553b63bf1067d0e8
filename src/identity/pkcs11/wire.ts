/**
 * The form of questions and answers between a process and its helper: one line of JSON each, bytes as Base64, 64-bit
 * numbers as decimal digits. A module can write into the channel what it likes, so lines are bounded, and an answer is
 * taken for one only if every part of it has the type that was asked for.
 */
import type { CertificateFacts, KeyFacts, NewCertificate, ObjectFilter, Operation, Operations } from './port.ts';
import type { LibraryInfo, SlotInfo, TokenInfo } from './cryptoki.ts';

/** The longest line: an answer's attributes are 16 MiB at most (engine.ts), and Base64 adds a third. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;
/** How many members and values a line may have: a line of nothing but brackets would become a thousand megabytes. */
const MAX_VALUES = 256 * 1024;

const NEWLINE = 10;

/** Cuts what comes through a channel into its lines. */
export class Lines {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param limit in bytes; default {@link MAX_LINE_BYTES} */
  constructor(limit = MAX_LINE_BYTES) {
    this.#limit = limit;
  }

  /**
   * The lines that end in a chunk, which may be used again afterwards.
   *
   * @throws RangeError for a line that is too long
   */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      this.#keep(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      const line = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#length = 0;
      yield line;
    }
    this.#keep(rest);
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#limit) throw new RangeError(`a line is longer than ${this.#limit} bytes`);
    if (part.length > 0) this.#parts.push(Uint8Array.from(part));
  }
}

/** A message as a line, with its end. */
export function toLine(message: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(pack(message))}\n`);
}

function pack(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (Array.isArray(value)) return value.map(pack);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, pack(member)]));
}

/**
 * What a line says.
 *
 * @throws RangeError, SyntaxError, TypeError for what is no line of a channel
 */
export function fromLine(line: Uint8Array): unknown {
  countValues(line);
  const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line));
  return parsed;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What comes before a value: a comma, a colon, an opening bracket or brace. */
const BEFORE_VALUE: ReadonlySet<number> = new Set([0x2c, 0x3a, 0x5b, 0x7b]);

function countValues(line: Uint8Array): void {
  let values = 0;
  for (let at = 0; at < line.length; at += 1) {
    const byte = line[at] ?? 0;
    if (byte === QUOTE) at = endOfText(line, at);
    else if (BEFORE_VALUE.has(byte) && (values += 1) > MAX_VALUES)
      throw new RangeError(`a line has more than ${MAX_VALUES} values`);
  }
}

function endOfText(line: Uint8Array, start: number): number {
  for (let end = line.indexOf(QUOTE, start + 1); end >= 0; end = line.indexOf(QUOTE, end + 1)) {
    let escapes = 0;
    while (line[end - escapes - 1] === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return line.length;
}

/** Takes a value for what it ought to be. Throws a TypeError for any other. */
type Reader<T> = (value: unknown) => T;

function wrong(expected: string): TypeError {
  return new TypeError(`not ${expected}`);
}

const text: Reader<string> = (value) => {
  if (typeof value !== 'string') throw wrong('a text');
  return value;
};

const truth: Reader<boolean> = (value) => {
  if (typeof value !== 'boolean') throw wrong('true or false');
  return value;
};

const number: Reader<number> = (value) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw wrong('a number');
  return value;
};

/** A type that the token does not tell is Infinity, for which JSON writes null. */
const keyType: Reader<number> = (value) => (value === null ? Infinity : number(value));

const bytes: Reader<Uint8Array> = (value) => new Uint8Array(Buffer.from(text(value), 'base64'));

const big: Reader<bigint> = (value) => {
  if (!/^\d{1,20}$/.test(text(value))) throw wrong('digits');
  return BigInt(text(value));
};

const nothing: Reader<undefined> = (value) => {
  if (value !== null) throw wrong('null');
};

/** A PIN comes by a way of its own. */
const noPin: Reader<null> = (value) => {
  if (value !== null) throw wrong('null');
  return null;
};

function maybe<T>(read: Reader<T>): Reader<T | undefined> {
  return (value) => (value === undefined ? undefined : read(value));
}

function list<T>(read: Reader<T>): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw wrong('a list');
    return value.map((item) => read(item));
  };
}

function record<T extends object>(members: { readonly [K in keyof T]-?: Reader<T[K]> }): Reader<T> {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('a record');
    const given = new Map<string, unknown>(Object.entries(value));
    const read: Partial<T> = {};
    for (const name in members) {
      const member = members[name](given.get(name));
      if (member !== undefined) read[name] = member;
    }
    // Every member of T has been read.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return read as T;
  };
}

const library = record<LibraryInfo>({
  manufacturer: text,
  description: text,
  version: record({ major: number, minor: number }),
});
const tokenMembers = { label: text, manufacturer: text, model: text, serial: text, flags: number };
const filter = record<ObjectFilter>({ label: maybe(text), id: maybe(bytes) });
const certificateMembers = { label: text, id: bytes, der: bytes };
const objects = record({ slot: big, filter });

type Readers<Side extends 'ask' | 'answer'> = { readonly [O in Operation]: Reader<Operations[O][Side]> };

const ASKS: Readers<'ask'> = {
  open: record({ libraries: list(text) }),
  tokens: record({}),
  token: record({ slot: big }),
  certificates: objects,
  keys: objects,
  replace: record({
    slot: big,
    fresh: list(record<NewCertificate>({ ...certificateMembers, subject: bytes, issuer: bytes, serialNumber: bytes })),
    old: bytes,
  }),
  mechanisms: record({ slot: big }),
  login: record({ slot: big, pin: noPin }),
  authorise: record({ slot: big, key: big, mechanism: number, pin: noPin }),
  sign: record({ slot: big, key: big, mechanism: number, data: bytes, begun: truth }),
};

const ANSWERS: Readers<'answer'> = {
  open: library,
  tokens: list(
    record({
      ...tokenMembers,
      slot: big,
      slotInfo: record<SlotInfo>({ description: text, manufacturer: text }),
      library,
    }),
  ),
  token: record<TokenInfo>(tokenMembers),
  certificates: list(record<CertificateFacts>(certificateMembers)),
  keys: list(
    record<KeyFacts>({
      handle: big,
      label: text,
      id: bytes,
      type: keyType,
      alwaysAuthenticate: truth,
      publicPart: record({
        modulus: maybe(bytes),
        exponent: maybe(bytes),
        parameters: maybe(bytes),
        point: maybe(bytes),
      }),
    }),
  ),
  replace: nothing,
  mechanisms: list(number),
  login: nothing,
  authorise: nothing,
  sign: bytes,
};

/** Whether an operation's name is one. */
export function isOperation(name: unknown): name is Operation {
  return typeof name === 'string' && Object.hasOwn(ASKS, name);
}

/** @throws TypeError for a question of another form */
export function readAsk<O extends Operation>(operation: O, ask: unknown): Operations[O]['ask'] {
  return ASKS[operation](ask);
}

/** @throws TypeError for an answer of another form */
export function readAnswer<O extends Operation>(operation: O, answer: unknown): Operations[O]['answer'] {
  return ANSWERS[operation](answer);
}
