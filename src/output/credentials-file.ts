/** Writes credentials into the file that AWS tools share, in which others write too. */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { processAge } from '../platform/clock.ts';
import * as fs from '../platform/file-system.ts';
import { MAX_FILE_BYTES, readNamedFile, systemCode } from '../platform/files.ts';
import { takeLock } from '../platform/file-lock.ts';
import type { Lock, LockTimes } from '../platform/file-lock.ts';
import { awaited } from '../platform/waits.ts';
import { PROFILE_NAME_HINT, isCredentialsProfile } from '../options/config/profile-name.ts';
import { verdictOf } from './being-written.ts';
import { editProfile, removeFromProfile } from './profile-edit.ts';
import type { Settings } from './profile-edit.ts';

/** The options of {@link writeCredentialsFile}. */
export interface CredentialsFileOptions {
  /** The set to write: of `createSession` or `assumeRole`, or of a provider. */
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string | undefined;
    readonly accountId?: string | undefined;
  };
  /** Default `default`. */
  readonly profile?: string | undefined;
  /** Default: `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`. A leading `~/` is the home directory. */
  readonly file?: string | undefined;
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The times to wait for other writers. */
  readonly lock?: LockTimes | undefined;
  /** Gives up waiting, and leaves the file as it is. */
  readonly signal?: AbortSignal | undefined;
  /** Called when others than the owner may read the file, whose mode is kept. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

const HINT = 'nothing was changed; check the file, its folder and who may write there';
const MAX_LINKS = 40;
const NO_OTHERS = 0o600;
/** Most attempts: writers that keep no lock may come in between, but not time after time. */
const MAX_TURNS = 10;
/** How often it is looked whether another program has written the file. */
const LOOK_AGAIN_MS = 10;
/** What is written of credentials, and what botocore would prefer to it. */
const KEYS = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'aws_security_token'] as const;
const TEMPORARY = /^[0-9a-f]{16}\.tmp$/;

/**
 * Writes credentials into a profile of the shared credentials file, and leaves
 * every other line as it is, to the byte. The file is replaced as a whole or
 * not at all (a new file, synced and renamed into place); symbolic links are
 * followed; owner and mode are kept. A new file has mode 0600, a new directory
 * 0700. Writers wait for each other by `FILE.lock`.
 *
 * The three keys of the credentials are set, or removed for want of a value.
 * `aws_security_token`, which botocore would prefer, is removed, and an
 * `aws_account_id` that is there is kept true. SDKs honour no expiration in
 * this file, so none is written.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 *
 * @returns the file that was written, symbolic links resolved
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE` for a file that cannot be written, is larger than 1 MiB, or would be
 * refused whole by the AWS CLI (with the line): nothing is changed then
 */
export async function writeCredentialsFile(options: CredentialsFileOptions): Promise<string> {
  const { profile = 'default', onWarning } = options;
  const settings = settingsOf(options.credentials);
  checkProfile(profile);
  const { path, mode } = await editSharedFile(options, (text, file) => editProfile(text, profile, settings, file));
  if (mode !== undefined && (mode & ~NO_OTHERS) !== 0)
    warn(onWarning, `${path} has mode 0${mode.toString(8)}: others may read the credentials`);
  return path;
}

/** The file to change, and how long others are waited for. */
export type CredentialsFileTarget = Pick<CredentialsFileOptions, 'file' | 'env' | 'lock' | 'signal'>;

/** As long as any value is: what is checked is the text around it. */
const SOME_CREDENTIALS = { accessKeyId: 'x', secretAccessKey: 'x', sessionToken: 'x', accountId: 'x' };

/**
 * Finds out whether {@link writeCredentialsFile} would work: makes the folder, takes the lock, and changes nothing.
 *
 * @returns the file that would be written, symbolic links resolved
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE`
 */
export async function checkCredentialsFile(
  target: CredentialsFileTarget,
  profiles: readonly string[],
): Promise<string> {
  const { path } = await editSharedFile(target, (text, file) => {
    for (const profile of profiles) editProfile(text, profile, settingsOf(SOME_CREDENTIALS), file);
    return undefined;
  });
  return path;
}

/**
 * Takes credentials out of a profile, if they are there still. Its other lines stay, and its header.
 *
 * @param accessKeyId of the credentials
 * @returns whether they were there
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE`
 */
