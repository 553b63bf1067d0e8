/**
 * A reader of PEM files as people have them: RFC 7468's lax grammar (text
 * around and between blocks, any line ending, indentation) with RFC 1421
 * headers, which traditional encrypted keys carry. It works on bytes, so that
 * no key material is copied into a string that nothing can wipe.
 */
import { type ErrorCode, RolesAnywhereError } from '../platform/errors.ts';

/** One block: what is said to be in it, and its bytes. */
export interface PemBlock {
  /** As between `BEGIN` and the dashes, for example `CERTIFICATE`. */
  readonly label: string;
  /** RFC 1421 headers, such as `Proc-Type` and `DEK-Info`. Almost always empty. */
  readonly headers: ReadonlyMap<string, string>;
  /** The decoded bytes, in a buffer of their own: fill it with zeros when it held a key. */
  readonly der: Uint8Array;
}

/** A bundle of all public roots has about 150. */
const MAX_BLOCKS = 256;
const MAX_HEADERS = 16;
/** Longest line that is looked at as text: a boundary or a header. RFC 7468 has no limit; OpenSSL's is 254. */
const MAX_TEXT_LINE = 254;

/** RFC 7468, section 3: printable words, joined by single spaces or hyphens. */
const BOUNDARY = /^-----(?:BEGIN|END) ([!-,.-~]+(?:[ -][!-,.-~]+)*)-----$/;

/**
 * Finds every block of a file.
 *
 * @param source how errors name the file, for example `--certificate leaf.pem`
 * @returns the blocks in the file's order; none when there is no BEGIN line
 * @throws RolesAnywhereError `ERR_PEM_TRUNCATED`, `ERR_PEM_MALFORMED`
 */
export function readPem(bytes: Uint8Array, source: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  const lines = new Lines(bytes, source);
  while (lines.next()) {
    if (lines.startsWith('-----END')) throw lines.error('ERR_PEM_MALFORMED', 'an END line without its BEGIN line');
    if (!lines.startsWith('-----BEGIN')) continue;
    if (blocks.length === MAX_BLOCKS)
      throw lines.error('ERR_PEM_MALFORMED', `more than ${MAX_BLOCKS} blocks in one file`);
    blocks.push(readBlock(bytes, lines));
  }
  return blocks;
}

/** Reads on from a BEGIN line to its END line. */
function readBlock(bytes: Uint8Array, lines: Lines): PemBlock {
  const label = readBoundary(lines);
  const shown = shownLabel(label);
  const beginLine = lines.number;
  const truncated = (): RolesAnywhereError =>
    lines.error('ERR_PEM_TRUNCATED', `the ${shown} that begins in line ${beginLine} has no END line`);

  const headers = new Map<string, string>();
  let bodyStart = -1;
  while (lines.next()) {
    if (lines.startsWith('-----BEGIN')) throw truncated();
    if (lines.startsWith('-----END')) {
      if (readBoundary(lines) !== label)
        throw lines.error(
          'ERR_PEM_MALFORMED',
          `${shown} of line ${beginLine} is closed by the END line of another kind`,
        );
      const der = bodyStart < 0 ? undefined : decodeBase64(bytes.subarray(bodyStart, lines.start));
      if (der === undefined)
        throw lines.error('ERR_PEM_MALFORMED', `the ${shown} that begins in line ${beginLine} is not valid base64`);
      return { label, headers, der };
    }
    if (bodyStart < 0 && !readHeader(lines, headers) && lines.end > lines.start) bodyStart = lines.start;
  }
  throw truncated();
}

/** A label as errors show it. Those in use are in capitals; anything else may be a line of a key that was pasted there. */
function shownLabel(label: string): string {
  return /^[A-Z0-9 ]{1,40}$/.test(label) ? label : 'block';
}

function readBoundary(lines: Lines): string {
  const label = BOUNDARY.exec(lines.text())?.[1];
  if (label !== undefined) return label;
  if (lines.atEnd) throw lines.error('ERR_PEM_TRUNCATED', 'the file ends within a BEGIN or END line');
  throw lines.error('ERR_PEM_MALFORMED', 'a BEGIN or END line that is not well-formed');
}

