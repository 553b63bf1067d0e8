/** Reading the files that people name: bounded, never waiting for a pipe, and with errors that say who named the file. */
import { type Stats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type ErrorCode, OPEN_FILES_HINT, RolesAnywhereError } from './errors.ts';
import { tellOfBlockingWait } from './waits.ts';

/** A file that somebody named, and what is said when it cannot be read. */
export interface NamedFile {
  readonly path: string;
  /** The words for it in messages, such as `--certificate leaf.pem`. */
  readonly name: string;
  /** The flag that named it, with its dashes. */
  readonly flag?: string | undefined;
  /** In place of the codes that begin with `ERR_FILE`. */
  readonly code?: ErrorCode | undefined;
  /** In place of the hints of this module. That about `~` stays. */
  readonly hint?: string | undefined;
  /** Default 1 MiB. */
  readonly maxBytes?: number | undefined;
  /**
   * Takes pipes and devices as well, to their end. `open`: a pipe that somebody writes to already, as a shell's process
   * substitution is; any other is empty. `awaited`: waits for a writer, which nothing can interrupt. Default: takes none.
   */
  readonly streams?: 'open' | 'awaited' | undefined;
}

export interface FileContent {
  /** May hold a secret, and no copy is left elsewhere: fill it with zeros when done. */
  readonly bytes: Uint8Array;
  readonly stats: Stats;
}

/** 1 MiB. A certificate with its chain and key is some 10 KB; a bundle of all public roots 220 KB. */
export const MAX_FILE_BYTES = 1024 * 1024;

const CHUNK_BYTES = 16 * 1024;

/** How often it is said, after the first second, that a stream gives nothing. */
const TELL_EVERY_SECONDS = 30;

let streamsAllowed = true;

/**
 * From now on, this process reads plain files alone, whatever a reader asks for: a pipe that was put in a file's place
 * would hold up everything that it does. For what goes on, once it has read all its files.
 */
export function refuseStreams(): void {
  streamsAllowed = false;
}

let endsBySignals = false;

/**
 * From now on, a signal ends this process while it waits for a pipe or a device, as it would without any listener: reading
 * is synchronous, so that no listener of this process hears of it before somebody has written. For what listens.
 */
export function endBySignalsWhileReading(): void {
  endsBySignals = true;
}

/** Does what may wait for somebody else, without listeners for the signals that are to end it. */
export function waiting<T>(work: () => T): T {
  if (!endsBySignals) return work();
  const signals = (['SIGINT', 'SIGTERM'] as const).map((name) => [name, process.listeners(name)] as const);
  for (const [name] of signals) process.removeAllListeners(name);
  try {
    return work();
  } finally {
    for (const [name, listeners] of signals) for (const listener of listeners) process.on(name, listener);
  }
}

/**
 * Reads a file whole. Synchronous: such files are small and local, and a
 * one-shot command has nothing else to do meanwhile.
 *
 * @throws RolesAnywhereError the file's own code, or else `ERR_FILE_NOT_FOUND`, `ERR_FILE_IS_DIRECTORY`,
 * `ERR_FILE_TOO_LARGE`, or `ERR_FILE_UNREADABLE`, also for a pipe or device; {@link systemCode} tells what the system said
 */
export function readNamedFile(file: NamedFile): FileContent {
  return withOpened(file, (descriptor, stats) => ({ bytes: readBounded(descriptor, file), stats }));
}

/** Opens a file for as long as `use` runs, by the rules of {@link readNamedFile} and with its errors. */
export function withOpened<T>(file: NamedFile, use: (descriptor: number, stats: Stats) => T): T {
  if (file.streams === undefined || !streamsAllowed) return withOpen({ ...file, streams: undefined }, use);
  return waiting(() => withOpen(file, use));
}

