/**
 * Requests that go through a proxy, and those that do not. Each has a connection of its own by node:http: undici compiles
 * its parser to WebAssembly, which takes gigabytes of addresses, and where there is a limit on them ends the process.
 * Loaded when a proxy is asked for. Tests: test/http/proxy.test.ts, test/network/address-space.test.ts
 */
import { Socket } from 'node:net';
import type { LookupFunction } from 'node:net';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { directTransport, openSocket } from './direct.ts';
import { CONNECT_TIMEOUT_MS } from './exchange.ts';
import { faultOf } from './faults.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from './http.ts';
import { exchangeByNode } from './node-http.ts';
import type { Route } from './node-http.ts';
import { awaited } from '../platform/waits.ts';
import { parseProxy, proxyFromEnvironment } from './proxy-rules.ts';
import type { ProxyChoice } from './proxy-rules.ts';
import { serverName, tlsOptions } from './tls.ts';
import { toFault } from './to-fault.ts';
import { openTunnel, proxyAuthorization, proxyName, refusal } from './tunnel.ts';

/** `environment`: the proxy that HTTPS_PROXY and its companions name. A URL may hold a password. */
export type ProxySetting = 'environment' | { readonly url: string };

/**
 * A transport that goes through a proxy.
 *
 * @param from what gave the setting, for messages
 * @throws RolesAnywhereError `ERR_PROXY_URL`
 */
export function throughProxy(
  proxy: ProxySetting,
  env: Readonly<Record<string, string | undefined>>,
  from: string,
): HttpTransport {
  if (proxy === 'environment') return proxiedTransport(proxyFromEnvironment(env));
  const url = parseProxy(proxy.url, from);
  return proxiedTransport(() => url);
}

/** A transport that takes for each request the way that `choose` says. */
export function proxiedTransport(choose: ProxyChoice): HttpTransport {
  return async (request) => {
    const proxy = choose(request.url);
    return await (proxy === undefined ? directTransport(request) : proxiedExchange(request, proxy));
  };
}

/**
 * One exchange through a proxy. A target of https is reached through a tunnel, one of http by naming it in full to the
 * proxy (RFC 9112, section 3.2.2), as curl and Go do.
 *
 * @param lookup how the proxy's name is resolved; default: Node's way, which asks the system
 */
export async function proxiedExchange(
  request: HttpRequest,
  proxy: URL,
  lookup?: LookupFunction,
): Promise<HttpResponse> {
  const secure = request.url.protocol === 'https:';
  const route = secure ? tunnelled(request, proxy, lookup) : named(request, proxy, lookup);
  const response = await exchangeByNode(request, route);
  // Behind a tunnel the answer is the service's own.
  if (!secure && response.status === 407) {
    const { status: statusCode, headers } = response;
    throw refusal(proxy, request.url.host, { statusCode, headers });
  }
  return response;
}

/** Through a tunnel. */
function tunnelled(request: HttpRequest, proxy: URL, lookup: LookupFunction | undefined): Route {
  const abort = new AbortController();
  return {
    options: {
      createConnection(_options, connected) {
        void secureTunnel(request, proxy, abort.signal, lookup).then(
          (socket) => connected(null, socket),
          // The callback's type wants a socket beside an error; nobody looks at it.
          (error: unknown) => connected(error instanceof Error ? error : new Error('no tunnel'), new Socket()),
        );
        return undefined;
      },
    },
    cancel: () => abort.abort(),
    fault: async (error, answered) => await toFault(error, request, { answered, proxy, lookup }),
  };
}

/** A TLS connection to the request's host, within the time for connecting. */
async function secureTunnel(
  { url, tls, connectTimeoutMs = CONNECT_TIMEOUT_MS, onSocket }: HttpRequest,
  proxy: URL,
  signal: AbortSignal,
  lookup: LookupFunction | undefined,
): Promise<TLSSocket> {
  const end = performance.now() + connectTimeoutMs;
  const target = { hostname: url.hostname, port: Number(url.port || 443) };
  const socket = await awaited(
    `${proxyName(proxy)} to lead to ${url.host}`,
    async () => await openTunnel({ proxy, target, tls, timeoutMs: connectTimeoutMs, signal, lookup, onSocket }),
  );
  return await handshake(socket, url, { tls, onSocket }, signal, Math.max(1, end - performance.now()));
}

function handshake(
  tunnel: Socket,
  url: URL,
  { tls, onSocket }: Pick<HttpRequest, 'tls' | 'onSocket'>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<TLSSocket> {
  const socket = connect({
    ...tlsOptions(tls),
    socket: tunnel,
    // For an address, which is no name to ask for, the certificate is checked against this.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    servername: serverName(url),
    ALPNProtocols: ['http/1.1'],
  });
  onSocket?.(socket);
  return new Promise((resolve, reject) => {
    const late = (): void => {
      socket.destroy(Object.assign(new Error('no connection in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' }));
    };
    const timer = setTimeout(late, timeoutMs);
    const interrupt = (): void => void socket.destroy();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', interrupt);
      socket.off('error', fail).off('close', closed);
    };
    const fail = (error: Error): void => {
      done();
      // Whatever else it says on its way down.
      socket.on('error', () => {});
      reject(error);
    };
    const closed = (): void => fail(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
    socket.once('error', fail).once('close', closed);
    socket.once('secureConnect', () => {
      done();
      resolve(socket);
    });
    signal.addEventListener('abort', interrupt);
    if (signal.aborted) interrupt();
  });
}

/** With the proxy at the other end, which is told the whole URL. */
function named({ url, headers, body, tls }: HttpRequest, proxy: URL, lookup: LookupFunction | undefined): Route {
  return {
    options: {
      createConnection: () => openSocket({ url: proxy, tls }, lookup),
      path: `${url.origin}${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        ...headers,
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        ...proxyAuthorization(proxy),
      },
    },
    fault: async (error, answered) => faultOf(error, answered ? url.host : proxyName(proxy), answered, tls),
  };
}
