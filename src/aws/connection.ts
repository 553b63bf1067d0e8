/** The connection: how AWS's services are reached. */
// Tests: test/aws/endpoints.test.ts
import type { HttpResponse, HttpTransport, TlsSettings } from '../http/http.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import type { Log } from '../platform/log.ts';
import type { SigningContext } from '../signing/sigv4-x509.ts';
import type { Budget } from './budget.ts';
import type { Endpoints } from './endpoints.ts';
import type { RetryEnvironment, RetrySettings } from './retry.ts';
import type { ServiceClock } from './service-clock.ts';

/**
 * How AWS's services are reached, whatever they are asked. It is never changed; for what holds for one call only, make
 * another: `{ ...connection, signal }`.
 */
export interface Connection extends RetryEnvironment {
  readonly transport: HttpTransport;
  /** Whom to believe at the other end. Default: Node's own roots, and those of NODE_EXTRA_CA_CERTS. */
  readonly tls?: TlsSettings | undefined;
  /** Default: the standard ones of partition and region. */
  readonly endpoints?: Endpoints | undefined;
  /** Default: three attempts of 15 seconds each, within a minute, and as many as it takes when there are too many requests. */
  readonly retry?: RetrySettings | undefined;
  /** The time for all that is asked over this connection. Default: `timeoutMs` of `retry` for each operation. */
  readonly budget?: Budget | undefined;
  /**
   * The time that requests are signed with and answers are judged by. What a call learns of it holds for all that
   * follow with the same clock. Default: this machine's, anew for each call.
   */
  readonly clock?: ServiceClock | undefined;
  /** Default: this package and Node, with their versions. */
  readonly userAgent?: string | undefined;
  /** Told how far the service's clock is ahead, in milliseconds, when that has changed by more than a minute. Default: nobody. */
  readonly onClockOffset?: ((offsetMs: number) => void) | undefined;
  /** Told when the clock turns out to be off (`warn`). Default: nobody. */
  readonly log?: Log | undefined;
  /** Gives up when it fires: `ERR_INTERRUPTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Told what CreateSession hashes and signs. */
  readonly onStage?: SigningContext['onStage'];
}

/** A session token takes a few kilobytes. */
const MAX_RESPONSE_BYTES = 64 * 1024;

/** Sends one request over the connection, without retries. The user agent is not signed. A refusal repeats no secret. */
export async function post(
  { transport, tls, signal, userAgent = USER_AGENT }: Connection,
  request: { readonly url: URL; readonly headers: Readonly<Record<string, string>>; readonly body: string },
  timeoutMs: number,
): Promise<HttpResponse> {
  const { url, body } = request;
  const headers = { ...request.headers, 'user-agent': userAgent };
  const response = await transport({
    method: 'POST',
    url,
    headers,
    body,
    tls,
    signal,
    timeoutMs,
    maxResponseBytes: MAX_RESPONSE_BYTES,
  });
  if (response.status < 300) return response;
  const { withoutSecrets } = await import('../http/echoes.ts');
  return withoutSecrets(response, { headers, body });
}
