import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../src/http/http.ts';
import { createPooledTransport } from '../../src/http/pooled.ts';
import { startFaultProxy } from '../faults/support/fault-proxy.ts';
import { says } from './support/manners.ts';
import { makeAuthority } from './support/pki.ts';
import { serve, serveTls } from './support/servers.ts';
import { cleanUp, failure, OK, send, up } from './support/transports.ts';

const RUN_TS = fileURLToPath(new URL('../../scripts/run-ts.mjs', import.meta.url));
const POOLED_ONCE = fileURLToPath(new URL('./support/pooled-once.ts', import.meta.url));

function getting(url: string): HttpRequest {
  return { method: 'GET', url: new URL(url), headers: {}, timeoutMs: 20_000, maxResponseBytes: 100 };
}

describe('pooled transport alone', () => {
  it('uses a connection again, and one of its own for each trust', async () => {
    const [authority, stranger] = await Promise.all([makeAuthority('Trusted'), makeAuthority('Stranger')]);
    const { port, connections } = await up(
      serveTls(await authority.issue(['127.0.0.1']), (socket) => socket.write(OK)),
    );
    const { request, close } = createPooledTransport();
    cleanUp(close);
    const get = (ca: string): Promise<HttpResponse> =>
      request({ ...getting(`https://127.0.0.1:${port}/`), tls: { ca } });
    await get(authority.root);
    // undici takes a connection back a turn after the answer.
    await new Promise(setImmediate);
    await get(authority.root);
    expect(connections()).toBe(1);
    expect(await failure(get(stranger.root))).toMatchObject({ code: 'ERR_TLS_AUTHORITY' });
  });

  it('waits for nothing more when the TLS session fails amid the answer, though the server leaves it open', async () => {
    const authority = await makeAuthority('Trusted');
    const long = `HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n${'a'.repeat(2000)}`;
    const { port } = await up(serveTls(await authority.issue(['127.0.0.1']), (socket) => socket.write(long)));
    const proxy = await startFaultProxy(port);
    cleanUp(() => proxy.close());
    proxy.set({ at: 'answer', does: 'corrupt' });
    const { request, close } = createPooledTransport();
    cleanUp(close);
    const asked = request({
      method: 'GET',
      url: new URL(`https://127.0.0.1:${proxy.port}/`),
      headers: {},
      tls: { ca: authority.root },
      timeoutMs: 5000,
      maxResponseBytes: 10_000,
    });
    expect(await failure(asked)).toMatchObject({ code: 'ERR_TLS' });
  });

  it('takes status 000, which undici has no answer to, for what it is', async () => {
    const { port } = await up(serve(says('HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n')));
    expect(await failure(send('pooled', `http://127.0.0.1:${port}/`))).toMatchObject({ code: 'ERR_RESPONSE_INVALID' });
  });

  it('ends what is under way when it is closed, and makes no more exchanges', async () => {
    const pool = createPooledTransport();
    const { port } = await up(serve(() => void pool.close()));
    const request = getting(`http://127.0.0.1:${port}/`);
    expect((await failure(pool.request(request))).code).toBe('ERR_INTERRUPTED');
    expect((await failure(pool.request(request))).code).toBe('ERR_INTERRUPTED');
    await pool.close();
  });

  it('ends connections that are being made when it is closed', async () => {
    const { port, connections } = await up(serve(() => undefined));
    const pool = createPooledTransport();
    const failed = failure(pool.request(getting(`https://127.0.0.1:${port}/`)));
    await vi.waitUntil(() => connections() === 1);
    await pool.close();
    expect((await failed).code).toBe('ERR_INTERRUPTED');
  });

  it('keeps nothing of a connection that has ended', async () => {
    const signals: AbortSignal[] = [];
    vi.stubGlobal(
      'AbortController',
      class extends AbortController {
        constructor() {
          super();
          signals.push(this.signal);
        }
      },
    );
    const { request, close } = createPooledTransport();
    vi.unstubAllGlobals();
    cleanUp(close);
    const { port, connections } = await up(serve((socket) => socket.end(OK)));
    for (let count = 0; count < 20; count++) await request(getting(`http://127.0.0.1:${port}/`));
    expect(connections()).toBe(20);
    expect(signals.map((signal) => getEventListeners(signal, 'abort').length)).toEqual([0]);
  });

  it('ends a connection that is watched after its exchange', async () => {
    const { port } = await up(serve(says(OK)));
    const { request, close } = createPooledTransport();
    cleanUp(close);
    const sockets: Socket[] = [];
    await request({ ...getting(`http://127.0.0.1:${port}/`), onSocket: (socket) => sockets.push(socket) });
    await vi.waitFor(() => expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]));
  });

  it('lets a process end while a connection is idle', async () => {
    const { port } = await up(serve(says(OK)));
    const { stdout } = await promisify(execFile)(process.execPath, [RUN_TS, POOLED_ONCE, `http://127.0.0.1:${port}/`], {
      env: {},
      timeout: 25_000,
    });
    expect(stdout).toBe('ok\n');
  });

  it('takes an unasked-for 100 for a fault, as undici does', async () => {
    const { port } = await up(serve(says(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)));
    expect(await failure(send('pooled', `http://127.0.0.1:${port}/`))).toMatchObject({ code: 'ERR_RESPONSE_INVALID' });
    expect(await send('direct', `http://127.0.0.1:${port}/`)).toMatchObject({ body: 'ok' });
  });
});
