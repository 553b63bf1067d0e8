/**
 * As much DER (X.690) as the facts of a certificate need. It reads one level
 * at a time and never recurses, so nesting costs nothing; lengths are definite,
 * minimal and inside what was given.
 */

/** Universal tags that occur here, with their constructed bit. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** Context-specific, constructed: `[0]` of a certificate is its version. */
  context0: 0xa0,
  /** `[3]` of a certificate is its extensions. */
  context3: 0xa3,
} as const;

/** One value: its tag, its content, and both with the length as they stand in the input. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly der: Uint8Array;
}

/** Says what is wrong with some DER. It does not leave x509/: callers make it an error that names the file. */
export class DerError extends Error {}

/** The fields of a certificate or key are ten or so. */
const MAX_CHILDREN = 64;
/** RFC 5280 allows 20 for a serial number; this leaves room for those that ignore it. */
const MAX_INTEGER_OCTETS = 64;
const MAX_OID_OCTETS = 64;

/** Reads the only value of `bytes`; anything behind it is an error. */
export function readDer(bytes: Uint8Array): DerValue {
  const value = readAt(bytes, 0);
  if (value.der.length !== bytes.length) throw new DerError('there is data behind the end');
  return value;
}

/** The values inside a constructed one; an error when there are more than `limit`. */
export function readChildren(parent: DerValue, limit = MAX_CHILDREN): DerValue[] {
  const children: DerValue[] = [];
  for (let offset = 0; offset < parent.content.length;) {
    if (children.length === limit) throw new DerError(`more than ${limit} fields`);
    const child = readAt(parent.content, offset);
    children.push(child);
    offset += child.der.length;
  }
  return children;
}

/** `value`, if it is there and has this tag. */
export function expectTag(value: DerValue | undefined, tag: number, what: string): DerValue {
  if (value === undefined) throw new DerError(`${what} is missing`);
  if (value.tag !== tag) throw new DerError(`${what} has tag 0x${value.tag.toString(16)}`);
  return value;
}

function readAt(bytes: Uint8Array, start: number): DerValue {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined) throw new DerError('it ends within a tag or length');
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of more than one octet');
  let length = first;
  let offset = start + 2;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) throw new DerError('a length that DER does not allow');
    length = 0;
    for (let i = 0; i < octets; i++) {
      const octet = bytes[offset++];
      if (octet === undefined) throw new DerError('it ends within a length');
      length = length * 256 + octet;
    }
    if (length < 0x80 || length < 256 ** (octets - 1)) throw new DerError('a length that is not minimal');
  }
  if (length > bytes.length - offset) throw new DerError('a length beyond the end');
  return { tag, content: bytes.subarray(offset, offset + length), der: bytes.subarray(start, offset + length) };
}

/** An INTEGER's exact value, which may be negative. */
export function readInteger(value: DerValue): bigint {
  const { content } = value;
  const first = content[0];
  const second = content[1];
  if (first === undefined) throw new DerError('an integer without content');
  if (content.length > MAX_INTEGER_OCTETS) throw new DerError(`an integer of more than ${MAX_INTEGER_OCTETS} octets`);
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw new DerError('an integer that is not minimal');
  return BigInt.asIntN(content.length * 8, BigInt(`0x${Buffer.from(content).toString('hex')}`));
}

/** An OBJECT IDENTIFIER in dotted form. */
export function readObjectIdentifier(value: DerValue): string {
  const { content } = value;
  if (content.length === 0 || content.length > MAX_OID_OCTETS)
    throw new DerError('an object identifier of that length');
  const arcs: number[] = [];
  let arc = 0;
  let index = 0;
  for (const octet of content) {
    index++;
    if (arc === 0 && octet === 0x80) throw new DerError('an object identifier that is not minimal');
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw new DerError('an object identifier with an arc out of range');
    if (octet >= 0x80) {
      if (index === content.length) throw new DerError('an object identifier that is cut off');
      continue;
    }
    if (arcs.length === 0) {
      const root = Math.min(Math.floor(arc / 40), 2);
      arcs.push(root, arc - root * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

/** A UTCTime or GeneralizedTime in the forms of RFC 5280, section 4.1.2.5: to the second, in UTC. */
export function readTime(value: DerValue | undefined): Date {
  const yearDigits = value?.tag === TAG.utcTime ? 2 : 4;
  if (value === undefined || (yearDigits === 4 && value.tag !== TAG.generalizedTime))
    throw new DerError('a time is missing');
  const { content } = value;
  // No regular expression: compiling one costs more than all the rest of a certificate.
  const digits = content.subarray(0, -1);
  if (digits.length !== yearDigits + 10 || content.at(-1) !== 0x5a || digits.some((byte) => byte < 0x30 || byte > 0x39))
    throw new DerError('a time that is not well-formed');
  const number = (at: number, length: number): number =>
    digits.subarray(at, at + length).reduce((sum, byte) => sum * 10 + byte - 0x30, 0);
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = [0, 2, 4, 6, 8].map((at) =>
    number(yearDigits + at, 2),
  );
  const year = number(0, yearDigits);
  const fullYear = yearDigits === 4 ? year : year + (year < 50 ? 2000 : 1900);
  const date = new Date(0);
  date.setUTCFullYear(fullYear, month - 1, day);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    throw new DerError('a time that does not exist');
  return date;
}
