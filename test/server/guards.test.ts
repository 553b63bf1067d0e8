import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { namesOf, readChunks, readHead, refusalAnswer, refuse } from '../../src/server/guards.ts';
import { ask, parseAnswer, sendRaw, startServer, TOKEN } from './support/server.ts';
import type { TestServer } from './support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ allowedHosts: ['credentials.internal', 'fixed.internal:8443'] });
});
afterAll(() => server.close(0));

/** The one request that would be answered with credentials, but for what a test adds. */
const credentials = (headers: Record<string, string>) =>
  ask(server, 'GET', '/credentials', { Authorization: TOKEN, ...headers });

/** In a table of cases, the server's port is not known yet. */
const withPort = (text: string): string => text.replaceAll('PORT', String(server.port));

describe('the Host header', () => {
  it.each([
    '127.0.0.1:PORT',
    'localhost:PORT',
    'LocalHost:PORT',
    '[::1]:PORT',
    'credentials.internal:PORT',
    'fixed.internal:8443',
    // As the AWS Common Runtime sends it, and whoever calls by the scheme's own port that is led to this one.
    '127.0.0.1',
    'localhost',
    '[::1]',
    '::1',
    '127.0.0.1:80',
    'credentials.internal',
    'Credentials.Internal:80',
  ])('%s is let in', async (host) => {
    expect((await credentials({ Host: withPort(host) })).status).toBe(200);
  });

  it.each([
    ['a rebound name', 'attacker.example:PORT'],
    ['a rebound name without a port', 'attacker.example'],
    ['the address with another port', '127.0.0.1:1'],
    ['another loopback address', '127.0.0.2:PORT'],
    ['a name that only begins well', 'localhost.attacker.example:PORT'],
    ['a name that only ends well', 'attacker-localhost:PORT'],
    ['a name with a dot at its end', 'localhost.:PORT'],
    ['user info before the name', 'localhost:PORT@attacker.example'],
    ["EC2's address with another port than its own", '169.254.169.254:PORT'],
    ['the link-local address of ECS', '169.254.170.2'],
    ['an allowed name without its port', 'fixed.internal'],
    ["another address' spelling", '2130706433'],
    ['the port of an address without brackets', '::1:PORT'],
    ['an allowed name with another port', 'fixed.internal:8444'],
    ['nothing', ''],
  ])('%s is refused before anything else', async (_what, host) => {
    const answer = await credentials({ Host: withPort(host) });
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'HostNotAllowed', Code: 'HostNotAllowed' });
    // Also where the path, the method and the token would be refused otherwise.
    expect((await ask(server, 'POST', '/nowhere', { Host: withPort(host) })).status).toBe(403);
  });

  it('none at all is refused', async () => {
    expect(parseAnswer(await sendRaw(server.port, 'GET /credentials HTTP/1.0\r\n\r\n')).status).toBe(403);
    expect(parseAnswer(await sendRaw(server.port, 'GET /credentials HTTP/1.1\r\n\r\n')).status).toBe(400);
  });

  it('twice is refused, even where both are good', async () => {
    const host = `127.0.0.1:${server.port}`;
    const text = `GET /credentials HTTP/1.1\r\nHost: ${host}\r\nHost: ${host}\r\nAuthorization: ${TOKEN}\r\nConnection: close\r\n\r\n`;
    expect(parseAnswer(await sendRaw(server.port, text)).status).toBe(400);
  });

  it('names are those with the port of the server, with that of the scheme, and without one', () => {
    expect(namesOf(['localhost', '::1', '[::1]:90', 'a:81'], 9911, 80)).toEqual([
      'localhost',
      'localhost:9911',
      'localhost:80',
      '[::1]',
      '[::1]:9911',
      '[::1]:80',
      '::1',
      '[::1]:90',
      'a:81',
    ]);
    expect(namesOf(['LocalHost'], 1, 80)).toEqual(['localhost', 'localhost:1', 'localhost:80']);
    expect(namesOf(['[::1]'], 1, 80)).toEqual(['[::1]', '[::1]:1', '[::1]:80']);
    expect(namesOf(['fd00:1::2'], 1, 80)).toEqual(['[fd00:1::2]', '[fd00:1::2]:1', '[fd00:1::2]:80', 'fd00:1::2']);
  });
});

function refusalOf(headers: string[]): unknown {
  return refuse(readHead(headers), headers.length / 2, true);
}

