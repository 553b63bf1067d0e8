/**
 * Keeps a wrong PIN from locking a token. Tokens allow a few tries, and
 * programs repeat themselves: so a PIN that was refused is recorded on disk
 * and not presented again, whichever source it comes from. A login of unknown
 * end is made once more; after that, only where the source's PIN was accepted
 * before, with growing pauses. A record holds no PIN.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { makeFolder } from '../../platform/file-system.ts';
import { systemCode } from '../../platform/files.ts';
import { awaited } from '../../platform/waits.ts';
import { TOKEN_FLAGS } from './constants.ts';
import type { TokenInfo } from './cryptoki.ts';
import type { Pin, PinSource } from './pin.ts';
import { parseHolder, readIfThere, readRecord, remove, writeNew } from './pin-record.ts';
import type { Doubt, Holder, Origin, PinRecord } from './pin-record.ts';

/**
 * The user's PIN, or the one that a key asks for at each signature: tokens may tell them apart. In a TPM, what a password
 * is of.
 */
export type Purpose = 'user' | 'context' | 'key' | 'parent' | 'hierarchy' | 'index';

/** What refuses: a token, by what it says of itself, or something in a TPM, by its name there. */
export type Keeper = Pick<TokenInfo, 'manufacturer' | 'model' | 'serial' | 'label'> & Partial<Pick<TokenInfo, 'flags'>>;

/** Where a PIN is from. */
type Named = Pick<PinSource, 'key' | 'description'>;

/** How a login ended. `unpresented`: it failed before the token counted a try. */
export type Outcome = 'accepted' | 'refused' | 'unpresented' | 'unknown';

/** Tokens lock sooner. */
const MAX_REFUSED = 8;

/** So many logins in a row may end nobody knows how, before it needs more than a PIN that is given. */
const MAX_DOUBTS = 2;

/** The pause after those, where the source's PIN was accepted before; it doubles with each one that follows. */
const DOUBT_PAUSE_MS = 10_000;

export interface GuardOptions {
  directory: string;
  /** How long to wait for another process's login to the same token; as long as they come and go, there is no limit. Default 35 seconds: a call of a module may take 30. */
  waitMs?: number | undefined;
  pollMs?: number | undefined;
  now?: (() => Date) | undefined;
  /**
   * What is presented, for messages. Default `PIN`. A `password` of a TPM is presented again after an unknown outcome: a TPM
   * tells how many tries are left, which is looked at each time.
   */
  secret?: Secret | undefined;
}

