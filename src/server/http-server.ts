/**
 * node:http's server with the limits that keep slow and broken clients harmless.
 * Tests: test/server/limits.test.ts, tls.test.ts
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { refuseLate } from '../platform/late-requests.ts';
import type { Refusal } from '../platform/late-requests.ts';
import type { ConnectionLimits, Connections } from './connections.ts';

/** The limits over all addresses. Default 2048 open connections, each idle for 40 s at most: longer than clients are told. */
export interface ServerLimits extends ConnectionLimits {
  /** Until a request's headers are there, in milliseconds, and up to two seconds more. Default 5 s. */
  readonly headersTimeoutMs: number;
  /** Until the whole request is there, likewise. Default 10 s. */
  readonly requestTimeoutMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  maxConnections: 2048,
  idleTimeoutMs: 40_000,
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
};

/** Bytes of a request's line and headers; the longest honest ones take a few hundred. */
const MAX_HEADER_BYTES = 8192;

const HANDSHAKE_PARTS = 4;

/** PEM text. */
export interface TlsMaterial {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Makes a server that is not open yet.
 *
 * @param refused is told of each request that is not handed on
 * @param requireHost whether HTTP/1.1 without a Host header is malformed (RFC 9112, section 3.2) before the handler sees it
 */
export async function makeServer(
  tls: TlsMaterial | undefined,
  limits: ServerLimits,
  handler: Handler,
  refused: (why: Refusal) => void,
  requireHost = true,
): Promise<Server> {
  const checkMs = Math.min(1000, limits.headersTimeoutMs);
  const settings: ServerOptions = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    requireHostHeader: requireHost,
    keepAliveTimeout: 0, // the sweep of the connections does it
    connectionsCheckingInterval: checkMs,
  };
  let server: Server;
  if (tls === undefined) {
    server = createServer(settings, handler);
  } else {
    const https = await import('node:https');
    // Node's own limit of the handshake, two minutes, counts the time of a stall: `track` has a shorter one.
    server = https.createServer({ ...settings, ...tls, minVersion: 'TLSv1.2' }, handler);
  }
  // Node would drop the lines above its own bound unseen, a guard's header among them. The guards count instead.
  server.maxHeadersCount = 0;
  // An expectation that nobody knows may be ignored (RFC 9110, section 10.1.1); node:http's own answer passes the guards by.
  server.on('checkExpectation', handler);
  // No request handler sees this one, and node:http has let go of the socket, its errors included.
  server.on('connect', (_request, socket) => {
    socket.on('error', () => undefined);
    const refusal = 'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
    socket.end(refusal, () => socket.destroy());
  });
  refuseLate(server, checkMs, refused);
  return server;
}

/** Whether a server speaks TLS. */
export function isTls(server: Server): server is HttpsServer {
  return 'setSecureContext' in server;
}

/** Counts a server's connections. With TLS, a request's socket is not the one that was accepted, which has `handshakeMs` to become one. */
export function track(server: Server, tls: boolean, connections: Connections, handshakeMs: number): void {
  if (!tls) {
    server.on('connection', (socket: Socket) => connections.add(socket));
    return;
  }
  const shaking = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
    const own = peerOf(socket);
    shaking.set(own, socket);
    // Counted in parts: a stall ends one of them, and the handshake can go on in the others.
    let parts = 0;
    const timer = setInterval(() => {
      if (shaking.get(own) !== socket) clearInterval(timer);
      else if (++parts === HANDSHAKE_PARTS) socket.destroy();
    }, handshakeMs / HANDSHAKE_PARTS);
    timer.unref();
    socket.once('close', () => {
      clearInterval(timer);
      if (shaking.get(own) === socket) shaking.delete(own);
    });
    connections.add(socket);
  });
  server.on('secureConnection', (socket: Socket) => {
    const raw = shaking.get(peerOf(socket));
    if (raw === undefined) return;
    shaking.delete(peerOf(socket));
    connections.replace(raw, socket);
  });
}

/** Both ends: a client may use one port towards several addresses of this host. */
function peerOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
