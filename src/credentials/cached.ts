/** A provider as a function, the shape that the AWS SDK for JavaScript v3 takes; and a cache around any such function. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemClock } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import { tell } from '../platform/listeners.ts';
import type { AwsCredentials, SessionCredentials } from './credentials.ts';
import { isDate } from './outcome.ts';
import type { CredentialsProvider } from './provider.ts';
import { createProvider } from './refresher.ts';

/** What an SDK client passes with its call. */
export interface CredentialsRequest {
  /** Whether a new set is wanted, as from `refresh()`. */
  readonly forceRefresh?: boolean | undefined;
  /** The client's configuration. Of it, a provider that asks STS reads the region, where none was given to it. */
  readonly callerClientConfig?: { readonly region?: string | (() => Promise<string>) | undefined } | undefined;
}

/** Gives valid credentials each time it is called: an AWS SDK v3 client takes it as `credentials`. */
export interface CredentialsFunction {
  /** @param request what an SDK client passes: with `forceRefresh` it wants a new set, as from {@link refresh} */
  (request?: CredentialsRequest): Promise<SessionCredentials>;
  /**
   * Gets a new set, whatever is in hand: after a role's sessions were revoked, say. One that is a few seconds old is new
   * enough. When that fails, the set in hand stays in use. (Go: CredentialsCache.Invalidate.)
   */
  refresh(): Promise<SessionCredentials>;
  /** Ends it: whoever waits, and every later call, is rejected with `ERR_INTERRUPTED`. Safe to call twice. */
  close(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}

/** The function over a provider. Closing it closes the provider. */
export function credentialsFunction(provider: CredentialsProvider): CredentialsFunction {
  return asFunction(provider, () => provider.get());
}

function asFunction(provider: CredentialsProvider, get: () => Promise<SessionCredentials>): CredentialsFunction {
  const close = (): void => provider.close();
  const refresh = async (): Promise<SessionCredentials> => copyOf(await provider.renew());
  const call = async (request?: CredentialsRequest): Promise<SessionCredentials> =>
    request?.forceRefresh === true ? await refresh() : copyOf(await get());
  return Object.assign(call, { refresh, close, [Symbol.dispose]: close });
}

/**
 * A set of one's own: who takes the keys out of it, to log the rest, takes them from nobody else. An object of a class of
 * somebody's own, which may say more than its members, stays what it is.
 */
function copyOf(credentials: SessionCredentials): SessionCredentials {
  const prototype: unknown = Object.getPrototypeOf(credentials);
  if (prototype !== null && prototype !== Object.prototype) return credentials;
  return { ...credentials, expiration: new Date(credentials.expiration) };
}

export interface CacheOptions {
  /** Credentials are renewed when they have so long to live, in milliseconds. Default 300,000, as the AWS SDK asks. */
  expiryWindow?: number | undefined;
  /** Largest part of the window by which chance makes it longer, so that many processes do not ask at once. Default 0. */
  jitter?: number | undefined;
  /** Called with each new set. What becomes of that is ignored. */
  onRefresh?: ((credentials: SessionCredentials) => void) | undefined;
  /** Called with each failure of the source, also of those that no caller sees. What becomes of that is ignored. */
  onError?: ((error: RolesAnywhereError) => void) | undefined;
  /**
   * Whether credentials that expired while the source does not answer are
   * given out again, marked as valid for another 5 to 15 minutes. The service
   * may honour them no longer. Not after a refusal. Default false.
   */
  staticStability?: boolean | undefined;
  /** Longest time for one call of the source, in milliseconds. Default 60,000. */
  timeout?: number | undefined;
  /** Default: the system's. */
  clock?: Clock | undefined;
  /** Uniform in [0, 1). Default `Math.random`. */
  random?: (() => number) | undefined;
}

const DEFAULT_WINDOW_MS = 5 * 60_000;
const LEAST_EXTENSION_MS = 5 * 60_000;
const MOST_EXTENSION_MS = 15 * 60_000;

/**
 * What CredentialsCache does in the AWS SDK for Go v2: one call of the source
 * however many ask, its result kept until shortly before it expires. Here a
 * renewal within the window is not waited for, and when it fails the
 * credentials stay in use until they expire. No timer keeps the process alive.
 *
 * A failure is remembered for as long as the wait before the next attempt, half a second at first; one of the identity,
 * such as a file that is not there, is not.
 *
 * @param source gives temporary credentials: a function of one's own, or a provider of the AWS SDK v3. It gets its
 * attempt's signal: aborted on timeout and on close
 */
export function cached(
  source: (options: { signal: AbortSignal }) => Promise<AwsCredentials>,
  options: CacheOptions = {},
): CredentialsFunction {
  const { clock = systemClock, random = Math.random, expiryWindow = DEFAULT_WINDOW_MS } = options;
  const provider = createProvider({
    vend: async (signal) => copyOf(temporary(await ask(source, signal))),
    clock,
    random,
    background: false,
    keepAlive: false,
    refresh: {
      minRemainingMs: expiryWindow,
      maxRemainingMs: expiryWindow,
      jitter: 1,
      maxJitterMs: expiryWindow * (options.jitter ?? 0),
    },
    vendTimeoutMs: options.timeout,
  });
  let last: SessionCredentials | undefined;
  provider.subscribe((event) => {
    if (event.type === 'failed') tell(options.onError, event.error);
    if (event.type !== 'refreshed') return;
    last = provider.peek();
    if (last !== undefined) tell(options.onRefresh, copyOf(last));
  });
  if (options.staticStability !== true) return credentialsFunction(provider);

  const get = async (): Promise<SessionCredentials> => {
    try {
      return await provider.get();
    } catch (error) {
      if (last === undefined || !isOutage(error)) throw error;
      if (last.expiration.getTime() <= clock.now()) {
        const extension = LEAST_EXTENSION_MS + random() * (MOST_EXTENSION_MS - LEAST_EXTENSION_MS);
        last = { ...last, expiration: new Date(clock.now() + extension) };
      }
      return last;
    }
  };
  return asFunction(provider, get);
}

/**
 * Credentials that end, as the same object: it may say more than is asked of it here.
 *
 * @throws RolesAnywhereError `ERR_CREDENTIALS_EMPTY`, `ERR_RESPONSE_INVALID`
 */
export function temporary(credentials: AwsCredentials): SessionCredentials {
  if (isTemporary(credentials)) return credentials;
  const { accessKeyId }: Partial<AwsCredentials> = credentials ?? {};
  if (accessKeyId === undefined)
    throw new RolesAnywhereError('ERR_CREDENTIALS_EMPTY', 'the source gave no credentials');
  throw new RolesAnywhereError('ERR_RESPONSE_INVALID', 'the source gave credentials that are not temporary', {
    hint: 'what is kept has a sessionToken and an expiration; hand an access key of a user to the client as it is',
  });
}

function isTemporary(credentials: AwsCredentials | null | undefined): credentials is SessionCredentials {
  const { expiration, sessionToken } = credentials ?? {};
  return isDate(expiration) && sessionToken !== undefined;
}

/** What a function that is not ours throws is its affair, and no defect of this package. */
async function ask(source: Parameters<typeof cached>[0], signal: AbortSignal): Promise<AwsCredentials> {
  try {
    return await source({ signal });
  } catch (cause) {
    if (cause instanceof RolesAnywhereError) throw cause;
    // Not repeated here: it may say more than it should.
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', 'the source gave no credentials', {
      hint: 'see the cause of this error',
      cause,
    });
  }
}

/** No answer, or a stranger's error; not a refusal, a mistake of ours, or the end. */
function isOutage(error: unknown): boolean {
  return (
    error instanceof RolesAnywhereError &&
    (error.class === 'unavailable' || error.class === 'internal' || error.code === 'ERR_SOURCE_CREDENTIALS')
  );
}
