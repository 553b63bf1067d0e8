/** What every call of STS takes, whatever it asks. */
import type { HttpTransport, TlsSettings } from '../http/http.ts';
import type { RetryEnvironment, RetrySettings } from './retry.ts';

/** How STS is reached. */
export interface StsConnection extends RetryEnvironment {
  readonly region: string;
  /** Default: the regional one of the role's partition. Its path stays in front. */
  readonly endpoint?: URL | undefined;
  readonly transport: HttpTransport;
  readonly tls?: TlsSettings | undefined;
  readonly retry?: RetrySettings | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since 1970; read once for each attempt. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default this package and Node, with their versions. */
  readonly userAgent?: string | undefined;
}
