/**
 * One exchange on a connection of its own, with node:http or node:https: the
 * cheapest to start, and so what a one-shot command uses.
 */
// Tests: test/http/answers.test.ts, test/http/faults.test.ts
import type { IncomingMessage, RequestOptions } from 'node:http';
import type { LookupFunction } from 'node:net';
import { RolesAnywhereError } from '../platform/errors.ts';
import { CONNECT_TIMEOUT_MS, joinFields, MAX_HEADER_BYTES, readBody, watch } from './exchange.ts';
import type { HttpRequest, HttpResponse } from './http.ts';
import { serverName, tlsOptions } from './tls.ts';

/** Another way than straight to the host of the URL. */
export interface Route {
  /** In place of those for a direct connection. */
  readonly options: RequestOptions;
  /** Whether the connection is made here, with TLS. */
  readonly secure: boolean;
  /** Called when the exchange is given up. */
  readonly cancel: () => void;
  /** The error to report for what was thrown. */
  readonly fault: (error: unknown, answered: boolean) => Promise<RolesAnywhereError>;
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
  const secure = route?.secure ?? url.protocol === 'https:';
  // Only the module that is needed: node:https takes as long to load as the rest of a one-shot over HTTP.
  const http = secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  const outgoing = http.request({
    method: request.method,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port,
    path: url.pathname + url.search,
    headers: {
      host: url.host,
      ...request.headers,
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
    agent: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    lookup,
    ...(secure ? { ...tlsOptions(request.tls), servername: serverName(url) } : {}),
    ...route?.options,
  });

  let incoming: IncomingMessage | undefined;
  let ended: RolesAnywhereError | undefined;
  const stopWatching = watch(request, (error) => {
    ended = error;
    route?.cancel();
    (incoming ?? outgoing).destroy(error);
  });
  outgoing.once('socket', (socket) => {
    if (!socket.connecting) return; // it was made by the route
    request.onSocket?.(socket);
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = request;
    const late = Object.assign(new Error('no connection in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
    const timer = setTimeout(() => outgoing.destroy(late), connectTimeoutMs);
    socket
      .once(secure ? 'secureConnect' : 'connect', () => clearTimeout(timer))
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
    if (route !== undefined) throw await route.fault(error, incoming !== undefined);
    const { toFault } = await import('./to-fault.ts');
    throw await toFault(error, request, { answered: incoming !== undefined, lookup });
  } finally {
    stopWatching();
  }
}
