/**
 * Keeps a wrong PIN from locking a token. Tokens allow a few tries, and
 * programs repeat themselves: so a PIN that was refused, or whose login had an
 * unknown outcome, is recorded on disk and not presented again until its source
 * changes or someone removes the record. A record holds no PIN.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { makeFolder } from '../../platform/file-system.ts';
import { type NamedFile, readNamedFile, systemCode } from '../../platform/files.ts';
import type { TokenInfo } from './cryptoki.ts';
import type { Pin, PinSource } from './pin.ts';

/**
 * The user's PIN, or the one that a key asks for at each signature: tokens may tell them apart. In a TPM, what a password
 * is of.
 */
export type Purpose = 'user' | 'context' | 'key' | 'parent' | 'hierarchy' | 'index';

/** What refuses: a token, by what it says of itself, or something in a TPM, by its name there. */
export type Keeper = Pick<TokenInfo, 'manufacturer' | 'model' | 'serial' | 'label'>;

/** How a login ended. `unpresented`: it failed before the token counted a try. */
export type Outcome = 'accepted' | 'refused' | 'unpresented' | 'unknown';

interface Marker {
  version: 1;
  /** `presented` while the login runs; for good when its process died in it. */
  state: 'presented' | 'refused' | 'unknown';
  token: string;
  source: string;
  at: string;
  pid: number;
  /** Tells this process from another one with the same number. */
  owner: string;
  /** The source's stamp, where it has one. */
  stamp?: string | undefined;
  /** Refused PINs, which are not the token's: a salt and one byte of a hash each, to know them when they come back. */
  refused?: string[] | undefined;
}

/** Tokens lock sooner. */
const MAX_REFUSED = 8;

export interface GuardOptions {
  directory: string;
  /** How long to wait for another process that logs in with the same PIN. Default 10 seconds. */
  waitMs?: number | undefined;
  pollMs?: number | undefined;
  now?: (() => Date) | undefined;
  /**
   * What is presented, for messages. Default `PIN`. A `password` of a TPM is presented again after an unknown outcome: a TPM
   * tells how many tries are left, which is looked at each time.
   */
  secret?: 'PIN' | 'password' | undefined;
}

/**
 * Where records are kept: `$ROLES_ANYWHERE_STATE_DIR`, `$XDG_STATE_HOME/roles-anywhere`, `~/.local/state/roles-anywhere`;
 * on Windows `%LOCALAPPDATA%\roles-anywhere\state`.
 */
export function guardDirectory(
  env: Readonly<Record<string, string | undefined>>,
  home: () => string = () => userInfo().homedir,
): string {
  const { ROLES_ANYWHERE_STATE_DIR: own, XDG_STATE_HOME: xdg, LOCALAPPDATA: local } = env;
  if (own !== undefined && own !== '') return join(own, 'pins');
  if (process.platform === 'win32' && local !== undefined) return join(local, 'roles-anywhere', 'state', 'pins');
  // The specification says to ignore relative paths.
  const base =
    xdg?.startsWith('/') === true
      ? xdg
      : join(env['HOME']?.startsWith('/') === true ? env['HOME'] : home(), '.local', 'state');
  return join(base, 'roles-anywhere', 'pins');
}

const OWNER = randomBytes(8).toString('hex');

export class PinGuard {
  readonly #directory: string;
  readonly #waitMs: number;
  readonly #pollMs: number;
  readonly #now: () => Date;
  readonly #secret: 'PIN' | 'password';

  constructor(options: GuardOptions) {
    const { directory, waitMs = 10_000, pollMs = 20, now = () => new Date(), secret = 'PIN' } = options;
    this.#directory = directory;
    this.#waitMs = waitMs;
    this.#pollMs = pollMs;
    this.#now = now;
    this.#secret = secret;
  }

  /**
   * Presents a PIN once, unless a record speaks against it. The record is written before the token sees the PIN, so that
   * a crash cannot lose it; no two processes present a PIN of the same source to the same token at a time.
   *
   * @param login presents the PIN; its error says by `outcomeOf` how it ended
   * @throws RolesAnywhereError `ERR_PIN_WITHHELD`, `ERR_PIN_STATE`; and what `login` throws
   */
  async present(
    token: Keeper,
    purpose: Purpose,
    source: Pick<PinSource, 'key' | 'description'>,
    pin: Pin,
    login: () => Promise<void>,
    outcomeOf: (error: unknown) => Outcome,
  ): Promise<void> {
    const file = this.#file(token, purpose, source);
    const marker: Marker = {
      version: 1,
      state: 'presented',
      token: `${token.manufacturer} ${token.model} ${token.serial} ${token.label}`,
      source: source.key,
      at: this.#now().toISOString(),
      pid: process.pid,
      owner: OWNER,
      stamp: pin.stamp,
    };
    await this.#claim(file, marker, source, pin);
    try {
      await login();
    } catch (error) {
      await this.#conclude(file, marker, pin, outcomeOf(error));
      throw error;
    }
    await this.#conclude(file, marker, pin, 'accepted');
  }