export async function removeCredentials(
  target: CredentialsFileTarget,
  profile: string,
  accessKeyId: string,
): Promise<boolean> {
  const { mode } = await editSharedFile(target, (text, file) =>
    removeFromProfile(text, profile, { accessKeyId, names: KEYS }, file),
  );
  return mode !== undefined;
}

/**
 * Edits a file that AWS tools share, under its lock.
 *
 * @param edit gives the new text of the file, which it names in its errors; undefined to leave it as it is
 * @returns the mode of the file that was written; undefined when none was
 */
export async function editSharedFile(
  { file, env = process.env, lock: times, signal }: CredentialsFileTarget,
  edit: (text: string, file: string) => string | undefined,
): Promise<{ path: string; mode: number | undefined }> {
  const named = pathOf(file ?? env['AWS_SHARED_CREDENTIALS_FILE'], env);
  signal?.throwIfAborted();
  try {
    await fs.makeFolder(dirname(named));
    const path = await followLinks(named);
    const lock = await awaited(`the lock of ${path}`, async () => await takeLock(`${path}.lock`, times, signal));
    try {
      return { path, mode: await rewrite(path, lock, (text) => edit(text, path), signal) };
    } finally {
      await lock.release();
    }
  } catch (cause) {
    if (cause instanceof RolesAnywhereError || (signal?.aborted === true && cause === signal.reason)) throw cause;
    throw failure(`cannot write ${named} (${systemCode(cause) ?? 'unknown reason'})`, cause);
  }
}

