import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { refuseLate } from '../../src/platform/late-requests.ts';
import type { Refusal } from '../../src/platform/late-requests.ts';
import { stall } from '../support/stall.ts';

const LIMIT_MS = 100;
const GRACE_MS = 100;
/** Longer than limit, interval of the look at it, and grace together. */
const LONG_MS = 600;
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

const open: (Server | Socket)[] = [];
const refusals: Refusal[] = [];

/** Answers with the body of the request, once it is whole. */
async function startEcho(keepAliveTimeout = 60_000): Promise<{ server: Server; port: number }> {
  const settings = {
    headersTimeout: LIMIT_MS,
    requestTimeout: LIMIT_MS,
    keepAliveTimeout,
    keepAliveTimeoutBuffer: 0,
    connectionsCheckingInterval: 20,
  };
  const server = createServer(settings, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.end(`<${Buffer.concat(chunks).toString()}>`));
    request.on('error', () => undefined);
  });
  refuseLate(server, GRACE_MS, (why) => void refusals.push(why));
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<unknown>;
}

/** A connection that the server has accepted. */
async function accepted({ server, port }: { server: Server; port: number }): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  open.push(socket);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await Promise.all([once(server, 'connection'), once(socket, 'connect')]);
  return { socket, text: () => text, closed };
}

afterEach(() => {
  for (const one of open.splice(0)) {
    if ('destroy' in one) one.destroy();
    else one.close().closeAllConnections();
  }
  refusals.length = 0;
});

describe('a request that is there when a stall is over', () => {
  it('is answered, though the time for its headers has passed', async () => {
    const client = await accepted(await startEcho());
    client.socket.write(GET);
    stall(LONG_MS);
    await expect.poll(client.text).toMatch(/^HTTP\/1\.1 200 [^]*<>/);
    expect(refusals).toEqual([]);
  });

  it('is answered when only its body was missing', async () => {
    const echo = await startEcho();
    const client = await accepted(echo);
    client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab');
    await once(echo.server, 'request');
    client.socket.write('cd');
    stall(LONG_MS);
    await expect.poll(client.text).toMatch(/<abcd>/);
    // And nobody says otherwise afterwards.
    await once(client.socket.end(), 'close');
    expect(client.text()).not.toContain('408');
    expect(refusals).toEqual([]);
  });

  it('is answered when its client, which stood still as well, sends it then', async () => {
    const client = await accepted(await startEcho());
    stall(LONG_MS);
    setTimeout(() => client.socket.write(GET), GRACE_MS / 2);
    await expect.poll(client.text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('is answered when a second stall follows the first', async () => {
    const client = await accepted(await startEcho());
    stall(LONG_MS);
    setTimeout(() => {
      client.socket.write(GET);
      stall(LONG_MS);
    }, GRACE_MS / 2);
    await expect.poll(client.text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('is answered on an idle connection whose time is over', async () => {
    const client = await accepted(await startEcho(LIMIT_MS));
    client.socket.write(GET);
    await expect.poll(client.text, { interval: 1 }).toContain('<>');
    client.socket.write(GET);
    stall(LONG_MS);
    await expect.poll(() => client.text().match(/<>/g)).toHaveLength(2);
  });
});

describe('a request that does not come', () => {
  it.each([
    ['no headers', ''],
    ['half its headers', 'GET / HTTP/1.1\r\nHost: x\r\n'],
    ['half its body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab'],
    ['half of the second request', `${GET}GET / HTTP/1.1\r\n`],
  ])('is refused, once, when there are %s', async (_what, text) => {
    const client = await accepted(await startEcho());
    client.socket.write(text);
    await client.closed;
    expect(client.text()).toMatch(/HTTP\/1\.1 408 Request Timeout\r\nConnection: close\r\n/);
    expect(refusals).toEqual(['timeout']);
  });

  it('is refused when it comes drop by drop', async () => {
    const client = await accepted(await startEcho());
    client.socket.write('GET / HTTP/1.1\r\n');
    const drip = setInterval(() => client.socket.write('X-A: 1\r\n'), 10);
    await client.closed;
    clearInterval(drip);
    expect(refusals).toEqual(['timeout']);
  });

  it('is refused when the rest of its headers comes late, and its body not at all', async () => {
    const client = await accepted(await startEcho());
    client.socket.write('POST / HTTP/1.1\r\nHost: x\r\n');
    stall(LONG_MS);
    setTimeout(() => client.socket.write('Content-Length: 4\r\n\r\nab'), GRACE_MS / 2);
    await client.closed;
    expect(refusals).toEqual(['timeout']);
  });

  it('is refused behind one that was late and answered', async () => {
    const client = await accepted(await startEcho());
    client.socket.write(GET);
    stall(LONG_MS);
    await expect.poll(client.text).toMatch(/^HTTP\/1\.1 200 /);
    client.socket.write('GET / HTTP/1.1\r\n');
    await client.closed;
    expect(client.text()).toMatch(/<>.*HTTP\/1\.1 408 /s);
    expect(refusals).toEqual(['timeout']);
  });

  it('is not waited for when its client has gone', async () => {
    const client = await accepted(await startEcho());
    client.socket.write('GET / HTTP/1.1\r\n');
    stall(LONG_MS);
    setImmediate(() => client.socket.destroy());
    await client.closed;
    expect(client.text()).toBe('');
  });

  it('ends an idle connection', async () => {
    const client = await accepted(await startEcho(LIMIT_MS));
    client.socket.write(GET);
    await client.closed;
    expect(client.text()).toMatch(/^HTTP\/1\.1 200 /);
    expect(refusals).toEqual([]);
  });
});

describe('what is no HTTP', () => {
  it.each([
    ['400 Bad Request', 'no HTTP at all\r\n\r\n'],
    ['431 Request Header Fields Too Large', `GET / HTTP/1.1\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`],
  ])('is refused by %s', async (status, text) => {
    const client = await accepted(await startEcho());
    client.socket.write(text);
    await client.closed;
    expect(client.text().startsWith(`HTTP/1.1 ${status}\r\n`)).toBe(true);
    expect(refusals).toEqual(['malformed']);
  });
});
