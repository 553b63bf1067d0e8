import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSocks, noProxy, parseProxy, proxyFromEnvironment } from '../../src/http/proxy-rules.ts';
import { cleanEnv } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { serve } from './support/servers.ts';
import type { TestServer } from './support/servers.ts';
import { OK } from './support/transports.ts';

/**
 * NO_PROXY, a URL, whether it is exempt here, and whether curl agrees: where it does not, Go's rule is the wider one.
 * `varies`: curl's versions differ.
 */
type Rule = readonly [list: string, url: string, exempt: boolean, curl: boolean | 'varies'];

const RULES: readonly Rule[] = [
  ['', 'http://example.test', false, true],
  ['*', 'http://example.test', true, true],
  ['*', 'http://10.1.2.3', true, true],
  ['other.test,*', 'http://example.test', true, false], // Go: anywhere in the list
  ['example.test', 'http://example.test', true, true],
  ['example.test', 'http://EXAMPLE.test', true, true],
  ['EXAMPLE.TEST', 'http://example.test', true, true],
  ['example.test', 'http://sub.example.test', true, true],
  ['example.test', 'http://a.b.example.test', true, true],
  ['example.test', 'http://notexample.test', false, true],
  ['example.test', 'http://example.test.other', false, true],
  ['.example.test', 'http://sub.example.test', true, true],
  ['.example.test', 'http://example.test', true, true], // Go: not itself
  ['.example.test', 'http://notexample.test', false, true],
  ['*.example.test', 'http://sub.example.test', true, false], // Go
  ['*.example.test', 'http://example.test', false, true],
  ['example.test.', 'http://example.test', true, true],
  ['example.test', 'http://example.test.', true, true],
  ['a.test,example.test', 'http://example.test', true, true],
  ['a.test, example.test', 'http://example.test', true, true],
  ['a.test example.test', 'http://example.test', true, true],
  [' example.test ', 'http://example.test', true, true],
  [',,example.test,', 'http://example.test', true, true],
  ['example.test:8080', 'http://example.test:8080', true, false], // Go: for one port
  ['example.test:8080', 'http://example.test:8081', false, true],
  ['example.test:80', 'http://example.test', true, false],
  ['example.test:443', 'http://example.test', false, true],
  ['10.1.2.3', 'http://10.1.2.3', true, true],
  ['10.1.2.3', 'http://10.1.2.30', false, true],
  ['10.1.2.3:80', 'http://10.1.2.3', true, false],
  ['10.0.0.0/8', 'http://10.1.2.3', true, true],
  ['10.9.9.9/8', 'http://10.1.2.3', true, true],
  ['10.0.0.0/16', 'http://10.1.2.3', false, true],
  ['10.1.2.0/31', 'http://10.1.2.1', true, true],
  ['10.1.2.0/31', 'http://10.1.2.2', false, true],
  ['10.1.2.3/32', 'http://10.1.2.3', true, true],
  ['10.0.0.0/33', 'http://10.1.2.3', false, true],
  ['0.0.0.0/0', 'http://10.1.2.3', true, 'varies'],
  ['2.3', 'http://10.1.2.3', false, true],
  ['10.0.0.0/8', 'http://ten.example.test', false, true],
  ['[2001:db8::1]', 'http://[2001:db8::1]', true, 'varies'],
  ['2001:db8::1', 'http://[2001:db8::1]', true, true],
  ['2001:DB8:0::1', 'http://[2001:db8::1]', true, 'varies'],
  ['2001:db8::/32', 'http://[2001:db8:1::1]', true, 'varies'],
  ['2001:db8::/48', 'http://[2001:db8:1::1]', false, true],
  ['test', 'http://example.test', true, true],
  ['[', 'http://example.test', false, true],
  ['', 'http://localhost', true, false], // Go: this machine is never behind a proxy
  ['', 'http://127.0.0.1', true, false],
  ['', 'http://127.9.9.9', true, false],
  ['', 'http://[::1]', true, false],
];

describe('NO_PROXY', () => {
  it.each(RULES)('%j for %s: exempt %s', (list, url, exempt) => {
    expect(noProxy(list)(new URL(url))).toBe(exempt);
  });

  it.each([
    // An address is one, and not its neighbour.
    ['10.1.2.3', '10.1.2.2'],
    ['2001:db8::1', '[2001:db8::]'],
    ['2001:db8::1', '[2001:db8:1::1]'],
    // What is no address or block is none because there is one in it.
    ['/10.0.0.0/8', '10.1.2.3'],
    ['10.0.0.0/8/9', '10.1.2.3'],
    ['10.0.0.0/8x', '10.1.2.3'],
    ['2001:db8::/129', '[2001:db8::1]'],
    ['1[0.1.2.3', '10.1.2.3'],
    ['10.1].2.3', '10.1.2.3'],
  ])('%j does not exempt %s', (list, host) => {
    expect(noProxy(list)(new URL(`http://${host}`))).toBe(false);
  });

  it('compares the default port of https', () => {
    expect(noProxy('example.test:443')(new URL('https://example.test'))).toBe(true);
    expect(noProxy('example.test:80')(new URL('https://example.test'))).toBe(false);
  });
});

