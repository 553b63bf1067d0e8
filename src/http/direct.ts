/**
 * One exchange on a connection of its own, with node:http over node:net or node:tls: the
 * cheapest to start, and so what a one-shot command uses.
 */
// Tests: test/http/answers.test.ts, test/http/faults.test.ts, test/http/early.test.ts
import type { IncomingMessage, RequestOptions } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { RolesAnywhereError } from '../platform/errors.ts';
import { processAge } from '../platform/clock.ts';
import { CONNECT_TIMEOUT_MS, joinFields, MAX_HEADER_BYTES, readBody, watch } from './exchange.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from './http.ts';
import { serverName, tlsOptions } from './tls.ts';

/** Another way than straight to the host of the URL. */
export interface Route {
  /** In place of those for a direct connection. */
  readonly options: RequestOptions;
  /** Called when the exchange is given up. */
  readonly cancel?: (() => void) | undefined;
  /** The error to report for what was thrown. Default: the one for a direct connection. */
  readonly fault?: ((error: unknown, answered: boolean) => Promise<RolesAnywhereError>) | undefined;
}

/**
 * An HttpTransport without pool, cache or proxy.
 *
 * @param lookup how names are resolved; default: Node's way, which asks the system
 * @param route proxied.ts's, for the same exchange through a proxy
 */
export async function directTransport(
  request: HttpRequest,
  lookup?: LookupFunction,
  route?: Route,
): Promise<HttpResponse> {
  const { url, body } = request;
  const outgoing = process.getBuiltinModule('node:http').request({
    method: request.method,
    host: hostOf(url),
    port: portOf(url),
    path: url.pathname + url.search,
    headers: {
      host: url.host,
      ...request.headers,
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
    // Without an agent, which would only add its own way to make the same connection.
    createConnection: () => openSocket(request, lookup),
    maxHeaderSize: MAX_HEADER_BYTES,
    ...route?.options,
  });

  let incoming: IncomingMessage | undefined;
  let ended: RolesAnywhereError | undefined;
  const stopWatching = watch(request, (error) => {
    ended = error;
    route?.cancel?.();
    (incoming ?? outgoing).destroy(error);
  });
  outgoing.once('socket', (socket) => {
    if (!isConnecting(socket)) return; // it was made before, or by the route
    request.onSocket?.(socket);
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = request;
    const late = Object.assign(new Error('no connection in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
    const timer = setTimeout(() => outgoing.destroy(late), connectTimeoutMs);
    socket
      .once(isTls(socket) ? 'secureConnect' : 'connect', () => clearTimeout(timer))
      .once('close', () => clearTimeout(timer));
  });
  try {
    incoming = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve);
      outgoing.on('error', reject);
      outgoing.on('upgrade', (_response, socket) => {
        socket.destroy();
        reject(new RolesAnywhereError('ERR_RESPONSE_INVALID', `${url.host} switched protocols without being asked to`));
      });
      outgoing.end(body);
    });
    return {
      status: incoming.statusCode ?? 0,
      headers: joinFields(incoming.headersDistinct),
      body: await readBody(incoming, request),
    };
  } catch (error) {
    if (ended !== undefined) throw ended;
    if (route?.fault !== undefined) throw await route.fault(error, incoming !== undefined);
    const { toFault } = await import('./to-fault.ts');
    throw await toFault(error, request, { answered: incoming !== undefined, lookup });
  } finally {
    stopWatching();
  }
}

/** Where a connection leads, and whom it believes there. */
export type Target = Pick<HttpRequest, 'url' | 'tls'>;

/** No server gives up a connection that was unused for less. */
const IDLE_MS = 1000;

/**
 * A direct transport that begins its first connection at once: what it takes (a name to look up, two round trips for TLS)
 * passes while a certificate is read and a key signs. The connection serves the first request to the same host with the same
 * trust; when it has failed by then, or the server has closed it, the request has one of its own, and says what is wrong.
 *
 * @param monotonic milliseconds by a clock that nobody sets
 */
export function beginEarly(target: Target, monotonic = processAge): HttpTransport {
  const begun = monotonic();
  let early: Socket | undefined = openSocket(target).on('error', () => (early = undefined));
  return async (request) => {
    const socket = early;
    const { url, tls } = request;
    if (socket === undefined || !socket.writable || url.origin !== target.url.origin || tls !== target.tls)
      return await directTransport(request);
    early = undefined;
    const sent = monotonic();
    try {
      return await directTransport(request, undefined, { options: { createConnection: () => socket } });
    } catch (error) {
      // It waited unused, and the server gave it up before the request was there: that is no failed attempt.
      const isGivenUp = error instanceof RolesAnywhereError && error.code === 'ERR_CONNECT' && sent - begun >= IDLE_MS;
      if (!isGivenUp) throw error;
      const left = request.timeoutMs - (monotonic() - sent);
      return await directTransport({ ...request, timeoutMs: Math.max(1, Math.ceil(left)) });
    }
  };
}

/** Begins a connection, with TLS where the URL says so. */
export function openSocket({ url, tls }: Target, lookup?: LookupFunction): Socket {
  const where = { host: hostOf(url), port: portOf(url), lookup };
  // Only the module that is needed: node:tls takes as long to load as the rest of a one-shot over HTTP.
  if (url.protocol !== 'https:') return process.getBuiltinModule('node:net').connect(where);
  return process.getBuiltinModule('node:tls').connect({
    ...where,
    ...tlsOptions(tls),
    servername: serverName(url),
    ALPNProtocols: ['http/1.1'],
  });
}

/** Without the brackets of an IPv6 address. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function portOf({ port, protocol }: URL): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

function isConnecting(socket: Socket): boolean {
  return socket.connecting || (isTls(socket) && socket.secureConnecting);
}

function isTls(socket: Socket): socket is TLSSocket & { readonly secureConnecting: boolean } {
  return 'secureConnecting' in socket;
}
