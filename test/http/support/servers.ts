import { createServer } from 'node:net';
import type { AddressInfo, LookupFunction, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TlsOptions, TLSSocket } from 'node:tls';

/** A server on 127.0.0.1, of whatever manners. */
export interface TestServer {
  port: number;
  /** Connections that it has taken so far. */
  connections: () => number;
  close: () => Promise<void>;
}

/** Gets each whole request as it came, and the socket to answer on. */
export type OnRequest = (socket: Socket, request: string) => void;

/** Listens with plain TCP. */
export function serve(onRequest: OnRequest): Promise<TestServer> {
  return start(createServer((socket) => readRequests(socket, onRequest)));
}

/** Listens with plain TCP, and gets sockets at once. */
export function serveConnections(onConnection: (socket: Socket) => void): Promise<TestServer> {
  return start(createServer(onConnection));
}

/** Listens with TLS. */
export function serveTls(
  options: TlsOptions,
  onRequest: (socket: TLSSocket, request: string) => void,
): Promise<TestServer> {
  return start(
    createTlsServer(options, (socket) => readRequests(socket, (_socket, request) => onRequest(socket, request))),
  );
}

/** A port of 127.0.0.1 that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = await serve(() => undefined);
  await server.close();
  return server.port;
}

/** Resolves every name to 127.0.0.1. */
export const toLoopback: LookupFunction = (_hostname, options, callback) => {
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

/** Fails as the system's resolver does. */
export function failsWith(code: string): LookupFunction {
  return (hostname, _options, callback) => {
    callback(Object.assign(new Error(`getaddrinfo ${code} ${hostname}`), { code, syscall: 'getaddrinfo' }), '', 4);
  };
}

async function start(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined); // the client's manners are what is tested, not the server's
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function readRequests(socket: Socket, onRequest: OnRequest): void {
  let received = '';
  socket.on('error', () => undefined);
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    received += String(chunk);
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const end = headEnd + 4 + Number(/\r\ncontent-length: (\d+)\r\n/i.exec(received.slice(0, headEnd + 2))?.[1] ?? 0);
    if (received.length < end) return;
    const request = received.slice(0, end);
    received = received.slice(end);
    onRequest(socket, request);
  });
}
