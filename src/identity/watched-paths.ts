/** What to look at for noticing that files were replaced, however that is done. */
// Tests: test/identity/reload.test.ts
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { join, parse, resolve, sep } from 'node:path';
import { close, lstat, open, readFile, readdir, readlink, stat } from '../platform/file-system.ts';
import { MAX_FILE_BYTES } from '../platform/files.ts';

/** A folder of certificates has fewer. */
export const MAX_FOLDER_FILES = 1000;

/** As Linux does (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * The directories in which an entry can change so that `path` becomes another
 * file: itself, if it is a directory; the one that holds it, and the one that holds each symbolic link on
 * the way to it. Kubernetes swaps a link to a directory; certbot, one to a file.
 */
export async function directoriesOf(path: string): Promise<Set<string>> {
  const directories = new Set<string>();
  let links = 0;
  let { root: at } = parse(resolve(path));
  const left = resolve(path).slice(at.length).split(sep);
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const entry = join(at, name);
    const found = await lstat(entry).catch(() => undefined);
    const isLink = found?.isSymbolicLink() === true;
    if (left.length === 0 && found?.isDirectory() === true) directories.add(entry);
    if (left.length === 0 || isLink) directories.add(at);
    if (!isLink) {
      at = entry;
      continue;
    }
    if (++links > MAX_LINKS) break;
    const link = await readlink(entry).catch(() => undefined);
    if (link === undefined) break;
    const target = resolve(at, link);
    at = parse(target).root;
    left.unshift(...target.slice(at.length).split(sep));
  }
  return directories;
}

/** Names the directory that is at `path` now, also when another one took its place; undefined when there is none. */
export async function directoryIdentity(path: string): Promise<string | undefined> {
  return stat(path, { bigint: true }).then(
    (found) => (found.isDirectory() ? `${found.dev}:${found.ino}` : undefined),
    () => undefined,
  );
}

/**
 * A digest of what the files hold. Times and sizes would not do: two writes
 * within one tick of the file system's clock look alike. What cannot be read
 * counts with the reason; what is not a plain file is not read at all, since a
 * pipe gives its bytes only once.
 */
export async function fingerprint(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of (await Promise.all(paths.map(filesAt))).flat()) {
    const contents = await readPlainFile(path).catch((error: NodeJS.ErrnoException) => `unreadable: ${error.code}`);
    hash.update(`${typeof contents} ${contents.length} `).update(contents);
    if (typeof contents !== 'string') contents.fill(0); // it may be a private key
  }
  return hash.digest('hex');
}

/** A path, and, if that is a directory, the files in it that are not hidden. */
async function filesAt(path: string): Promise<string[]> {
  const names = await readdir(path).catch(() => []);
  const seen = names.filter((name) => !name.startsWith('.')).toSorted();
  return [path, ...seen.slice(0, MAX_FOLDER_FILES).map((name) => join(path, name))];
}

/** Node's own way to read a file whole takes flags by name alone. */
async function readUnawaited(path: string): Promise<Uint8Array> {
  const descriptor = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    return await readFile(descriptor);
  } finally {
    await close(descriptor);
  }
}

async function readPlainFile(path: string): Promise<Uint8Array | string> {
  const found = await stat(path);
  if (!found.isFile()) return 'not a plain file';
  if (found.size > MAX_FILE_BYTES) return 'too large';
  // Should a pipe take its place by now, it is not waited for.
  return readUnawaited(path);
}
