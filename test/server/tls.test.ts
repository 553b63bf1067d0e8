import { once } from 'node:events';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, it } from 'vitest';
import { pkiText } from '../support/pki.ts';
import { stall } from '../support/stall.ts';
import { sendRaw, startServer, TOKEN } from './support/server.ts';

const tls = { cert: pkiText('tls-server.crt.pem'), key: pkiText('tls-server.key.pem') };

async function get(port: number, path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    headers: { Host: `localhost:${port}`, ...headers },
    servername: 'localhost',
    ca: pkiText('tls-root.pem'),
    checkServerIdentity: () => undefined,
    agent: false,
  });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response;
}

it('with TLS, the same guards and routes are behind it', async () => {
  const server = await startServer({ tls });
  expect((await get(server.port, '/credentials', { Authorization: TOKEN })).statusCode).toBe(200);
  expect((await get(server.port, '/credentials')).statusCode).toBe(401);
  expect((await get(server.port, '/credentials', { Host: 'attacker.example' })).statusCode).toBe(403);
  expect(await sendRaw(server.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).not.toContain('200');
  await server.close(1000);
});

it('handshakes that do not go on are pushed out like any idle connection', async () => {
  const server = await startServer({
    tls,
    limits: { maxConnections: 16, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
  });
  const sockets = Array.from({ length: 100 }, () => connect(server.port, '127.0.0.1').on('error', () => undefined));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  expect((await get(server.port, '/credentials', { Authorization: TOKEN })).statusCode).toBe(200);
  expect(server.connections()).toBeLessThanOrEqual(16);
  for (const socket of sockets) socket.destroy();
  await server.close(1000);
});

it('new material is used for connections to come', async () => {
  const server = await startServer({ tls });
  expect(() => server.setTls({ ...tls, key: pkiText('ec-p256.key.pem') })).toThrow(/key values mismatch/i);
  server.setTls(tls);
  expect((await get(server.port, '/credentials', { Authorization: TOKEN })).statusCode).toBe(200);
  await server.close(1000);
});

it('beyond the loopback there is no IMDS', async () => {
  const server = await startServer({ tls, listen: [{ address: '0.0.0.0', port: 0 }], allowedHosts: ['localhost'] });
  expect((await get(server.port, '/latest/meta-data/iam/security-credentials/')).statusCode).toBe(404);
  expect((await get(server.port, '/credentials', { Authorization: TOKEN })).statusCode).toBe(200);
  expect((await get(server.port, '/credentials', { Host: `127.0.0.1:${server.port}` })).statusCode).toBe(403);
  await server.close(1000);
});

it('two connections from one port to two addresses of the host are both counted, and both end', async () => {
  const server = await startServer({
    tls,
    listen: [{ address: '0.0.0.0', port: 0 }],
    limits: { idleTimeoutMs: 200, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
  });
  const shake = (host: string, localPort?: number) => {
    const from = {
      port: server.port,
      host,
      localAddress: '127.0.0.1',
      ...(localPort === undefined ? {} : { localPort }),
    };
    const raw = connect(from).on('error', () => undefined);
    return { raw, secure: connectTls({ socket: raw, rejectUnauthorized: false }).on('error', () => undefined) };
  };
  const { raw, secure: first } = shake('127.0.0.1');
  await once(raw, 'connect');
  // The first one has not shaken hands yet: both are on their way.
  const { secure: second } = shake('127.0.0.2', raw.localPort);
  const closed = Promise.all([once(first, 'close'), once(second, 'close')]);
  await Promise.all([once(first, 'secureConnect'), once(second, 'secureConnect')]);
  expect(server.connections()).toBe(2);
  for (const socket of [first, second]) socket.resume();
  await closed;
  await expect.poll(() => server.connections()).toBe(0);
  await server.close(0);
});

it('a handshake that began before a stall goes on after it, and one that does not go on is cut off', async () => {
  const server = await startServer({
    tls,
    limits: { headersTimeoutMs: 400, requestTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
  });
  const raw = await accepted(server);
  const shaken = connectTls({ socket: raw, servername: 'localhost', ca: pkiText('tls-root.pem') });
  const done = once(shaken, 'secureConnect');
  // The client's first message is on its way before anything else runs.
  await new Promise(setImmediate);
  stall(1500);
  await done;
  shaken.destroy();

  const silent = await accepted(server);
  silent.resume();
  await once(silent, 'close');
  await expect.poll(() => server.connections()).toBe(0);
  await server.close(0);
});

async function accepted(server: { readonly port: number; connections(): number }): Promise<Socket> {
  const before = server.connections();
  const socket = connect(server.port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  await expect.poll(() => server.connections(), { interval: 1 }).toBe(before + 1);
  return socket;
}
