/**
 * The contract of every HTTP exchange that this program starts. Transports
 * fulfil it alike, with the same errors for the same faults: `direct.ts`
 * (over node:net or node:tls, for a one-shot command), `proxied.ts` (node:http,
 * for one through a proxy) and `pooled.ts` (undici, for long-running processes).
 */
import type { Socket } from 'node:net';

/** How to trust the other side. Both transports get it from `tls.ts`. */
export interface TlsSettings {
  /** PEM text of the only roots to trust; absent: Node's own plus NODE_EXTRA_CA_CERTS. */
  ca?: string | undefined;
  /** Default true. */
  verify?: boolean | undefined;
  /** Default `TLSv1.2`. */
  minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** This side's own certificate with its chain and its key, in PEM, for a server that asks for one. */
  client?: { readonly cert: string; readonly key: string } | undefined;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `http:` or `https:`. Path and query are sent as they stand, since they may be signed. */
  url: URL;
  /** Sent as they are. The transport adds Host (from the URL, unless given), Content-Length and Connection, and nothing else. */
  headers: Readonly<Record<string, string>>;
  body?: string | undefined;
  tls?: TlsSettings | undefined;
  /** For the whole exchange, in milliseconds, from the call to the last byte of the answer. */
  timeoutMs: number;
  /** For making the connection, with TLS and through a proxy, in milliseconds. Default 10 000. */
  connectTimeoutMs?: number | undefined;
  /** An answer with a longer body is an error. */
  maxResponseBytes: number;
  signal?: AbortSignal | undefined;
  /** Whether a server that an unknown authority vouches for is asked for its certificate once more, to say which. Default true. */
  explainAuthority?: boolean | undefined;
  /** Gets each socket of the exchange as it begins to connect, for debugging. */
  onSocket?: ((socket: Socket) => void) | undefined;
}

export interface HttpResponse {
  status: number;
  /** Names in lower case; repeated fields are joined with `, `. */
  headers: Readonly<Record<string, string>>;
  /** Decoded as UTF-8. */
  body: string;
}

/**
 * Makes one exchange: no retries, no redirects, no decompression. An answer of
 * any final status is a result, a redirect too; what came before it (102, 103)
 * is ignored. The transports differ in one thing: undici takes a 100 that
 * nobody asked for as a fault.
 *
 * @throws RolesAnywhereError `ERR_TIMEOUT`, `ERR_CONNECT`, `ERR_DNS`, `ERR_TLS...`,
 * `ERR_RESPONSE_INVALID` (cut off, malformed or too large), `ERR_INTERRUPTED` (by `signal`);
 * through a proxy also `ERR_PROXY`, `ERR_PROXY_AUTH`
 */
export type HttpTransport = (request: HttpRequest) => Promise<HttpResponse>;