describe('the headers of a request', () => {
  it.each(['Host', 'Authorization', 'X-Aws-Ec2-Metadata-Token', 'X-AWS-EC2-METADATA-TOKEN-TTL-SECONDS'])(
    '%s must be alone',
    (name) => {
      expect(readHead([name, 'a', 'X', 'b']).repeated).toBe(false);
      expect(readHead([name, 'a', 'X', 'b', name.toLowerCase(), 'a']).repeated).toBe(true);
    },
  );

  it.each(['Transfer-Encoding', 'Sec-Fetch-Site'])(
    '%s must be alone too: the second one could say otherwise',
    (name) => {
      const value = name === 'Sec-Fetch-Site' ? 'none' : 'chunked';
      expect(refusalOf([name, value])).toBeUndefined();
      expect(refusalOf([name, value, name, value])).toBe('repeated');
    },
  );

  it('are no values', () => {
    expect(readHead(['X-One', 'origin', 'forwarded-by', 'forwarded'])).toMatchObject({
      origin: false,
      forwarded: false,
    });
  });

  it('are bounded, each on its own', () => {
    const head = readHead(['Host', 'a']);
    expect(refuse(head, 1, false)).toBe('host');
    expect(refuse(head, 100, true)).toBeUndefined();
    expect(refuse(head, 101, true)).toBe('headers');
    expect(refuse({ ...head, contentLength: '1024' }, 1, true)).toBeUndefined();
    expect(refuse({ ...head, contentLength: '1025' }, 1, true)).toBe('body');
    expect(refuse({ ...head, transferEncoding: 'Chunked' }, 1, true)).toBeUndefined();
  });

  it('of a refusal end the connection, as the peer of another machine sees', () => {
    const { status, headers } = refusalAnswer('peer');
    expect(status).toBe(403);
    expect(headers.slice(-2)).toEqual(['Connection', 'close']);
  });

  it('a body that is too large is told of once, whatever follows', () => {
    const request = new EventEmitter();
    const told: boolean[] = [];
    readChunks(request as IncomingMessage, (small) => told.push(small));
    request.emit('data', Buffer.alloc(1024));
    expect(told).toEqual([]);
    for (let turn = 0; turn < 3; turn++) request.emit('data', Buffer.alloc(1));
    request.emit('end');
    expect(told).toEqual([false]);
  });
});

describe("EC2's own address in the Host header, as a redirect of port 80 leaves it", () => {
  const TTL = { 'X-aws-ec2-metadata-token-ttl-seconds': '60' };

  it.each(['169.254.169.254', '169.254.169.254:80', '[fd00:ec2::254]', '[FD00:EC2::254]:80'])(
    '%s is let in to IMDS, and to nothing else',
    async (Host) => {
      const token = await ask(server, 'PUT', '/latest/api/token', { Host, ...TTL });
      expect(token.status).toBe(200);
      const headers = { Host, 'X-aws-ec2-metadata-token': token.body };
      expect((await ask(server, 'GET', '/latest/meta-data/iam/info', headers)).status).toBe(200);
      expect((await credentials({ Host })).status).toBe(404);
      expect((await ask(server, 'GET', '/role/Demo', { Host, Authorization: TOKEN })).status).toBe(404);
    },
  );

  it('a web page of that address is refused no less', async () => {
    const headers = { Host: '169.254.169.254', Origin: 'http://169.254.169.254', ...TTL };
    expect((await ask(server, 'PUT', '/latest/api/token', headers)).status).toBe(403);
  });

  it('is refused where there is no IMDS', async () => {
    const own = await startServer({ imds: false });
    expect((await ask(own, 'PUT', '/latest/api/token', { Host: '169.254.169.254', ...TTL })).status).toBe(403);
    await own.close(0);
  });
});

/** A token's request whose body comes in chunks. */
function putChunks(chunks: string): Promise<{ status: number; body: string }> {
  const headers = { 'Transfer-Encoding': 'chunked', 'X-aws-ec2-metadata-token-ttl-seconds': '60' };
  return ask(server, 'PUT', '/latest/api/token', headers, chunks);
}

