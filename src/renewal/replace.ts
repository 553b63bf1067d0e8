/**
 * Puts new files in the place of old ones, so that a reader, also one after a crash or a power cut, finds a whole pair of
 * certificate and key: the old one or the new one.
 *
 * One file is replaced by a rename. Two files that change together cannot be: between two renames a crash would leave a
 * certificate without its key. So they are put into a folder, the names that people gave become symbolic links into it, and
 * one link, which both go through, is switched over by a rename. Kubernetes does so with its volumes.
 */
// Tests: test/renewal/replace.test.ts, test/renewal/kill.heavy.test.ts
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Lock, type LockTimes, takeLock } from '../platform/file-lock.ts';
import * as fs from '../platform/file-system.ts';
import { systemCode } from '../platform/files.ts';
import type { FileChange } from './form.ts';

/** How a replacement is made. */
export interface ReplaceOptions {
  /** Whether certificate and key change together and are two files. */
  readonly asPair: boolean;
  /** Asked under the lock, before anything is changed: whether the files are still those that were renewed. */
  readonly isCurrent: () => Promise<boolean>;
  readonly lock?: LockTimes | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Behind the name of each file that was replaced: the one before. */
const PREVIOUS = '.previous';

/** In the name of the link that a pair goes through, behind that of the certificate, and of the folders that it leads to. */
const PAIR = '.pair';

const TEMPORARY = /\.[0-9a-f]{16}\.tmp$/;
const MAX_LINKS = 40;
/** Files are written and renamed within it, in milliseconds: nobody holds it for longer who is alive. */
const STALE_MS = 3000;
const NO_OTHERS = 0o600;

/**
 * Replaces files, and keeps each old one beside as `FILE.previous`. Owner and mode are kept; symbolic links are followed.
 *
 * @param changes in the order in which they are made; with a pair, certificate and key come last and at once
 * @throws RolesAnywhereError `ERR_RENEWAL_WRITE`: what is in place is the old pair, whole
 */
export async function replaceFiles(changes: readonly FileChange[], options: ReplaceOptions): Promise<void> {
  const last = changes.at(-1);
  if (last === undefined) return;
  let at = last.path;
  try {
    const places = await Promise.all(changes.map(({ path }) => placeOf(path)));
    const home = places.at(-1)?.folder ?? dirname(last.path);
    const lock = await takeLock(
      join(home, `.${basename(last.path)}.renewal.lock`),
      { staleMs: STALE_MS, ...options.lock },
      options.signal,
    );
    try {
      if (!(await options.isCurrent())) throw overtaken(last.path);
      const both = new Set<string>(options.asPair ? ['--private-key', '--certificate'] : []);
      const singly = changes.filter(({ flag }) => !both.has(flag));
      for (const [index, change] of changes.entries()) {
        at = change.path;
        const place = places[index];
        if (place !== undefined) await removeLeftovers(place);
      }
      for (const change of singly) {
        at = change.path;
        await replaceOne(change, lock);
      }
      if (options.asPair)
        await replacePair(
          changes.filter(({ flag }) => both.has(flag)),
          lock,
          (path) => (at = path),
        );
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw writeError(at, error);
  }
}

/**
 * Makes a file that must not be there yet.
 *
 * @throws RolesAnywhereError `ERR_RENEWAL_WRITE`
 */
export async function createFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  try {
    await fs.makeFolder(dirname(resolve(path)));
    const temporary = temporaryFor(path);
    try {
      await write(temporary, bytes, { mode });
      await fs.link(temporary, path); // unlike a rename, it refuses what is there
    } finally {
      await fs.rm(temporary, { force: true });
    }
    await syncFolder(dirname(path));
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Where a file is: its folder without links, its name, and the file that it is in the end. */
interface Place {
  readonly folder: string;
  readonly name: string;
  readonly target: string;
}

async function placeOf(path: string): Promise<Place> {
  const folder = await fs.realpath(dirname(resolve(path)));
  const name = basename(path);
  return { folder, name, target: await targetOf(join(folder, name)) };
}

/** Follows symbolic links by hand: the last of them need not lead anywhere. */
async function targetOf(path: string, links = 0): Promise<string> {
  const place = join(await fs.realpath(dirname(path)), basename(path));
  const link = await fs.readlink(place).catch(() => undefined);
  if (link === undefined) return place;
  if (links === MAX_LINKS) throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
  return await targetOf(resolve(dirname(place), link), links + 1);
}

async function replaceOne({ path, bytes }: FileChange, lock: Lock): Promise<void> {
  const place = await placeOf(path);
  const temporary = temporaryFor(place.target);
  try {
    await write(temporary, bytes, await fs.stat(place.target));
    await keepPrevious(place);
    await expectHeld(lock);
    await fs.rename(temporary, place.target);
    await syncFolder(dirname(place.target));
  } finally {
    await fs.discard(temporary);
  }
}

async function replacePair(changes: readonly FileChange[], lock: Lock, tell: (path: string) => void): Promise<void> {
  const places = await Promise.all(changes.map(({ path }) => placeOf(path)));
  const [key, certificate] = places;
  if (key === undefined || certificate === undefined) throw new TypeError('a pair is two files');
  const { folder } = certificate;
  tell(folder);
  const link = join(folder, `.${certificate.name}${PAIR}`);
  let current = await fs.readlink(link).catch(() => undefined);
  const fresh = await makeFolderBeside(link, folder);
  for (const [index, { path, bytes }] of changes.entries()) {
    const place = places[index];
    if (place === undefined) continue;
    tell(path);
    await write(join(fresh, place.name), bytes, await fs.stat(place.target));
  }
  await syncFolder(fresh);
  for (const place of places) await keepPrevious(place);
  await expectHeld(lock);
  const through = (place: Place): string => join(basename(link), place.name);
  const isThrough = async (place: Place): Promise<boolean> =>
    (await fs.readlink(join(folder, place.name)).catch(() => undefined)) === through(place);
  if (!(await isThrough(key)) || !(await isThrough(certificate))) {
    // The link leads to the old pair first: neither name changes what it stands for as it becomes a link.
    const old = await makeFolderBeside(link, folder);
    for (const { name, target } of places) await linkOrCopy(target, join(old, name));
    await syncFolder(old);
    await switchLink(link, basename(old));
    current = basename(old);
    for (const place of places) await switchLink(join(folder, place.name), through(place));
  }
  await expectHeld(lock);
  await switchLink(link, basename(fresh));
  await syncFolder(folder);
  // The new pair is in place: what cannot be removed now is removed the next time.
  await removeFolders(link, [basename(fresh), current ?? '']).catch(() => undefined);
}

/** Certificate and key can be switched at once where they are in one folder, on a system with symbolic links. */
export async function checkPair(certificate: string, key: string): Promise<void> {
  const [one, other] = await Promise.all([placeOf(certificate), placeOf(key)]).catch((error: unknown) => {
    throw writeError(certificate, error);
  });
  if (process.platform !== 'win32' && one.folder === other.folder) return;
  throw new RolesAnywhereError(
    'ERR_RENEWAL_WRITE',
    process.platform === 'win32'
      ? '--certificate and --private-key are two files, which cannot be replaced at once on Windows'
      : '--certificate and --private-key are in two folders, and cannot be replaced at once',
    {
      flag: '--new-key',
      hint: 'keep both in one folder, or in one PEM or PKCS#12 file, or leave out --new-key, which keeps the key',
    },
  );
}

/** A folder for the files of a pair, with the owner and the mode of the one that it is in. */
async function makeFolderBeside(link: string, folder: string): Promise<string> {
  const made = await fs.mkdtemp(`${link}-`);
  const wanted = await fs.stat(folder);
  const own = await fs.stat(made);
  if (own.uid !== wanted.uid || own.gid !== wanted.gid)
    await fs.chown(made, wanted.uid, wanted.gid).catch(() => undefined);
  await fs.chmod(made, wanted.mode & 0o755);
  return made;
}

/** Makes a symbolic link, or turns what is at its place into one, at once. */
async function switchLink(path: string, to: string): Promise<void> {
  const temporary = temporaryFor(path);
  try {
    await fs.symlink(to, temporary);
    await fs.rename(temporary, path);
  } finally {
    await fs.discard(temporary);
  }
}

/** The folders that pairs were in before, but for those in use and just replaced: somebody may be about to open a file there. */
async function removeFolders(link: string, kept: readonly string[]): Promise<void> {
  const prefix = `${basename(link)}-`;
  for (const name of await fs.readdir(dirname(link)))
    if (name.startsWith(prefix) && !kept.includes(name))
      await fs.rm(join(dirname(link), name), { recursive: true, force: true });
}

/** The file that is in place stays beside the new one, under another name. */
async function keepPrevious({ folder, name, target }: Place): Promise<void> {
  const path = join(folder, `${name}${PREVIOUS}`);
  const temporary = temporaryFor(path);
  try {
    await linkOrCopy(target, temporary);
    await fs.rename(temporary, path);
  } finally {
    // Where both names are of one file already, a rename leaves both.
    await fs.rm(temporary, { force: true });
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await fs.link(from, to);
  } catch (error) {
    // File systems without links, and files that are on another.
    if (!['EPERM', 'EXDEV', 'ENOSYS', 'ENOTSUP', 'EMLINK'].includes(systemCode(error) ?? '')) throw error;
    await write(to, await fs.readFile(from), await fs.stat(from));
  }
}

/** Writes and syncs a file with the owner and the mode of the one that it is to replace. */
async function write(path: string, bytes: Uint8Array, like: Stats | { readonly mode: number }): Promise<void> {
  const descriptor = await fs.open(path, 'wx', NO_OTHERS);
  try {
    let mode = like.mode & 0o777;
    if (process.platform !== 'win32') {
      const own = await fs.fstat(descriptor);
      if ('uid' in like && own.uid !== like.uid) await fs.fchown(descriptor, like.uid, like.gid);
      else if ('uid' in like && own.gid !== like.gid)
        await fs.fchown(descriptor, own.uid, like.gid).catch(() => {
          mode &= ~0o070; // they would be of another group
        });
      await fs.fchmod(descriptor, mode);
    }
    await fs.writeFile(descriptor, bytes);
    await fs.fsync(descriptor);
  } finally {
    await fs.close(descriptor);
  }
}

/** Syncs the folder, so that the new name survives a power cut as well. Windows and some file systems cannot. */
async function syncFolder(path: string): Promise<void> {
  const descriptor = await fs.open(path, 'r').catch(() => undefined);
  if (descriptor === undefined) return;
  await fs.fsync(descriptor).catch(() => undefined);
  await fs.close(descriptor);
}

/** What processes left that were killed before they renamed it. The lock is held: none is in use. */
async function removeLeftovers({ folder, name, target }: Place): Promise<void> {
  const mine = new Set([name, `${name}${PREVIOUS}`, `.${name}${PAIR}`, basename(target)]);
  for (const path of new Set([folder, dirname(target)]))
    for (const entry of await fs.readdir(path)) {
      const end = entry.search(TEMPORARY);
      if (end > 0 && mine.has(entry.slice(0, end))) await fs.rm(join(path, entry), { force: true });
    }
}

async function expectHeld(lock: Lock): Promise<void> {
  if (await lock.isHeld()) return;
  throw new RolesAnywhereError(
    'ERR_RENEWAL_WRITE',
    'the lock of the renewal was lost: this process was stopped for too long',
    {
      hint: 'nothing was replaced; it is tried again',
    },
  );
}

function overtaken(path: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_RENEWAL_WRITE', `${path} was replaced by something else while it was renewed`, {
    hint: 'let one program alone renew it; what it put there is kept',
  });
}

function temporaryFor(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}.tmp`;
}

/** What went wrong with a file that was to be written. */
export function writeError(path: string, cause: unknown): RolesAnywhereError {
  if (cause instanceof RolesAnywhereError && cause.code !== 'ERR_CREDENTIALS_FILE') return cause;
  const code = systemCode(cause);
  const reason = code ?? (cause instanceof Error ? cause.message : 'unknown reason');
  const HINTS: Readonly<Record<string, string>> = {
    ENOSPC: 'make room on its disk',
    EDQUOT: "make room within the user's quota",
    EROFS: 'its file system is read-only: mount it writable, or keep the certificate elsewhere',
    EACCES: 'the folder must be writable for the user that renews',
    EPERM: 'the user that renews must own the file, so that the new one belongs to the same user',
  };
  return new RolesAnywhereError('ERR_RENEWAL_WRITE', `cannot replace ${path} (${reason})`, {
    hint: `${(code === undefined ? undefined : HINTS[code]) ?? 'check the file, its folder and who may write there'}; the old certificate and key stay`,
    cause,
  });
}
