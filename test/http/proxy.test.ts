import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/platform/errors.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from '../../src/http/http.ts';
import { createPooledTransport } from '../../src/http/pooled.ts';
import { proxiedExchange, proxiedTransport } from '../../src/http/proxied.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import type { ConnectProxy, ConnectProxyOptions } from '../support/connect-proxy.ts';
import { saysAndEnds } from './support/manners.ts';
import { makeAuthority } from './support/pki.ts';
import type { Authority } from './support/pki.ts';
import { failsWith, freePort, serve, serveTls, toLoopback } from './support/servers.ts';
import { cleanUp, failure, OK, up } from './support/transports.ts';

const DAY = 86_400_000;
let authority: Authority;
let stranger: Authority;
beforeAll(async () => {
  [authority, stranger] = await Promise.all([makeAuthority('Trusted'), makeAuthority('Stranger')]);
});

type Extra = Partial<HttpRequest> & { lookup?: typeof toLoopback };

/** The two that go through proxies: with undici, and with a connection for each exchange. Every case must end alike. */
const WAYS: readonly (readonly [string, (proxy: URL, lookup: LookupFunction) => HttpTransport])[] = [
  [
    'pooled',
    (proxy, lookup) => {
      const { request, close } = createPooledTransport({ proxy, lookup });
      cleanUp(close);
      return request;
    },
  ],
  ['by itself', (proxy, lookup) => (request) => proxiedExchange(request, proxy, lookup)],
];

/** Sends a POST through a proxy, with every name at 127.0.0.1. */
type Send = (proxy: string, url: string, extra?: Extra) => Promise<HttpResponse>;

function sender(make: (typeof WAYS)[number][1]): Send {
  return (proxy, url, { lookup = toLoopback, ...extra } = {}) =>
    make(
      new URL(proxy),
      lookup,
    )({
      method: 'POST',
      url: new URL(url),
      headers: { 'content-type': 'text/plain' },
      body: 'hello',
      timeoutMs: 20_000,
      maxResponseBytes: 1000,
      tls: { ca: authority.root },
      ...extra,
    });
}

async function startProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const started = await startConnectProxy(options);
  cleanUp(started.close);
  return started;
}

/** A service that echoes what it was sent. */
async function service(names: readonly string[] = ['service.test'], issuer = authority, at?: number): Promise<number> {
  const { port } = await up(
    serveTls(await issuer.issue(names, at), (socket, request) => {
      const body = request.slice(request.indexOf('\r\n\r\n') + 4);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }),
  );
  return port;
}

const refusal = (status: string, headers = ''): ConnectProxyOptions => ({
  refusal: `HTTP/1.1 ${status}\r\n${headers}Content-Length: 0\r\n\r\n`,
});

