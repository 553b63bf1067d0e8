/**
 * Keeps a state over restarts: an append-only file of changes in a directory.
 * Each line is a CRC-32 and a change in JSON, and is on the disk before the
 * request that made it is answered. A last line that was cut off, as by a
 * crash, is dropped; any other that does not fit its checksum is an error,
 * since what follows it may build on it, and so is the first, which holds all
 * that was there when the directory was last opened.
 */
import { constants, type FileHandle, open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { makeFolder } from '../../platform/file-system.ts';
import type { Change } from './records.ts';
import type { State } from './state.ts';

export interface Journal {
  /** Resolves when every change so far is on the disk; rejects with `ERR_STATE` when it cannot be. */
  kept(): Promise<void>;
  /** Writes what is left, and lets go of the directory. @throws RolesAnywhereError `ERR_STATE` */
  close(): Promise<void>;
}

const FILE = 'journal';
const LOCK = 'lock';

/** A journal longer than this, and than twice what it was when it was last compacted, is compacted. */
const COMPACT_BYTES = 4 * 1024 * 1024;

/**
 * Brings a state to what the directory holds, and from then on the directory
 * to what becomes of the state.
 *
 * @param given the directory, made with mode 0700 when it is missing; its files have 0600
 * @throws RolesAnywhereError `ERR_STATE`
 */
export async function openJournal(given: string, state: State, compactBytes = COMPACT_BYTES): Promise<Journal> {
  const directory = resolve(given);
  try {
    await makeFolder(directory);
    await lock(directory);
  } catch (cause) {
    throw wrapped(directory, cause);
  }
  try {
    await replay(directory, state);
    return await follow(directory, state, compactBytes);
  } catch (cause) {
    await unlock(directory);
    throw wrapped(directory, cause);
  }
}

/** Locks of this process's own. */
const inUse = new Set<string>();

/** One emulator a directory: the lock file names its process, and counts while that is alive. */
async function lock(directory: string): Promise<void> {
  const path = join(directory, LOCK);
  for (;;)
    try {
      const handle = await open(path, 'wx', 0o600);
      await handle.writeFile(String(process.pid));
      await handle.close();
      inUse.add(path);
      return;
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
      const owner = Number(await readFile(path, 'utf8'));
      // In a container the process before may have had the same id as this one.
      if (owner === process.pid ? inUse.has(path) : isAlive(owner))
        throw new RolesAnywhereError('ERR_STATE', `the state directory ${directory} is in use by process ${owner}`, {
          hint: `give each emulator a directory of its own, or remove ${path} if that process is another program`,
          cause: error,
        });
      await rm(path, { force: true });
    }
}

async function unlock(directory: string): Promise<void> {
  const path = join(directory, LOCK);
  inUse.delete(path);
  await rm(path, { force: true });
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, 'EPERM');
  }
}

async function replay(directory: string, state: State): Promise<void> {
  const path = join(directory, FILE);
  await rm(`${path}.new`, { force: true }); // of a compaction that did not come to its end
  const bytes = await readFile(path).catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  });
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(0x0a, start);
    const change = end < 0 ? undefined : parseLine(bytes.subarray(start, end));
    if (change === undefined) {
      // The first line is put there whole (see compact), so that it is never what a crash has cut off.
      if (start === 0 || (end >= 0 && end + 1 < bytes.length))
        throw new RolesAnywhereError('ERR_STATE', `${path} is damaged at byte ${start}`, {
          hint: 'restore the file, or remove it to begin anew',
        });
      await truncate(path, start);
      return;
    }
    state.apply(change);
    start = end + 1;
  }
}

function formatLine(change: Change): string {
  const json = JSON.stringify(change);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function parseLine(line: Buffer): Change | undefined {
  const [sum, json] = [line.subarray(0, 9).toString('latin1'), line.subarray(9)];
  if (sum !== `${crc32(json).toString(16).padStart(8, '0')} `) return undefined;
  // The checksum vouches for it: only this program writes here.
  return JSON.parse(json.toString()) as Change; // oxlint-disable-line typescript/no-unsafe-type-assertion
}

/** Begins with one line that holds the whole state, and adds a line a change. */
async function follow(directory: string, state: State, compactBytes: number): Promise<Journal> {
  let { handle, size } = await compact(directory, state);
  let compacted = size;
  let pending: string[] = [];
  let written: Promise<void> = Promise.resolve();
  let isScheduled = false;

  /** Writes everything that came while the last write was under way, with one sync for all of it. */
  const write = async (): Promise<void> => {
    try {
      await writePending();
    } catch (cause) {
      throw wrapped(directory, cause);
    }
  };
  const writePending = async (): Promise<void> => {
    isScheduled = false;
    const text = pending.join('');
    pending = [];
    if (size > compactBytes && size > 2 * compacted) {
      const old = handle;
      ({ handle, size } = await compact(directory, state));
      compacted = size;
      await old.close();
      return;
    }
    await handle.appendFile(text);
    await handle.datasync();
    size += Buffer.byteLength(text);
  };

  state.onChange((change) => {
    pending.push(formatLine(change));
    // A write that failed fails all that come after it: they would build on what is not there.
    if (!isScheduled) written = written.then(write);
    isScheduled = true;
    written.catch(() => undefined); // told to those who ask
  });

  return {
    kept: () => written,
    close: async () => {
      await written.catch(() => undefined);
      try {
        await handle.close();
        await unlock(directory);
      } catch (cause) {
        throw wrapped(directory, cause);
      }
    },
  };
}

/** Puts a journal of one line in the place of the one that is there, at once or not at all. */
async function compact(directory: string, state: State): Promise<{ handle: FileHandle; size: number }> {
  const path = join(directory, FILE);
  const text = formatLine(state.snapshot());
  const handle = await open(
    `${path}.new`,
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND,
    0o600,
  );
  try {
    await handle.writeFile(text);
    await handle.sync();
    await rename(`${path}.new`, path);
    await syncDirectory(directory);
    return { handle, size: Buffer.byteLength(text) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Makes a rename last. Windows cannot, and need not. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function wrapped(directory: string, cause: unknown): RolesAnywhereError {
  if (cause instanceof RolesAnywhereError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new RolesAnywhereError('ERR_STATE', `the state directory ${directory} cannot be used: ${why}`, {
    hint: 'give a directory that this user may write to',
    cause,
  });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
