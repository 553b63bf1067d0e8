/** CreateSession: a certificate and a signature in, temporary credentials out. */
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { HttpRequest, HttpTransport, TlsSettings } from '../http/http.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import type { Identity } from '../identity/identity.ts';
import { canonicalQuery } from '../signing/canonical.ts';
import { signRequest } from '../signing/sigv4-x509.ts';
import { readCredentialSet } from './credential-set.ts';
import { operationUrl, standardEndpoint } from './endpoints.ts';
import { withRetries } from './retry.ts';
import type { RetryEnvironment, RetrySettings } from './retry.ts';

/** A session token takes a few kilobytes. */
const MAX_RESPONSE_BYTES = 64 * 1024;

/** What CreateSession is told, and how it is reached. */
export interface CreateSessionOptions {
  readonly identity: Identity;
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly region: string;
  /** Default: the standard one of the trust anchor's partition and `region`. Its path stays in front. */
  readonly endpoint?: URL;
  /** 900 to 43200 seconds. Left out: the profile's own rules. */
  readonly durationSeconds?: number;
  /** The profile must accept one. */
  readonly roleSessionName?: string;
  readonly transport: HttpTransport;
  readonly tls?: TlsSettings;
  readonly retry?: RetrySettings;
  readonly signal?: AbortSignal;
  /** Milliseconds since 1970; read once for each attempt. Default `Date.now`. */
  readonly now?: () => number;
  /** Default {@link USER_AGENT}. */
  readonly userAgent?: string;
}

/**
 * Exchanges an identity for temporary credentials, with up to three attempts,
 * each freshly signed.
 *
 * The ARNs go into the query, as AWS's own helper sends them. Source: IAM
 * Roles Anywhere User Guide, "CreateSession".
 *
 * @throws RolesAnywhereError the service's refusal, an unusable answer, or what kept it from answering
 */
export async function createSession(options: CreateSessionOptions & RetryEnvironment): Promise<SessionCredentials> {
  const { identity, region, transport, retry, now = Date.now, userAgent = USER_AGENT } = options;
  const url = sessionUrl(options);
  const body = JSON.stringify({ durationSeconds: options.durationSeconds, roleSessionName: options.roleSessionName });

  const attempt = async (timeoutMs: number): Promise<SessionCredentials> => {
    const signed = await signRequest(
      { method: 'POST', url, headers: { 'content-type': 'application/json' }, body },
      identity,
      { region, service: 'rolesanywhere', date: new Date(now()) },
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
    const response = await transport(request);
    if (response.status >= 200 && response.status <= 299) return readCredentialSet(response, now());
    const { serviceError } = await import('./service-error.ts');
    throw serviceError('CreateSession', response);
  };
  return withRetries(attempt, { ...options, ...retry });
}

function sessionUrl({ endpoint, region, trustAnchorArn, profileArn, roleArn }: CreateSessionOptions): URL {
  const [, partition = ''] = trustAnchorArn.split(':');
  const url = operationUrl(endpoint ?? standardEndpoint(partition, region), '/sessions');
  // Already canonical, and so made of nothing that URL would encode again: what is hashed is what is sent.
  url.search = canonicalQuery([
    ['profileArn', profileArn],
    ['roleArn', roleArn],
    ['trustAnchorArn', trustAnchorArn],
  ]);
  return url;
}
