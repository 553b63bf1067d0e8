import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { DEFAULT_LIMITS } from '../../src/server/http-server.ts';
import { stall } from '../support/stall.ts';
import { ask, credentials, HeldService, sendRaw, servedRole, startServer, TOKEN } from './support/server.ts';

const quick = { headersTimeoutMs: 200, requestTimeoutMs: 400, idleTimeoutMs: 200 };

/** Connections that are open; those that the server closes leave the set. */
async function openIdle(port: number, count: number, first = ''): Promise<Set<Socket>> {
  const open = new Set<Socket>();
  await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, '127.0.0.1');
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => open.delete(socket));
      await once(socket, 'connect');
      if (first !== '') socket.write(first);
    }),
  );
  return open;
}

/** Asks over a kept connection; gives what the answer says of it. */
function getByAgent(agent: Agent, port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: TOKEN };
    const sent = request({ agent, host: '127.0.0.1', port, path: '/credentials', headers }, (response) => {
      response.resume().on('end', () => resolve(response.headers.connection));
    });
    sent.on('error', reject).end();
  });
}

function refuseAll(): never {
  throw new RolesAnywhereError('ERR_LISTEN', 'not there');
}

const drop = (sockets: Set<Socket>): void => {
  for (const socket of sockets) socket.destroy();
};

