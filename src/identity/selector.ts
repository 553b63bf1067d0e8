/**
 * The certificate selector: `Key=x509Subject,Value=CN=Subject
 * Key=x509Issuer,Value=... Key=x509Serial,Value=HEX`, or `file://PATH` of a
 * JSON list of `{"Key", "Value"}`. Values may hold spaces and commas: a value
 * ends where the next ` Key=` begins.
 */
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';
import type { Certificate } from '../x509/certificate.ts';
import { DerError } from '../x509/der.ts';
import { NameSyntaxError, nameHas, parseName } from '../x509/distinguished-name.ts';
import type { WrittenName } from '../x509/distinguished-name.ts';

/** Which certificate is meant; all that is given must match. */
export interface CertificateSelector {
  /** What the subject must have. */
  readonly subject?: WrittenName | undefined;
  /** What the issuer must have. */
  readonly issuer?: WrittenName | undefined;
  readonly serial?: bigint | undefined;
}

const KEYS = ['x509Subject', 'x509Issuer', 'x509Serial'];

/** A selector has three entries: nothing sensible is larger. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads a selector, from its file if it names one.
 *
 * @throws RolesAnywhereError `ERR_SELECTOR`
 */
export function loadSelector(text: string): CertificateSelector {
  if (!text.startsWith('file://')) return select(entriesOfText(text));
  const path = text.slice('file://'.length);
  const { bytes } = readNamedFile({
    path,
    name: `--cert-selector file://${path}`,
    flag: '--cert-selector',
    code: 'ERR_SELECTOR',
    maxBytes: MAX_FILE_BYTES,
  });
  const json = Buffer.from(bytes).toString('utf8');
  return select(entriesOfJson(json, path));
}

function entriesOfText(text: string): [string, string][] {
  return text
    .trim()
    .split(/(?<=\s)(?=Key=)/)
    .map((part): [string, string] => {
      const entry = part.trimEnd();
      const [, key, value = ''] = /^Key=([^,]*),Value=(.*)/s.exec(entry) ?? [];
      if (key === undefined) throw malformed(`${JSON.stringify(entry)} is not Key=...,Value=...`);
      return [key.trim(), value.trim()];
    });
}

function entriesOfJson(json: string, path: string): [string, string][] {
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch (error) {
    throw malformed(`${path} is not JSON`, error);
  }
  if (!Array.isArray(list)) throw malformed(`${path} is not a list`);
  return list.map((entry: unknown): [string, string] => {
    if (typeof entry === 'object' && entry !== null && 'Key' in entry && 'Value' in entry) {
      const { Key: key, Value: value } = entry;
      if (typeof key === 'string' && typeof value === 'string') return [key.trim(), value.trim()];
    }
    throw malformed(`an entry of ${path} is not {"Key": "...", "Value": "..."}`);
  });
}

function select(entries: readonly [string, string][]): CertificateSelector {
  const values = new Map<string, string>();
  for (const [key, value] of entries) {
    if (!KEYS.includes(key)) throw malformed(`unknown key ${JSON.stringify(key)}`);
    if (values.has(key)) throw malformed(`${key} is given twice`);
    if (value === '') throw malformed(`${key} has no value`);
    values.set(key, value);
  }
  if (values.size === 0) throw malformed('no keys');
  const [subject, issuer, serial] = KEYS.map((key) => values.get(key));
  if (serial !== undefined && !/^[0-9A-Fa-f]+$/.test(serial)) {
    throw malformed(`x509Serial is not hexadecimal: ${JSON.stringify(serial)}`);
  }
  return {
    subject: subject === undefined ? undefined : name('x509Subject', subject),
    issuer: issuer === undefined ? undefined : name('x509Issuer', issuer),
    serial: serial === undefined ? undefined : BigInt(`0x${serial}`),
  };
}

function name(key: string, text: string): WrittenName {
  try {
    return parseName(text);
  } catch (error) {
    if (!(error instanceof NameSyntaxError)) throw error;
    throw malformed(`${key}: ${error.message}`, error, String.raw`a comma within a value is written as \,`);
  }
}

/** Whether a certificate has all that a selector names; other parts may be in its names. One with a name that cannot be read has not. */
export function isSelected(
  { subject, issuer, serialNumber }: Pick<Certificate, 'subject' | 'issuer' | 'serialNumber'>,
  selector: CertificateSelector,
): boolean {
  if (selector.serial !== undefined && selector.serial !== BigInt(serialNumber)) return false;
  try {
    return (
      (selector.subject === undefined || nameHas(subject, selector.subject)) &&
      (selector.issuer === undefined || nameHas(issuer, selector.issuer))
    );
  } catch (error) {
    if (error instanceof DerError) return false;
    throw error;
  }
}

function malformed(what: string, cause?: unknown, advice?: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SELECTOR', `--cert-selector: ${what}`, {
    flag: '--cert-selector',
    hint: `${advice === undefined ? '' : `${advice}; `}its keys are ${KEYS.join(', ')}, as in "Key=x509Subject,Value=CN=Subject Key=x509Serial,Value=0A1B", or file://selector.json`,
    cause,
  });
}
