/** HTTP and HTTPS listeners on loopback, bounded in what they read and how long they wait. */
// Tests: test/emulator/emulator.test.ts
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { refuseLate } from '../../platform/late-requests.ts';
import type { Answer } from './answer.ts';
import type { Delivery } from './faults.ts';
import { type ReceivedRequest, receivedRequest } from './received.ts';
import { Refusal } from './refusal.ts';

/** PEM text of a server's certificate with its chain, and of its key. */
export interface TlsOptions {
  cert: string;
  key: string;
  /** Default 0: any free one. */
  port?: number | undefined;
}

export interface Listener {
  readonly url: string;
  readonly port: number;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Answers a request, whatever comes; `problem` says that its body is left out, and why. */
export type Handler = (
  request: ReceivedRequest,
  requestId: string,
  problem?: Refusal,
) => Promise<{ answer: Answer; delivery?: Delivery | undefined }>;

/** Six certificates with large keys in base64, and room to spare. */
const MAX_HEADER_BYTES = 64 * 1024;
/** A CRL of 300,000 bytes, the most that the service takes, in base64 and JSON. */
const MAX_BODY_BYTES = 512 * 1024;
const MAX_CONNECTIONS = 256;

/** How often requests that are late are looked for, and how much longer they may take. */
const CHECK_MS = 2_000;

const LIMITS: ServerOptions = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: CHECK_MS,
};

/**
 * @param now the moment in the answers' Date header, by which clients correct their clocks
 * @throws RolesAnywhereError `ERR_LISTEN`, `ERR_TLS`
 */
export async function listen(
  { host, port, tls }: { host: string; port: number; tls?: TlsOptions | undefined },
  handler: Handler,
  now: () => Date,
): Promise<Listener> {
  const serve: RequestListener = (request, response) => {
    readBody(request, (body, problem) => {
      const requestId = randomUUID();
      const { method = '', url: target = '', rawHeaders, socket } = request;
      const sourceIp = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
      const received = receivedRequest({ method, target, rawHeaders, body, sourceIp, isSecure: tls !== undefined });
      void handler(received, requestId, problem).then(({ answer, delivery = {} }) =>
        send(response, answer, { ...delivery, requestId, date: delivery.date ?? now() }),
      );
    });
  };
  const server = tls === undefined ? createServer(LIMITS, serve) : tlsServer(tls, serve);
  server.maxConnections = MAX_CONNECTIONS;
  refuseLate(server, CHECK_MS);
  await bind(server, host, port);
  const { address, port: bound, family } = boundTo(server);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    port: bound,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

function tlsServer({ cert, key }: TlsOptions, serve: RequestListener): Server {
  try {
    return createTlsServer({ ...LIMITS, cert, key, minVersion: 'TLSv1.2' }, serve);
  } catch (cause) {
    throw new RolesAnywhereError('ERR_TLS', 'the certificate and key of the emulator cannot be used for TLS', {
      hint: 'give a certificate with its chain, and the unencrypted key of it, both in PEM',
      cause,
    });
  }
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new RolesAnywhereError('ERR_LISTEN', `cannot listen on ${host} port ${port}: ${cause.code ?? cause.message}`, {
          hint: ['ENOTFOUND', 'EADDRNOTAVAIL', 'EAI_AGAIN'].includes(cause.code ?? '')
            ? 'give an address of this machine'
            : 'choose another port, or 0 for any free one',
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

function boundTo(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the listener has no port');
  return address;
}

/** Calls `done` once, with the body or with what is wrong; never, when the client goes away before. */
function readBody(request: IncomingMessage, done: (body: Buffer, problem?: Refusal) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    if (length > MAX_BODY_BYTES) return;
    length += chunk.length;
    if (length > MAX_BODY_BYTES) done(Buffer.alloc(0), tooLarge());
    else chunks.push(chunk);
  });
  request.on('end', () => {
    if (length <= MAX_BODY_BYTES) done(Buffer.concat(chunks));
  });
  request.on('error', () => undefined); // the connection is gone, and nobody is there to be answered
}

function tooLarge(): Refusal {
  const message = `The request is longer than ${MAX_BODY_BYTES} bytes`;
  return new Refusal(413, 'RequestEntityTooLargeException', message, message);
}

async function send(
  response: ServerResponse,
  answer: Answer,
  { requestId, date, delayMs, cut }: Delivery & { requestId: string; date: Date },
): Promise<void> {
  // It keeps no process alive: a listener that closes does not wait for it.
  if (delayMs !== undefined) await sleep(delayMs, undefined, { ref: false });
  if (cut === 'before') {
    response.destroy();
    return;
  }
  response.sendDate = false;
  response.writeHead(answer.status, {
    'Content-Type': answer.contentType,
    'Content-Length': Buffer.byteLength(answer.body),
    'x-amzn-RequestId': requestId,
    Date: date.toUTCString(),
    ...(answer.status === 413 && { Connection: 'close' }), // node:http takes no header that is undefined
    ...answer.headers,
  });
  if (cut === 'middle') response.write(answer.body.slice(0, answer.body.length / 2), () => response.destroy());
  else response.end(answer.body);
}