  #file(token: Keeper, purpose: Purpose, source: Pick<PinSource, 'key'>): string {
    // Not the slot: its number differs by route and by process.
    const parts = [token.manufacturer, token.model, token.serial, token.label, purpose, source.key];
    return join(
      this.#directory,
      `${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)}.json`,
    );
  }

  async #claim(file: string, marker: Marker, source: Pick<PinSource, 'description'>, pin: Pin): Promise<void> {
    const deadline = performance.now() + this.#waitMs;
    for (;;) {
      if (await this.#create(file, marker)) return;
      const text = readIfThere(file);
      if (text === undefined) continue;
      const found = parse(text);
      if (isInFlight(found) && performance.now() < deadline) {
        await sleep(this.#pollMs);
        continue;
      }
      if (!this.#mayPresent(found, pin)) throw withheld(file, found, source, this.#secret);
      if (found?.refused !== undefined) marker.refused = found.refused;
      await remove(file, text);
    }
  }

  #mayPresent(found: Marker | undefined, pin: Pin): boolean {
    if (found !== undefined && hasChanged(found, pin)) return true;
    if (this.#secret === 'PIN') return false;
    return found === undefined || (found.state !== 'refused' && !isInFlight(found) && !wasRefused(found, pin));
  }

  async #create(file: string, marker: Marker): Promise<boolean> {
    try {
      await makeFolder(this.#directory);
      await writeNew(file, JSON.stringify(marker));
      return true;
    } catch (cause) {
      if (systemCode(cause) === 'EEXIST') return false;
      throw new RolesAnywhereError('ERR_PIN_STATE', `no record of refused PINs can be kept in ${this.#directory}`, {
        hint: 'without it a wrong PIN could lock the token; set ROLES_ANYWHERE_STATE_DIR to a folder that this user can write to',
        cause,
      });
    }
  }

  async #conclude(file: string, marker: Marker, pin: Pin, outcome: Outcome): Promise<void> {
    if (outcome === 'accepted' || outcome === 'unpresented') return rm(file, { force: true });
    const final: Marker = { ...marker, state: outcome };
    if (outcome === 'refused') {
      const tag = tagOf(pin, randomBytes(8).toString('hex'));
      final.refused = [...(marker.refused ?? []), tag].slice(-MAX_REFUSED);
    }
    const fresh = `${file}.${OWNER}`;
    await writeFile(fresh, JSON.stringify(final), { mode: 0o600 });
    return rename(fresh, file);
  }
}

/** Salt and one byte of a hash: enough to see a change in 255 cases of 256, and nothing to guess a PIN from. */
function tagOf(pin: Pin, salt: string): string {
  return `${salt} ${createHmac('sha256', salt).update(pin.bytes).digest('hex').slice(0, 2)}`;
}

/** Not the last one only: two lines of a configuration with two wrong PINs take turns. */
function wasRefused({ refused = [] }: Marker, pin: Pin): boolean {
  return refused.some((tag) => tagOf(pin, tag.slice(0, tag.indexOf(' '))) === tag);
}

function hasChanged(marker: Marker, pin: Pin): boolean {
  const { state, stamp, refused = [] } = marker;
  if (wasRefused(marker, pin)) return false;
  if (state === 'refused') return refused.length > 0;
  // Of a PIN that may be right nothing is recorded, not even a byte of a hash.
  return pin.stamp !== undefined && stamp !== undefined && pin.stamp !== stamp;
}

/** Whether some process is presenting the PIN now. What cannot be read is being written, or was cut off: waiting tells. */
function isInFlight(found: Marker | undefined): boolean {
  if (found === undefined) return true;
  if (found.state !== 'presented') return false;
  return found.pid === process.pid ? found.owner === OWNER : isAlive(found.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Leaves no empty file on a full disk: it would count as a login of unknown outcome. */
async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return Buffer.from(readNamedFile(record(file)).bytes).toString('utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function record(file: string): NamedFile {
  return {
    path: file,
    name: `the record ${file}`,
    code: 'ERR_PIN_STATE',
    hint: 'it belongs to another user, or is not a file: remove it',
  };
}

/** Removes a record if it still is the one that was read: between, another process may have claimed it anew. */
async function remove(file: string, text: string): Promise<void> {
  const aside = `${file}.${OWNER}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  if (readIfThere(aside) === text) await rm(aside, { force: true });
  else await rename(aside, file);
}

function parse(text: string): Marker | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isMarker(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMarker(value: unknown): value is Marker {
  if (typeof value !== 'object' || value === null) return false;
  const { version, state, pid, owner, stamp, refused }: Partial<Record<keyof Marker, unknown>> = value;
  return (
    version === 1 &&
    (state === 'presented' || state === 'refused' || state === 'unknown') &&
    typeof pid === 'number' &&
    typeof owner === 'string' &&
    (stamp === undefined || typeof stamp === 'string') &&
    (refused === undefined || (Array.isArray(refused) && refused.every((tag) => typeof tag === 'string')))
  );
}

function withheld(
  file: string,
  found: Marker | undefined,
  source: Pick<PinSource, 'description'>,
  secret: 'PIN' | 'password',
): RolesAnywhereError {
  const code = secret === 'PIN' ? 'ERR_PIN_WITHHELD' : 'ERR_TPM_PASSWORD_WITHHELD';
  if (found !== undefined && isInFlight(found))
    return new RolesAnywhereError(
      code,
      `the ${secret} in ${source.description} is not presented now: process ${found.pid} is logging in with it`,
      { hint: `try again when that is over; if that process has nothing to do with it, remove ${file}` },
    );
  const why =
    found?.state === 'refused'
      ? `the ${secret === 'PIN' ? 'token' : 'TPM'} refused it before`
      : 'nobody knows how the last login with it ended';
  return new RolesAnywhereError(code, `the ${secret} in ${source.description} is not presented again: ${why}`, {
    hint: `correct the ${secret} there; if it is right, remove ${file} to have it tried once more`,
  });
}
