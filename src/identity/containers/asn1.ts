/**
 * BER as containers are written in (browsers use indefinite lengths), read by
 * asn1js within limits, and the few shapes that occur there.
 */
// Tests: test/identity/containers/malformed.test.ts
import * as asn1js from 'asn1js';
import { MAX_FILE_BYTES } from '../../platform/files.ts';

/** Says what is wrong with some structure. It does not leave this folder: callers make it an error that names the file. */
export class StructureError extends Error {}

export type Asn1Value = asn1js.AsnType;

/** PKCS#12 needs some 20 levels, of which asn1js sees 12 at a time; a file of 40 certificates has 4000 nodes. */
const LIMITS = { maxDepth: 32, maxNodes: 20_000, maxContentLength: MAX_FILE_BYTES };

/** Reads the only value of `bytes`, which it keeps a view of; anything behind it is an error. */
export function readBer(bytes: Uint8Array, what: string): Asn1Value {
  const { result, offset } = parse(bytes, what);
  if (offset < 0) throw new StructureError(`${what} is not well-formed: ${reason(result.error)}`);
  if (offset !== bytes.length) throw new StructureError(`there is data behind the end of ${what}`);
  return result;
}

function parse(bytes: Uint8Array, what: string): asn1js.FromBerResult {
  try {
    // What an OCTET STRING holds is read when its turn comes, with limits of its own.
    return asn1js.fromBER(bytes, { ...LIMITS, parseEmbedded: false, copyInput: false });
  } catch (cause) {
    throw new StructureError(`${what} is not well-formed`, { cause });
  }
}

/** asn1js's words, as a part of a message in this project's style. */
function reason(error: string): string {
  return error === '' ? 'it ends too early' : error.charAt(0).toLowerCase() + error.slice(1).replace(/\.$/, '');
}

/** The fields of a SEQUENCE. */
export function sequence(value: Asn1Value | undefined, what: string): Asn1Value[] {
  if (value instanceof asn1js.Sequence) return value.valueBlock.value;
  throw new StructureError(`${what} is ${value === undefined ? 'missing' : 'not a SEQUENCE'}`);
}

/** The members of a SET. */
export function members(value: Asn1Value | undefined, what: string): Asn1Value[] {
  if (value instanceof asn1js.Set) return value.valueBlock.value;
  throw new StructureError(`${what} is ${value === undefined ? 'missing' : 'not a SET'}`);
}

/** Whether a value has the context-specific tag `[number]`. */
export function isTagged(value: Asn1Value | undefined, number: number): value is Asn1Value {
  return value?.idBlock.tagClass === 3 && value.idBlock.tagNumber === number;
}

/** What stands in a `[number]` that is constructed. */
export function tagged(value: Asn1Value | undefined, number: number, what: string): Asn1Value[] {
  if (isTagged(value, number) && value instanceof asn1js.Constructed) return value.valueBlock.value;
  throw new StructureError(`${what} cannot be read`);
}

/** What `[number] EXPLICIT` holds. */
export function explicit(value: Asn1Value | undefined, number: number, what: string): Asn1Value {
  const [inner, ...more] = value === undefined ? [] : tagged(value, number, what);
  if (inner === undefined || more.length > 0) throw new StructureError(`${what} is missing`);
  return inner;
}

export function isSequence(value: Asn1Value | undefined): boolean {
  return value instanceof asn1js.Sequence;
}

export function isInteger(value: Asn1Value | undefined): boolean {
  return value instanceof asn1js.Integer;
}

/** An OBJECT IDENTIFIER in dotted form. */
export function identifier(value: Asn1Value | undefined, what: string): string {
  // 40 octets are more than any that is assigned; asn1js is slow with long ones.
  if (value instanceof asn1js.ObjectIdentifier && value.blockLength <= 42) return value.getValue();
  throw new StructureError(`${what} has no object identifier`);
}

/** A small INTEGER that is not negative. */
export function count(value: Asn1Value | undefined, what: string): number {
  const content = value instanceof asn1js.Integer ? value.valueBlock.valueHexView : undefined;
  if (content === undefined || content.length === 0) throw new StructureError(`${what} is not a number`);
  const [first = 0] = content;
  if (first >= 0x80) throw new StructureError(`${what} is negative`);
  // What is too large for a number is too large for every limit as well.
  return content.reduce((sum, octet) => sum * 256 + octet, 0);
}

/** The content of an OCTET STRING, or of one that is tagged `[n] IMPLICIT`, in one piece or in several. */
export function octets(value: Asn1Value | undefined, what: string): Uint8Array {
  if (value instanceof asn1js.OctetString && !value.idBlock.isConstructed) return value.valueBlock.valueHexView;
  if (value instanceof asn1js.Primitive) return value.valueBlock.valueHexView;
  if (value instanceof asn1js.OctetString || value instanceof asn1js.Constructed) {
    const parts = value.valueBlock.value.map((part) => {
      if (part instanceof asn1js.OctetString && !part.idBlock.isConstructed) return part.valueBlock.valueHexView;
      throw new StructureError(`${what} is not in pieces of OCTET STRING`);
    });
    return Buffer.concat(parts);
  }
  throw new StructureError(`${what} is ${value === undefined ? 'missing' : 'not an OCTET STRING'}`);
}

/** A value's own bytes, with tag and length, as they stand in the input. */
export function encoded(value: Asn1Value): Uint8Array {
  return value.valueBeforeDecodeView;
}
