/**
 * What long-running commands use of node:fs/promises. That module itself
 * brings readline and file handles along, 0.4 MB that would stay in memory.
 */
import fs from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { systemCode } from './files.ts';

export const chmod = promisify(fs.chmod);
export const chown = promisify(fs.chown);
export const close = promisify(fs.close);
export const fchmod = promisify(fs.fchmod);
export const fchown = promisify(fs.fchown);
export const fstat = promisify(fs.fstat);
export const fsync = promisify(fs.fsync);
export const link = promisify(fs.link);
export const lstat = promisify(fs.lstat);
const mkdir = promisify(fs.mkdir);
export const mkdtemp = promisify(fs.mkdtemp);
export const open = promisify(fs.open);
export const readFile = promisify(fs.readFile);
export const readdir = promisify(fs.readdir);
export const readlink = promisify(fs.readlink);
export const realpath = promisify(fs.realpath);
export const rename = promisify(fs.rename);
export const rm = promisify(fs.rm);
export const rmdir = promisify(fs.rmdir);
export const stat = promisify(fs.stat);
export const symlink = promisify(fs.symlink);
export const writeFile = promisify(fs.writeFile);

/**
 * Removes a file that is not needed, whatever comes of it: what was done before is done, and an error that is under way is
 * not to be hidden by another one.
 */
export async function discard(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

/**
 * Makes a folder, with those above it that are missing, for this user alone (mode 0700). By hand, since Node 20's own
 * `recursive` never ends where the system says ENOENT of a folder that may not be made, as under /proc.
 *
 * @throws the system's error, also where the path is there and no folder
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && dirname(path) !== path) {
      await makeFolder(dirname(path));
      await makeOne(path);
    } else if (!(await isFolder(path))) throw error;
  }
}

/** Makes a folder in one that is there. Another process may have made it meanwhile. */
async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/**
 * Opens a file for appending; it gets mode 0600 when it is new. A pipe that nobody reads is refused with ENXIO, where
 * `open` alone would wait for a reader, and a write to one that is full fails with EAGAIN.
 *
 * @returns a descriptor
 */
export function openForAppending(path: string): number {
  const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = fs.constants;
  return fs.openSync(path, O_WRONLY | O_APPEND | O_CREAT | (O_NONBLOCK ?? 0), 0o600);
}
