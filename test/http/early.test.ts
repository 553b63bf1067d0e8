/** A connection that is begun before there is anything to send. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { beginEarly as beginByNode } from '../../src/http/direct.ts';
import type { TlsSettings } from '../../src/http/http.ts';
import { beginEarly as beginByRuntime } from '../../src/standalone/direct.ts';
import { connect } from '../standalone/support/node-runtime.mjs';
import { pkiText } from '../support/pki.ts';

const REQUEST = { method: 'POST', headers: {}, body: '{}', timeoutMs: 5000, maxResponseBytes: 1000 } as const;

const opened: { close(): void; closeAllConnections(): void }[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(secure: boolean): Promise<{ url: URL; sockets: Socket[] }> {
  const tls = { cert: pkiText('tls-server.crt.pem'), key: pkiText('tls-server.key.pem') };
  const server = secure ? createTlsServer(tls) : createHttpServer();
  const sockets: Socket[] = [];
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => sockets.push(socket));
  server.on('request', (request, response) => request.resume().on('end', () => response.end('answer')));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(server);
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`${secure ? 'https' : 'http'}://localhost:${port}/sessions`), sockets };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

const WAYS: Readonly<Record<string, typeof beginByNode>> = {
  direct: beginByNode,
  executable: (target, monotonic) => beginByRuntime(target, monotonic, connect),
};

describe.each(
  Object.entries(WAYS).flatMap(([name, beginEarly]) => [false, true].map((secure) => ({ name, secure, beginEarly }))),
)('$name transport, with TLS: $secure', ({ secure, beginEarly }) => {
  const tls: TlsSettings = { ca: pkiText('tls-root.pem') };

  it('is made before the request, which it serves', async () => {
    const { url, sockets } = await serve(secure);
    const transport = beginEarly({ url, tls });
    await until(() => sockets.length === 1);
    expect(await transport({ ...REQUEST, url, tls })).toMatchObject({ status: 200, body: 'answer' });
    expect(sockets).toHaveLength(1);
  });

  it('serves the first request only', async () => {
    const { url, sockets } = await serve(secure);
    const transport = beginEarly({ url, tls });
    for (const expected of [1, 2]) {
      expect(await transport({ ...REQUEST, url, tls })).toMatchObject({ body: 'answer' });
      expect(sockets).toHaveLength(expected);
    }
  });

  it('is replaced when the server has closed it', async () => {
    const { url, sockets } = await serve(secure);
    const transport = beginEarly({ url, tls });
    await until(() => sockets.length === 1);
    sockets[0]!.destroy();
    await sleep(50);
    expect(await transport({ ...REQUEST, url, tls })).toMatchObject({ body: 'answer' });
  });

  it.each([
    [1000, 'answer'],
    [999, 'ERR_CONNECT'],
  ])('after %d ms unused, when the server gives it up as the request comes: %s', async (waited, expected) => {
    const { url, sockets } = await serve(secure);
    let now = 0;
    const transport = beginEarly({ url, tls }, () => now);
    await until(() => sockets.length === 1);
    await sleep(20);
    now = waited;
    // Its end is not seen here before the request is sent.
    sockets[0]!.destroy();
    const outcome = await transport({ ...REQUEST, url, tls }).then(
      ({ body }) => body,
      ({ code }: { code: string }) => code,
    );
    expect(outcome).toBe(expected);
  });

  it('is replaced when the server has said anything before it was asked, such as 408', async () => {
    const { url, sockets } = await serve(secure);
    const transport = beginEarly({ url, tls });
    await until(() => sockets.length === 1);
    sockets[0]!.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n');
    await sleep(50);
    expect(await transport({ ...REQUEST, url, tls })).toMatchObject({ status: 200, body: 'answer' });
    expect(sockets).toHaveLength(2);
  });

  it('is looked at once more when this process could not see what was said', async () => {
    const { url, sockets } = await serve(secure);
    const transport = beginEarly({ url, tls }, () => performance.now());
    await until(() => sockets.length === 1);
    await sleep(20);
    sockets[0]!.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100);
    expect(await transport({ ...REQUEST, url, tls })).toMatchObject({ status: 200, body: 'answer' });
  });

  it('is not used for another trust, nor for another host', async () => {
    const [first, second] = [await serve(secure), await serve(secure)];
    const transport = beginEarly({ url: first.url, tls });
    await transport({ ...REQUEST, url: second.url, tls });
    await transport({ ...REQUEST, url: first.url, tls: { ...tls } });
    expect(first.sockets).toHaveLength(2);
    expect(second.sockets).toHaveLength(1);
  });

  it('that fails is no matter before the request, which says why', async () => {
    const { url } = await serve(secure);
    opened.pop()!.close();
    const transport = beginEarly({ url, tls });
    await sleep(50);
    await expect(transport({ ...REQUEST, url, tls })).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  });
});

it.each(Object.entries(WAYS))('believes nobody whom the request would not: %s', async (_name, beginEarly) => {
  const { url } = await serve(true);
  const tls: TlsSettings = { ca: pkiText('root.pem') };
  const transport = beginEarly({ url, tls });
  await sleep(50);
  await expect(transport({ ...REQUEST, url, tls })).rejects.toMatchObject({ code: 'ERR_TLS_AUTHORITY' });
});
