/** The option `cache` of a provider: credentials that processes share, in files of this user or in a store of one's own. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { CACHE_VERSION, DEFAULT_MIN_REMAINING_MS } from '../credentials/cache/entry.ts';
import { deviceVariables, withoutPin } from '../credentials/cache/line.ts';
import { bootOf, stampOf } from '../credentials/cache/safe-file.ts';
import { isFoundFromHere, modulePathsOf } from '../credentials/cache/place.ts';
import type { CredentialsStore } from '../credentials/cache/store.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { requireMethod } from './given.ts';

/** How credentials are kept between processes. */
export interface SharingOptions {
  /**
   * `true`: credentials are kept in files of this user, where `roles-anywhere cache path` says, and given to every process
   * with the same options; or a store of one's own. Who can read the files can use the credentials. Default false.
   */
  readonly cache?: boolean | CredentialsStore | undefined;
  /**
   * What must be left of the life of a kept set for it to be used, in milliseconds, and up to a fifth more by chance. At
   * most a third of its whole life counts, and at least the `expiryWindow`. Default 900,000.
   */
  readonly cacheMinRemaining?: number | undefined;
}

/** The names of these options. */
export const SHARING_OPTIONS: Readonly<Record<keyof SharingOptions, true>> = { cache: true, cacheMinRemaining: true };

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_WINDOW_MS = 5 * 60_000;
/** What is kept of the time for a request of one's own, when others are waited for in vain. */
const OWN_MS = 15_000;

type Source = (options: { signal: AbortSignal }) => Promise<SessionCredentials>;

export interface Sharing {
  /** What decides which credentials these are, beside the certificate; of it, variables and the working directory may change. */
  readonly options: () => readonly unknown[];
  readonly certificate: string | Uint8Array;
  readonly role: string;
  readonly expiryWindow: number | undefined;
  readonly timeout: number | undefined;
  readonly clockOffset: () => number;
  /** Milliseconds since 1970, by this machine. */
  readonly now: () => number;
  readonly onWarning: (message: string) => void;
}

/** A source that looks into the store first, and how to have it ask the service whatever is there. */
export interface SharedSource {
  readonly source: Source;
  /** From now on, only what is obtained later counts. */
  readonly renew: () => void;
}

/**
 * Puts the store before `vend`.
 *
 * @throws RolesAnywhereError `ERR_USAGE` for a store without `get` and `set`, and for a time that is none
 */
export function sharedSource(
  { cache, cacheMinRemaining = DEFAULT_MIN_REMAINING_MS }: SharingOptions,
  vend: Source,
  sharing: Sharing,
): SharedSource {
  if (typeof cache === 'object') for (const method of ['get', 'set']) requireMethod('cache', cache, method);
  else if (cache !== undefined && typeof cache !== 'boolean') throw unusable('cache is neither true nor a store');
  if (!Number.isFinite(cacheMinRemaining) || cacheMinRemaining < 0)
    throw unusable('cacheMinRemaining is not a number of milliseconds');
  if (cache === undefined || cache === false) return { source: vend, renew: () => undefined };
  const { timeout = DEFAULT_TIMEOUT_MS, expiryWindow = DEFAULT_WINDOW_MS, onWarning, now } = sharing;
  const keyNow = (): string =>
    `session-${CACHE_VERSION}-${digest(JSON.stringify(['library', placeOf(sharing.certificate)[0], sharing.options()]))}`;
  const [, file] = placeOf(sharing.certificate);
  let store = typeof cache === 'object' ? cache : undefined;
  let since: number | undefined;
  const source: Source = async ({ signal }) => {
    // What is no plain file, as a pipe or what a Workload API gives, cannot be told from what was there before.
    if (file !== undefined && stampOf(file) === undefined) return await vend({ signal });
    const { keepCredentials } = await import('../credentials/cache/keep.ts');
    store ??= await ownStore();
    const key = keyNow();
    return await keepCredentials({
      store,
      key,
      isStill: () => keyNow() === key,
      role: sharing.role,
      certificate: file,
      minRemainingMs: Math.max(cacheMinRemaining, expiryWindow),
      waitMs: timeout - Math.min(OWN_MS, timeout / 4),
      vend: async () => ({ credentials: await vend({ signal }), clockOffset: sharing.clockOffset() }),
      onWarning,
      since,
      signal,
      now,
    });
  };
  return {
    source,
    renew() {
      since = now();
    },
  };
}

async function ownStore(): Promise<CredentialsStore> {
  const { createFileStore } = await import('../credentials/cache/file-store.ts');
  const { cacheFolder } = await import('../credentials/cache/folder.ts');
  return createFileStore(cacheFolder(process.env));
}

/** What names a certificate, and its file where it is in one. */
function placeOf(certificate: string | Uint8Array): readonly [place: string, file?: string] {
  if (typeof certificate !== 'string') return [digest(certificate)];
  if (certificate.startsWith('env:'))
    return [`${certificate} ${digest(process.env[certificate.slice('env:'.length)] ?? '')}`];
  // A URI may hold a PIN, and text may hold a key.
  if (certificate.includes('-----BEGIN')) return [digest(certificate)];
  if (/^(?:pkcs11|nv):/i.test(certificate)) {
    const variables = deviceVariables(process.env);
    const isHere = isFoundFromHere([...variables, ...modulePathsOf(certificate)]);
    // Modules have their settings below the home directory. Who sees the key in a store could try PINs.
    const place = withoutPin(certificate);
    return [digest([place, process.env['HOME'], bootOf(), ...variables, isHere ? process.cwd() : ''].join('\n'))];
  }
  const file = resolve(certificate);
  return [file, file];
}

function digest(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function unusable(message: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_USAGE', message);
}
