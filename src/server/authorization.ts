/**
 * The container endpoint's authorisation token: made, read, compared, and kept
 * in a file that only its owner can read.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { lstat, makeFolder, readFile, rename, rm, writeFile } from '../platform/file-system.ts';
import { readNamedFile, systemCode } from '../platform/files.ts';

/** Shortest token that is taken from a file: below it, guessing is a way in. */
const MIN_LENGTH = 16;
const MAX_LENGTH = 1024;

/** What {@link generateToken} makes. */
const GENERATED = /^[\w-]{43}$/;

/** Compares what clients send with one token. */
export interface Authorization {
  /** Of the Authorization header, verbatim: the SDKs put no scheme before it. Takes the same time for any wrong value of the right length. */
  accepts(header: string): boolean;
  /** The token, to be written or printed. */
  readonly token: string;
}

/** A new token of 256 random bits: 43 characters, all of them safe in a header, a file and a shell. */
export function generateToken(): string {
  return randomBytes(32).toString('base64url');
}

export function createAuthorization(token: string): Authorization {
  const expected = Buffer.from(token, 'latin1');
  const scratch = Buffer.alloc(expected.length);
  return {
    token,
    accepts(header) {
      if (header.length !== expected.length) return false;
      scratch.write(header, 'latin1');
      return timingSafeEqual(scratch, expected);
    },
  };
}

/**
 * Reads a token that something else made, such as a mounted secret. One
 * trailing line end is dropped, since clients could not send it.
 *
 * @throws RolesAnywhereError `ERR_TOKEN_FILE`
 */
export async function readToken(path: string): Promise<string> {
  const { bytes } = readNamedFile({
    path,
    name: `the token file ${path}`,
    code: 'ERR_TOKEN_FILE',
    streams: 'open',
  });
  const text = Buffer.from(bytes).toString('utf8');
  const token = text.replace(/\r?\n$/, '');
  if (!isToken(token)) {
    throw new RolesAnywhereError(
      'ERR_TOKEN_FILE',
      `the token in ${path} is not ${MIN_LENGTH} to ${MAX_LENGTH} visible ASCII characters`,
      { hint: 'make one with: head -c 32 /dev/urandom | base64 -w0' },
    );
  }
  return token;
}

/** A token file that this process wrote. */
export interface TokenFile {
  readonly path: string;
  /** Removes the file, unless something else has taken its place. */
  remove(): Promise<void>;
}

export interface WriteOptions {
  /** Whether tokens may come from a source: then a file that an earlier process left may hold any token. */
  readonly sourced?: boolean;
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
    await writeFile(temporary, token, { flag: 'wx', mode: 0o600 });
    const { ino: inode } = await lstat(temporary);
    await rename(temporary, path);
    return { path, remove: () => removeIfOurs(path, token, inode) };
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
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
    await writeFile(temporary, '', { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw writeError(path, cause);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
}

/** A slip of the keyboard must not cost anyone a key file: only what this program wrote may be replaced. */
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

/** A later process may have written its own: the inode tells, and where inodes are reused, the token does. */
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
