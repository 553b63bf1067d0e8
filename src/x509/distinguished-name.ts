/**
 * Distinguished names that people write, in the form of RFC 4514 and its relatives, and whether a certificate's name has
 * all that such a name says.
 */
import { type IdentifiedAttribute, OBJECT_IDENTIFIERS, readRelativeNames } from './names.ts';

/** One attribute that a name must have. */
interface WrittenAttribute {
  readonly oid: string;
  /** As {@link folded}; DER in hexadecimal behind `#`. */
  readonly value: string;
}

/** What was written, each part with all of its attributes. */
export type WrittenName = readonly (readonly WrittenAttribute[])[];

/** Says what is wrong with a name that somebody wrote. */
export class NameSyntaxError extends Error {}

/** Other short names of what names.ts knows: of OpenSSL, and of Windows, which the MMC and certutil show. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  S: 'ST',
  E: 'emailAddress',
  EMAIL: 'emailAddress',
  G: 'GN',
  GIVENNAME: 'GN',
  SURNAME: 'SN',
  TITLE: 'T',
  DNQ: 'dnQualifier',
  DNQUALIFIER: 'dnQualifier',
  COMMONNAME: 'CN',
  COUNTRYNAME: 'C',
  LOCALITYNAME: 'L',
  STATEORPROVINCENAME: 'ST',
  ORGANIZATIONNAME: 'O',
  ORGANIZATIONALUNITNAME: 'OU',
  DOMAINCOMPONENT: 'DC',
  USERID: 'UID',
  STREETADDRESS: 'STREET',
};

/** By short name in capitals. */
const IDENTIFIERS: ReadonlyMap<string, string> = new Map(
  Object.entries(OBJECT_IDENTIFIERS).map(([oid, name]) => [name.toUpperCase(), oid]),
);

// Each takes what it can in one way only: a pattern for a whole attribute would try all ways of dividing a run of blanks.
const TYPE = /\s*(?<type>[A-Za-z][\w-]*|(?:OID\.)?\d+(?:\.\d+)+)\s*=\s*/uy;
const QUOTED = /"(?<quoted>(?:[^"\\]|\\.)*)"\s*/suy;
const PLAIN = /(?:[^,+"\\]|\\.)*/suy;

/** One attribute as it is written: with escapes, and a plain value with the blanks behind it. */
interface Part {
  readonly type: string;
  readonly quoted: string | undefined;
  readonly plain: string;
  /** Where what separates it from the next stands, or the end. */
  readonly at: number;
}

/** Reads an attribute; undefined where there is none. */
function readPart(text: string, from: number): Part | undefined {
  TYPE.lastIndex = from;
  const type = TYPE.exec(text)?.groups?.['type'];
  if (type === undefined) return undefined;
  QUOTED.lastIndex = TYPE.lastIndex;
  PLAIN.lastIndex = TYPE.lastIndex;
  const quoted = QUOTED.exec(text)?.groups?.['quoted'];
  const plain = quoted === undefined ? (PLAIN.exec(text)?.[0] ?? '') : '';
  const at = quoted === undefined ? PLAIN.lastIndex : QUOTED.lastIndex;
  return at === text.length || ',+'.includes(text.charAt(at)) ? { type, quoted, plain, at } : undefined;
}

/**
 * Takes a name apart: `CN=web 1,O=Acme\, Inc.`, parts separated by commas and attributes of one part by `+`, in any order.
 * Special characters are escaped as in RFC 4514, section 2.4, or stand in quotes as in RFC 1779.
 *
 * @throws NameSyntaxError
 */
export function parseName(text: string): WrittenName {
  const parts: WrittenAttribute[][] = [[]];
  for (let at = 0; at < text.length || parts.at(-1)?.length === 0;) {
    const part = readPart(text, at);
    if (part === undefined)
      throw new NameSyntaxError(`${JSON.stringify(text.slice(at))} does not begin with TYPE=VALUE, such as CN=web`);
    const { type, quoted, plain } = part;
    const oid = identifierOf(type);
    if (oid === undefined) throw new NameSyntaxError(`${type} is no type of attribute that is known here`);
    const value = quoted === undefined ? plainValue(plain) : folded(unescaped(quoted));
    if (value === '') throw new NameSyntaxError(`${type} has no value`);
    parts.at(-1)?.push({ oid, value });
    const end = text.charAt(part.at);
    at = part.at + end.length;
    if (end === ',') parts.push([]);
    else if (end === '+' && at === text.length) throw new NameSyntaxError('nothing stands behind the last +');
  }
  return parts;
}

function identifierOf(type: string): string | undefined {
  const name = type.toUpperCase();
  const dotted = /^(?:OID\.)?(\d.*)$/.exec(name)?.[1];
  const other = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined;
  return dotted ?? IDENTIFIERS.get((other ?? name).toUpperCase());
}

/** A value without quotes: blanks around it do not count, unless escaped. */
function plainValue(text: string): string {
  const end = text.trimEnd().length;
  const value = text.slice(0, text[end - 1] === '\\' ? end + 1 : end);
  return /^#(?:[0-9A-Fa-f]{2})+$/.test(value) ? value.toLowerCase() : folded(unescaped(value));
}

/** Pairs of hexadecimal digits are octets of UTF-8. */
function unescaped(text: string): string {
  return text.replaceAll(/(?:\\[0-9A-Fa-f]{2})+|\\(.)/gsu, (escape: string, character: string | undefined) =>
    character === undefined ? Buffer.from(escape.replaceAll('\\', ''), 'hex').toString('utf8') : character,
  );
}

/** As names are compared: without regard to case and to the number of blanks (RFC 5280, section 7.1). */
function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase().trim().replaceAll(/\s+/gu, ' ');
}

/**
 * Whether a name has every part that was written, each with all of its attributes. It may have others, and the order does
 * not count.
 *
 * @param der a Name of RFC 5280, section 4.1.2.4
 * @throws DerError
 */
export function nameHas(der: Uint8Array, written: WrittenName): boolean {
  const left = readRelativeNames(der);
  return written.every((part) => {
    const at = left.findIndex((relative) => part.every((wanted) => relative.some((own) => isSame(own, wanted))));
    // What is written twice must be there twice.
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function isSame({ oid, value, der }: IdentifiedAttribute, wanted: WrittenAttribute): boolean {
  if (oid !== wanted.oid) return false;
  if (value !== undefined && folded(value) === wanted.value) return true;
  return `#${Buffer.from(der).toString('hex')}` === wanted.value;
}