function withOpen<T>(file: NamedFile, use: (descriptor: number, stats: Stats) => T): T {
  let descriptor: number | undefined;
  try {
    // Opening a pipe would wait for somebody who writes to it. Windows has no such flag, and no such pipes.
    const nonBlocking = file.streams === 'awaited' ? 0 : (constants.O_NONBLOCK ?? 0);
    descriptor = openSync(file.path, constants.O_RDONLY | nonBlocking);
    const stats = fstatSync(descriptor);
    if (stats.isDirectory()) throw fileError(file, 'ERR_FILE_IS_DIRECTORY', 'is a directory', 'name a file in it');
    if (!stats.isFile() && file.streams === undefined)
      throw fileError(
        file,
        'ERR_FILE_UNREADABLE',
        `is a ${stats.isFIFO() ? 'pipe' : 'device'} and not a file`,
        'write what it gives into a file, and name that',
      );
    if (stats.size > (file.maxBytes ?? MAX_FILE_BYTES)) throw tooLarge(file);
    return file.streams === 'awaited' ? withoutBlocking(descriptor, (own) => use(own, stats)) : use(descriptor, stats);
  } catch (error) {
    throw error instanceof RolesAnywhereError ? error : accessError(file, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/**
 * Reads a stream by a descriptor of its own that does not block, so that {@link readSome} can say how long it has waited. Where the
 * system has no such thing, and for plain files, by the one that is given.
 */
export function withoutBlocking<T>(descriptor: number, use: (descriptor: number) => T): T {
  let own: number | undefined;
  if (process.platform === 'linux' && !fstatSync(descriptor).isFile())
    try {
      own = openSync(`/proc/self/fd/${descriptor}`, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch {
      // A socket, no /proc, or a device of somebody else: reading blocks.
    }
  try {
    return use(own ?? descriptor);
  } finally {
    if (own !== undefined) closeSync(own);
  }
}

/**
 * Memory for a secret. Of a small array, the garbage collector leaves copies behind as it moves it, which nobody can wipe;
 * one on a buffer of its own stays in its place.
 */
export function secretBytes(from: number | Uint8Array): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(typeof from === 'number' ? from : from.length));
  if (typeof from !== 'number') bytes.set(from);
  return bytes;
}

/** Reads to the end without ever growing a buffer: what is left behind by growing could not be wiped. */
export function readBounded(descriptor: number, file: NamedFile): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      chunks.push(chunk);
      const count = readSome(descriptor, chunk, file.name);
      if (count === 0) break;
      chunks[chunks.length - 1] = chunk.subarray(0, count);
      length += count;
      if (length > (file.maxBytes ?? MAX_FILE_BYTES)) throw tooLarge(file);
    }
    const bytes = secretBytes(length);
    let offset = 0;
    for (const chunk of chunks) {
      if (offset === length) break;
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return bytes;
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

/**
 * Fills a part of a buffer, and gives its length; 0 at the end. Waits for bytes, also where the descriptor does not, and says so.
 *
 * @param name what is waited for. Default: nothing is said
 */
export function readSome(descriptor: number, chunk: Uint8Array, name?: string): number {
  const begin = performance.now();
  let toldSeconds = 0;
  for (;;) {
    try {
      return readSync(descriptor, chunk);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EOF') return 0; // how Windows says that a pipe ends
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      const seconds = Math.floor((performance.now() - begin) / 1000);
      if (name === undefined || seconds < (toldSeconds === 0 ? 1 : toldSeconds + TELL_EVERY_SECONDS)) continue;
      toldSeconds = seconds;
      tellOfBlockingWait(name, seconds);
    }
  }
}

/** The error for what the system refused. */
export function accessError(file: NamedFile, cause: unknown): RolesAnywhereError {
  const reason = systemCode(cause) ?? 'unknown reason';
  const missing = file.code === undefined && (reason === 'ENOENT' || reason === 'ENOTDIR');
  // What Node says for a program that runs under --permission.
  if (reason === 'ERR_ACCESS_DENIED')
    file = { ...file, hint: `Node's permission model forbids it: allow it with --allow-fs-read=${file.path}` };
  if (reason === 'EMFILE' || reason === 'ENFILE') file = { ...file, hint: OPEN_FILES_HINT };
  if (file.path.startsWith('~/')) file = { ...file, hint: '~ is not expanded: write the path of the home directory' };
  return missing
    ? fileError(
        file,
        'ERR_FILE_NOT_FOUND',
        'does not exist',
        `check the path${file.flag === undefined ? '' : ` given with ${file.flag}`}; a relative one starts at the working directory`,
        cause,
      )
    : fileError(
        file,
        'ERR_FILE_UNREADABLE',
        `cannot be read (${reason})`,
        'check who owns the file, its mode and those of the folders above it',
        cause,
      );
}

/** The system's code, such as `ENOENT`, of an error or of the one below it. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof RolesAnywhereError) return systemCode(error.cause);
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function tooLarge(file: NamedFile): RolesAnywhereError {
  const bytes = file.maxBytes ?? MAX_FILE_BYTES;
  const most = bytes % MAX_FILE_BYTES === 0 ? `${bytes / MAX_FILE_BYTES} MiB` : `${bytes} bytes`;
  return fileError(file, 'ERR_FILE_TOO_LARGE', `is larger than ${most}`, 'that is another file: check the path');
}

function fileError(
  { name, flag, code, hint }: NamedFile,
  usual: ErrorCode,
  what: string,
  usualHint: string,
  cause?: unknown,
): RolesAnywhereError {
  return new RolesAnywhereError(code ?? usual, `${name} ${what}`, { hint: hint ?? usualHint, flag, cause });
}