describe.each(WAYS)('%s,', (_name, make) => {
  const send = sender(make);

  describe('a request through a proxy', () => {
    it('arrives by a tunnel to a service of https', async () => {
      const port = await service();
      const { port: way, targets } = await startProxy();
      expect(await send(`http://127.0.0.1:${way}`, `https://service.test:${port}/x`)).toMatchObject({ body: 'hello' });
      expect(targets).toEqual([`service.test:${port}`]);
    });

    it('names the standard port of https', async () => {
      const port = await service();
      const { port: way, targets } = await startProxy({ leadTo: port });
      expect(await send(`http://127.0.0.1:${way}`, 'https://service.test/x')).toMatchObject({ body: 'hello' });
      expect(targets).toEqual(['service.test:443']);
    });

    it('arrives through a proxy that is reached by TLS itself', async () => {
      const port = await service();
      const { port: way } = await startProxy({ tls: await authority.issue(['proxy.test']) });
      expect(await send(`https://proxy.test:${way}`, `https://service.test:${port}/`)).toMatchObject({ body: 'hello' });
    });

    it('arrives with user name and password, which may hold any character', async () => {
      const port = await service();
      const { port: way } = await startProxy({ auth: 'user@corp:p@ss/wörd:%' });
      const url = `http://user%40corp:p%40ss%2Fw%C3%B6rd%3A%25@127.0.0.1:${way}`;
      expect(await send(url, `https://service.test:${port}/`)).toMatchObject({ body: 'hello' });
    });

    it('names the target in full for a service of plain http', async () => {
      const { port } = await up(
        serve((socket, request) =>
          socket.end(`${OK.replace('2\r', '3\r')}${request.startsWith('POST /a?b ') ? '!' : '?'}`),
        ),
      );
      const { port: way, targets } = await startProxy({ auth: 'u:p' });
      expect(await send(`http://u:p@127.0.0.1:${way}`, `http://127.0.0.1:${port}/a?b`)).toMatchObject({ body: 'ok!' });
      expect(targets).toEqual([`http://127.0.0.1:${port}/a?b`]);
    });
  });

  describe('a proxy that refuses', () => {
    const cases: readonly [string, ConnectProxyOptions, ErrorCode, RegExp, RegExp][] = [
      ['asks for a password', { auth: 'u:p' }, 'ERR_PROXY_AUTH', /asks for a user name.*407/, /USER:PASSWORD/],
      [
        'wants another scheme than Basic',
        refusal('407 Auth', 'Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n'),
        'ERR_PROXY_AUTH',
        /407/,
        /relay/,
      ],
      [
        'forbids the target',
        refusal('403 Forbidden'),
        'ERR_PROXY',
        /does not connect to service\.test:\d+ .*403/,
        /allowed/,
      ],
      [
        'takes a password for wrong with 401, as tinyproxy',
        refusal('401 No'),
        'ERR_PROXY_AUTH',
        /401/,
        /USER:PASSWORD/,
      ],
      [
        'cannot resolve the target',
        refusal('503 Unavailable', 'X-Squid-Error: ERR_DNS_FAIL 0\r\n'),
        'ERR_PROXY',
        /503, ERR_DNS_FAIL 0/,
        /resolve/,
      ],
      ['cannot reach the target', refusal('502 Bad Gateway'), 'ERR_PROXY', /502/, /reach/],
      [
        'answers with a redirect',
        refusal('302 Found', 'Location: http://login.test\r\n'),
        'ERR_PROXY',
        /302/,
        /right proxy/,
      ],
    ];

    it.each(cases)('because it %s', async (_why, options, code, message, hint) => {
      const { port: way } = await startProxy(options);
      const error = await failure(send(`http://127.0.0.1:${way}`, 'https://service.test:4433/'));
      expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
      expect(error.message).toContain(`the proxy 127.0.0.1:${way}`);
    });

    it.each(['https://service.test:4433/', 'http://127.0.0.1:4433/'])(
      'a password, without it in the error (%s)',
      async (url) => {
        const { port: way } = await startProxy({ auth: 'u:p' });
        const error = await failure(send(`http://someone:geheimnis@127.0.0.1:${way}`, url));
        expect(error).toMatchObject({ code: 'ERR_PROXY_AUTH', message: expect.stringContaining('does not accept') });
        const shown = inspect(error, { depth: 9, showHidden: true });
        expect(shown).not.toContain('geheimnis');
        expect(shown).not.toContain(Buffer.from('someone:geheimnis').toString('base64'));
      },
    );
  });

  describe('faults on the way to and through a proxy', () => {
    const target = 'https://service.test:4433/';

    it('nothing listens where the proxy should: ERR_CONNECT', async () => {
      const port = await freePort();
      expect(await failure(send(`http://127.0.0.1:${port}`, target))).toMatchObject({
        code: 'ERR_CONNECT',
        message: `the proxy 127.0.0.1:${port} refused the connection`,
      });
    });

    it('the name of the proxy does not resolve: ERR_DNS', async () => {
      const error = await failure(send('http://proxy.invalid:1', target, { lookup: failsWith('ENOTFOUND') }));
      expect(error).toMatchObject({ code: 'ERR_DNS', message: expect.stringContaining('the proxy proxy.invalid:1') });
    });

    it.each([
      ['ends the connection', '', 'ERR_CONNECT'],
      ['speaks another protocol', 'SSH-2.0-OpenSSH\r\n', 'ERR_RESPONSE_INVALID'],
    ] as const)('the proxy %s: %s', async (_does, text, code) => {
      const { port } = await up(serve(saysAndEnds(text)));
      expect(await failure(send(`http://127.0.0.1:${port}`, target))).toMatchObject({ code });
    });

    it.each([
      ['the time for connecting', { connectTimeoutMs: 150 }, /no way through the proxy/],
      ['the time of the exchange', { timeoutMs: 150 }, /no complete answer/],
    ])('the proxy never answers within %s: ERR_TIMEOUT', async (_which, extra, message) => {
      const { port: way } = await startProxy({ silent: true });
      const error = await failure(send(`http://127.0.0.1:${way}`, target, extra));
      expect(error).toMatchObject({ code: 'ERR_TIMEOUT', message: expect.stringMatching(message) });
    });

    it('the signal fires while the proxy is silent: ERR_INTERRUPTED', async () => {
      const { port: way } = await startProxy({ silent: true });
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 50);
      const error = await failure(send(`http://127.0.0.1:${way}`, target, { signal: abort.signal }));
      expect(error.code).toBe('ERR_INTERRUPTED');
    });

    it('the proxy shows a certificate of an unknown authority: ERR_TLS_AUTHORITY', async () => {
      const { port: way } = await startProxy({ tls: await stranger.issue(['proxy.test']) });
      const error = await failure(send(`https://proxy.test:${way}`, target));
      expect(error).toMatchObject({
        code: 'ERR_TLS_AUTHORITY',
        message: expect.stringMatching(/the proxy .* not trusted/),
      });
    });

    it.each([
      [
        'an unknown authority',
        () => service(['service.test'], stranger),
        /not trusted.*issuer "CN=Stranger"/,
        'ERR_TLS_AUTHORITY',
      ],
      ['another name', () => service(['other.test']), /another host name.*other\.test/, 'ERR_TLS_NAME'],
      [
        'the past',
        () => service(['service.test'], authority, Date.now() - 10 * DAY),
        /has expired/,
        'ERR_TLS_VALIDITY',
      ],
    ])('the service behind it shows a certificate of %s', async (_of, start, message, code) => {
      const port = await start();
      const { port: way } = await startProxy();
      const error = await failure(send(`http://127.0.0.1:${way}`, `https://service.test:${port}/`));
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    });
  });

  describe('a proxy that inspects TLS', () => {
    it('is believed with its root in the bundle, and named as what it may be without', async () => {
      const port = await service();
      const inspector = await makeAuthority('Corporate Inspection');
      const { port: way, seen } = await startProxy({ inspect: (host) => inspector.issue([host]) });
      const url = `https://service.test:${port}/`;
      const ca = `${authority.root}\n${inspector.root}`;
      expect(await send(`http://127.0.0.1:${way}`, url, { tls: { ca } })).toMatchObject({ body: 'hello' });
      expect(seen.join('')).toContain('hello');
      const error = await failure(send(`http://127.0.0.1:${way}`, url));
      expect(error).toMatchObject({
        code: 'ERR_TLS_AUTHORITY',
        message: expect.stringContaining('issuer "CN=Corporate Inspection"'),
        hint: expect.stringMatching(/proxy inspect TLS.*--ca-bundle/),
      });
    });
  });
});

