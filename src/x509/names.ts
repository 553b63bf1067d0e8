/** Distinguished names and alternative names, for people and for what the service derives from them. */
import { isUtf8 } from 'node:buffer';
import { DerError, type DerValue, TAG, expectTag, readChildren, readDer, readObjectIdentifier } from './der.ts';

/** One attribute of a name, such as the common name. */
export interface Attribute {
  /** Short name, such as `CN`; the object identifier of one that has none here. */
  readonly type: string;
  /** Undefined when it is not text. */
  readonly value: string | undefined;
  /** Its DER. */
  readonly der: Uint8Array;
}

/** A name's relative distinguished names in the certificate's order, each of one attribute or several. */
export type Name = readonly (readonly Attribute[])[];

/** Short names by object identifier: RFC 4514, section 3, and those of OpenSSL for what PKIs use besides. */
export const OBJECT_IDENTIFIERS: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'T',
  '2.5.4.42': 'GN',
  '2.5.4.43': 'initials',
  '2.5.4.44': 'generationQualifier',
  '2.5.4.46': 'dnQualifier',
  '2.5.4.65': 'pseudonym',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** No real name has more; a certificate for a web server may have some hundred alternative ones. */
const MAX_ALTERNATIVE_NAMES = 1000;

/**
 * Takes a name apart.
 *
 * @param der a Name of RFC 5280, section 4.1.2.4
 * @throws DerError
 */
export function readName(der: Uint8Array): Name {
  return readRelativeNames(der).map((relative) =>
    relative.map(({ oid, value, der: own }) => ({ type: OBJECT_IDENTIFIERS[oid] ?? oid, value, der: own })),
  );
}

/**
 * Takes a name apart into its parts, in the certificate's order, each with its attributes.
 *
 * @param der a Name of RFC 5280, section 4.1.2.4
 * @throws DerError
 */
export function readRelativeNames(der: Uint8Array): IdentifiedAttribute[][] {
  return readChildren(expectTag(readDer(der), TAG.sequence, 'a name')).map((relative) =>
    readChildren(expectTag(relative, TAG.set, 'a part of a name')).map((pair) => {
      const [identifier, value] = readChildren(expectTag(pair, TAG.sequence, 'an attribute of a name'));
      const oid = readObjectIdentifier(expectTag(identifier, TAG.objectIdentifier, 'the type of an attribute'));
      if (value === undefined) throw new DerError('the value of an attribute is missing');
      return { oid, value: readText(value), der: value.der };
    }),
  );
}

/** One attribute of a name under its object identifier, which some have to be shown by. */
export interface IdentifiedAttribute extends Omit<Attribute, 'type'> {
  readonly oid: string;
}

/**
 * Takes a name apart into its attributes, in the certificate's order.
 *
 * @param der a Name of RFC 5280, section 4.1.2.4
 * @throws DerError
 */
export function readAttributes(der: Uint8Array): IdentifiedAttribute[] {
  return readRelativeNames(der).flat();
}

/** The text of a string type; undefined for other types and for what is not well-formed. */
function readText({ tag, content }: DerValue): string | undefined {
  if (tag === UNIVERSAL_STRING) return readUniversal(content);
  const encoding = tag === TELETEX_STRING && isUtf8(content) ? 'utf-8' : ENCODINGS[tag];
  try {
    return encoding === undefined ? undefined : new TextDecoder(encoding, { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

const TELETEX_STRING = 0x14;

/** By tag. TeletexString has an encoding of its own, which nobody uses: it holds Latin 1, or UTF-8. */
const ENCODINGS: Readonly<Record<number, string>> = {
  0x0c: 'utf-8',
  0x12: 'utf-8', // NumericString, PrintableString and IA5String are ASCII
  0x13: 'utf-8',
  [TELETEX_STRING]: 'latin1',
  0x16: 'utf-8',
  0x1e: 'utf-16be',
};

/** UniversalString: four octets, big-endian, for each character (ISO 10646). */
const UNIVERSAL_STRING = 0x1c;

function readUniversal(content: Uint8Array): string | undefined {
  if (content.length % 4 !== 0) return undefined;
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const points = Array.from({ length: content.length / 4 }, (_, index) => view.getUint32(4 * index));
  const isText = points.every((point) => point <= 0x10ffff && (point < 0xd800 || point > 0xdfff));
  return isText ? String.fromCodePoint(...points) : undefined;
}

/** A name in the form of RFC 4514: the last part first. What could drive a terminal is escaped too. */
export function nameText(name: Name): string {
  return name
    .toReversed()
    .filter((relative) => relative.length > 0) // RFC 5280 forbids such, and RFC 4514 has no form for them
    .map((relative) => relative.map(({ type, value, der }) => `${type}=${valueText(value, der)}`).join('+'))
    .join(',');
}

function valueText(value: string | undefined, der: Uint8Array): string {
  if (value === undefined) return `#${Buffer.from(der).toString('hex')}`;
  return printable(value.replaceAll(/[\\"+,;<>]|^[ #]| $/g, String.raw`\$&`));
}

/** Text without control and formatting characters: their octets stand there, in the manner of RFC 4514, section 2.4. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    Buffer.from(character)
      .toString('hex')
      .toUpperCase()
      .replaceAll(/../g, String.raw`\$&`),
  );
}

/** An alternative name of a certificate's subject. */
export interface AlternativeName {
  readonly kind: 'DNS' | 'URI' | 'email' | 'IP' | 'directory' | 'other';
  /** What to show. */
  readonly text: string;
  /** The name, where it is a directory name. */
  readonly name?: Name | undefined;
}

/**
 * Takes a subjectAltName apart (RFC 5280, section 4.2.1.6).
 *
 * @throws DerError
 */
export function readAlternativeNames(extension: Uint8Array | undefined): AlternativeName[] {
  if (extension === undefined) return [];
  const names = readChildren(expectTag(readDer(extension), TAG.sequence, 'subjectAltName'), MAX_ALTERNATIVE_NAMES);
  return names.map((value) => {
    // IA5String, by the letter; who writes more writes UTF-8, or Latin 1.
    const ascii = (): string => {
      const bytes = Buffer.from(value.content);
      return printable(bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1'));
    };
    switch (value.tag) {
      case 0x81:
        return { kind: 'email', text: ascii() };
      case 0x82:
        return { kind: 'DNS', text: ascii() };
      case 0x86:
        return { kind: 'URI', text: ascii() };
      case 0x87:
        return { kind: 'IP', text: addressText(value.content) };
      case 0xa4: {
        const [inner] = readChildren(value);
        const name = readName(expectTag(inner, TAG.sequence, 'a directory name').der);
        return { kind: 'directory', text: nameText(name), name };
      }
      default:
        return { kind: 'other', text: `#${Buffer.from(value.der).toString('hex')}` };
    }
  });
}

function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) return `#${Buffer.from(octets).toString('hex')}`;
  const groups = Buffer.from(octets)
    .toString('hex')
    .replaceAll(/(....)(?!$)/g, '$1:');
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}
