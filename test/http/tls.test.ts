import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from './support/pki.ts';
import type { Authority } from './support/pki.ts';
import { serveConnections, serveTls, toLoopback } from './support/servers.ts';
import { cleanUp, failure, OK, send, TRANSPORT_NAMES, up } from './support/transports.ts';
import type { Extra } from './support/transports.ts';

const DAY = 86_400_000;

let authority: Authority;
let stranger: Authority;

beforeAll(async () => {
  [authority, stranger] = await Promise.all([makeAuthority('Trusted'), makeAuthority('Stranger')]);
});

const answersOk = (socket: Socket): void => void socket.write(OK);
const trusted = (): Extra => ({ tls: { ca: authority.root }, lookup: toLoopback });

describe.each(TRANSPORT_NAMES)('%s transport over TLS', (transport) => {
  it('succeeds for a trusted certificate of the right name, and names the server without its trailing dot', async () => {
    const names: unknown[] = [];
    const { port } = await up(
      serveTls(await authority.issue(['service.test']), (socket) => {
        names.push((socket as { servername?: unknown }).servername);
        answersOk(socket);
      }),
    );
    expect(await send(transport, `https://service.test:${port}/`, trusted())).toMatchObject({ body: 'ok' });
    expect(await send(transport, `https://service.test.:${port}/`, trusted())).toMatchObject({ body: 'ok' });
    expect(names).toEqual(['service.test', 'service.test']);
  });

  it('succeeds for a certificate of the address, and names no server', async () => {
    const names: unknown[] = [];
    const { port } = await up(
      serveTls(await authority.issue(['127.0.0.1']), (socket) => {
        names.push((socket as { servername?: unknown }).servername);
        answersOk(socket);
      }),
    );
    expect(await send(transport, `https://127.0.0.1:${port}/`, trusted())).toMatchObject({ body: 'ok' });
    expect(names).toEqual([false]);
  });

  it('succeeds for any certificate when not asked to verify', async () => {
    const { port } = await up(serveTls(await stranger.issue(['other.test'], 0), answersOk));
    const extra = { ...trusted(), tls: { verify: false } };
    expect(await send(transport, `https://service.test:${port}/`, extra)).toMatchObject({ body: 'ok' });
  });

  it('refuses a certificate that has the name as its common name and nowhere else', async () => {
    const { port } = await up(serveTls(await authority.issue('service.test'), answersOk));
    expect(await failure(send(transport, `https://service.test:${port}/`, trusted()))).toMatchObject({
      code: 'ERR_TLS_NAME',
      message: expect.stringContaining('no subjectAltName') as string,
    });
  });

  it('trusts every certificate of a bundle', async () => {
    const { port } = await up(serveTls(await authority.issue(['service.test']), answersOk));
    const ca = `# comment\n${stranger.root}\n\nmore\n${authority.root}\n`;
    expect(await send(transport, `https://service.test:${port}/`, { ...trusted(), tls: { ca } })).toMatchObject({
      body: 'ok',
    });
  });

  it('does not let NODE_TLS_REJECT_UNAUTHORIZED switch verification off', async () => {
    const { port } = await up(serveTls(await stranger.issue(['service.test']), answersOk));
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    cleanUp(() => {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    });
    expect(await failure(send(transport, `https://service.test:${port}/`, trusted()))).toMatchObject({
      code: 'ERR_TLS_AUTHORITY',
    });
  });

  it.each([
    [
      'an unknown authority',
      () => stranger.issue(['service.test']),
      /authority that is not trusted/,
      /inspect TLS.*--ca-bundle/,
      'ERR_TLS_AUTHORITY',
    ],
    ['another name', () => authority.issue(['other.test']), /for another host name/, /host name/, 'ERR_TLS_NAME'],
    [
      'the past',
      () => authority.issue(['service.test'], Date.now() - 10 * DAY),
      /has expired/,
      /clock/,
      'ERR_TLS_VALIDITY',
    ],
    [
      'the future',
      () => authority.issue(['service.test'], Date.now() + 10 * DAY),
      /not valid yet/,
      /clock/,
      'ERR_TLS_VALIDITY',
    ],
  ])('fails for a certificate of %s', async (_of, issue, message, hint, code) => {
    const { port } = await up(serveTls(await issue(), answersOk));
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error).toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  it.each([
    [
      'an unknown authority',
      () => stranger.issue(['service.test']),
      /the server's certificate \(subject "CN=server", issuer "CN=Stranger"\)/,
    ],
    ['another name', () => authority.issue(['other.test']), /names DNS:other\.test/],
    ['the past', () => authority.issue(['service.test'], Date.now() - 10 * DAY), /valid from \d{4}-.*Z to \d{4}-.*Z/],
  ])('names the certificate of %s', async (_of, issue, message) => {
    const { port } = await up(serveTls(await issue(), answersOk));
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error.message).toMatch(message);
  });

  it.each([
    ['ahead', -10 * DAY],
    ['behind', 10 * DAY],
  ])('says so when a clock that is %s explains it', async (_off, at) => {
    const date = new Date(Date.now() + at).toUTCString();
    const answer = (socket: Socket): void =>
      void socket.write(`HTTP/1.1 404 X\r\nDate: ${date}\r\nContent-Length: 0\r\n\r\n`);
    const { port } = await up(serveTls(await authority.issue(['service.test'], Date.now() + at), answer));
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error).toMatchObject({
      code: 'ERR_TLS_VALIDITY',
      message: expect.stringMatching(/clock explains it: it is .*Z here and .*Z at the server/),
      hint: expect.stringMatching(/set this machine's clock/),
    });
  });

  it('tells what it can when the server shows its certificate only once', async () => {
    let connections = 0;
    const identity = await stranger.issue(['service.test']);
    const server = createServer({ ...identity }).on('connection', (socket: Socket) => {
      if (++connections > 1) socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp(() => server.close());
    const { port } = server.address() as AddressInfo;
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error).toMatchObject({
      code: 'ERR_TLS_AUTHORITY',
      message: expect.stringMatching(/authority that is not trusted here$/),
    });
  });

  it('keeps control characters of a certificate out of the message', async () => {
    const odd = await makeAuthority('Evil\u001b[31m\u0007');
    const { port } = await up(serveTls(await odd.issue(['service.test']), answersOk));
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error.message).toContain('Evil [31m');
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(error.message).not.toMatch(/[\u0000-\u001f]/);
  });

  it('fails when the server speaks less than the least version that is asked for: ERR_TLS_VERSION', async () => {
    const { port } = await up(
      serveTls({ ...(await authority.issue(['service.test'])), maxVersion: 'TLSv1.2' }, answersOk),
    );
    const url = `https://service.test:${port}/`;
    expect(await send(transport, url, trusted())).toMatchObject({ body: 'ok' });
    const tls = { ca: authority.root, minVersion: 'TLSv1.3' } as const;
    const error = await failure(send(transport, url, { ...trusted(), tls }));
    expect(error).toMatchObject({ code: 'ERR_TLS_VERSION', message: expect.stringMatching(/does not speak TLS 1\.3/) });
  });

  it('gives up a handshake that takes longer than connecting may: ERR_TIMEOUT', async () => {
    const { port } = await up(serveConnections(() => undefined));
    const error = await failure(
      send(transport, `https://service.test:${port}/`, { ...trusted(), connectTimeoutMs: 150 }),
    );
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', message: expect.stringMatching(/no connection/) });
  });

  it('fails for a trusted authority that is not in --ca-bundle: ERR_TLS_AUTHORITY', async () => {
    const { port } = await up(serveTls(await authority.issue(['service.test']), answersOk));
    const extra = { ...trusted(), tls: { ca: stranger.root } };
    expect((await failure(send(transport, `https://service.test:${port}/`, extra))).code).toBe('ERR_TLS_AUTHORITY');
  });

  it('fails when the server speaks TLS 1.1 only: ERR_TLS_VERSION', async () => {
    const options = { ...(await authority.issue(['service.test'])), ciphers: 'DEFAULT@SECLEVEL=0' };
    const { port } = await up(serveTls({ ...options, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }, answersOk));
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error).toMatchObject({ code: 'ERR_TLS_VERSION', message: expect.stringMatching(/TLS 1\.2/) });
  });

  it('fails when the server speaks plain HTTP on that port: ERR_TLS', async () => {
    const { port } = await up(serveConnections((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error).toMatchObject({ code: 'ERR_TLS', message: expect.stringMatching(/does not speak TLS/) });
  });

  it('fails when the server ends the connection amid the handshake: ERR_CONNECT', async () => {
    const { port } = await up(serveConnections((socket) => socket.once('data', () => socket.end())));
    const error = await failure(send(transport, `https://service.test:${port}/`, trusted()));
    expect(error.code).toBe('ERR_CONNECT');
  });

  it('fails when the server never answers the handshake: ERR_TIMEOUT', async () => {
    const { port } = await up(serveConnections(() => undefined));
    const error = await failure(send(transport, `https://service.test:${port}/`, { ...trusted(), timeoutMs: 150 }));
    expect(error.code).toBe('ERR_TIMEOUT');
  });

  it('fails when the server ends the connection before an answer: ERR_CONNECT', async () => {
    const { port } = await up(serveTls(await authority.issue(['service.test']), (socket) => socket.end()));
    expect((await failure(send(transport, `https://service.test:${port}/`, trusted()))).code).toBe('ERR_CONNECT');
  });
});
