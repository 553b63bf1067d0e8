/** What every provider of the library takes besides its own: how the service is reached, and how credentials are kept. */
// Tests: test/providers/connection.test.ts
import type { Connection } from '../aws/connection.ts';
import { parseEndpoint } from '../aws/endpoints.ts';
import type { Endpoints, Service } from '../aws/endpoints.ts';
import type { RetrySettings } from '../aws/retry.ts';
import { createServiceClock } from '../aws/service-clock.ts';
import type { ServiceClock } from '../aws/service-clock.ts';
import { cached } from '../credentials/cached.ts';
import type { CacheOptions, CredentialsFunction, CredentialsRequest } from '../credentials/cached.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { directTransport } from '../http/direct.ts';
import type { CaStore } from '../http/ca-store.ts';
import type { HttpTransport, TlsSettings } from '../http/http.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemClock } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import { tell } from '../platform/listeners.ts';
import type { Log, LogFunction } from '../platform/log.ts';
import { regionOf } from '../sources/region.ts';
import { requireFunction, requireMethod, requireOptions } from './given.ts';

/** How the service is reached. */
export interface ConnectionOptions {
  /** In place of the service's own. Plain http only to this machine. */
  readonly endpoint?: string | URL | undefined;
  /** Ask at the FIPS endpoint, which AWS runs in the USA and Canada. Excludes `endpoint`. Default: AWS_USE_FIPS_ENDPOINT. */
  readonly useFips?: boolean | undefined;
  /** Ask at the endpoint that speaks IPv6 too. Excludes `endpoint`. Default: AWS_USE_DUALSTACK_ENDPOINT. */
  readonly useDualStack?: boolean | undefined;
  /**
   * Whom to believe at the other end. `ca` may be `system` for the roots of the operating system (or those that
   * SSL_CERT_FILE and SSL_CERT_DIR name) and `bundled` for Node's alone. Default: Node's own roots, and those of
   * NODE_EXTRA_CA_CERTS.
   */
  readonly tls?: TlsSettings | undefined;
  /** Default: three attempts of 15 seconds each, within a minute, and as many as it takes when there are too many requests. */
  readonly retry?: RetrySettings | undefined;
  /** `http://` or `https://[USER:PASSWORD@]HOST[:PORT]`, or `environment` for the one that HTTPS_PROXY and its companions name. Default: none. */
  readonly proxy?: string | URL | undefined;
  /** In place of all this. Default: a connection for each request, since there is one an hour or so. */
  readonly transport?: HttpTransport | undefined;
  /** Default: this package and Node, with their versions. */
  readonly userAgent?: string | undefined;
  /**
   * Called when this machine's clock turns out to be more than a minute off, with the milliseconds that the service's is
   * ahead (below 0: behind): requests are signed, and credentials judged, by the service's time from then on.
   */
  readonly onClockOffset?: ((offsetMs: number) => void) | undefined;
  /** Told what the provider does: `console`, say, or the logger of an SDK client. What becomes of that is ignored. Default: nobody. */
  readonly log?: ProviderLog | undefined;
}

/** What a provider logs to. */
export type ProviderLog = Omit<Log, 'level'>;

/** Gives the connection of one attempt. */
export interface ConnectionFactory {
  (signal: AbortSignal): Connection;
  /** The time that signatures, certificates and credentials are judged by. */
  readonly serviceClock: ServiceClock;
  /** The same as a clock for what keeps credentials. */
  readonly clock: Clock;
}

/** How credentials are kept and renewed. */
export interface KeepingOptions extends CacheOptions {
  /** Closes the provider when it fires. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether a failure lets a chain of the AWS SDK (`chain`, `createCredentialChain`) ask its next provider: errors of calls
   * have the property `tryNextLink` then, but for that of a closed provider. Default false: the chain ends with the error.
   */
  readonly tryNextLink?: boolean | undefined;
}

