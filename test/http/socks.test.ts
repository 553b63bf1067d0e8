import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openTunnel } from '../../src/http/tunnel.ts';
import { refusal } from '../support/refusal.ts';
import { startSocksServer } from '../support/socks-server.ts';
import type { SocksOptions, SocksServer } from '../support/socks-server.ts';

const servers: (SocksServer | Server)[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A target that says hello, and a proxy before it. */
async function proxyTo(options: Partial<SocksOptions> = {}): Promise<SocksServer> {
  const target = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.end('hello')));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const proxy = await startSocksServer({ leadTo: (target.address() as AddressInfo).port, ...options });
  servers.push(target, proxy);
  return proxy;
}

const open = (url: string, more: { timeoutMs?: number; signal?: AbortSignal; hostname?: string } = {}) =>
  openTunnel({
    proxy: new URL(url),
    target: { hostname: more.hostname ?? 'service.test', port: 443 },
    timeoutMs: more.timeoutMs ?? 5000,
    signal: more.signal,
  });

async function textFrom(url: string, hostname?: string): Promise<string> {
  const socket = await open(url, hostname === undefined ? {} : { hostname });
  socket.write('hello?');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

describe('a tunnel through a SOCKS5 proxy', () => {
  it('leads to the target, whose name the proxy resolves', async () => {
    const proxy = await proxyTo();
    expect(await textFrom(`socks5://127.0.0.1:${proxy.port}`)).toBe('hello');
    expect(await textFrom(`socks5h://127.0.0.1:${proxy.port}`, '[::1]')).toBe('hello');
    expect(proxy.targets).toEqual(['service.test:443', `${'0'.repeat(31)}1:443`]);
  });

  it('shows the name and the password, decoded, to a proxy that asks for them', async () => {
    const proxy = await proxyTo({ auth: 'me:p@ss' });
    expect(await textFrom(`socks5://me:p%40ss@127.0.0.1:${proxy.port}`)).toBe('hello');
    expect(proxy.users).toEqual(['me:p@ss']);
  });

  it.each([
    ['me:wrong@', /does not accept/],
    ['', /asks for a user name/],
  ])('is refused with the credentials "%s"', async (credentials, message) => {
    const proxy = await proxyTo({ auth: 'me:pass' });
    const error = await refusal(() => open(`socks5://${credentials}127.0.0.1:${proxy.port}`));
    expect(error).toMatchObject({ code: 'ERR_PROXY_AUTH', message: expect.stringMatching(message) as string });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('wrong');
  });

  it.each([
    [2, 'NotAllowed'],
    [4, 'HostUnreachable'],
  ])('is refused with reply %i', async (reply, word) => {
    const proxy = await proxyTo({ reply });
    expect(await refusal(() => open(`socks5://127.0.0.1:${proxy.port}`))).toMatchObject({
      code: 'ERR_PROXY',
      message: expect.stringContaining(`(${word})`) as string,
    });
  });

  it('is not opened by what does not speak SOCKS5', async () => {
    const other = createServer((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    servers.push(other);
    const { port } = other.address() as AddressInfo;
    expect(await refusal(() => open(`socks5://127.0.0.1:${port}`))).toMatchObject({
      code: 'ERR_PROXY',
      message: expect.stringContaining('does not speak SOCKS5') as string,
    });
  });

  it('is not waited for without end, and can be given up', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    servers.push(silent);
    const url = `socks5://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    expect((await refusal(() => open(url, { timeoutMs: 50 }))).code).toBe('ERR_TIMEOUT');
    expect((await refusal(() => open(url, { signal: AbortSignal.timeout(50) }))).code).toBe('ERR_INTERRUPTED');
  });

  it('is not opened where nothing listens', async () => {
    expect((await refusal(() => open('socks5://127.0.0.1:1'))).code).toBe('ERR_CONNECT');
  });
});
