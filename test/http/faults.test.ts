import { getEventListeners, once } from 'node:events';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { CHUNKED, chunk, drips, says, saysAndEnds, saysAndResets } from './support/manners.ts';
import { failsWith, freePort, serve, serveConnections } from './support/servers.ts';
import type { OnRequest } from './support/servers.ts';
import { failure, send, TRANSPORT_NAMES, up } from './support/transports.ts';
import type { Extra } from './support/transports.ts';

interface FaultCase {
  name: string;
  does: OnRequest;
  code: ErrorCode;
  message?: RegExp;
  extra?: Extra;
}

const FAULTS: readonly FaultCase[] = [
  { name: 'ends the connection before an answer', does: (socket) => socket.end(), code: 'ERR_CONNECT' },
  { name: 'resets the connection before an answer', does: (socket) => socket.resetAndDestroy(), code: 'ERR_CONNECT' },
  { name: 'resets amid the head', does: saysAndResets('HTTP/1.1 200 OK\r\nContent-'), code: 'ERR_CONNECT' },
  { name: 'ends amid the head', does: saysAndEnds('HTTP/1.1 200 OK\r\nContent-'), code: 'ERR_CONNECT' },
  {
    name: 'resets after the head',
    does: saysAndResets('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n'),
    code: 'ERR_RESPONSE_INVALID',
    message: /cut off/,
  },
  {
    name: 'resets amid the body',
    does: saysAndResets('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"cred'),
    code: 'ERR_RESPONSE_INVALID',
    message: /cut off/,
  },
  {
    name: 'ends before the announced length',
    does: saysAndEnds('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"cred'),
    code: 'ERR_RESPONSE_INVALID',
    message: /cut off/,
  },
  {
    name: 'ends before the announced length after Connection: close',
    does: saysAndEnds('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 50\r\n\r\n{"cred'),
    code: 'ERR_RESPONSE_INVALID',
    message: /cut off/,
  },
  {
    name: 'ends before the last chunk',
    does: saysAndEnds(CHUNKED + chunk('{"cred')),
    code: 'ERR_RESPONSE_INVALID',
    message: /cut off/,
  },
  {
    name: 'ends before the last chunk after Connection: close',
    does: saysAndEnds(CHUNKED.replace('OK\r\n', 'OK\r\nConnection: close\r\n') + chunk('{"cred')),
    code: 'ERR_RESPONSE_INVALID',
    message: /cut off/,
  },
  {
    name: 'ends amid a chunk',
    does: saysAndEnds(`${CHUNKED}ff\r\n{"cred`),
    code: 'ERR_RESPONSE_INVALID',
    message: /cut off/,
  },
  { name: 'sends a chunk without a length', does: says(`${CHUNKED}zz\r\n`), code: 'ERR_RESPONSE_INVALID' },
  {
    name: 'speaks another protocol',
    does: says('SSH-2.0-OpenSSH_9.2\r\n'),
    code: 'ERR_RESPONSE_INVALID',
    message: /not HTTP/,
  },
  { name: 'answers with a TLS alert', does: says('\x15\x03\x01\x00\x02\x02\x46'), code: 'ERR_RESPONSE_INVALID' },
  {
    name: 'answers with two different lengths',
    does: says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'),
    code: 'ERR_RESPONSE_INVALID',
  },
  {
    name: 'announces more than the limit',
    does: says(`HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n${'x'.repeat(1001)}`),
    code: 'ERR_RESPONSE_INVALID',
    message: /longer than 1000 bytes/,
  },
  {
    name: 'sends chunks without end',
    does: (socket) => {
      socket.write(CHUNKED);
      const timer = setInterval(() => socket.write(chunk('x'.repeat(100))), 1);
      socket.on('close', () => clearInterval(timer));
    },
    code: 'ERR_RESPONSE_INVALID',
    message: /longer than 1000 bytes/,
  },
  {
    name: 'sends a flood of headers',
    does: says(`HTTP/1.1 200 OK\r\n${`X-Flood: ${'x'.repeat(1000)}\r\n`.repeat(64)}\r\n`),
    code: 'ERR_RESPONSE_INVALID',
    message: /head of the answer .* too long/,
  },
  {
    name: 'switches protocols',
    does: says('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'),
    code: 'ERR_RESPONSE_INVALID',
  },
  { name: 'never answers', does: () => undefined, code: 'ERR_TIMEOUT', extra: { timeoutMs: 150 } },
  {
    name: 'stops amid the head',
    does: says('HTTP/1.1 200 OK\r\nContent-'),
    code: 'ERR_TIMEOUT',
    extra: { timeoutMs: 150 },
  },
  {
    name: 'stops amid the body',
    does: says('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"cred'),
    code: 'ERR_TIMEOUT',
    extra: { timeoutMs: 150 },
  },
  {
    name: 'drips a head',
    does: drips('HTTP/1.1 200 OK\r\nX-Slow: '),
    code: 'ERR_TIMEOUT',
    extra: { timeoutMs: 150 },
  },
  {
    name: 'drips a body',
    does: drips('HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n'),
    code: 'ERR_TIMEOUT',
    extra: { timeoutMs: 150 },
  },
  {
    name: 'says only that it will answer',
    does: says('HTTP/1.1 103 Early Hints\r\n\r\n'),
    code: 'ERR_TIMEOUT',
    extra: { timeoutMs: 150 },
  },
];