describe('the pooled transport', () => {
  it('uses a tunnel again', async () => {
    const port = await service();
    const { port: way, targets } = await startProxy();
    const { request, close } = createPooledTransport({ proxy: new URL(`http://127.0.0.1:${way}`), lookup: toLoopback });
    cleanUp(close);
    const exchange: HttpRequest = {
      method: 'GET',
      url: new URL(`https://service.test:${port}/`),
      headers: {},
      timeoutMs: 20_000,
      maxResponseBytes: 100,
      tls: { ca: authority.root },
    };
    await request(exchange);
    await new Promise(setImmediate);
    await request(exchange);
    expect(targets).toHaveLength(1);
  });

  it('the transport is closed while the proxy is silent: ERR_INTERRUPTED', async () => {
    const { port: way } = await startProxy({ silent: true });
    const pool = createPooledTransport({ proxy: new URL(`http://127.0.0.1:${way}`) });
    const request: HttpRequest = {
      method: 'GET',
      url: new URL('https://service.test:4433/'),
      headers: {},
      timeoutMs: 20_000,
      maxResponseBytes: 9,
    };
    setTimeout(() => void pool.close(), 50);
    expect((await failure(pool.request(request))).code).toBe('ERR_INTERRUPTED');
  });
});

describe('the choice of a proxy', () => {
  it('goes directly where the choice says so', async () => {
    const server = createServer((_request, response) => response.end('direct'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp(() => server.close());
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const { port: way, targets } = await startProxy();
    const through = new URL(`http://127.0.0.1:${way}`);
    const request = proxiedTransport(({ pathname }) => (pathname === '/' ? undefined : through));
    const get = (path: string): Promise<HttpResponse> =>
      request({ method: 'GET', url: new URL(path, url), headers: {}, timeoutMs: 20_000, maxResponseBytes: 100 });
    expect(await get('/')).toMatchObject({ body: 'direct' });
    expect(targets).toEqual([]);
    expect(await get('/x')).toMatchObject({ body: 'direct' });
    expect(targets).toHaveLength(1);
  });
});