type Secret = 'PIN' | 'password';

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
  readonly #secret: Secret;

  constructor(options: GuardOptions) {
    const { directory, waitMs = 35_000, pollMs = 20, now = () => new Date(), secret = 'PIN' } = options;
    this.#directory = directory;
    this.#waitMs = waitMs;
    this.#pollMs = pollMs;
    this.#now = now;
    this.#secret = secret;
  }

  /**
   * Presents a PIN once, unless a record speaks against it. The record is written before the token sees the PIN, so that
   * a crash cannot lose it; no two processes present a PIN to the same token at a time.
   *
   * @param login presents the PIN; its error says by `outcomeOf` how it ended
   * @throws RolesAnywhereError `ERR_PIN_WITHHELD`, `ERR_PIN_STATE`; and what `login` throws
   */
  async present(
    token: Keeper,
    purpose: Purpose,
    source: Named,
    pin: Pin,
    login: () => Promise<void>,
    outcomeOf: (error: unknown) => Outcome,
  ): Promise<void> {
    const file = this.#file(token, purpose);
    const lock = `${file}.lock`;
    await awaited('another process to present its PIN to the token', async () => await this.#take(lock, source));
    try {
      const before = readRecord(file);
      const low = ((token.flags ?? 0) & TOKEN_FLAGS.pinCountLow) !== 0;
      this.#judge(file, before ?? NOTHING, low, source, pin);
      const during = this.#during(before ?? NOTHING, token, low, source, pin);
      await this.#write(file, during);
      const outcome = await run(login, outcomeOf);
      const after = afterwards(before, during, outcome.outcome, source, pin);
      if (after === undefined) await rm(file, { force: true });
      else if (after !== during) await this.#write(file, after);
      if ('error' in outcome) throw outcome.error;
    } finally {
      await rm(lock, { force: true });
    }
  }

  #file(token: Keeper, purpose: Purpose): string {
    // Not the slot: its number differs by route and by process. Nor the source: one PIN may come from several.
    const parts = [token.manufacturer, token.model, token.serial, token.label, purpose];
    return join(
      this.#directory,
      `${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)}.json`,
    );
  }

  /** Waits for its turn. */
  async #take(lock: string, source: Named): Promise<void> {
    let deadline = performance.now() + this.#waitMs;
    let last: string | undefined;
    for (;;) {
      if (await this.#create(lock)) return;
      const text = readIfThere(lock);
      if (text === undefined) continue;
      if (text !== last) deadline = performance.now() + this.#waitMs;
      last = text;
      const holder = parseHolder(text);
      // What cannot be read is being written, or was cut off: waiting tells.
      const isHeld = holder === undefined || isRunning(holder);
      if (isHeld && performance.now() < deadline) {
        await sleep(this.#pollMs);
        continue;
      }
      if (isHeld && holder !== undefined) throw this.#busy(lock, holder, source);
      await remove(lock, text);
    }
  }

  async #create(lock: string): Promise<boolean> {
    try {
      await makeFolder(this.#directory);
      await writeNew(lock, JSON.stringify({ pid: process.pid, owner: OWNER, turn: randomBytes(8).toString('hex') }));
      return true;
    } catch (cause) {
      if (systemCode(cause) === 'EEXIST') return false;
      throw this.#noState(cause);
    }
  }

  /** Replaces a record whole. Those who do hold the lock. */
  async #write(file: string, known: PinRecord): Promise<void> {
    const fresh = `${file}.${OWNER}`;
    try {
      await rm(fresh, { force: true });
      await writeNew(fresh, JSON.stringify(known));
      await rename(fresh, file);
    } catch (cause) {
      throw this.#noState(cause);
    }
  }

  #noState(cause: unknown): RolesAnywhereError {
    return new RolesAnywhereError('ERR_PIN_STATE', `no record of refused PINs can be kept in ${this.#directory}`, {
      hint: 'without it a wrong PIN could lock the token; set ROLES_ANYWHERE_STATE_DIR to a folder that this user can write to',
      cause,
    });
  }

  #busy(lock: string, { pid }: Holder, source: Named): RolesAnywhereError {
    return new RolesAnywhereError(
      this.#code(),
      `the ${this.#secret} in ${source.description} is not presented now: process ${pid} is presenting one there`,
      { hint: `try again when that is over; if that process has nothing to do with it, remove ${lock}` },
    );
  }

  /** @param seconds after which it is presented by itself */
  #withheld(file: string, source: Named, why: string, seconds?: number): RolesAnywhereError {
    const when = seconds === undefined ? 'again' : `for ${seconds} seconds`;
    return new RolesAnywhereError(
      this.#code(),
      `the ${this.#secret} in ${source.description} is not presented ${when}: ${why}`,
      { hint: `correct the ${this.#secret} there; if it is right, remove ${file} to have it tried once more` },
    );
  }

  #code(): ErrorCode {
    return this.#secret === 'PIN' ? 'ERR_PIN_WITHHELD' : 'ERR_TPM_PASSWORD_WITHHELD';
  }

  /** Throws when the PIN is not to be presented. */
  #judge(file: string, { refused = [], accepted, doubt }: PinRecord, low: boolean, source: Named, pin: Pin): void {
    if (refused.some(({ tag }) => fitsTag(pin, tag)))
      throw this.#withheld(file, source, `the ${this.#secret === 'PIN' ? 'token' : 'TPM'} refused it before`);
    if (this.#secret === 'password' || doubt === undefined || isAnother(doubt, source, pin)) return;
    // A wrong PIN that the token has counted since: it may have been this one.
    const count = doubt.count + (low && doubt.low !== true ? 1 : 0);
    if (count < MAX_DOUBTS) return;
    const why = `nobody knows how the last ${doubt.count === 1 ? 'login' : `${doubt.count} logins`} with it ended`;
    if (!isFrom(accepted, source, pin)) throw this.#withheld(file, source, why);
    const pause = DOUBT_PAUSE_MS * 2 ** (count - MAX_DOUBTS);
    const rest = Date.parse(doubt.at ?? '') + pause - this.#now().getTime();
    if (rest > 0 && rest <= pause) throw this.#withheld(file, source, why, Math.ceil(rest / 1000));
  }

  /** The record while the login is made: should this process die in it, its end is not known. */
  #during(before: PinRecord, token: Keeper, low: boolean, source: Named, pin: Pin): PinRecord {
    const { accepted } = before;
    const earlier = before.doubt !== undefined && !isAnother(before.doubt, source, pin) ? before.doubt : undefined;
    const count = (earlier?.count ?? 0) + 1;
    const isLast = count >= MAX_DOUBTS && pin.stamp === undefined && !isFrom(accepted, source, pin);
    return {
      ...before,
      token: `${token.manufacturer} ${token.model} ${token.serial} ${token.label}`,
      doubt: {
        source: source.key,
        stamp: pin.stamp,
        count,
        at: this.#now().toISOString(),
        low: earlier?.low ?? low,
        tag: isLast ? newTag(pin) : undefined,
      },
    };
  }
}