/** @throws RolesAnywhereError `ERR_CREDENTIALS_FILE` for a value that would not be read as it is; names the key, never the value */
function settingsOf(credentials: CredentialsFileOptions['credentials']): Record<'wanted' | 'followers', Settings> {
  const { accessKeyId, secretAccessKey, sessionToken, accountId } = credentials;
  const settings = new Map<string, string | undefined>([
    ['aws_access_key_id', accessKeyId],
    ['aws_secret_access_key', secretAccessKey],
    ['aws_session_token', sessionToken],
    ['aws_security_token', undefined],
  ]);
  for (const [name, value] of [...settings, ['aws_account_id', accountId] as const]) {
    const isOptional = name !== 'aws_access_key_id' && name !== 'aws_secret_access_key';
    if (value === undefined ? isOptional : typeof value === 'string' && /^(?![#;])[!-~]+$/.test(value)) continue;
    throw failure(`the value for ${name} cannot be written to a credentials file`);
  }
  return { wanted: settings, followers: new Map([['aws_account_id', accountId]]) };
}

/** Refuses names that not all tools find. */
export function checkProfile(profile: string): void {
  if (isCredentialsProfile(profile)) return;
  throw new RolesAnywhereError(
    'ERR_CREDENTIALS_FILE',
    `${JSON.stringify(profile)} cannot be a profile of a credentials file`,
    { hint: PROFILE_NAME_HINT },
  );
}

function pathOf(file: string | undefined, env: NonNullable<CredentialsFileOptions['env']>): string {
  const home = (process.platform === 'win32' ? '' : env['HOME']) || homedir() || userInfo().homedir;
  if (file === undefined || file === '') return join(home, '.aws', 'credentials');
  return file.startsWith('~/') ? join(home, file.slice(2)) : resolve(file);
}

/** Follows symbolic links, also one to a file that is yet to be made. */
async function followLinks(path: string, links = 0): Promise<string> {
  const place = join(await fs.realpath(dirname(path)), basename(path));
  const target = await fs.readlink(place).catch(() => undefined);
  if (target === undefined) return place;
  if (links === MAX_LINKS) throw failure(`${path} is a link that leads in a circle`);
  return await followLinks(resolve(dirname(place), target), links + 1);
}

/** Puts the edited text in place of the file's, and gives the mode of the file; undefined when there is nothing to edit. */
async function rewrite(
  path: string,
  lock: Lock,
  edit: (text: string) => string | undefined,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  await removeLeftovers(path);
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const before = await awaited(`whoever writes ${path} at this moment`, async () => await readWhole(path, signal));
    const text = edit(before?.text ?? '');
    if (text === undefined) return undefined;
    if (Buffer.byteLength(text) > MAX_FILE_BYTES) throw failure(`${path} would become larger than 1 MiB`);
    const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
    try {
      const mode = await writeTemporary(temporary, text, before?.stats);
      // What another program wrote since is not to be undone: begin again.
      if (!(await lock.isHeld()))
        throw failure(`the lock ${path}.lock was lost: this process was stopped for too long`);
      if (!isSame(before?.stats, await statsOf(path))) continue;
      await fs.rename(temporary, path);
      await syncDirectory(dirname(path));
      return mode;
    } finally {
      await fs.discard(temporary);
    }
  }
  throw changing(path);
}

/** The file, once nobody is in the middle of writing it. */
async function readWhole(path: string, signal: AbortSignal | undefined): Promise<Current | undefined> {
  const began = processAge();
  for (;;) {
    signal?.throwIfAborted();
    const current = readCurrent(path);
    if (current === undefined) return undefined;
    const { text, isTorn, stats } = current;
    const [changedMs, nowMs, waitedMs] = [stats.mtimeMs, Date.now(), processAge() - began];
    const verdict = verdictOf({ text, isTorn, changedMs, nowMs, waitedMs });
    if (verdict === 'whole') return current;
    if (verdict === 'give up') throw changing(path);
    await new Promise((wake) => setTimeout(wake, LOOK_AGAIN_MS));
  }
}

/** What a file holds. */
interface Current {
  readonly text: string;
  readonly stats: Stats;
  /** Whether it changed while it was read. */
  readonly isTorn: boolean;
}

function readCurrent(path: string): Current | undefined {
  try {
    const { bytes, stats } = readNamedFile({ path, name: path, code: 'ERR_CREDENTIALS_FILE', hint: HINT });
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, stats, isTorn: bytes.length !== stats.size };
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw cause instanceof RolesAnywhereError ? cause : failure(`${path} is not UTF-8`, cause);
  }
}

/** Writes and syncs a file with the owner and the mode of the one that it is to replace, and gives the mode. */
async function writeTemporary(path: string, text: string, before: Stats | undefined): Promise<number> {
  const descriptor = await fs.open(path, 'wx', NO_OTHERS);
  try {
    let mode = before === undefined ? NO_OTHERS : before.mode & 0o777;
    if (process.platform !== 'win32') {
      const own = await fs.fstat(descriptor);
      if (before !== undefined && own.uid !== before.uid) await fs.fchown(descriptor, before.uid, before.gid);
      else if (before !== undefined && own.gid !== before.gid)
        await fs.fchown(descriptor, own.uid, before.gid).catch(() => {
          mode &= ~0o070; // they would be of another group
        });
      await fs.fchmod(descriptor, mode);
    }
    await fs.writeFile(descriptor, text);
    await fs.fsync(descriptor);
    return mode;
  } finally {
    await fs.close(descriptor);
  }
}

/** Syncs the directory, so that the new name survives a power cut as well. Windows and some file systems cannot. */
async function syncDirectory(path: string): Promise<void> {
  const descriptor = await fs.open(path, 'r').catch(() => undefined);
  if (descriptor === undefined) return;
  await fs.fsync(descriptor).catch(() => undefined);
  await fs.close(descriptor);
}

/** Removes the files, with credentials, of processes that were killed before they renamed them. The lock is held: none is in use. */
async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await fs.readdir(dirname(path)))
    if (name.startsWith(prefix) && TEMPORARY.test(name.slice(prefix.length)))
      await fs.rm(join(dirname(path), name), { force: true });
}

async function statsOf(path: string): Promise<Stats | undefined> {
  return await fs.stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  });
}

function isSame(a: Stats | undefined, b: Stats | undefined): boolean {
  return a?.ino === b?.ino && a?.size === b?.size && a?.mtimeMs === b?.mtimeMs;
}

function warn(onWarning: CredentialsFileOptions['onWarning'], message: string): void {
  try {
    onWarning?.(message);
  } catch {
    // The file is written: whoever is told cannot undo that.
  }
}

function changing(path: string): RolesAnywhereError {
  return failure(`${path} is being changed all the time by another program`);
}

function failure(message: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_CREDENTIALS_FILE', message, { hint: HINT, cause });
}
