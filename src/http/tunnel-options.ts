import type { LookupFunction, Socket } from 'node:net';
import type { TlsSettings } from './http.ts';

/** How to open a tunnel. */
export interface TunnelOptions {
  /** `http:`, `https:`, `socks5:` or `socks5h:`, with a user name and a password when the proxy wants them. */
  proxy: URL;
  /** Where the tunnel leads. */
  target: { hostname: string; port: number };
  /** Whom to believe, where the connection to the proxy is one of TLS. */
  tls?: TlsSettings | undefined;
  /** In milliseconds, up to the proxy's answer. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  lookup?: LookupFunction | undefined;
  onSocket?: ((socket: Socket) => void) | undefined;
}
