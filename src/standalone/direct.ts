/**
 * One exchange on a connection of its own, by the runtime's own sockets: takes the place of src/http/direct.ts on the
 * executable's hot path. It does the plain thing alone. Until a request is sent, everything else is left to the common code,
 * which begins anew and so says the same as the npm program.
 */
// Tests: test/http/faults.test.ts, test/standalone/hot-path.heavy.test.ts
import { AnswerReader, faulty } from '../http/answer-reader.ts';
import { CONNECT_TIMEOUT_MS, IDLE_MS, watch } from '../http/exchange.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from '../http/http.ts';
import type { Target } from '../http/direct.ts';
import { isPlainRequest, requestBytes } from '../http/request-bytes.ts';
import { catchUp, processAge } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { PlainConnection, isPlainTarget } from './connection.ts';
import { type Connect, connectByRuntime } from './runtime.ts';

/** An HttpTransport without pool, cache or proxy. */
export async function directTransport(request: HttpRequest): Promise<HttpResponse> {
  return await exchange(request);
}

/**
 * A direct transport that begins its first connection at once, as src/http/direct.ts does.
 *
 * @param monotonic milliseconds by a clock that nobody sets
 */
export function beginEarly(target: Target, monotonic = processAge, connect: Connect = connectByRuntime): HttpTransport {
  const begun = monotonic();
  let early = isPlainTarget(target, process.env) ? new PlainConnection(target, connect) : undefined;
  return async (request) => {
    if (early !== undefined && monotonic() - begun >= IDLE_MS) await catchUp();
    const connection = early;
    const { url, tls } = request;
    const isSame = url.origin === target.url.origin && tls === target.tls;
    if (connection === undefined || !connection.isOpen || !isSame || !isPlain(request))
      return await exchange(request, connect);
    early = undefined;
    const sent = monotonic();
    try {
      return await exchange(request, connect, connection);
    } catch (error) {
      // It waited unused, and the server gave it up before the request was there: that is no failed attempt.
      const isGivenUp = error instanceof RolesAnywhereError && error.code === 'ERR_CONNECT' && sent - begun >= IDLE_MS;
      if (!isGivenUp) throw error;
      const left = request.timeoutMs - (monotonic() - sent);
      return await exchange({ ...request, timeoutMs: Math.max(1, Math.ceil(left)) }, connect);
    }
  };
}

/**
 * Makes one exchange.
 *
 * @param connect default: the runtime's
 * @param connection one that was begun. Default: a new one
 */
export async function exchange(
  request: HttpRequest,
  connect: Connect = connectByRuntime,
  connection?: PlainConnection,
): Promise<HttpResponse> {
  if (!isPlain(request)) return await commonExchange(request);
  const giveUp = new AbortController();
  let ended: RolesAnywhereError | undefined;
  const stopWatching = watch(request, (error) => {
    ended = error;
    giveUp.abort(error);
  });
  try {
    const answer = await plainExchange(request, connection ?? new PlainConnection(request, connect), giveUp.signal);
    // The time goes on: it is not a new request to whoever waits.
    return answer ?? (await commonExchange({ ...request, signal: giveUp.signal }));
  } catch (error) {
    if (ended !== undefined) throw ended;
    throw error;
  } finally {
    stopWatching();
  }
}

async function commonExchange(request: HttpRequest): Promise<HttpResponse> {
  const common = await import('../http/direct.ts');
  return await common.directTransport(request);
}

/** Whether a request is one that this module makes. */
function isPlain(request: HttpRequest): boolean {
  return request.onSocket === undefined && isPlainTarget(request, process.env) && isPlainRequest(request);
}

/** Resolves to undefined when nothing was sent, and the common code has to look. */
async function plainExchange(
  request: HttpRequest,
  connection: PlainConnection,
  signal: AbortSignal,
): Promise<HttpResponse | undefined> {
  const { url, maxResponseBytes, connectTimeoutMs = CONNECT_TIMEOUT_MS } = request;
  const giveUp = (): void => connection.giveUp();
  signal.addEventListener('abort', giveUp);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    giveUp();
  }, connectTimeoutMs);
  let reader: AnswerReader | undefined;
  try {
    const isReady = await connection.ready;
    clearTimeout(timer);
    signal.throwIfAborted();
    if (isLate) throw faulty('UND_ERR_CONNECT_TIMEOUT', 'no connection in time');
    if (!isReady || !connection.isOpen) return undefined;
    const tooLong = (): Error =>
      new RolesAnywhereError(
        'ERR_RESPONSE_INVALID',
        `the answer of ${url.host} is longer than ${maxResponseBytes} bytes`,
      );
    const answer = (reader = new AnswerReader(maxResponseBytes, tooLong));
    const response = await new Promise<HttpResponse>((resolve, reject) => {
      const take = (bytes: Uint8Array | undefined): void => {
        try {
          if (bytes === undefined) answer.end();
          else answer.push(bytes);
          if (answer.response !== undefined) resolve(answer.response);
        } catch (error) {
          reject(error);
        }
      };
      signal.addEventListener('abort', () => reject(signal.reason));
      connection.send(requestBytes(request), {
        data: take,
        ended: (error) => (error === undefined || error === null ? take(undefined) : reject(error)),
      });
    });
    if (response.status !== 101) return response;
    throw new RolesAnywhereError('ERR_RESPONSE_INVALID', `${url.host} switched protocols without being asked to`);
  } catch (error) {
    if (signal.aborted) throw error;
    const { toFault } = await import('../http/to-fault.ts');
    throw await toFault(error, request, { answered: reader?.answered === true });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    giveUp();
  }
}