describe.skipIf(!requireTool('curl'))('curl', () => {
  let direct: TestServer;
  let proxy: TestServer;
  beforeAll(async () => {
    direct = await serve((socket) => socket.end(OK));
    proxy = await serve((socket) => socket.end('HTTP/1.1 503 Proxy\r\nContent-Length: 0\r\n\r\n'));
  });
  afterAll(async () => {
    await Promise.all([direct.close(), proxy.close()]);
  });

  /** Whether curl goes past the proxy; what is direct is led to a server of our own. */
  async function curlExempts(list: string, url: string): Promise<boolean> {
    const [before, beforeProxy] = [direct.connections(), proxy.connections()];
    const args = ['-s', '-o', '/dev/null', '--max-time', '10', '--connect-to', `::127.0.0.1:${direct.port}`, url];
    const env = cleanEnv({ http_proxy: `http://127.0.0.1:${proxy.port}`, ...(list === '' ? {} : { NO_PROXY: list }) });
    await new Promise((resolve) => spawn('curl', args, { env, stdio: 'ignore' }).on('close', resolve));
    expect(direct.connections() - before + proxy.connections() - beforeProxy).toBe(1);
    return direct.connections() > before;
  }

  const comparable = RULES.filter(([, , , agrees]) => agrees !== 'varies');
  it.each(comparable)('with %j for %s: exempt %s, agrees: %s', async (list, url, exempt, agrees) => {
    expect(await curlExempts(list, url)).toBe(agrees ? exempt : !exempt);
  });
});

describe('the proxy that the environment names', () => {
  const https = new URL('https://service.test');
  const http = new URL('http://service.test');
  it.each([
    [{}, https, undefined],
    [{ HTTPS_PROXY: 'http://a:1' }, https, 'http://a:1/'],
    [{ https_proxy: 'http://b:1' }, https, 'http://b:1/'],
    [{ HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:1' }, https, 'http://a:1/'],
    [{ HTTPS_PROXY: '', https_proxy: 'http://b:1' }, https, 'http://b:1/'],
    [{ HTTPS_PROXY: 'a:1' }, https, 'http://a:1/'],
    [{ HTTPS_PROXY: 'https://a:1' }, https, 'https://a:1/'],
    [{ HTTPS_PROXY: 'http://a:1' }, http, undefined],
    [{ HTTP_PROXY: 'http://a:1' }, https, undefined],
    [{ HTTP_PROXY: 'http://a:1' }, http, 'http://a:1/'],
    [{ http_proxy: 'http://a:1', REQUEST_METHOD: 'GET' }, http, 'http://a:1/'],
    [{ HTTPS_PROXY: 'http://a:1', NO_PROXY: 'service.test' }, https, undefined],
    [{ HTTPS_PROXY: 'http://a:1', no_proxy: 'service.test' }, https, undefined],
    [{ HTTPS_PROXY: 'http://a:1', NO_PROXY: 'other.test' }, https, 'http://a:1/'],
  ] as const)('%j for %s is %s', (env, target, proxy) => {
    expect(proxyFromEnvironment(env)(target)?.href).toBe(proxy);
  });

  it.each(['socks5://a:1080', 'socks5h://me:secret@a', 'SOCKS5://[::1]:1080'])('may speak SOCKS5, as %s', (value) => {
    const proxy = parseProxy(value, 'HTTPS_PROXY');
    expect(isSocks(proxy)).toBe(true);
    expect(isSocks(parseProxy('http://a:1080', 'HTTPS_PROXY'))).toBe(false);
  });

  it('is not HTTP_PROXY under CGI, where a client can set it', () => {
    const choose = proxyFromEnvironment({ HTTP_PROXY: 'http://a:1', REQUEST_METHOD: 'GET' });
    expect(() => choose(http)).toThrow(expect.objectContaining({ code: 'ERR_PROXY_URL' }) as Error);
  });

  it.each([
    'socks4://secret@a:1',
    'ftp://secret@a:1',
    'http://',
    'http://secret@a b',
    'http://a:1/secret',
    'http://a:1?secret',
    'http://secret:%zz@a:1',
  ])('cannot be %s, which is not repeated', (value) => {
    expect(() => parseProxy(value, '--proxy')).toThrow(
      expect.objectContaining({ code: 'ERR_PROXY_URL', message: expect.not.stringContaining('secret') }) as Error,
    );
  });
});