const NOTHING: PinRecord = { version: 2 };

async function run(
  login: () => Promise<void>,
  outcomeOf: (error: unknown) => Outcome,
): Promise<{ outcome: Outcome } | { outcome: Outcome; error: unknown }> {
  try {
    await login();
    return { outcome: 'accepted' };
  } catch (error) {
    return { outcome: outcomeOf(error), error };
  }
}

/** The record after a login; undefined for none. */
function afterwards(
  before: PinRecord | undefined,
  during: PinRecord,
  outcome: Outcome,
  source: Named,
  pin: Pin,
): PinRecord | undefined {
  const { token, refused = [], accepted } = during;
  switch (outcome) {
    case 'accepted':
      // What other sources hold is still wrong.
      return {
        version: 2,
        token,
        refused: refused.filter((one) => one.source !== source.key),
        accepted: { source: source.key, stamp: pin.stamp },
      };
    case 'refused':
      return {
        version: 2,
        token,
        refused: [...refused, { source: source.key, tag: newTag(pin) }].slice(-MAX_REFUSED),
        accepted: accepted?.source === source.key ? undefined : accepted,
      };
    case 'unpresented':
      return before;
    case 'unknown':
    default:
      return during;
  }
}

/** Salt and one byte of a hash: enough to see a change in 255 cases of 256, and nothing to guess a PIN from. */
function newTag(pin: Pin): string {
  return tagOf(pin, randomBytes(8).toString('hex'));
}

function tagOf(pin: Pin, salt: string): string {
  return `${salt} ${createHmac('sha256', salt).update(pin.bytes).digest('hex').slice(0, 2)}`;
}

function fitsTag(pin: Pin, tag: string): boolean {
  return tagOf(pin, tag.slice(0, tag.indexOf(' '))) === tag;
}

/** Whether a source's PIN is what it was. */
function isFrom(origin: Origin | undefined, source: Named, pin: Pin): boolean {
  return origin?.source === source.key && origin.stamp === pin.stamp;
}

/** Whether a PIN is surely not the one whose login ended nobody knows how. */
function isAnother(doubt: Doubt, source: Named, pin: Pin): boolean {
  if (doubt.tag !== undefined) return !fitsTag(pin, doubt.tag);
  return (
    doubt.source === source.key && doubt.stamp !== undefined && pin.stamp !== undefined && doubt.stamp !== pin.stamp
  );
}

function isRunning({ pid, owner }: Holder): boolean {
  return pid === process.pid ? owner === OWNER : isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
