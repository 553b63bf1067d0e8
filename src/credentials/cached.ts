/** A provider as a function, the shape that the AWS SDK for JavaScript v3 takes; and a cache around any such function. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemClock } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import type { SessionCredentials } from './credentials.ts';
import type { CredentialsProvider } from './provider.ts';
import { createProvider } from './refresher.ts';

/** Gives valid credentials each time it is called: an AWS SDK v3 client takes it as `credentials`. */
export interface CredentialsFunction {
  (): Promise<SessionCredentials>;
  /** Ends it: whoever waits, and every later call, is rejected with `ERR_INTERRUPTED`. Safe to call twice. */
  close(): void;
}

/** The function over a provider. Closing it closes the provider. */
export function credentialsFunction(provider: CredentialsProvider): CredentialsFunction {
  // What an SDK passes as argument is of no use here, and must not be taken for a signal.
  return Object.assign(() => provider.get(), { close: () => provider.close() });
}

export interface CacheOptions {
  /** Credentials are renewed when they have so long to live, in milliseconds. Default 300,000, as the AWS SDK asks. */
  expiryWindow?: number | undefined;
  /** Largest part of the window by which chance makes it longer, so that many processes do not ask at once. Default 0. */
  jitter?: number | undefined;
  /** Called with each new set. What it throws is ignored. */
  onRefresh?: ((credentials: SessionCredentials) => void) | undefined;
  /** Called with each failure of the source, also of those that no caller sees. What it throws is ignored. */
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
 * @param source gets its attempt's signal: aborted on timeout and on close
 */
export function cached(
  source: (options: { signal: AbortSignal }) => Promise<SessionCredentials>,
  options: CacheOptions = {},
): CredentialsFunction {
  const { clock = systemClock, random = Math.random, expiryWindow = DEFAULT_WINDOW_MS } = options;
  const provider = createProvider({
    vend: (signal) => source({ signal }),
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
    if (event.type === 'failed') options.onError?.(event.error);
    if (event.type !== 'refreshed') return;
    last = provider.peek();
    if (last !== undefined) options.onRefresh?.(last);
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
  return Object.assign(get, { close: () => provider.close() });
}

/** No answer, or a stranger's error; not a refusal, a mistake of ours, or the end. */
function isOutage(error: unknown): boolean {
  return error instanceof RolesAnywhereError && (error.class === 'unavailable' || error.class === 'internal');
}
