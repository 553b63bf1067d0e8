/**
 * The certificate selector: `Key=x509Subject,Value=CN=Subject
 * Key=x509Issuer,Value=... Key=x509Serial,Value=HEX`, or `file://PATH` of a
 * JSON list of `{"Key", "Value"}`. Values may hold spaces and commas: a value
 * ends where the next ` Key=` begins.
 */
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';

/** Which certificate of a store is meant; all that is given must match. */
export interface CertificateSelector {
  /** Distinguished name of the subject, as written. */
  readonly subject?: string | undefined;
  /** Distinguished name of the issuer, as written. */
  readonly issuer?: string | undefined;
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
export async function loadSelector(text: string): Promise<CertificateSelector> {
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
    .split(/\s+(?=Key=)/)
    .map((entry): [string, string] => {
      const [, key, value] = /^Key=([^,]*),Value=(.*)$/s.exec(entry) ?? [];
      if (key === undefined || value === undefined)
        throw malformed(`${JSON.stringify(entry)} is not Key=...,Value=...`);
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
  return { subject, issuer, serial: serial === undefined ? undefined : BigInt(`0x${serial}`) };
}

function malformed(what: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SELECTOR', `--cert-selector: ${what}`, {
    flag: '--cert-selector',
    hint: `its keys are ${KEYS.join(', ')}, as in "Key=x509Subject,Value=CN=Subject Key=x509Serial,Value=0A1B", or file://selector.json`,
    cause,
  });
}
