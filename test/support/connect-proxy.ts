import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket, connect as connectTls } from 'node:tls';
import type { ServerIdentity } from '../http/support/pki.ts';

export interface ConnectProxyOptions {
  /** TLS to the proxy itself. */
  tls?: ServerIdentity;
  /** `USER:PASSWORD` that it asks for. */
  auth?: string;
  /** Answers every CONNECT with this instead. */
  refusal?: string;
  /** Never answers CONNECT. */
  silent?: boolean;
  /** Makes a certificate for each host, reads what passes, and trusts the target without a question. */
  inspect?: (host: string) => Promise<ServerIdentity>;
  /** Where a tunnel leads, when not to where it was asked to. */
  leadTo?: number;
}

export interface ConnectProxy {
  port: number;
  /** The targets that were asked for, as they were written. */
  targets: string[];
  /** What an inspecting proxy read of requests. */
  seen: string[];
  close: () => Promise<void>;
}

/** An HTTP proxy on 127.0.0.1: CONNECT, and requests in absolute form. */
export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const { tls, auth, refusal, silent, inspect, leadTo } = options;
  const targets: string[] = [];
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const allowed = ({ headers }: IncomingMessage): boolean =>
    auth === undefined || headers['proxy-authorization'] === `Basic ${Buffer.from(auth).toString('base64')}`;

  const forward: RequestListener = (request, response) => {
    targets.push(request.url ?? '');
    if (!allowed(request)) {
      response.writeHead(407, { 'proxy-authenticate': 'Basic realm="test"' }).end();
      return;
    }
    const url = new URL(request.url ?? '');
    const headers = { ...request.headers };
    delete headers['proxy-authorization'];
    const onward = httpRequest({
      host: '127.0.0.1',
      port: leadTo ?? url.port,
      method: request.method,
      path: url.pathname + url.search,
      headers,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  };
  const server = tls === undefined ? createServer(forward) : createTlsServer(tls, forward);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => undefined);
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => undefined);
    targets.push(request.url ?? '');
    if (silent === true) return;
    if (!allowed(request)) {
      socket.end('HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm="test"\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    if (refusal !== undefined) {
      socket.end(refusal);
      return;
    }
    const target = new URL(`http://${request.url ?? ''}`);
    const port = leadTo ?? Number(target.port || 80);
    void open(target.hostname, port, socket);
  });

  async function open(host: string, port: number, socket: Socket): Promise<void> {
    const identity = await inspect?.(host);
    const onward =
      identity === undefined
        ? connect(port, '127.0.0.1')
        : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    sockets.add(onward);
    onward.once('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
    onward.once(identity === undefined ? 'connect' : 'secureConnect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      const client = identity === undefined ? socket : new TLSSocket(socket, { ...identity, isServer: true });
      client.on('error', () => onward.destroy());
      onward.on('error', () => client.destroy());
      if (identity !== undefined) client.on('data', (chunk) => seen.push(String(chunk)));
      client.pipe(onward).pipe(client);
    });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
