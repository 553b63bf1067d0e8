/** CreateSession: a certificate and a signature in, temporary credentials out. */
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { HttpRequest, HttpResponse, HttpTransport, TlsSettings } from '../http/http.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import type { Identity } from '../identity/identity.ts';
import { canonicalQuery } from '../signing/canonical.ts';
import { signRequest } from '../signing/sigv4-x509.ts';
import type { SigningContext } from '../signing/sigv4-x509.ts';
import { readCredentialSet } from './credential-set.ts';
import { operationUrl, standardEndpoint } from './endpoints.ts';
import type { EndpointVariant } from './endpoints.ts';
import { withRetries } from './retry.ts';
import type { RetryEnvironment, RetrySettings } from './retry.ts';
import { createServiceClock } from './service-clock.ts';
import type { ServiceClock } from './service-clock.ts';

/** A session token takes a few kilobytes. */
const MAX_RESPONSE_BYTES = 64 * 1024;

/** What CreateSession is told, and how it is reached. */
export interface CreateSessionOptions extends EndpointVariant {
  readonly identity: Identity;
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly region: string;
  /** Default: the standard one of the trust anchor's partition, `region` and variant. Its path stays in front. */
  readonly endpoint?: URL;
  /** 900 to 43200 seconds. Left out: the profile's own rules. */
  readonly durationSeconds?: number;
  /** The profile must accept one. */
  readonly roleSessionName?: string;
  readonly transport: HttpTransport;
  readonly tls?: TlsSettings;
  readonly retry?: RetrySettings;
  readonly signal?: AbortSignal;
  /** Milliseconds since 1970; read when a request is signed, and when its answer is judged. Default `Date.now`. */
  readonly now?: () => number;
  /** In place of `now`: a clock that is corrected when a refusal shows it to be off. Default: one for this call. */
  readonly clock?: ServiceClock;
  /** Told, before the request is signed anew, how many milliseconds the service is ahead of the clock, and in words. */
  readonly onClockOffset?: (offsetMs: number, message: string) => void;
  /** Told what is hashed and signed. */
  readonly onStage?: NonNullable<SigningContext['onStage']>;
  /** Default {@link USER_AGENT}. */
  readonly userAgent?: string;
}

/**
 * Exchanges an identity for temporary credentials, with up to three attempts,
 * each freshly signed.
 *
 * A refusal whose Date shows the clock to be more than a minute off is
 * followed, once, by a request that is signed with the service's time.
 *
 * The ARNs go into the query, as AWS's own helper sends them. Source: IAM
 * Roles Anywhere User Guide, "CreateSession".
 *
 * @throws RolesAnywhereError the service's refusal, an unusable answer, or what kept it from answering
 */
export async function createSession(options: CreateSessionOptions & RetryEnvironment): Promise<SessionCredentials> {
  const { identity, region, transport, retry, onStage, userAgent = USER_AGENT } = options;
  const clock = options.clock ?? createServiceClock(options.now);
  const url = sessionUrl(options);
  const body = JSON.stringify({ durationSeconds: options.durationSeconds, roleSessionName: options.roleSessionName });

  let signedAt = 0;
  const send = async (timeoutMs: number): Promise<HttpResponse> => {
    signedAt = clock.now();
    const signed = await signRequest(
      { method: 'POST', url, headers: { 'content-type': 'application/json' }, body },
      identity,
      { region, service: 'rolesanywhere', date: new Date(signedAt), ...(onStage === undefined ? {} : { onStage }) },
    );
    const request: HttpRequest = {
      method: 'POST',
      url,
      headers: { ...signed, 'user-agent': userAgent },
      body,
      timeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    return await transport(request);
  };
  let corrected = false;
  const attempt = async (timeoutMs: number): Promise<SessionCredentials> => {
    let response = await send(timeoutMs);
    if (response.status >= 400 && response.status <= 499 && response.status !== 429 && !corrected) {
      const { clockOffset, offsetWarning } = await import('./clock-offset.ts');
      const offsetMs = clockOffset(response, clock.now());
      if (offsetMs !== undefined) {
        corrected = true;
        clock.correct(offsetMs);
        options.onClockOffset?.(offsetMs, offsetWarning(offsetMs));
        response = await send(timeoutMs);
      }
    }
    if (response.status >= 200 && response.status <= 299) return readCredentialSet(response, clock.now());
    const { serviceError } = await import('./service-error.ts');
    throw serviceError('CreateSession', response, signedAt);
  };
  return withRetries(attempt, { ...options, ...retry });
}

/**
 * Where a session is asked for.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT`, `ERR_REGION`
 */
export function sessionEndpoint(
  options: Pick<CreateSessionOptions, 'endpoint' | 'region' | 'trustAnchorArn' | keyof EndpointVariant>,
): URL {
  const [, partition = ''] = options.trustAnchorArn.split(':');
  return options.endpoint ?? standardEndpoint(partition, options.region, options);
}

function sessionUrl(options: CreateSessionOptions): URL {
  const { trustAnchorArn, profileArn, roleArn } = options;
  const url = operationUrl(sessionEndpoint(options), '/sessions');
  // Already canonical, and so made of nothing that URL would encode again: what is hashed is what is sent.
  url.search = canonicalQuery([
    ['profileArn', profileArn],
    ['roleArn', roleArn],
    ['trustAnchorArn', trustAnchorArn],
  ]);
  return url;
}
