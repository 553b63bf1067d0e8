/**
 * Takes an HTTP/1.1 answer apart as its bytes come (RFC 9112). Strict: what is not by the letter is malformed, since nobody
 * could say what was meant. Faults have the codes that Node's parser gives them.
 */
// Tests: test/http/answer-reader.test.ts, test/http/faults.test.ts
import { MAX_HEADER_BYTES } from './exchange.ts';
import type { HttpResponse } from './http.ts';

const [CR, LF, TAB] = [0x0d, 0x0a, 0x09];

/** More digits than any length has that a body is let be. */
const MAX_LENGTH_DIGITS = 12;
/** The fields that say how a body is delimited. */
const DELIMITING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);
/** A chunk's size, and extensions, of which none is heeded (RFC 9112, section 7.1.1). */
const CHUNK_SIZE = /^[\da-f]{1,8}(?:;[\w!#$%&'*+.^`|~-]+(?:=(?:[\w!#$%&'*+.^`|~-]*|"[ !#-[\]-~]*"))?)*$/i;

type Phase = 'status' | 'fields' | 'length' | 'close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers' | 'done';

/** A fault of an answer, by the name that Node's parser has for its like. */
export function faulty(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

const malformed = (what: string): Error => faulty('HPE_INVALID_CONSTANT', what);

/** Reads one answer. */
export class AnswerReader {
  readonly #tooLong: () => Error;
  readonly #maxBytes: number;
  #phase: Phase = 'status';
  #waiting: Uint8Array = new Uint8Array(0);
  /** Bytes of the head, or of the trailers. */
  #headBytes = 0;
  #status = 0;
  #isOld = false;
  #fields = new Map<string, string[]>();
  #left = 0;
  #bodyBytes = 0;
  #body: Uint8Array[] = [];

  /**
   * @param maxBytes of the body
   * @param tooLong makes the error for a longer one
   */
  constructor(maxBytes: number, tooLong: () => Error) {
    this.#maxBytes = maxBytes;
    this.#tooLong = tooLong;
  }

  /** Whether the whole head was there. */
  get answered(): boolean {
    return this.#phase !== 'status' && this.#phase !== 'fields';
  }

  /** The answer, when it is whole. */
  get response(): HttpResponse | undefined {
    if (this.#phase !== 'done') return undefined;
    const headers: Record<string, string> = {};
    for (const [name, values] of this.#fields) headers[name] = values.join(', ');
    return { status: this.#status, headers, body: Buffer.concat(this.#body).toString('utf8') };
  }

  /** Takes bytes in; throws when they are no HTTP. What follows a whole answer is left. */
  push(bytes: Uint8Array): void {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes]);
    while (this.#step());
  }

  /** The connection was closed by the other side; throws when the answer is not whole by that. */
  end(): void {
    if (this.#phase === 'close') this.#phase = 'done';
    if (this.#phase === 'done') return;
    throw faulty('ECONNRESET', 'the connection was closed');
  }

  /** Goes on by as much as there is; false when more is needed. */
  #step(): boolean {
    switch (this.#phase) {
      case 'status':
        return this.#readStatus();
      case 'fields':
        return this.#readField();
      case 'length':
      case 'chunk':
        return this.#readBody();
      case 'close':
        return this.#take(this.#waiting.length);
      case 'chunk-size':
        return this.#readChunkSize();
      case 'chunk-end':
        return this.#readChunkEnd();
      case 'trailers':
        return this.#readTrailer();
      case 'done':
      default:
        return false;
    }
  }

  /** The next line without its end; undefined when it is not whole yet. */
  #line(): string | undefined {
    const end = this.#waiting.indexOf(LF);
    if (this.#headBytes + (end < 0 ? this.#waiting.length : end + 1) > MAX_HEADER_BYTES)
      throw faulty('HPE_HEADER_OVERFLOW', 'the head is too long');
    if (end < 0) return undefined;
    if (this.#waiting[end - 1] !== CR) throw malformed('a line does not end in CR LF');
    const line = Buffer.from(this.#waiting.subarray(0, end - 1)).toString('latin1');
    this.#waiting = this.#waiting.subarray(end + 1);
    this.#headBytes += end + 1;
    for (let index = 0; index < line.length; index++) {
      const unit = line.charCodeAt(index);
      if ((unit < 0x20 && unit !== TAB) || unit === 0x7f) throw malformed('a control character in the head');
    }
    return line;
  }

  #readStatus(): boolean {
    const start = 'HTTP/1.';
    const seen = Buffer.from(this.#waiting.subarray(0, start.length)).toString('latin1');
    if (!start.startsWith(seen)) throw malformed('this is not HTTP');
    const line = this.#line();
    if (line === undefined) return false;
    const version = line.slice(0, 9);
    const digits = line.slice(9, 12);
    const status = isDigits(digits) && digits.length === 3 ? Number(digits) : 0;
    const isWhole = line.length === 12 || line[12] === ' ';
    if ((version !== 'HTTP/1.1 ' && version !== 'HTTP/1.0 ') || status < 100 || !isWhole)
      throw malformed('a status line that is none');
    this.#isOld = version === 'HTTP/1.0 ';
    this.#status = status;
    this.#fields = new Map();
    this.#phase = 'fields';
    return true;
  }

  #readField(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    if (line === '') {
      this.#headBytes = 0;
      this.#phase = this.#afterHead();
      return true;
    }
    const colon = line.indexOf(':');
    const name = nameOf(line, colon);
    const values = this.#fields.get(name) ?? [];
    values.push(withoutBlanks(line.slice(colon + 1)));
    this.#fields.set(name, values);
    return true;
  }

  /** How the body is delimited (RFC 9112, section 6.3). What says so must make sense where there is no body, too. */
  #afterHead(): Phase {
    const delimited = this.#delimited();
    if (this.#status >= 200) return this.#status === 204 || this.#status === 304 ? 'done' : delimited;
    // What comes before the answer, which HTTP/1.0 does not have (RFC 9110, section 15.2).
    if (this.#isOld) throw malformed('an interim answer of HTTP/1.0');
    // 101 is for the caller to refuse.
    return this.#status === 101 ? 'done' : 'status';
  }

  #delimited(): Phase {
    const coding = this.#fields.get('transfer-encoding');
    const lengths = this.#fields.get('content-length');
    if (coding !== undefined) {
      if (lengths !== undefined || this.#isOld) throw malformed('two ways to delimit a body');
      if (coding.length !== 1 || coding[0]?.toLowerCase() !== 'chunked') throw malformed('an unknown transfer coding');
      return 'chunk-size';
    }
    if (lengths === undefined) return 'close';
    const [length = ''] = lengths;
    if (lengths.length !== 1 || !isDigits(length) || length.length > MAX_LENGTH_DIGITS)
      throw malformed('a length that is none');
    this.#left = Number(length);
    return this.#left === 0 ? 'done' : 'length';
  }

  #readBody(): boolean {
    if (!this.#take(Math.min(this.#left, this.#waiting.length))) return false;
    if (this.#left === 0) this.#phase = this.#phase === 'length' ? 'done' : 'chunk-end';
    return true;
  }

  #take(length: number): boolean {
    if (length === 0) return false;
    this.#bodyBytes += length;
    if (this.#bodyBytes > this.#maxBytes) throw this.#tooLong();
    this.#body.push(this.#waiting.subarray(0, length));
    this.#waiting = this.#waiting.subarray(length);
    this.#left -= length;
    return true;
  }

  #readChunkSize(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    this.#headBytes = 0;
    if (!CHUNK_SIZE.test(line)) throw malformed('a chunk without a size');
    this.#left = Number.parseInt(line, 16);
    this.#phase = this.#left === 0 ? 'trailers' : 'chunk';
    return true;
  }

  #readChunkEnd(): boolean {
    const line = this.#line();
    if (line === undefined) {
      if (this.#waiting.length > 1) throw malformed('a chunk that is longer than it says');
      return false;
    }
    if (line !== '') throw malformed('a chunk that is longer than it says');
    this.#headBytes = 0;
    this.#phase = 'chunk-size';
    return true;
  }

  #readTrailer(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    if (line === '') this.#phase = 'done';
    // Nothing else of a trailer counts.
    else if (DELIMITING.has(nameOf(line, line.indexOf(':')))) throw malformed('two ways to delimit a body');
    return true;
  }
}

function isDigits(text: string): boolean {
  if (text === '') return false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x30 || unit > 0x39) return false;
  }
  return true;
}

/** RFC 9110, section 5.6.2. */
function isToken(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit <= 0x20 || unit >= 0x7f || '"(),/:;<=>?@[\\]{}'.includes(text.charAt(index))) return false;
  }
  return true;
}

/** The name of a field, in lower case. */
function nameOf(line: string, colon: number): string {
  const name = line.slice(0, colon).toLowerCase();
  if (colon < 1 || !isToken(name)) throw malformed('a field without a name');
  return name;
}

/** What is in a field's value, or in a member of a list (RFC 9112, section 5): `trim` would take away more than blanks. */
function withoutBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (isBlank(text.charCodeAt(from))) from++;
  while (isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