describe('requests that a program would not send', () => {
  it.each<[string, Record<string, string>, number, string]>([
    ['Origin', { Origin: 'https://attacker.example' }, 403, 'OriginNotAllowed'],
    ['an opaque Origin', { Origin: 'null' }, 403, 'OriginNotAllowed'],
    ['Sec-Fetch-Site: cross-site', { 'Sec-Fetch-Site': 'cross-site' }, 403, 'OriginNotAllowed'],
    ['Sec-Fetch-Site: same-site', { 'Sec-Fetch-Site': 'same-site' }, 403, 'OriginNotAllowed'],
    ['Sec-Fetch-Site: same-origin', { 'Sec-Fetch-Site': 'same-origin' }, 403, 'OriginNotAllowed'],
    ['X-Forwarded-For', { 'X-Forwarded-For': '10.0.0.1' }, 403, 'ForwardedNotAllowed'],
    ['x-forwarded-for, empty', { 'x-forwarded-for': '' }, 403, 'ForwardedNotAllowed'],
    ['Forwarded', { Forwarded: 'for=10.0.0.1' }, 403, 'ForwardedNotAllowed'],
    ['two tokens', { Authorization: TOKEN, authorization: TOKEN }, 400, 'BadRequest'],
    ['a body above the limit', { 'Content-Length': '1025' }, 413, 'BodyTooLarge'],
    ['a compressed body', { 'Transfer-Encoding': 'gzip, chunked' }, 413, 'BodyTooLarge'],
    [
      'more than 100 headers',
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`X-${i}`, ''])),
      431,
      'HeadersTooLarge',
    ],
    [
      'a forbidden header behind a thousand others',
      { ...Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`a${i}`, ''])), Origin: 'x' },
      403,
      'OriginNotAllowed',
    ],
  ])('%s: refused', async (_what, headers, status, code) => {
    const answer = await credentials(headers);
    expect(answer.status).toBe(status);
    expect(answer.headers['connection']).toBe('close');
    expect(answer.body).not.toContain('ASIA');
    expect(JSON.parse(answer.body)).toMatchObject({ code, Code: code });
  });

  it('the address bar of a browser and a small body are let in', async () => {
    expect((await credentials({ 'Sec-Fetch-Site': 'none' })).status).toBe(200);
    const { status } = await ask(server, 'GET', '/credentials', { Authorization: TOKEN, 'Content-Length': '2' }, '{}');
    expect(status).toBe(200);
  });

  describe('a body of chunks', () => {
    it.each([
      ['empty, as s3fs sends it', '0\r\n\r\n'],
      ['small', '400\r\n' + 'x'.repeat(1024) + '\r\n0\r\n\r\n'],
      ['in many', '1\r\nx\r\n'.repeat(1024) + '0\r\n\r\n'],
    ])('%s: let in', async (_what, chunks) => {
      const { status, body } = await putChunks(chunks);
      expect({ status, length: body.length }).toEqual({ status: 200, length: 56 });
    });

    it.each([
      ['a byte too large', '401\r\n' + 'x'.repeat(1025) + '\r\n0\r\n\r\n'],
      ['too large in many', '1\r\nx\r\n'.repeat(1025) + '0\r\n\r\n'],
      ['without an end', '401\r\n' + 'x'.repeat(1025)],
    ])('%s: refused', async (_what, chunks) => {
      const { status, body } = await putChunks(chunks);
      expect({ status, code: (JSON.parse(body) as { code: string }).code }).toEqual({
        status: 413,
        code: 'BodyTooLarge',
      });
    });

    it('that never ends is given up with the request', async () => {
      const own = await startServer({ limits: { requestTimeoutMs: 300, headersTimeoutMs: 200 } });
      const head = `PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:${own.port}\r\nTransfer-Encoding: chunked\r\n\r\n`;
      expect(parseAnswer(await sendRaw(own.port, `${head}1\r\nx\r\n`)).status).toBe(408);
      await own.close(0);
    });
  });

  it('each kind of refusal is logged once a minute, and all are counted', async () => {
    const own = await startServer();
    for (let i = 0; i < 3; i++) await ask(own, 'GET', '/', { Host: 'attacker.example' });
    expect(own.logged.filter((line) => line.includes('refused'))).toHaveLength(1);
    expect(own.metrics.expose([], 0, 0)).toContain('roles_anywhere_refused_requests_total{reason="host"} 3');
    await own.close(0);
  });

  it('a token in the place of the host is not logged, and a name is', async () => {
    for (const [host, shown] of [
      [TOKEN, '<redacted>'],
      [`127.0.0.1:${TOKEN}../`, '127.0.0.1:<redacted>../'],
      ['attacker.example:80', 'attacker.example:80'],
    ] as const) {
      const own = await startServer();
      await ask(own, 'GET', '/', { Host: host });
      const text = own.logged.join();
      expect(text).toContain(shown);
      expect(text.includes(TOKEN)).toBe(false);
      await own.close(0);
    }
  });
});

describe('malformed HTTP', () => {
  const host = 'Host: 127.0.0.1:PORT\r\n';
  it.each<[string, string, number]>([
    ['garbage', '\0\x01\x02garbage\r\n\r\n', 400],
    ['TLS on a plain port', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400],
    ['a method that is none', `BREW / HTTP/1.1\r\n${host}\r\n`, 400],
    ['a header without a colon', `GET / HTTP/1.1\r\n${host}nonsense\r\n\r\n`, 400],
    ['a space before the colon', `GET / HTTP/1.1\r\n${host}X : y\r\n\r\n`, 400],
    ['NUL in a value', `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, 400],
    ['a negative length', `PUT / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`, 400],
    ['two lengths', `PUT / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
    [
      'two transfer encodings',
      `PUT / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
    ],
    ['length and chunks', `PUT / HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ['a header above the limit', `GET / HTTP/1.1\r\n${host}X: ${'y'.repeat(9000)}\r\n\r\n`, 431],
    ['a path above the limit', `GET /${'y'.repeat(9000)} HTTP/1.1\r\n${host}\r\n`, 431],
    ['CONNECT', `CONNECT attacker.example:443 HTTP/1.1\r\n${host}\r\n`, 405],
    ['the form for proxies', `GET http://127.0.0.1:PORT/credentials HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 404],
    ['the asterisk', `OPTIONS * HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 404],
    ['an escape that is none', `GET /%zz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 404],
    ['climbing out', `GET /x/../credentials HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 404],
  ])('%s: %#', async (_what, text, status) => {
    expect(parseAnswer(await sendRaw(server.port, withPort(text))).status).toBe(status);
    expect((await credentials({})).status).toBe(200);
  });
});