/** The names of these options. */
export const SHARED_OPTIONS: Readonly<Record<keyof ConnectionOptions | keyof KeepingOptions, true>> = {
  endpoint: true,
  useFips: true,
  useDualStack: true,
  tls: true,
  retry: true,
  proxy: true,
  transport: true,
  userAgent: true,
  onClockOffset: true,
  log: true,
  signal: true,
  tryNextLink: true,
  expiryWindow: true,
  jitter: true,
  onRefresh: true,
  onError: true,
  staticStability: true,
  timeout: true,
  clock: true,
  random: true,
};

/**
 * Checks the options.
 *
 * @param service which one `endpoint` is of
 * @throws RolesAnywhereError `ERR_ENDPOINT`, `ERR_FLAG_REQUIRED`, `ERR_USAGE`
 */
export function connectionOf(
  options: ConnectionOptions & Pick<KeepingOptions, 'clock'>,
  service: Service,
): ConnectionFactory {
  const { tls, retry, proxy, transport, userAgent, onClockOffset, log, clock = systemClock } = options;
  if (transport !== undefined) requireFunction('transport', transport);
  if (onClockOffset !== undefined) requireFunction('onClockOffset', onClockOffset);
  if (options.clock !== undefined) requireMethod('clock', clock, 'now');
  for (const [name, value] of Object.entries({ tls, retry })) if (value !== undefined) requireOptions(value, name);
  if (log !== undefined) for (const name of LEVELS) requireMethod('log', log, name);
  const reached = transport ?? (proxy === undefined ? directTransport : lazilyThroughProxy(String(proxy)));
  const connection: Connection = {
    transport: tls?.ca === 'system' || tls?.ca === 'bundled' ? trusting(tls.ca, reached) : reached,
    endpoints: endpointsOf(options, service),
    tls,
    retry,
    userAgent,
    onClockOffset,
    log: log && careful(log),
  };
  const serviceClock = createServiceClock(() => clock.now());
  return Object.assign((signal: AbortSignal): Connection => ({ ...connection, signal, clock: serviceClock }), {
    serviceClock,
    clock: {
      now: serviceClock.now,
      monotonic: () => clock.monotonic(),
      setTimer: (...args: Parameters<Clock['setTimer']>) => clock.setTimer(...args),
    },
  });
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** A log that never throws, over one that may. */
function careful(log: ProviderLog): Log {
  const at =
    (level: (typeof LEVELS)[number]): LogFunction =>
    (...args) =>
      tell((...told: Parameters<LogFunction>) => log[level](...told), ...args);
  return { level: 'debug', debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Reads the roots at the first request. */
function trusting(store: CaStore, transport: HttpTransport): HttpTransport {
  let ca: string | undefined;
  return async (request) => {
    ca ??= (await import('../http/ca-store.ts')).readCaStore(store, process.env);
    return await transport({ ...request, tls: { ...request.tls, ca } });
  };
}

/** A variant that was asked for is obeyed or an error, never left aside. */
function endpointsOf({ endpoint, ...options }: ConnectionOptions, service: Service): Endpoints {
  const useFips = switchOf(options.useFips, 'AWS_USE_FIPS_ENDPOINT');
  const useDualStack = switchOf(options.useDualStack, 'AWS_USE_DUALSTACK_ENDPOINT');
  if (endpoint === undefined) return { useFips, useDualStack };
  if (useFips || useDualStack)
    throw new RolesAnywhereError(
      'ERR_ENDPOINT',
      `endpoint and ${useFips ? 'useFips' : 'useDualStack'} exclude each other`,
      {
        hint: 'leave one of them out; the variables AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT give way to the options',
      },
    );
  return { [service]: parseEndpoint(endpoint, 'the endpoint') };
}

function switchOf(option: boolean | undefined, variable: string): boolean {
  if (option !== undefined) return option;
  const text = process.env[variable]?.toLowerCase() ?? '';
  if (text === '' || text === 'true' || text === 'false') return text === 'true';
  throw new RolesAnywhereError('ERR_ENDPOINT', `${variable} is true or false, not ${JSON.stringify(text)}`, {
    hint: 'correct it, or unset it',
  });
}

/** Loads what it takes at the first request, and says then when it is no proxy's URL: `ERR_PROXY_URL`. */
function lazilyThroughProxy(proxy: string): HttpTransport {
  let made: Promise<HttpTransport> | undefined;
  return async (request) => {
    made ??= import('../http/proxied.ts').then(({ throughProxy }) =>
      throughProxy(proxy === 'environment' ? proxy : { url: proxy }, process.env, 'the option proxy'),
    );
    return await (
      await made
    )(request);
  };
}

/**
 * A provider over `source`, with one call of it in flight whoever asks.
 *
 * @param heard gets what a client passes with its call
 */
export function keep(
  source: (options: { signal: AbortSignal }) => Promise<SessionCredentials>,
  options: KeepingOptions & Pick<ConnectionOptions, 'log'>,
  {
    timeout,
    heard,
  }: { timeout?: number | undefined; heard?: ((request: CredentialsRequest) => void) | undefined } = {},
): CredentialsFunction {
  const { signal, tryNextLink } = options;
  const log = options.log && careful(options.log);
  const provider = cached(source, {
    ...options,
    timeout: options.timeout ?? timeout,
    onRefresh: (credentials) => {
      log?.debug('new credentials', { until: credentials.expiration.toISOString() });
      tell(options.onRefresh, credentials);
    },
    onError: (error) => {
      log?.warn(error.message, { code: error.code });
      tell(options.onError, error);
    },
  });
  if (signal !== undefined) requireMethod('signal', signal, 'addEventListener');
  const kept = signal === undefined ? provider : closedBy(signal, provider);
  if (tryNextLink !== true && heard === undefined) return kept;
  const marked = async (credentials: Promise<SessionCredentials>): Promise<SessionCredentials> => {
    try {
      return await credentials;
    } catch (error) {
      if (tryNextLink === true && error instanceof RolesAnywhereError && error.code !== 'ERR_INTERRUPTED')
        Object.assign(error, { tryNextLink });
      throw error;
    }
  };
  const call = (request: CredentialsRequest = {}): Promise<SessionCredentials> => {
    heard?.(request);
    return marked(kept(request));
  };
  const close = (): void => kept.close();
  return Object.assign(call, { refresh: () => marked(kept.refresh()), close, [Symbol.dispose]: close });
}

/** The region in which STS is asked. */
export interface CallerRegion {
  /** Hears of a client. */
  readonly heard: (request: CredentialsRequest) => void;
  /** That of the options, of the client that asked last, or of the environment. */
  readonly region: () => Promise<string>;
}

/**
 * The region of a provider that is not bound to one.
 *
 * @throws RolesAnywhereError `ERR_REGION`, at once for one that is given
 */
export function callerRegion(given: string | undefined): CallerRegion {
  if (given !== undefined) regionOf(given, {});
  let ofClient: NonNullable<CredentialsRequest['callerClientConfig']>['region'];
  return {
    heard: ({ callerClientConfig }) => {
      ofClient = callerClientConfig?.region ?? ofClient;
    },
    region: async () => {
      const asked = given ?? (typeof ofClient === 'function' ? await ofClient() : ofClient);
      return regionOf(asked, process.env);
    },
  };
}

/** The providers that a signal closes. One listener for all: a signal warns of the eleventh. */
const closing = new WeakMap<AbortSignal, Set<CredentialsFunction>>();

/** A provider that is closed when the signal fires, and forgotten when it is closed before. */
function closedBy(signal: AbortSignal, provider: CredentialsFunction): CredentialsFunction {
  if (signal.aborted) provider.close();
  let open = closing.get(signal);
  if (open === undefined) {
    const all = (open = new Set());
    closing.set(signal, all);
    signal.addEventListener('abort', () => all.forEach((one) => one.close()), { once: true });
  }
  const all = open;
  const close = (): void => {
    all.delete(provider);
    provider.close();
  };
  all.add(provider);
  return Object.assign((request?: CredentialsRequest) => provider(request), {
    refresh: () => provider.refresh(),
    close,
    [Symbol.dispose]: close,
  });
}
