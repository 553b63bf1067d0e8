/** The records of a PIN guard: what is in them, and their files. */
import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { type NamedFile, readNamedFile, systemCode } from '../../platform/files.ts';

/** What is known of the PINs of one token and purpose. */
export interface PinRecord {
  version: 2;
  /** For people who look at it. */
  token?: string | undefined;
  /** Refused PINs, which are not the token's: a salt and one byte of a hash each, to know them when they come back. */
  refused?: { source: string; tag: string }[] | undefined;
  /** The source whose PIN was accepted last. */
  accepted?: Origin | undefined;
  /** Logins in a row whose end is not known, the one that is being made included. */
  doubt?: Doubt | undefined;
}

export interface Origin {
  source: string;
  /** The source's stamp, where it has one. */
  stamp?: string | undefined;
}

export interface Doubt extends Partial<Origin> {
  count: number;
  /** The last one's time, as text. */
  at?: string | undefined;
  /** Whether the token reported a wrong PIN already when the first was made. */
  low?: boolean | undefined;
  /** As of refused PINs; only of a PIN that is not presented any more, and whose source has no stamp. */
  tag?: string | undefined;
}

/** Who is logging in. */
export interface Holder {
  pid: number;
  /** Tells this process from another one with the same number. */
  owner: string;
}

/** Leaves no empty file on a full disk: it would count as a login of unknown outcome. */
export async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
  } catch (error) {
    await rm(file);
    throw error;
  } finally {
    await handle.close();
  }
}

export function readIfThere(file: string): string | undefined {
  try {
    return Buffer.from(readNamedFile(record(file)).bytes).toString('utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function record(file: string): NamedFile {
  return {
    path: file,
    name: `the record ${file}`,
    code: 'ERR_PIN_STATE',
    hint: 'it belongs to another user, or is not a file: remove it',
  };
}

/** Removes a lock if it still is the one that was read: between, another process may have taken it anew. */
export async function remove(file: string, text: string): Promise<void> {
  const aside = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    await rename(file, aside);
    if (readIfThere(aside) !== text) await link(aside, file);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

/** A record that cannot be read was cut off, in the midst of a login. */
export function readRecord(file: string): PinRecord | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  const value = parse(text);
  return isRecord(value) ? value : { version: 2, doubt: { count: 1 } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function parseHolder(text: string): Holder | undefined {
  const value = parse(text);
  if (!isObject(value) || typeof value['pid'] !== 'number' || typeof value['owner'] !== 'string') return undefined;
  return { pid: value['pid'], owner: value['owner'] };
}

function isObject(value: unknown): value is { [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRecord(value: unknown): value is PinRecord {
  if (!isObject(value) || value['version'] !== 2) return false;
  const { refused = [], accepted, doubt } = value;
  return (
    Array.isArray(refused) &&
    refused.every((one) => isObject(one) && typeof one['source'] === 'string' && typeof one['tag'] === 'string') &&
    (accepted === undefined || (isOrigin(accepted) && typeof accepted['source'] === 'string')) &&
    (doubt === undefined || (isOrigin(doubt) && typeof doubt['count'] === 'number' && isText(doubt['tag'])))
  );
}

function isOrigin(value: unknown): value is { [name: string]: unknown } {
  return isObject(value) && isText(value['source']) && isText(value['stamp']);
}

function isText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
