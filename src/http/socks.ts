/** A way through a SOCKS5 proxy (RFC 1928, RFC 1929), by the package `socks`. Loaded when there is one. */
// Tests: test/http/socks.test.ts
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { SocksClient } from 'socks';
import { RolesAnywhereError } from '../platform/errors.ts';
import { faultOf } from './faults.ts';
import type { TunnelOptions } from './tunnel-options.ts';

const SOCKS_PORT = 1080;

/**
 * Opens a connection to `target` through `proxy`, whose scheme is socks5 or socks5h. Names are resolved by the proxy under
 * either, as Go does.
 *
 * @param who how messages name the proxy
 * @throws RolesAnywhereError `ERR_PROXY` when the proxy refuses, `ERR_PROXY_AUTH`, and what a connection to the proxy
 * itself may fail with
 */
export async function openSocksTunnel(options: TunnelOptions, who: string): Promise<Socket> {
  const { proxy, target, timeoutMs, signal } = options;
  const late = new RolesAnywhereError('ERR_TIMEOUT', `no way through ${who} to ${target.hostname} in time`, {
    hint: 'check the proxy, and that it may reach the endpoint',
  });
  const socket = connect({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: Number(proxy.port || SOCKS_PORT),
    lookup: options.lookup,
  });
  options.onSocket?.(socket);
  const interrupt = (): void => {
    socket.destroy(new RolesAnywhereError('ERR_INTERRUPTED', `the connection to ${who} was interrupted`));
  };
  const timer = setTimeout(() => socket.destroy(late), timeoutMs);
  signal?.addEventListener('abort', interrupt);
  if (signal?.aborted === true) interrupt();
  try {
    return await new Promise<Socket>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => resolve(throughSocks(socket, options, who)));
    });
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw faultOf(error, who, false, options.tls);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupt);
  }
}

/** Has the proxy connect. The package hides what ends the socket meanwhile. */
async function throughSocks(socket: Socket, { proxy, target, timeoutMs }: TunnelOptions, who: string): Promise<Socket> {
  let ended: Error | undefined;
  socket.once('error', (error) => (ended = error));
  const { username, password } = proxy;
  const named = username !== '' || password !== '';
  try {
    await SocksClient.createConnection({
      proxy: {
        host: proxy.hostname,
        port: Number(proxy.port || SOCKS_PORT),
        type: 5,
        ...(named ? { userId: decodeURIComponent(username), password: decodeURIComponent(password) } : {}),
      },
      command: 'connect',
      destination: { host: target.hostname.replace(/^\[|\]$/g, ''), port: target.port },
      existing_socket: socket,
      timeout: timeoutMs,
    });
  } catch (error) {
    throw ended ?? refusal(proxy, who, `${target.hostname}:${target.port}`, error);
  }
  return socket;
}

/** The error for what the proxy answered. The package's own holds the password. */
function refusal(proxy: URL, who: string, target: string, error: unknown): Error {
  const said = error instanceof Error ? error.message : '';
  const cause = new Error(said);
  if (said === 'Socket closed') return Object.assign(cause, { code: 'ECONNRESET' });
  if (/authentication/i.test(said)) {
    const given = proxy.username !== '' || proxy.password !== '';
    return new RolesAnywhereError(
      'ERR_PROXY_AUTH',
      `${who} ${given ? 'does not accept the user name and the password in its URL' : 'asks for a user name and a password'}`,
      { hint: 'give the proxy as socks5://USER:PASSWORD@HOST:PORT, with special characters percent-encoded', cause },
    );
  }
  const [, reply] = /rejected connection - (\w+)/.exec(said) ?? [];
  if (reply === undefined)
    return new RolesAnywhereError('ERR_PROXY', `${who} does not speak SOCKS5`, {
      hint: 'check the scheme and the port of the proxy',
      cause,
    });
  return new RolesAnywhereError('ERR_PROXY', `${who} does not connect to ${target} (${reply})`, {
    hint: 'have it allowed there, or check that this is the right proxy',
    cause,
  });
}
