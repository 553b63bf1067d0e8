/**
 * As much of Protocol Buffers (proto3) as the Workload API's messages need. A message is read field by field, one level at
 * a time and never by recursion, so nesting costs nothing; every length is checked against what is there.
 */
// Tests: test/identity/spiffe/protobuf.test.ts

/** Says what is wrong with a message. Callers make it an error that names who sent it. */
export class ProtobufError extends Error {}

const WIRE_TYPE = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/** More than any answer has, and few enough to read at once. */
const MAX_FIELDS = 10_000;
/** Field numbers are of 29 bits. */
const MAX_FIELD_NUMBER = 2 ** 29 - 1;

/**
 * The fields of a message that are known, each a view of `bytes`, by number and in the message's order. Others are passed
 * over, as later versions may have more.
 *
 * @param known their numbers. All of them are length-delimited: text, bytes and messages
 * @throws ProtobufError
 */
export function readFields(bytes: Uint8Array, known: readonly number[]): ReadonlyMap<number, readonly Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>(known.map((number) => [number, []]));
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let index = 0; index < 10; index++) {
      const octet = bytes[offset++];
      if (octet === undefined) throw new ProtobufError('it ends within a number');
      // Those beyond 53 bits are rounded: none of them is a length or a field number that would pass.
      value += (octet & 0x7f) * 2 ** (7 * index);
      if (octet < 0x80) return value;
    }
    throw new ProtobufError('a number of more than ten octets');
  };
  const skip = (length: number): void => {
    if (length > bytes.length - offset) throw new ProtobufError('a field that reaches beyond the end');
    offset += length;
  };
  for (let count = 0; offset < bytes.length; count++) {
    if (count === MAX_FIELDS) throw new ProtobufError(`more than ${MAX_FIELDS} fields`);
    const key = varint();
    const [number, wireType] = [Math.floor(key / 8), key % 8];
    if (number < 1 || number > MAX_FIELD_NUMBER) throw new ProtobufError('a field number out of range');
    const values = found.get(number);
    if (values !== undefined && wireType !== WIRE_TYPE.lengthDelimited)
      throw new ProtobufError(`field ${number} has wire type ${wireType}`);
    if (wireType === WIRE_TYPE.varint) varint();
    else if (wireType === WIRE_TYPE.fixed64) skip(8);
    else if (wireType === WIRE_TYPE.fixed32) skip(4);
    else if (wireType === WIRE_TYPE.lengthDelimited) {
      const length = varint();
      const start = offset;
      skip(length);
      values?.push(bytes.subarray(start, offset));
    } else throw new ProtobufError(`wire type ${wireType}, which proto3 does not have`); // groups, 6 and 7
  }
  return found;
}

/** @throws ProtobufError for what is not UTF-8 */
export function readText(bytes: Uint8Array | undefined): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes ?? new Uint8Array());
  } catch {
    throw new ProtobufError('text that is not UTF-8');
  }
}

/** A message of text fields, in the order that they are given in. */
export function writeTexts(fields: readonly (readonly [number: number, text: string])[]): Uint8Array {
  return Buffer.concat(
    fields.map(([number, text]) => {
      const bytes = Buffer.from(text);
      return Buffer.concat([varintOf(number * 8 + WIRE_TYPE.lengthDelimited), varintOf(bytes.length), bytes]);
    }),
  );
}

function varintOf(value: number): Uint8Array {
  const octets: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) octets.push((value % 128) | 0x80);
  return Uint8Array.from([...octets, value]);
}
