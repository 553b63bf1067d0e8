/**
 * A way through an HTTP proxy: RFC 9110, section 9.3.6 (CONNECT). undici's own
 * ProxyAgent does the same; it keeps the status of a refusal for itself and
 * does not bound the wait for it.
 */
// Tests: test/http/proxy.test.ts
import type { IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { RolesAnywhereError } from '../platform/errors.ts';
import { MAX_HEADER_BYTES } from './exchange.ts';
import { faultOf } from './faults.ts';
import { isSocks } from './proxy-rules.ts';
import { serverName, tlsOptions } from './tls.ts';
import type { TunnelOptions } from './tunnel-options.ts';

/**
 * Opens a connection to `target` through `proxy`, by CONNECT or by SOCKS5.
 *
 * @throws RolesAnywhereError `ERR_PROXY` when the proxy refuses, `ERR_PROXY_AUTH`, and what an exchange with the proxy
 * itself may fail with
 */
export async function openTunnel(options: TunnelOptions): Promise<Socket> {
  const { proxy, target, timeoutMs, signal, lookup, onSocket } = options;
  if (isSocks(proxy)) return await (await import('./socks.ts')).openSocksTunnel(options, proxyName(proxy));
  const secure = proxy.protocol === 'https:';
  const { hostname, port } = target;
  const authority = `${hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname}:${port}`;
  const settings: RequestOptions = {
    method: 'CONNECT',
    hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port,
    path: authority,
    headers: { host: authority, ...proxyAuthorization(proxy) },
    agent: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    lookup,
    ...(secure ? { ...tlsOptions(options.tls), servername: serverName(proxy) } : {}),
  };
  const http = secure ? await import('node:https') : await import('node:http');
  const who = proxyName(proxy);
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const outgoing = http.request(settings);
      const late = new RolesAnywhereError('ERR_TIMEOUT', `no way through ${who} to ${authority} in time`, {
        hint: 'check the proxy, and that it may reach the endpoint',
      });
      const timer = setTimeout(() => outgoing.destroy(late), timeoutMs);
      const interrupt = (): void => {
        outgoing.destroy(new RolesAnywhereError('ERR_INTERRUPTED', `the connection to ${who} was interrupted`));
      };
      signal?.addEventListener('abort', interrupt);
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', interrupt);
      };
      if (onSocket !== undefined) outgoing.once('socket', onSocket);
      outgoing.once('error', (error) => {
        done();
        reject(error);
      });
      outgoing.once('connect', (answer, socket: Socket, rest) => {
        done();
        const { statusCode = 0 } = answer;
        if (statusCode >= 200 && statusCode <= 299 && rest.length === 0) {
          resolve(socket);
        } else {
          socket.on('error', () => {}).destroy();
          reject(refusal(proxy, authority, answer));
        }
      });
      outgoing.end();
      if (signal?.aborted === true) interrupt();
    });
  } catch (error) {
    throw faultOf(error, who, false, options.tls);
  }
}

/** The header that proves who we are to a proxy: RFC 7617 (Basic). */
export function proxyAuthorization({ username, password }: URL): { 'proxy-authorization'?: string } {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** How messages name a proxy: never with what its URL holds besides. */
export function proxyName({ host }: URL): string {
  return `the proxy ${host}`;
}

/** The error for an answer of the proxy's own. */
export function refusal(
  proxy: URL,
  authority: string,
  { statusCode = 0, headers }: Pick<IncomingMessage, 'statusCode' | 'headers'>,
): RolesAnywhereError {
  const who = proxyName(proxy);
  // Squid's name of what went wrong.
  const named = /^ERR_[A-Z_]+ \d+$/.exec(String(headers['x-squid-error'] ?? ''))?.[0];
  const answer = `status ${statusCode}${named === undefined ? '' : `, ${named}`}`;
  const details = { status: statusCode };
  // tinyproxy answers a wrong password with 401.
  if (statusCode === 407 || statusCode === 401) {
    const given = proxy.username !== '' || proxy.password !== '';
    const basic = /\bbasic\b/i.test(headers['proxy-authenticate'] ?? 'basic');
    return new RolesAnywhereError(
      'ERR_PROXY_AUTH',
      `${who} ${given ? 'does not accept the user name and the password in its URL' : 'asks for a user name and a password'} (${answer})`,
      {
        ...details,
        hint: basic
          ? 'give the proxy as http://USER:PASSWORD@HOST:PORT, with special characters percent-encoded'
          : 'it takes other schemes than Basic only, which need a relay on this machine',
      },
    );
  }
  if (statusCode >= 200 && statusCode <= 299)
    return new RolesAnywhereError('ERR_PROXY', `${who} sent something ahead of ${authority}`, details);
  return new RolesAnywhereError('ERR_PROXY', `${who} does not connect to ${authority} (${answer})`, {
    ...details,
    hint:
      statusCode >= 500
        ? 'the proxy may not be able to reach or to resolve that host'
        : 'have it allowed there, or check that this is the right proxy',
  });
}
