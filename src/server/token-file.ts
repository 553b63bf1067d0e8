/** The file of a container endpoint's token: read, written and removed, for its owner alone. */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { lstat, makeFolder, readFile, rename, rm, writeFile } from '../platform/file-system.ts';
import { readNamedFile, systemCode } from '../platform/files.ts';

/** Shortest token that is taken from a file: below it, guessing is a way in. */
const MIN_LENGTH = 16;
const MAX_LENGTH = 1024;

/** The form of a token that authorization.ts generates. */
const GENERATED = /^[\w-]{43}$/;

/**
 * Reads a token that something else made, such as a mounted secret. One
 * trailing line end is dropped, since clients could not send it. No pipe is
 * waited for.
 *
 * @throws RolesAnywhereError `ERR_TOKEN_FILE`
 */
export function readToken(path: string): { readonly token: string; readonly endsLine: boolean } {
  const { bytes } = readNamedFile({
    path,
    name: `the token file ${path}`,
    flag: '--token-source',
    code: 'ERR_TOKEN_FILE',
    streams: 'open',
  });
  const text = Buffer.from(bytes).toString('utf8');
  const token = text.replace(/\r?\n$/, '');
  if (isToken(token)) return { token, endsLine: token !== text };
  throw new RolesAnywhereError(
    'ERR_TOKEN_FILE',
    `the token in ${path} is not ${MIN_LENGTH} to ${MAX_LENGTH} visible ASCII characters`,
    { flag: '--token-source', hint: 'make one with: head -c 32 /dev/urandom | base64 -w0' },
  );
}

/** A token file that this process wrote. */
export interface TokenFile {
  readonly path: string;
  /** Removes the file, unless something else has taken its place. */
  remove(): Promise<void>;
}

export interface WriteOptions {
  /** Whether tokens may come from a source: then a file that an earlier process left may hold any token. */
  readonly sourced?: boolean | undefined;
}

/**
 * Writes a token for clients to read: mode 0600, no line end (SDKs refuse
 * one), and whole at any time, since it is renamed into place. The folder is
 * made (0700) when it is missing. Nothing is replaced but a token file that
 * an earlier process left.
 *
 * @throws RolesAnywhereError `ERR_TOKEN_FILE`
 */
export async function writeTokenFile(path: string, token: string, options: WriteOptions = {}): Promise<TokenFile> {
  const temporary = temporaryName(path);
  try {
    await assertReplaceable(path, options);
    await makeFolder(dirname(path));
    await writePrivate(temporary, token);
    const { ino: inode } = await lstat(temporary);
    await rename(temporary, path);
    return { path, remove: () => removeIfOurs(path, token, inode) };
  } catch (cause) {
    await rm(temporary).catch(() => undefined);
    throw writeError(path, cause);
  }
}

/**
 * Finds out whether {@link writeTokenFile} would work, without touching what is there. The folder is made.
 *
 * @throws RolesAnywhereError `ERR_TOKEN_FILE`
 */
export async function checkTokenFile(path: string, options: WriteOptions = {}): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await assertReplaceable(path, options);
    await makeFolder(dirname(path));
    // Modes do not tell everything: a file system may be full or read-only.
    await writePrivate(temporary, '');
  } catch (cause) {
    throw writeError(path, cause);
  } finally {
    await rm(temporary).catch(() => undefined);
  }
}

async function writePrivate(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode: 0o600 });
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
}

/** Refuses to replace anything but what this program wrote: a slip of the keyboard must not cost anyone a key file. */
async function assertReplaceable(path: string, { sourced = false }: WriteOptions): Promise<void> {
  let stats: Stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  // Looked at before it is opened: a pipe would not let go, and a large file is none of ours.
  if (stats.isFile() && stats.size <= MAX_LENGTH) {
    const text = await readFile(path, 'latin1');
    const isPrivate = process.platform === 'win32' || (stats.mode & 0o777) === 0o600;
    if (GENERATED.test(text) || (sourced && isPrivate && isToken(text))) return;
  }
  throw new RolesAnywhereError('ERR_TOKEN_FILE', `${path} exists and holds no token`, {
    hint: 'name a new file: this one would be replaced, and removed at the end',
  });
}

function isToken(text: string): boolean {
  return text.length >= MIN_LENGTH && text.length <= MAX_LENGTH && /^[\x21-\x7e]+$/.test(text);
}

/** Removes a file unless a later process has written its own: the inode tells, and where inodes are reused, the token. */
async function removeIfOurs(path: string, token: string, inode: number): Promise<void> {
  try {
    const { ino } = await lstat(path);
    if (ino === inode && (await readFile(path, 'utf8')) === token) await rm(path);
  } catch {
    // gone already
  }
}

function writeError(path: string, cause: unknown): RolesAnywhereError {
  return cause instanceof RolesAnywhereError ? cause : fileError(`cannot write the token file ${path}`, cause);
}

function fileError(message: string, cause: unknown): RolesAnywhereError {
  const reason = systemCode(cause) ?? 'unknown error';
  return new RolesAnywhereError('ERR_TOKEN_FILE', `${message}: ${reason}`, {
    cause,
    hint: 'check the path and the permissions of its folder',
  });
}
