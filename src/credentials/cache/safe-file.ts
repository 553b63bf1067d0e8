/**
 * Files with credentials that this program keeps: read only where nobody else can have written them. Synchronous, and
 * without a module that Node has not loaded by itself: a run that finds what it needs here should cost no more than Node.
 */
// Tests: test/credentials/cache/file-store.test.ts
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';

/** An entry has some 3 KB, and what a line was some more. */
const MAX_BYTES = 256 * 1024;

const OTHERS = 0o077;

/** Whether a folder is this user's alone: no link, and nobody else may look or write into it. */
export function isOwnFolder(path: string): boolean {
  try {
    const stats = lstatSync(path);
    return stats.isDirectory() && isOwn(stats);
  } catch {
    return false;
  }
}

/**
 * The text of a file that is this user's alone: a plain file of mode 0600 with one name, and no link.
 *
 * @returns undefined for any other, or none
 */
export function readOwnFile(path: string): string | undefined {
  let descriptor: number | undefined;
  try {
    // O_NONBLOCK: a pipe in its place is not waited for. Windows has neither flag.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.nlink !== 1 || stats.size > MAX_BYTES || !isOwn(stats)) return undefined;
    return readFileSync(descriptor, 'utf8');
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Windows has no owners of this kind: there it is the folder of the user's profile that keeps others out. */
function isOwn({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  const user = process.geteuid?.();
  return user === undefined || (uid === user && (mode & OTHERS) === 0);
}

/**
 * What tells a file from the one that was at its path before: device, inode, size, and the times, in nanoseconds, of its last
 * change by the system's clock and by its own word. The latter anybody sets: what comes out of an archive or is copied with
 * `cp -p` may have the time of what was there.
 */
export type Stamp = string;

/** @returns undefined where there is no plain file; links are followed */
export function stampOf(path: string): Stamp | undefined {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats?.isFile() === true
      ? [stats.dev, stats.ino, stats.size, stats.ctimeNs, stats.mtimeNs].map(String).join(' ')
      : undefined;
  } catch {
    return undefined;
  }
}

/** A folder of more is not kept track of: each look at it takes a call for every file. */
const MOST_FILES = 100;

/**
 * What tells a file, or a folder and the files right in it, from what was at its path before. A file that is added, removed,
 * renamed, replaced or changed gives a folder another stamp.
 *
 * @returns undefined where there is neither, and for a folder of more than 100 files
 */
export function stampOfPlace(path: string): Stamp | undefined {
  const stamp = stampOf(path);
  if (stamp !== undefined) return stamp;
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    const names = readdirSync(path);
    if (names.length > MOST_FILES) return undefined;
    names.sort();
    return ['folder', dev, ino, ...names.map((name) => `\n${name} ${stampOf(`${path}/${name}`) ?? ''}`)].join(' ');
  } catch {
    return undefined;
  }
}

/** Milliseconds by a clock that nobody sets, in every process since the system's start. */
export function countedNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + Math.round(nanoseconds / 1e6);
}

/** Which start of which machine that is; undefined where nothing tells (proc(5)). */
export function bootOf(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return undefined;
  }
}
