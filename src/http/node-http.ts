/**
 * One exchange by node:http, on a connection that the caller makes: through a proxy, and for a request that direct.ts does
 * not write by itself. Loaded for these alone, since node:http takes as long to load as all the rest of a request.
 */
// Tests: test/http/proxy.test.ts, test/http/answers.test.ts, test/http/faults.test.ts
import { request as begin } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { RolesAnywhereError } from '../platform/errors.ts';
import { joinFields, MAX_HEADER_BYTES, readBody, watch, whileConnecting } from './exchange.ts';
import type { HttpRequest, HttpResponse } from './http.ts';

/** The way to the host of the URL. */
export interface Route {
  /** With what makes the connection. */
  readonly options: RequestOptions & Required<Pick<RequestOptions, 'createConnection'>>;
  /** Called when the exchange is given up. */
  readonly cancel?: (() => void) | undefined;
  /** The error to report for what was thrown. */
  readonly fault: (error: unknown, answered: boolean) => Promise<RolesAnywhereError>;
}

/** Makes one exchange. */
export async function exchangeByNode(request: HttpRequest, route: Route): Promise<HttpResponse> {
  const { method, url, headers, body } = request;
  const outgoing = begin({
    method,
    path: url.pathname + url.search,
    headers: {
      host: url.host,
      ...headers,
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
    maxHeaderSize: MAX_HEADER_BYTES,
    ...route.options,
  });

  let incoming: IncomingMessage | undefined;
  let ended: RolesAnywhereError | undefined;
  const stopWatching = watch(request, (error) => {
    ended = error;
    route.cancel?.();
    (incoming ?? outgoing).destroy(error);
  });
  outgoing.once('socket', (socket) => whileConnecting(socket, request, (error) => outgoing.destroy(error)));
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
    throw await route.fault(error, incoming !== undefined);
  } finally {
    stopWatching();
  }
}
