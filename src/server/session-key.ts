/**
 * The key of IMDS' session tokens, kept for the next process. The SDK for Go v1
 * and the AWS Common Runtime hold a token for hours, and report a 401 instead
 * of asking for a new one: a restart would cost each of them a renewal.
 */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../platform/log.ts';
import { lstat, makeFolder, readFile, rename, rm, writeFile } from '../platform/file-system.ts';
import { readNamedFile, systemCode } from '../platform/files.ts';
import { SESSION_KEY_BYTES } from './session-tokens.ts';

/** The key in base64url, and the system's start that it belongs to: the tokens' ends are counted from there. */
const FORM = /^([\w-]{43}) ([\da-f-]{36})\n$/;

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export interface SessionKeyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Says which start of the system this is; undefined where nothing does. Default: Linux'. */
  readonly bootId?: (() => string | undefined) | undefined;
}

/**
 * Takes the key that an earlier process left in the runtime directory, or
 * leaves a new one there (mode 0600).
 *
 * @returns undefined where there is no such directory, and where it cannot be used: then tokens end with the process
 */
export async function keptSessionKey({
  env,
  log,
  bootId = linuxBootId,
}: SessionKeyOptions): Promise<Buffer | undefined> {
  const path = sessionKeyFile(env);
  const boot = bootId();
  if (path === undefined || boot === undefined) return undefined;
  try {
    const kept = await read(path);
    if (kept === 'foreign') {
      log.warn('IMDS tokens will end with this process: a file that holds no key is in the place of theirs', { path });
      return undefined;
    }
    if (kept?.boot === boot) return kept.key;
    const key = randomBytes(SESSION_KEY_BYTES);
    await write(path, `${key.toString('base64url')} ${boot}\n`);
    return key;
  } catch (error) {
    log.warn('IMDS tokens will end with this process: their key cannot be kept', { path, reason: systemCode(error) });
    return undefined;
  }
}

/**
 * The key's place: the service's runtime directory, which systemd keeps over a
 * restart (`RuntimeDirectoryPreserve=restart`), or the user's.
 */
export function sessionKeyFile(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const service = env['RUNTIME_DIRECTORY']?.split(':')[0];
  if (service !== undefined && service !== '') return join(service, 'imds-key');
  const user = env['XDG_RUNTIME_DIR'];
  return user === undefined || user === '' ? undefined : join(user, 'roles-anywhere', 'imds-key');
}

/** Reads what an earlier process wrote; undefined when there is nothing, or others could have read it. */
async function read(path: string): Promise<{ key: Buffer; boot: string } | 'foreign' | undefined> {
  let stats: Stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  // Looked at before it is opened: a pipe would not let go.
  if (!stats.isFile() || stats.size > 128) return 'foreign';
  const [, key, boot] = FORM.exec(await readFile(path, 'latin1')) ?? [];
  if (key === undefined || boot === undefined) return 'foreign';
  const isPrivate = (stats.mode & 0o077) === 0 && stats.uid === process.getuid?.();
  return isPrivate ? { key: Buffer.from(key, 'base64url'), boot } : undefined;
}

/** Renamed into place, so that it is whole at any time. */
async function write(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  await makeFolder(dirname(path));
  try {
    await writeFile(temporary, text, { flag: 'wx', mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary).catch(() => undefined);
    throw error;
  }
}

function linuxBootId(): string | undefined {
  try {
    const { bytes } = readNamedFile({ path: BOOT_ID, name: BOOT_ID, maxBytes: 64 });
    return Buffer.from(bytes).toString('latin1').trim();
  } catch {
    return undefined;
  }
}
