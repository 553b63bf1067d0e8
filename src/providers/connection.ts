/** What every provider of the library takes besides its own: how the service is reached, and how credentials are kept. */
import { cached } from '../credentials/cached.ts';
import type { CacheOptions, CredentialsFunction } from '../credentials/cached.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { directTransport } from '../http/direct.ts';
import type { HttpTransport, TlsSettings } from '../http/http.ts';
import type { RetrySettings } from '../aws/retry.ts';
import { requireFunction, requireMethod, requireOptions } from './given.ts';

/** How the service is reached. */
export interface ConnectionOptions {
  /** In place of the service's own. Plain http only to this machine. */
  readonly endpoint?: string | URL | undefined;
  /** Whom to believe at the other end. Default: Node's own roots, and those of NODE_EXTRA_CA_CERTS. */
  readonly tls?: TlsSettings | undefined;
  /** Default: three attempts of 15 seconds each, within a minute. */
  readonly retry?: RetrySettings | undefined;
  /** `http://` or `https://[USER:PASSWORD@]HOST[:PORT]`, or `environment` for the one that HTTPS_PROXY and its companions name. Default: none. */
  readonly proxy?: string | URL | undefined;
  /** In place of all this. Default: a connection for each request, since there is one an hour or so. */
  readonly transport?: HttpTransport | undefined;
  /** Default: this package and Node, with their versions. */
  readonly userAgent?: string | undefined;
}

/** How credentials are kept and renewed. */
export interface KeepingOptions extends CacheOptions {
  /** Closes the provider when it fires. */
  readonly signal?: AbortSignal | undefined;
}

/** Connection options in the form in which operations take them. */
export interface Connection {
  readonly endpoint?: URL | undefined;
  readonly tls?: TlsSettings | undefined;
  readonly retry?: RetrySettings | undefined;
  readonly transport: HttpTransport;
  readonly userAgent?: string | undefined;
}

/** @throws RolesAnywhereError `ERR_ENDPOINT`, `ERR_FLAG_REQUIRED`, `ERR_USAGE` */
export function connectionOf({ endpoint, tls, retry, proxy, transport, userAgent }: ConnectionOptions): Connection {
  if (transport !== undefined) requireFunction('transport', transport);
  for (const [name, value] of Object.entries({ tls, retry })) if (value !== undefined) requireOptions(value, name);
  return {
    transport: transport ?? (proxy === undefined ? directTransport : throughProxy(String(proxy))),
    ...(endpoint === undefined ? {} : { endpoint: checkEndpoint(endpoint) }),
    tls,
    retry,
    userAgent,
  };
}

/** Loads what it takes at the first request, and says then when it is no proxy's URL: `ERR_PROXY_URL`. */
function throughProxy(proxy: string): HttpTransport {
  const make = async (): Promise<HttpTransport> => {
    const { parseProxy, proxyFromEnvironment } = await import('../http/proxy-rules.ts');
    const { proxiedTransport } = await import('../http/proxied.ts');
    if (proxy === 'environment') return proxiedTransport(proxyFromEnvironment(process.env));
    const url = parseProxy(proxy, 'the option proxy');
    return proxiedTransport(() => url);
  };
  let made: Promise<HttpTransport> | undefined;
  return async (request) => {
    made ??= make();
    return await (
      await made
    )(request);
  };
}

/** A provider over `source`, with one call of it in flight whoever asks. */
export function keep(
  source: (options: { signal: AbortSignal }) => Promise<SessionCredentials>,
  options: KeepingOptions,
  timeout?: number,
): CredentialsFunction {
  const longest = options.timeout ?? timeout;
  const provider = cached(source, { ...options, timeout: longest });
  const { signal, clock } = options;
  if (clock !== undefined) requireMethod('clock', clock, 'now');
  if (signal !== undefined) requireMethod('signal', signal, 'addEventListener');
  if (signal?.aborted === true) provider.close();
  signal?.addEventListener('abort', () => provider.close(), { once: true });
  return provider;
}

function checkEndpoint(given: string | URL): URL {
  const text = String(given);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new RolesAnywhereError('ERR_ENDPOINT', 'the endpoint is not an http or https URL', {
      hint: 'give https://HOST[:PORT][/PATH]',
    });
  // URL writes every form of an IPv4 address as four decimal numbers.
  if (url.protocol === 'http:' && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
    throw new RolesAnywhereError('ERR_ENDPOINT', `the endpoint is plain http to ${url.hostname}`, {
      hint: 'use https: credentials would cross the network in the clear (http is for this machine alone)',
    });
  return url;
}
