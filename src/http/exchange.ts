/** What the transports have in common: when to give up, and how an answer is taken in. */
// Tests: test/http/answers.test.ts
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpRequest, HttpResponse } from './http.ts';

/** An answer with a longer head is an error. It is Node's own limit, stated so that both transports have it. */
export const MAX_HEADER_BYTES = 16 * 1024;

/** How long a connection may take to be made, when the request does not say. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** No server gives up a connection that was unused for less, in milliseconds. */
export const IDLE_MS = 1000;

/**
 * Calls `end` once when the exchange's time is up or its signal fires, at once
 * if that has already fired.
 *
 * @returns a function that stops watching
 */
export function watch({ url, timeoutMs, signal }: HttpRequest, end: (error: RolesAnywhereError) => void): () => void {
  const timer = setTimeout(() => {
    stop();
    end(new RolesAnywhereError('ERR_TIMEOUT', `no complete answer from ${url.host} within ${timeoutMs} ms`));
  }, timeoutMs);
  const interrupt = (): void => {
    stop();
    end(new RolesAnywhereError('ERR_INTERRUPTED', `the request to ${url.host} was interrupted`));
  };
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupt);
  };
  signal?.addEventListener('abort', interrupt);
  if (signal?.aborted === true) interrupt();
  return stop;
}

/**
 * Sees to a connection that is still being made: tells the request's watcher of it, and calls `end` when it takes too long.
 *
 * @param done called when it is made, with TLS when the other side was verified
 * @returns false, and does nothing, for one that is made
 */
export function whileConnecting(
  socket: Socket,
  { onSocket, connectTimeoutMs = CONNECT_TIMEOUT_MS }: HttpRequest,
  end: (error: Error) => void,
  done: () => void = () => {},
): boolean {
  const isSecure = isTls(socket);
  if (!socket.connecting && !(isSecure && socket.secureConnecting)) return false;
  onSocket?.(socket);
  const late = Object.assign(new Error('no connection in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
  const timer = setTimeout(() => end(late), connectTimeoutMs);
  socket
    .once('close', () => clearTimeout(timer))
    .once(isSecure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      done();
    });
  return true;
}

function isTls(socket: Socket): socket is TLSSocket & { readonly secureConnecting: boolean } {
  return 'secureConnecting' in socket;
}

/** Reads a body to its end, at most `maxResponseBytes` of it. */
export async function readBody(body: Readable, { url, maxResponseBytes }: HttpRequest): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // By events: iterating costs a one-shot a millisecond or two.
  await new Promise<void>((resolve, reject) => {
    body
      .on('data', (chunk: Uint8Array) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length <= maxResponseBytes) return;
        const problem = `the answer of ${url.host} is longer than ${maxResponseBytes} bytes`;
        // With the stream goes the connection.
        body.destroy(new RolesAnywhereError('ERR_RESPONSE_INVALID', problem));
      })
      .once('end', resolve)
      .once('error', reject)
      .once('close', () =>
        reject(Object.assign(new Error('the answer is cut off'), { code: 'ERR_STREAM_PREMATURE_CLOSE' })),
      );
  });
  return Buffer.concat(chunks).toString('utf8');
}

/** Repeated fields joined, names as they come (both parsers give lower case). */
export function joinFields(fields: Readonly<Record<string, string | string[] | undefined>>): HttpResponse['headers'] {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}