/** Takes a line of the form `Name: value` into `headers`; false when it is another. Nobody writes continuation lines. */
function readHeader(lines: Lines, headers: Map<string, string>): boolean {
  const text = lines.text();
  const colon = text.indexOf(':');
  if (colon <= 0) return false;
  headers.set(text.slice(0, colon), text.slice(colon + 1).trim());
  if (headers.size > MAX_HEADERS) throw lines.error('ERR_PEM_MALFORMED', `more than ${MAX_HEADERS} headers in a block`);
  return true;
}

/** Walks the lines of a file without making strings of them. */
class Lines {
  /** The number of the current line, from 1. */
  number = 0;
  /** Where the current line starts and ends, without the white space around it. */
  start = 0;
  end = 0;
  readonly #bytes: Uint8Array;
  readonly #source: string;
  #next = 0;
  /** The next of each at or behind {@link #next}; the end when there is none. */
  #lineFeed = -1;
  #return = -1;

  constructor(bytes: Uint8Array, source: string) {
    this.#bytes = bytes;
    this.#source = source;
  }

  next(): boolean {
    const bytes = this.#bytes;
    if (this.#next >= bytes.length) return false;
    let start = this.#next;
    // Found natively, and each only once: a loop over the bytes is the most of what a small file costs.
    if (this.#lineFeed < start) this.#lineFeed = indexOrEnd(bytes, 0x0a, start);
    if (this.#return < start) this.#return = indexOrEnd(bytes, 0x0d, start);
    let end = Math.min(this.#lineFeed, this.#return);
    this.#next = end + (this.#lineFeed === end + 1 && this.#return === end ? 2 : 1);
    if (this.number === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) start += 3; // UTF-8 mark
    while (start < end && isBlank(bytes[start])) start++;
    while (end > start && isBlank(bytes[end - 1])) end--;
    this.start = start;
    this.end = end;
    this.number++;
    return true;
  }

  /** Whether nothing follows the current line. */
  get atEnd(): boolean {
    return this.#next >= this.#bytes.length;
  }

  startsWith(text: string): boolean {
    if (this.end - this.start < text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.#bytes[this.start + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** The current line, cut at {@link MAX_TEXT_LINE}. Never called for a line of base64 that is not a block's first. */
  text(): string {
    return String.fromCharCode(...this.#bytes.subarray(this.start, Math.min(this.end, this.start + MAX_TEXT_LINE)));
  }

  error(code: ErrorCode, what: string): RolesAnywhereError {
    return new RolesAnywhereError(code, `${this.#source}, line ${this.number}: ${what}`, {
      hint: 'the file was cut or changed on its way: copy it again from its origin',
    });
  }
}

function indexOrEnd(bytes: Uint8Array, byte: number, from: number): number {
  const index = bytes.indexOf(byte, from);
  return index < 0 ? bytes.length : index;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0b || byte === 0x0c;
}

const [SPACE, PADDING, FOREIGN] = [64, 65, 66];

/** What each byte stands for: a digit below 64, or one of the three above. */
const BASE64 = new Uint8Array(256).fill(FOREIGN);
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let digit = 0; digit < DIGITS.length; digit++) BASE64[DIGITS.charCodeAt(digit)] = digit;
// Tab, line feed, vertical tab, form feed, carriage return, and the space.
BASE64.fill(SPACE, 0x09, 0x0e)[0x20] = SPACE;
BASE64[0x3d] = PADDING;

/**
 * Decodes RFC 4648 base64 strictly (alphabet, padding, zero trailing bits),
 * apart from white space.
 *
 * @returns undefined when it is malformed or holds nothing
 */
function decodeBase64(bytes: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(Math.floor((bytes.length * 3) / 4));
  let [length, digits, padding, bits, value] = [0, 0, 0, 0, 0];
  let valid = true;
  for (let at = 0; at < bytes.length; at++) {
    const digit = BASE64[bytes[at] ?? 0] ?? FOREIGN;
    if (digit < 64) {
      if (padding > 0) valid = false;
      digits++;
      value = ((value << 6) | digit) & 0xfff;
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        out[length++] = value >> bits;
      }
    } else if (digit === PADDING) padding++;
    else if (digit === FOREIGN) valid = false;
  }
  const leftOver = value & ((1 << bits) - 1);
  if (valid && padding <= 2 && (digits + padding) % 4 === 0 && leftOver === 0 && length > 0)
    return out.subarray(0, length);
  out.fill(0);
  return undefined;
}
