/** Kept credentials as files in one folder of this user's: written whole or not at all, and tidied up. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { RolesAnywhereError } from '../../platform/errors.ts';
import * as fs from '../../platform/file-system.ts';
import { systemCode } from '../../platform/files.ts';
import { isStillGood, parseEntry } from './entry.ts';
import type { CacheEntry } from './entry.ts';
import { isEntryName } from './line.ts';
import type { RememberedLine } from './line.ts';
import { lockEntry } from './lock.ts';
import { isOwnFolder, readOwnFile } from './safe-file.ts';
import type { CredentialsStore } from './store.ts';

/** Files of ours, by their names: entries, lines, locks, and what a process that was killed left of them. */
const OURS =
  /^(?:session-\d+-[0-9a-f]{32}|line-\d+-[0-9a-f]{16})(?:\.json|\.lock|\.lock(?:\.[0-9a-f]{16}\.\d{1,4})?\.break)?(?:\.[0-9a-f]{16}\.tmp)?$/;
/** A temporary file lives for milliseconds; one so old was left behind. */
const LEFT_MS = 60_000;
/** A line that was not read anew for so long is forgotten: another run reads it as ever, and remembers it again. */
const LINE_LIFE_MS = 30 * 24 * 3_600_000;

/**
 * Makes the folder, and sees that it is this user's alone.
 *
 * @throws RolesAnywhereError `ERR_CACHE`
 */
export async function openFolder(folder: string | undefined): Promise<string> {
  if (folder === undefined)
    throw new RolesAnywhereError('ERR_CACHE', 'there is no folder to keep credentials in', {
      hint: 'set XDG_RUNTIME_DIR or HOME to a directory of this user',
    });
  try {
    await fs.makeFolder(folder);
  } catch (cause) {
    throw new RolesAnywhereError('ERR_CACHE', `cannot make ${folder} (${systemCode(cause) ?? 'unknown reason'})`, {
      hint: 'set XDG_RUNTIME_DIR to a directory that this user may write to',
      cause,
    });
  }
  if (!isOwnFolder(folder))
    throw new RolesAnywhereError('ERR_CACHE', `${folder} is not this user's alone: nothing in it is used`, {
      hint: 'it must be a directory of this user with mode 0700, and no link: look whose it is, and remove it',
    });
  return folder;
}

/** The store of the command line's cache, in `folder`, which must be this user's alone. */
export function createFileStore(folder: string | undefined): CredentialsStore {
  let opened: Promise<string> | undefined;
  const place = (): Promise<string> => (opened ??= openFolder(folder));
  return {
    get: async (key) => readOwnFile(join(await place(), `${checked(key)}.json`)),
    set: async (key, text) => {
      await replace(join(await place(), `${checked(key)}.json`), text);
    },
    lock: async (key, request) => await lockEntry(join(await place(), `${checked(key)}.lock`), request),
  };
}

function checked(key: string): string {
  if (isEntryName(key)) return key;
  throw new RolesAnywhereError('ERR_CACHE', 'a key of kept credentials is malformed');
}

/** Remembers a line. */
export async function writeLine(folder: string, name: string, line: RememberedLine): Promise<void> {
  await replace(join(folder, `${name}.json`), JSON.stringify(line));
}

async function replace(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    await fs.writeFile(fresh, text, { flag: 'wx', mode: 0o600 });
    await fs.rename(fresh, path).catch(async (error: unknown) => {
      // A folder in its place cannot be replaced.
      if (!/^(?:EISDIR|ENOTEMPTY|EEXIST|EPERM)$/.test(systemCode(error) ?? '')) throw error;
      await fs.rm(path, { force: true, recursive: true });
      await fs.rename(fresh, path);
    });
  } finally {
    await fs.rm(fresh, { force: true });
  }
}

/** An entry, and the name of its file. */
export interface NamedEntry {
  readonly name: string;
  readonly entry: CacheEntry;
}

/** All entries that can be read, whatever is left of their lives. */
export async function listEntries(folder: string): Promise<NamedEntry[]> {
  if (!isOwnFolder(folder)) return [];
  return (await fs.readdir(folder)).toSorted().flatMap((file) => {
    const name = entryNameOf(file);
    const entry = name === undefined ? undefined : entryAt(join(folder, file));
    return name === undefined || entry === undefined ? [] : [{ name, entry }];
  });
}

/** The name of the entry that a file holds; undefined for any other file. */
function entryNameOf(file: string): string | undefined {
  const name = file.slice(0, -'.json'.length);
  return file.endsWith('.json') && isEntryName(name) ? name : undefined;
}

function entryAt(path: string): CacheEntry | undefined {
  const text = readOwnFile(path);
  return text === undefined ? undefined : parseEntry(text);
}

/**
 * Removes what nobody will read again: entries that have expired, lines that were not used for a month, what was left
 * behind. With `everything`, all that this program keeps there; what is not its own stays.
 *
 * @returns how many sets of credentials were removed
 */
export async function tidy(folder: string, now: number, everything = false): Promise<number> {
  if (!isOwnFolder(folder)) return 0;
  let sets = 0;
  for (const file of await fs.readdir(folder)) {
    if (!OURS.test(file)) continue;
    const path = join(folder, file);
    const isEntry = entryNameOf(file) !== undefined;
    if (!everything && !(await isWaste(path, file, isEntry, now))) continue;
    await fs.rm(path, { force: true, recursive: true });
    if (isEntry) sets += 1;
  }
  return sets;
}

async function isWaste(path: string, file: string, isEntry: boolean, now: number): Promise<boolean> {
  if (isEntry) {
    const entry = entryAt(path);
    // Of another version it may be good for a newer program.
    return entry !== undefined && !isStillGood(entry, now);
  }
  const life = file.endsWith('.tmp') ? LEFT_MS : file.startsWith('line-') ? LINE_LIFE_MS : Infinity;
  const stats = await fs.lstat(path).catch(() => undefined);
  return stats !== undefined && now - stats.mtimeMs > life;
}