describe.each(TRANSPORT_NAMES)('%s transport', (transport) => {
  it.each(FAULTS)('fails when the server $name: $code', async ({ does, code, message = /./, extra }) => {
    const { port } = await up(serve(does));
    const error = await failure(send(transport, `http://127.0.0.1:${port}/`, extra));
    expect(error).toMatchObject({ name: 'RolesAnywhereError', code, message: expect.stringMatching(message) });
    expect(error.message).toContain(`127.0.0.1:${port}`);
  });

  it('fails when nothing listens: ERR_CONNECT', async () => {
    const error = await failure(send(transport, `http://127.0.0.1:${await freePort()}/`));
    expect(error).toMatchObject({ code: 'ERR_CONNECT', message: expect.stringMatching(/refused/) });
  });

  it.each(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL'])(
    'fails when the name does not resolve (%s): ERR_DNS',
    async (code) => {
      const error = await failure(send(transport, 'http://nowhere.invalid/', { lookup: failsWith(code) }));
      expect(error).toMatchObject({ code: 'ERR_DNS', message: expect.stringContaining('nowhere.invalid') });
    },
  );

  it('fails when the server ends the connection as soon as it is made: ERR_CONNECT', async () => {
    const { port } = await up(serveConnections((socket) => socket.end()));
    expect(await failure(send(transport, `http://127.0.0.1:${port}/`))).toMatchObject({ code: 'ERR_CONNECT' });
  });

  it.each([
    ['before it is sent', (abort: AbortController) => abort.abort()],
    ['while it waits for an answer', (abort: AbortController) => setTimeout(() => abort.abort(), 50)],
  ])('stops when the signal fires %s: ERR_INTERRUPTED', async (_when, fire) => {
    const { port } = await up(serve(() => undefined));
    const abort = new AbortController();
    fire(abort);
    const error = await failure(send(transport, `http://127.0.0.1:${port}/`, { signal: abort.signal }));
    expect(error.code).toBe('ERR_INTERRUPTED');
  });

  it('stops when the signal fires amid the body: ERR_INTERRUPTED', async () => {
    const abort = new AbortController();
    const server = serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{', () => setTimeout(() => abort.abort(), 50));
    });
    const { port } = await up(server);
    const error = await failure(send(transport, `http://127.0.0.1:${port}/`, { signal: abort.signal }));
    expect(error.code).toBe('ERR_INTERRUPTED');
  });

  it.each([`SECRET`, `${CHUNKED}zz SECRET\r\n`])(
    'keeps the bytes of a malformed answer to itself: %j',
    async (text) => {
      const { port } = await up(serve(says(text)));
      const error = await failure(send(transport, `http://127.0.0.1:${port}/`));
      expect(error.code).toBe('ERR_RESPONSE_INVALID');
      const shown = inspect(error, { depth: 9, showHidden: true });
      expect(shown).not.toContain('SECRET');
      expect(shown).not.toContain('53 45 43 52 45 54'); // as a Buffer is shown
    },
  );

  it('lets go of the signal and of the connection when it gives up', async () => {
    let gone: Promise<unknown> | undefined;
    const { port } = await up(
      serveConnections((socket) => {
        gone = once(socket.resume(), 'close');
      }),
    );
    const { signal } = new AbortController();
    await failure(send(transport, `http://127.0.0.1:${port}/`, { signal, timeoutMs: 100 }));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(gone).toBeDefined();
    await gone;
  });
});
