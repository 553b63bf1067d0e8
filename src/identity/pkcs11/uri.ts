/** PKCS#11 URIs (RFC 7512): a strict parser, and the writer for what it reads. */
import { RolesAnywhereError } from '../../platform/errors.ts';
import { nearest } from '../../platform/suggest.ts';

/** A kind of object, as the `type` attribute spells it. */
export type ObjectType = 'public' | 'private' | 'cert' | 'secret-key' | 'data';

/** The attributes of a URI. One that is absent matches everything. */
export interface Pkcs11Uri {
  token?: string | undefined;
  manufacturer?: string | undefined;
  serial?: string | undefined;
  model?: string | undefined;
  libraryManufacturer?: string | undefined;
  libraryDescription?: string | undefined;
  /** Without a minor part, `minor` is absent, and every minor version matches. */
  libraryVersion?: { major: number; minor?: number } | undefined;
  slotId?: number | undefined;
  slotDescription?: string | undefined;
  slotManufacturer?: string | undefined;
  /** CKA_LABEL. */
  object?: string | undefined;
  /** CKA_ID. */
  id?: Uint8Array | undefined;
  type?: ObjectType | undefined;
  /** The PIN itself. A secret. */
  pinValue?: Uint8Array | undefined;
  /** A file name, a `file:` URI, or `|` and a command. */
  pinSource?: string | undefined;
  moduleName?: string | undefined;
  modulePath?: string | undefined;
}

export interface ParsedUri {
  readonly uri: Pkcs11Uri;
  /** What was accepted though RFC 7512 does not allow it. */
  readonly warnings: readonly string[];
}

/** Whether a file name is a PKCS#11 URI instead. Schemes ignore case (RFC 3986, section 3.1). */
export function isPkcs11Uri(text: string): boolean {
  return /^pkcs11:/i.test(text);
}

/** Longer ones are refused: no attribute of a token comes near it. */
const MAX_URI_LENGTH = 8192;

const TEXT_ATTRIBUTES = {
  token: 'token',
  manufacturer: 'manufacturer',
  serial: 'serial',
  model: 'model',
  'library-manufacturer': 'libraryManufacturer',
  'library-description': 'libraryDescription',
  'slot-description': 'slotDescription',
  'slot-manufacturer': 'slotManufacturer',
  object: 'object',
  'pin-source': 'pinSource',
  'module-name': 'moduleName',
  'module-path': 'modulePath',
} as const;

type TextAttribute = keyof typeof TEXT_ATTRIBUTES;

const QUERY_ATTRIBUTES: ReadonlySet<string> = new Set(['pin-value', 'pin-source', 'module-name', 'module-path']);
const TYPES: ReadonlySet<string> = new Set<ObjectType>(['public', 'private', 'cert', 'secret-key', 'data']);

const KNOWN: readonly string[] = [
  ...Object.keys(TEXT_ATTRIBUTES),
  'id',
  'type',
  'slot-id',
  'library-version',
  ...QUERY_ATTRIBUTES,
];

