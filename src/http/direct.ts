/**
 * One exchange on a connection of its own, over node:net or node:tls without node:http: the
 * cheapest to start, and so what a one-shot command uses.
 */
// Tests: test/http/answers.test.ts, test/http/faults.test.ts, test/http/early.test.ts
import type { LookupFunction, Socket } from 'node:net';
import { RolesAnywhereError } from '../platform/errors.ts';
import { catchUp, processAge } from '../platform/clock.ts';
import { AnswerReader } from './answer-reader.ts';
import { IDLE_MS, watch, whileConnecting } from './exchange.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from './http.ts';
import { isPlainRequest, requestBytes } from './request-bytes.ts';
import { serverName, tlsOptions } from './tls.ts';

/**
 * An HttpTransport without pool, cache or proxy.
 *
 * @param lookup how names are resolved; default: Node's way, which asks the system
 */
export async function directTransport(request: HttpRequest, lookup?: LookupFunction): Promise<HttpResponse> {
  return await exchange(request, openSocket(request, lookup), lookup);
}

/** Makes one exchange on a connection, and ends it. */
async function exchange(request: HttpRequest, socket: Socket, lookup?: LookupFunction): Promise<HttpResponse> {
  const { url, maxResponseBytes } = request;
  const faultFor = async (error: unknown, answered: boolean): Promise<RolesAnywhereError> => {
    const { toFault } = await import('./to-fault.ts');
    return await toFault(error, request, { answered, lookup });
  };
  if (!isPlainRequest(request)) {
    socket.on('error', () => {}); // told to whoever listens when the request is there
    const { exchangeByNode } = await import('./node-http.ts');
    return await exchangeByNode(request, { options: { createConnection: () => socket }, fault: faultFor });
  }

  const answer = new AnswerReader(maxResponseBytes, () => {
    const problem = `the answer of ${url.host} is longer than ${maxResponseBytes} bytes`;
    return new RolesAnywhereError('ERR_RESPONSE_INVALID', problem);
  });
  let stopWatching: (() => void) | undefined;
  try {
    const response = await new Promise<HttpResponse>((resolve, reject) => {
      stopWatching = watch(request, reject);
      const take = (bytes?: Uint8Array): void => {
        try {
          if (bytes === undefined) answer.end();
          else answer.push(bytes);
          if (answer.response !== undefined) resolve(answer.response);
        } catch (error) {
          reject(error);
        }
      };
      socket
        .on('data', take)
        .once('end', take)
        .once('close', () => take())
        .on('error', reject);
      // With TLS, when the other side was verified, and not before.
      const send = (): void => void socket.write(requestBytes(request));
      if (!whileConnecting(socket, request, reject, send)) send();
    });
    if (response.status === 101)
      throw new RolesAnywhereError('ERR_RESPONSE_INVALID', `${url.host} switched protocols without being asked to`);
    // In the next turn, which a one-shot that prints its answer does not see: to destroy a socket, Node opens standard error.
    setImmediate(() => socket.destroy());
    return response;
  } catch (error) {
    socket.destroy();
    throw await faultFor(error, answer.answered);
  } finally {
    stopWatching?.();
  }
}

/** Where a connection leads, and whom it believes there. */
export type Target = Pick<HttpRequest, 'url' | 'tls'>;

/**
 * A direct transport that begins its first connection at once: what it takes (a name to look up, two round trips for TLS)
 * passes while a certificate is read and a key signs. The connection serves the first request to the same host with the same
 * trust; when it has failed by then, or the server has closed it or said anything, the request has one of its own, and says
 * what is wrong.
 *
 * @param monotonic milliseconds by a clock that nobody sets
 */
export function beginEarly(target: Target, monotonic = processAge): HttpTransport {
  const begun = monotonic();
  const spoil = (): void => {
    early?.destroy();
    early = undefined;
  };
  // What comes before anything was asked, as a load balancer's 408, answers nothing (RFC 9112, section 9.2).
  let early: Socket | undefined = openSocket(target).on('error', spoil).on('data', spoil);
  return async (request) => {
    if (early !== undefined && monotonic() - begun >= IDLE_MS) await catchUp();
    const socket = early;
    const { url, tls } = request;
    if (socket === undefined || !socket.writable || url.origin !== target.url.origin || tls !== target.tls)
      return await directTransport(request);
    early = undefined;
    socket.off('data', spoil);
    const sent = monotonic();
    try {
      return await exchange(request, socket);
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
