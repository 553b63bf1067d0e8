/** Credentials that processes share: taken from a store while they are fresh, and renewed there by one of those who ask. */
import { RolesAnywhereError } from '../../platform/errors.ts';
import { processAge } from '../../platform/clock.ts';
import type { SessionCredentials } from '../credentials.ts';
import { formatExpiration } from '../expiration.ts';
import { CACHE_VERSION, isFresh, isStillGood, unpacked } from './entry.ts';
import type { CacheEntry } from './entry.ts';
import { readEntry } from './read-entry.ts';
import { bootOf, countedNow, stampOfPlace } from './safe-file.ts';
import type { CredentialsStore, StoreLock } from './store.ts';

export interface KeepRequest {
  readonly store: CredentialsStore;
  readonly key: string;
  /** The role that is asked for, for whoever lists what is kept. */
  readonly role: string;
  /** The absolute path of the file of the certificate or token, or of a folder to choose from; undefined where it is in none. */
  readonly certificate: string | undefined;
  /** What must be left of a set's life, in milliseconds. At most a third of its whole life counts. */
  readonly minRemainingMs: number;
  /** How long to wait for others, in milliseconds. */
  readonly waitMs: number;
  /**
   * Asks the service.
   *
   * @param waitedMs how long others were waited for
   */
  readonly vend: (waitedMs: number) => Promise<{ credentials: SessionCredentials; clockOffset: number }>;
  /** Whether the key is that of what was just obtained: variables may have changed meanwhile. Default: yes. */
  readonly isStill?: (() => boolean) | undefined;
  /** Told what is odd and no reason to fail. */
  readonly onWarning: (message: string) => void;
  /** Only sets that were obtained at this moment or later will do, in milliseconds since 1970. Default: all. */
  readonly since?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** After a renewal that failed, the set in hand is given out for so long without another attempt: by chance, up to double. */
const HOLD_MS = 30_000;

/**
 * Gives a fresh set: the kept one, the one that another process is getting, or a new one. When it cannot be renewed, one
 * that is still valid is given out with a warning.
 *
 * @throws RolesAnywhereError those of `vend`
 */
export async function keepCredentials(request: KeepRequest): Promise<SessionCredentials> {
  const { role, minRemainingMs, since = -Infinity, now = Date.now } = request;
  const began = processAge();
  const read = async (): Promise<CacheEntry | undefined> => {
    const entry = readEntry(await textOf(request), now());
    // A store of somebody's own may mistake one key for another.
    return entry?.role === role && entry.obtained >= since ? entry : undefined;
  };
  const fresh = async (): Promise<CacheEntry | undefined> => {
    const entry = await read();
    return entry !== undefined && isFresh(entry, now(), minRemainingMs) ? entry : undefined;
  };
  const kept = await fresh();
  if (kept !== undefined) return unpacked(kept.credentials);
  const lock = await lockOf(request, async () => (await fresh()) !== undefined);
  try {
    const theirs = await fresh();
    if (theirs !== undefined) return unpacked(theirs.credentials);
    return await renew(request, await read(), processAge() - began);
  } finally {
    await released(lock);
  }
}

/** What the store has. Its own affair how it fails: it is somebody else's code. */
async function textOf({ store, key, onWarning }: KeepRequest): Promise<string | undefined> {
  try {
    const text: unknown = await store.get(key);
    return typeof text === 'string' ? text : undefined;
  } catch (error) {
    onWarning(`kept credentials cannot be read: ${wordsOf(error)}`);
    return undefined;
  }
}

async function lockOf(
  { store, key, waitMs, signal, onWarning }: KeepRequest,
  isDone: () => Promise<boolean>,
): Promise<StoreLock | undefined> {
  try {
    return await store.lock?.(key, { waitMs, isDone, signal });
  } catch (error) {
    signal?.throwIfAborted();
    onWarning(`there is no lock for kept credentials: ${wordsOf(error)}`);
    return undefined;
  }
}

async function released(lock: StoreLock | undefined): Promise<void> {
  try {
    await lock?.release();
  } catch {
    // It ends with its time.
  }
}

async function renew(request: KeepRequest, old: CacheEntry | undefined, waitedMs: number): Promise<SessionCredentials> {
  const { role, certificate, onWarning, now = Date.now, random = Math.random } = request;
  const stamp = certificate === undefined ? undefined : stampOfPlace(certificate);
  const asked = now();
  const [boot, at] = [bootOf(), countedNow()];
  try {
    const { credentials, clockOffset } = await request.vend(waitedMs);
    const { expiration, accessKeyId, secretAccessKey, sessionToken, accountId, assumedRoleArn } = credentials;
    const kept = { accessKeyId, secretAccessKey, sessionToken, expiration: formatExpiration(expiration) };
    // A file that comes to be meanwhile, as between two renames, could not be told from the one after it.
    if ((certificate !== undefined && stamp === undefined) || request.isStill?.() === false) return credentials;
    await write(request, {
      version: CACHE_VERSION,
      obtained: asked,
      clockOffset,
      counted: boot === undefined ? undefined : [boot, at],
      chance: random(),
      role,
      certificate: certificate === undefined || stamp === undefined ? undefined : [certificate, stamp],
      credentials: {
        ...kept,
        ...(accountId !== undefined && { accountId }),
        ...(assumedRoleArn !== undefined && { assumedRoleArn }),
      },
    });
    return credentials;
  } catch (error) {
    if (old === undefined || !isPassing(error) || !isStillGood(old, now())) throw error;
    onWarning(`credentials until ${old.credentials.expiration} stay in use: ${wordsOf(error)}`);
    await write(request, { ...old, holdUntil: now() + HOLD_MS * (1 + random()) });
    return unpacked(old.credentials);
  }
}

/** Failures in spite of which what was good before is good still: of the identity, of the network, and refusals. */
function isPassing(error: unknown): error is RolesAnywhereError {
  return error instanceof RolesAnywhereError && ['identity', 'refused', 'unavailable'].includes(error.class);
}

async function write({ store, key, onWarning }: KeepRequest, entry: CacheEntry): Promise<void> {
  try {
    await store.set(key, JSON.stringify(entry), new Date(entry.credentials.expiration));
  } catch (error) {
    onWarning(`credentials cannot be kept: ${wordsOf(error)}`);
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof RolesAnywhereError) return error.message;
  return error instanceof Error && 'code' in error ? String(error.code) : 'unexpected error';
}