/** What may stand for itself (RFC 7512, section 2.3). */
const PATH_CHARACTER = /[A-Za-z0-9\-._~:[\]@!$'()*+,=&]/;
const QUERY_CHARACTER = /[A-Za-z0-9\-._~:[\]@!$'()*+,=/?|]/;

/**
 * Parses a PKCS#11 URI.
 *
 * @param where the flag that it came from, for messages
 * @throws RolesAnywhereError `ERR_PKCS11_URI`, with the position (from 1) of what is wrong
 */
export function parsePkcs11Uri(text: string, where = 'PKCS#11 URI'): ParsedUri {
  if (!isPkcs11Uri(text)) throw malformed(where, 1, 'it does not start with pkcs11:');
  if (text.length > MAX_URI_LENGTH)
    throw malformed(where, MAX_URI_LENGTH + 1, `it is longer than ${MAX_URI_LENGTH} characters`);
  const uri: Pkcs11Uri = {};
  const warnings: string[] = [];
  const seen = new Set<string>();
  const scheme = 'pkcs11:'.length;
  const mark = text.indexOf('?');
  const path = text.slice(scheme, mark === -1 ? undefined : mark);

  for (const { name, label, value, at, valueAt } of attributes(path, ';', scheme, where)) {
    if (seen.has(name)) throw malformed(where, at, `the attribute ${name} is there twice`);
    seen.add(name);
    if (QUERY_ATTRIBUTES.has(name)) {
      if (name !== 'pin-value') throw malformed(where, at, `${name} belongs after a "?"`);
      warnings.push(`${where}: pin-value belongs after a "?" (RFC 7512): write ?pin-value= instead of ;pin-value=`);
    }
    if (!isPathAttribute(name) && !QUERY_ATTRIBUTES.has(name))
      // Ignoring it would find objects that the URI does not mean (section 2.5).
      throw malformed(where, at, label === name ? `the path attribute ${name} is unknown` : `${label} is unknown`);
    assign(uri, name, decode(value, PATH_CHARACTER, valueAt, name, where), valueAt, where);
  }
  if (mark === -1) return { uri, warnings };

  const query = attributes(text.slice(mark + 1), '&', mark + 1, where, uri.pinValue !== undefined);
  for (const { name, label, value, at, valueAt } of query) {
    const bytes = decode(value, QUERY_CHARACTER, valueAt, label, where);
    // Unknown ones are vendors' own, may repeat, and do not change what is found (sections 2.2 and 2.4).
    if (!QUERY_ATTRIBUTES.has(name)) {
      if (isPathAttribute(name)) throw malformed(where, at, `${name} belongs before the "?"`);
      continue;
    }
    if (seen.has(name)) throw malformed(where, at, `the attribute ${name} is there twice`);
    seen.add(name);
    assign(uri, name, bytes, valueAt, where);
  }
  if (uri.pinValue !== undefined && uri.pinSource !== undefined) {
    throw malformed(where, text.indexOf('pin-source') + 1, 'it has both pin-value and pin-source');
  }
  return { uri, warnings };
}

interface RawAttribute {
  name: string;
  /** How errors call it. */
  label: string;
  value: string;
  at: number;
  valueAt: number;
}

/** A PIN with a separator in it goes on as the names of attributes that nobody knows: those are shown only where they are near to one. */
function labelOf(name: string, pin: boolean): string {
  if (isPathAttribute(name) || QUERY_ATTRIBUTES.has(name)) return name;
  if (pin) return 'an attribute behind pin-value';
  return nearest(name, KNOWN) === undefined ? 'an attribute' : name;
}

/** Cuts a path or a query into its attributes; positions count from 1 in the whole URI. */
function* attributes(
  part: string,
  separator: string,
  offset: number,
  where: string,
  behindPin = false,
): Generator<RawAttribute> {
  if (part === '') return;
  let at = offset + 1;
  let pin = behindPin;
  for (const item of part.split(separator)) {
    const equals = item.indexOf('=');
    if (item === '') throw malformed(where, at, 'an attribute is empty');
    const name = equals === -1 ? item : item.slice(0, equals);
    const bad = name.search(/[^A-Za-z0-9_-]/);
    if (bad !== -1) throw malformed(where, at + bad, 'an attribute name holds a character that it may not');
    const label = labelOf(name, pin);
    if (equals === -1) throw malformed(where, at + item.length, `there is no "=" behind ${label}`);
    if (name === '') throw malformed(where, at, 'an attribute has no name');
    pin ||= name.toLowerCase() === 'pin-value';
    yield { name, label, value: item.slice(equals + 1), at, valueAt: at + equals + 1 };
    at += item.length + 1;
  }
}

function decode(value: string, allowed: RegExp, at: number, name: string, where: string): Uint8Array {
  const bytes: number[] = [];
  for (let index = 0; index < value.length; index += 1) {
    const character = value.charAt(index);
    if (character === '%') {
      const hex = value.slice(index + 1, index + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(hex))
        throw malformed(where, at + index, `"%" without two hexadecimal digits in ${name}`);
      bytes.push(Number.parseInt(hex, 16));
      index += 2;
    } else if (allowed.test(character)) {
      bytes.push(character.charCodeAt(0));
    } else {
      // The character itself is not shown: it may be a PIN's.
      throw malformed(where, at + index, `a character in ${name} must be percent-encoded`);
    }
  }
  return Uint8Array.from(bytes);
}

function assign(uri: Pkcs11Uri, name: string, bytes: Uint8Array, valueAt: number, where: string): void {
  if (name === 'id') {
    uri.id = bytes;
  } else if (name === 'pin-value') {
    uri.pinValue = bytes;
  } else if (isTextAttribute(name)) {
    uri[TEXT_ATTRIBUTES[name]] = utf8(bytes, valueAt, name, where);
  } else if (name === 'type') {
    const value = utf8(bytes, valueAt, name, where);
    if (!isObjectType(value))
      throw malformed(where, valueAt, 'type is none of public, private, cert, secret-key, data');
    uri.type = value;
  } else if (name === 'slot-id') {
    uri.slotId = number(utf8(bytes, valueAt, name, where), valueAt, name, where);
  } else if (name === 'library-version') {
    const parts = utf8(bytes, valueAt, name, where).split('.');
    const [major = '', minor] = parts;
    if (parts.length > 2) throw malformed(where, valueAt, 'library-version is not N or N.M');
    uri.libraryVersion = { major: number(major, valueAt, name, where) };
    if (minor !== undefined) uri.libraryVersion.minor = number(minor, valueAt, name, where);
  }
}

function isTextAttribute(name: string): name is TextAttribute {
  return Object.hasOwn(TEXT_ATTRIBUTES, name);
}

function isObjectType(value: string): value is ObjectType {
  return TYPES.has(value);
}

function isPathAttribute(name: string): boolean {
  return (
    (isTextAttribute(name) || ['id', 'type', 'slot-id', 'library-version'].includes(name)) &&
    !QUERY_ATTRIBUTES.has(name)
  );
}

function utf8(bytes: Uint8Array, at: number, name: string, where: string): string {
  let value: string;
  try {
    value = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed(where, at, `${name} is not UTF-8`);
  }
  if (value.includes('\0')) throw malformed(where, at, `${name} holds a zero byte`);
  return value;
}

function number(digits: string, at: number, name: string, where: string): number {
  const value = Number(digits);
  if (!/^\d+$/.test(digits) || !Number.isSafeInteger(value))
    throw malformed(where, at, `${name} is not a decimal number`);
  return value;
}

function malformed(where: string, position: number, what: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_PKCS11_URI',
    `the PKCS#11 URI of ${where} is malformed at position ${position}: ${what}`,
    {
      hint: 'RFC 7512 has the syntax; for example pkcs11:token=My%20token;object=my-key;type=private?pin-source=/path/to/pin',
    },
  );
}

const ORDER = [
  ['library-manufacturer', 'libraryManufacturer'],
  ['library-description', 'libraryDescription'],
  ['model', 'model'],
  ['manufacturer', 'manufacturer'],
  ['serial', 'serial'],
  ['token', 'token'],
  ['slot-description', 'slotDescription'],
  ['slot-manufacturer', 'slotManufacturer'],
] as const;

/** Writes a URI from its path attributes; a PIN, its source and the module are left out. */
export function formatPkcs11Uri(uri: Pkcs11Uri): string {
  const parts: string[] = [];
  for (const [name, key] of ORDER) {
    const value = uri[key];
    if (value !== undefined) parts.push(`${name}=${encode(value)}`);
  }
  if (uri.libraryVersion !== undefined) {
    const { major, minor } = uri.libraryVersion;
    parts.push(`library-version=${major}${minor === undefined ? '' : `.${minor}`}`);
  }
  if (uri.slotId !== undefined) parts.push(`slot-id=${uri.slotId}`);
  if (uri.id !== undefined) parts.push(`id=${Buffer.from(uri.id).toString('hex').replaceAll(/../g, '%$&')}`);
  if (uri.object !== undefined) parts.push(`object=${encode(uri.object)}`);
  if (uri.type !== undefined) parts.push(`type=${uri.type}`);
  return `pkcs11:${parts.join(';')}`;
}

/** `encodeURIComponent` leaves only characters alone that a path may hold. */
function encode(value: string): string {
  return encodeURIComponent(value);
}