it('10,000 idle connections leave room for who has something to ask, and no more are kept than the limit', async () => {
  const server = await startServer({
    limits: { maxConnections: 256, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
  });
  const all = new Set<Socket>();
  for (let i = 0; i < 20; i++) {
    for (const socket of await openIdle(server.port, 500)) all.add(socket);
    expect((await ask(server, 'GET', '/credentials', { Authorization: TOKEN })).status).toBe(200);
    expect(server.connections()).toBeLessThanOrEqual(256);
  }
  drop(all);
  await server.close(0);
});

it('the connections of a flood are pushed out before those that wait for an answer', async () => {
  const held = new HeldService();
  const role = servedRole('Demo', { vend: held.vend });
  const server = await startServer({
    roles: [role],
    limits: { maxConnections: 32, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
  });
  const waiting = Array.from({ length: 20 }, () => ask(server, 'GET', '/credentials', { Authorization: TOKEN }));
  await expect.poll(() => server.connections()).toBe(20);
  const flood = await openIdle(server.port, 200);
  await expect.poll(() => server.connections()).toBe(32);
  held.answer(credentials());
  for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(200);
  drop(flood);
  await server.close(0);
  role.provider.close();
});

it.each([
  ['says nothing', ''],
  ['sends half a line', 'GET /cred'],
  ['sends headers that never end', 'GET /credentials HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n'],
])('a client that %s is cut off', async (_what, first) => {
  const server = await startServer({ limits: quick });
  const text = await sendRaw(server.port, first);
  expect(text === '' || text.startsWith('HTTP/1.1 408 ')).toBe(true);
  await server.close(0);
});

it('a slow drip of headers does not keep a connection', async () => {
  const server = await startServer({ limits: quick });
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  // What drips after the end resets the connection.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  socket.write('GET /credentials HTTP/1.1\r\n');
  const drip = setInterval(() => socket.write('X-A: 1\r\n'), 20);
  await closed;
  clearInterval(drip);
  await expect.poll(() => server.connections()).toBe(0);
  await server.close(0);
});

it('a body that does not come does not keep a connection', async () => {
  const server = await startServer({ limits: quick });
  const text = await sendRaw(
    server.port,
    `PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 9\r\n\r\nx`,
  );
  expect(text).toMatch(/^HTTP\/1\.1 (?:200|408) /);
  await server.close(0);
});

it('an idle keep-alive connection is closed in the end', async () => {
  const server = await startServer({ limits: quick });
  const text = await sendRaw(
    server.port,
    `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${TOKEN}\r\n\r\n`,
  );
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  // Shorter than what the server waits by default, so that a client never asks on a connection about to end.
  expect(text).toContain('\r\nKeep-Alive: timeout=30\r\n');
  expect(DEFAULT_LIMITS.idleTimeoutMs).toBeGreaterThan(30_000);
  await server.close(0);
});

it('a client that asks and asks and never reads is cut off, and what waits for it is bounded', async () => {
  const server = await startServer({ limits: quick });
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined).pause();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  const asking = `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${TOKEN}\r\n\r\n`;
  const many = asking.repeat(1000);
  const begun = process.memoryUsage().rss;
  const flood = setInterval(() => {
    if (socket.writableLength < 1_000_000) socket.write(many);
  }, 1);
  await closed;
  clearInterval(flood);
  expect(process.memoryUsage().rss - begun).toBeLessThan(200 * 1024 * 1024);
  await expect.poll(() => server.connections()).toBe(0);
  await server.close(0);
});

it('a client that sends request after request while there is nothing to give is cut off, and nobody else', async () => {
  const held = new HeldService();
  const role = servedRole('Demo', { vend: held.vend });
  const server = await startServer({ roles: [role] });
  const patient = ask(server, 'GET', '/credentials', { Authorization: TOKEN });
  await expect.poll(() => server.connections()).toBe(1);
  const asking = `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${TOKEN}\r\n\r\n`;
  expect(await sendRaw(server.port, asking.repeat(5000))).toBe('');
  await expect.poll(() => server.connections()).toBe(1);
  held.answer(credentials());
  expect((await patient).status).toBe(200);
  expect(server.metrics.expose([], 0, 0)).toContain('{reason="pipelined"} 1');
  await server.close(0);
  role.provider.close();
});

it('those who wait for one role leave room for another', async () => {
  const held = new HeldService();
  const waiting = servedRole('Waiting', { vend: held.vend });
  const ready = servedRole('Ready');
  await ready.provider.start();
  const server = await startServer({ roles: [waiting, ready], limits: { maxConnections: 40 } });
  const asked = Array.from({ length: 40 }, () => ask(server, 'GET', '/role/Waiting', { Authorization: TOKEN }));
  await expect.poll(() => server.connections()).toBe(30);
  expect((await ask(server, 'GET', '/role/Ready', { Authorization: TOKEN })).status).toBe(200);
  held.answer(credentials());
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(30);
  expect(statuses.filter((status) => status === 503)).toHaveLength(10);
  await server.close(0);
  waiting.provider.close();
});

it('CONNECT and a reset after it end nothing but their connection', async () => {
  const server = await startServer();
  for (let i = 0; i < 20; i++) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', () => socket.resetAndDestroy());
    await once(socket, 'close');
  }
  expect(await sendRaw(server.port, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 405 /);
  expect((await ask(server, 'GET', '/credentials', { Authorization: TOKEN })).status).toBe(200);
  await expect.poll(() => server.connections()).toBe(0);
  await server.close(0);
});

it('an expectation that nobody knows passes no guard by', async () => {
  const server = await startServer();
  expect((await ask(server, 'GET', '/credentials', { Host: 'evil', Expect: 'x' })).status).toBe(403);
  expect((await ask(server, 'GET', '/credentials', { Authorization: TOKEN, Expect: 'x' })).status).toBe(200);
  await server.close(0);
});

it('resets are not counted as malformed requests, and what is malformed is', async () => {
  const server = await startServer();
  for (let i = 0; i < 20; i++) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`, () => socket.resetAndDestroy());
    await once(socket, 'close');
  }
  await sendRaw(server.port, 'no HTTP at all\r\n\r\n');
  await expect.poll(() => server.metrics.expose([], 0, 0)).toContain('refused_requests_total{reason="malformed"} 1\n');
  await server.close(0);
});

it('requests that come together on one connection are all answered, in order', async () => {
  const server = await startServer();
  const head = `HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${TOKEN}\r\n`;
  const text = await sendRaw(
    server.port,
    `GET /credentials ${head}\r\nGET /nowhere ${head}\r\nHEAD /credentials ${head}Connection: close\r\n\r\n`,
  );
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
  await server.close(0);
});

it('a stop answers what was asked, refuses what comes later and ends', async () => {
  const held = new HeldService();
  const role = servedRole('Demo', { vend: held.vend });
  const server = await startServer({ roles: [role] });
  const idle = await openIdle(server.port, 5);
  const asked = ask(server, 'GET', '/credentials', { Authorization: TOKEN, Connection: 'keep-alive' });
  await expect.poll(() => server.connections()).toBe(6);
  const closed = server.close(10_000);
  await expect
    .poll(() => ask(server, 'GET', '/credentials').catch((error: NodeJS.ErrnoException) => error.code))
    .toBe('ECONNREFUSED');
  held.answer(credentials());
  expect(await asked).toMatchObject({ status: 200, headers: { connection: 'close' } });
  await closed;
  await expect.poll(() => idle.size).toBe(0);
  role.provider.close();
});

it.each([
  ['', 0],
  [' on a machine that stands still just then', 300],
])('a stop loses no request of clients that ask again and again%s', async (_when, standsMs) => {
  const server = await startServer();
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const faults: string[] = [];
  let lastWord = 0;
  const client = async (): Promise<void> => {
    for (;;) {
      const answer = await getByAgent(agent, server.port).catch((error: NodeJS.ErrnoException) => error.code);
      if (answer === 'close') lastWord++;
      if (answer === 'close' || answer === 'ECONNREFUSED') return;
      if (answer === 'keep-alive') continue;
      faults.push(String(answer));
      return;
    }
  };
  const clients = Array.from({ length: 20 }, client);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const closed = server.close(5000);
  if (standsMs > 0) stall(standsMs);
  await closed;
  await Promise.all(clients);
  expect(faults).toEqual([]);
  expect(lastWord).toBeGreaterThan(0);
  agent.destroy();
});

it('a stop on a busy machine loses no request that has come, nor a connection', async () => {
  const server = await startServer();
  const asking = `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${TOKEN}\r\n\r\n`;
  const socket = connect(server.port, '127.0.0.1').setEncoding('utf8');
  let text = '';
  socket.on('data', (chunk: string) => (text += chunk)).on('error', (error) => (text += error.message));
  socket.write(asking);
  await expect.poll(() => text).toContain('HTTP/1.1 200');
  const closed = server.close(5000);
  text = '';
  socket.write(asking);
  const late = sendRaw(server.port, asking).catch((error: Error) => error.message);
  // Longer than a stop goes on answering.
  stall(300);
  await once(socket, 'close');
  expect(text).toMatch(/^HTTP\/1\.1 200[^]*\r\nconnection: close\r\n/i);
  expect(await late).toMatch(/^HTTP\/1\.1 200/);
  await closed;
});

it('a stop answers all that was sent together', async () => {
  const held = new HeldService();
  const role = servedRole('Demo', { vend: held.vend });
  const server = await startServer({ roles: [role] });
  const asking = `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${TOKEN}\r\n\r\n`;
  const text = sendRaw(server.port, asking.repeat(3));
  await expect.poll(() => server.connections()).toBe(1);
  const closed = server.close(10_000);
  held.answer(credentials());
  expect((await text).match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  await closed;
  role.provider.close();
});

it('a stop does not wait for ever', async () => {
  const role = servedRole('Demo', { vend: () => new Promise(() => undefined) });
  const server = await startServer({ roles: [role] });
  const asked = ask(server, 'GET', '/credentials', { Authorization: TOKEN });
  await expect.poll(() => server.connections()).toBe(1);
  await server.close(10);
  expect((await asked).status).toBe(503);
  role.provider.close();
});

it('an address in use, one that is not there and a forbidden one are refused', async () => {
  const first = await startServer();
  await expect(startServer({ listen: [{ address: '127.0.0.1', port: first.port }] })).rejects.toMatchObject({
    code: 'ERR_LISTEN',
    message: `cannot listen on 127.0.0.1 port ${first.port}: EADDRINUSE`,
  });
  await expect(startServer({ listen: [{ address: '192.0.2.1', port: 0 }] })).rejects.toMatchObject({
    code: 'ERR_LISTEN',
  });
  await expect(startServer({ permit: refuseAll })).rejects.toMatchObject({ message: 'not there' });
  await first.close(0);
});

it('an optional address that is not there is left out', async () => {
  const server = await startServer({
    listen: [
      { address: '127.0.0.1', port: 0 },
      { address: '192.0.2.1', port: 0, optional: true },
    ],
  });
  expect(server.addresses).toEqual([{ address: '127.0.0.1', port: server.port, kind: 'loopback' }]);
  await server.close(0);
});

it('a request that came before a stall is answered after it', async () => {
  const server = await startServer({ limits: quick });
  const socket = connect(server.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  await once(socket, 'connect');
  await expect.poll(() => server.connections(), { interval: 1 }).toBe(1);
  socket.write(
    `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${TOKEN}\r\nConnection: close\r\n\r\n`,
  );
  stall(1500);
  await once(socket, 'close');
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(server.metrics.expose([], 0, 0)).not.toContain('reason="timeout"');
  await server.close(0);
});
