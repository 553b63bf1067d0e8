/**
 * The container endpoint's authorisation token: made, read, compared, and kept
 * in a file that only its owner can read.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { RolesAnywhereError } from '../errors.ts';
import { lstat, mkdir, readFile, rename, rm, writeFile } from '../file-system.ts';

/** Shortest token that is taken from a file: below it, guessing is a way in. */
const MIN_LENGTH = 16;
const MAX_LENGTH = 1024;

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
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw fileError('ERR_TOKEN_FILE', `cannot read the token file ${path}`, cause);
  }
  const token = text.replace(/\r?\n$/, '');
  if (token.length < MIN_LENGTH || token.length > MAX_LENGTH || !/^[\x21-\x7e]+$/.test(token)) {
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

/**
 * Writes a token for clients to read: mode 0600, no line end (SDKs refuse
 * one), and whole at any time, since it is renamed into place. The folder is
 * made (0700) when it is missing.
 *
 * @throws RolesAnywhereError `ERR_OUTPUT`
 */
export async function writeTokenFile(path: string, token: string): Promise<TokenFile> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(temporary, token, { flag: 'wx', mode: 0o600 });
    const { ino: inode } = await lstat(temporary);
    await rename(temporary, path);
    return { path, remove: () => removeIfOurs(path, token, inode) };
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError('ERR_OUTPUT', `cannot write the token file ${path}`, cause);
  }
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

function fileError(code: 'ERR_TOKEN_FILE' | 'ERR_OUTPUT', message: string, cause: unknown): RolesAnywhereError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
  return new RolesAnywhereError(code, `${message}: ${reason}`, {
    cause,
    hint: 'check the path and the permissions of its folder',
  });
}
