/** CreateSession: a certificate and a signature in, temporary credentials out. */
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { HttpResponse } from '../http/http.ts';
import type { Identity } from '../identity/identity.ts';
import { canonicalQuery } from '../signing/canonical.ts';
import { signRequest } from '../signing/sigv4-x509.ts';
import { post } from './connection.ts';
import type { Connection } from './connection.ts';
import { readCredentialSet } from './credential-answer.ts';
import { endpointOf, operationUrl } from './endpoints.ts';
import { withRetries } from './retry.ts';
import { senderOnTime } from './send-on-time.ts';
import { createServiceClock } from './service-clock.ts';

/** What CreateSession is told, besides who asks. */
export interface CreateSessionInput {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  /** 900 to 43200 seconds. Left out: the profile's own rules. */
  readonly durationSeconds?: number | undefined;
  /** The profile must accept one. */
  readonly roleSessionName?: string | undefined;
  /** The region in which Roles Anywhere is asked: the trust anchor's. */
  readonly region: string;
}

/** One CreateSession. */
export interface CreateSessionRequest extends CreateSessionInput {
  /** Who asks. */
  readonly identity: Identity;
}

/**
 * Exchanges an identity for temporary credentials, with attempts
 * as {@link withRetries} makes them, each freshly signed.
 *
 * A refusal whose Date shows the clock to be more than a minute off is
 * followed, once, by a request that is signed with the service's time.
 *
 * The ARNs go into the query, as AWS's own helper sends them. Source: IAM
 * Roles Anywhere User Guide, "CreateSession".
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT`, `ERR_REGION`; the service's refusal, an unusable answer, or what kept it
 * from answering
 */
export async function createSession(
  { identity, trustAnchorArn, profileArn, roleArn, region, durationSeconds, roleSessionName }: CreateSessionRequest,
  connection: Connection,
): Promise<SessionCredentials> {
  const { clock = createServiceClock(), onStage } = connection;
  const [, partition = ''] = trustAnchorArn.split(':');
  const url = operationUrl(endpointOf(connection, 'rolesanywhere', partition, region), '/sessions');
  // Already canonical, and so made of nothing that URL would encode again: what is hashed is what is sent.
  url.search = canonicalQuery([
    ['profileArn', profileArn],
    ['roleArn', roleArn],
    ['trustAnchorArn', trustAnchorArn],
  ]);
  const body = JSON.stringify({ durationSeconds, roleSessionName });

  const sendOnTime = senderOnTime(clock, connection);
  const send = async (signedAt: number, timeoutMs: number): Promise<HttpResponse> => {
    const headers = await signRequest(
      { method: 'POST', url, headers: { 'content-type': 'application/json' }, body },
      identity,
      { region, service: 'rolesanywhere', date: new Date(signedAt), onStage },
    );
    return await post(connection, { url, headers, body }, timeoutMs);
  };
  const attempt = async (timeoutMs: number): Promise<SessionCredentials> => {
    const { response, signedAt } = await sendOnTime(send, timeoutMs);
    if (response.status >= 200 && response.status <= 299) return readCredentialSet(response, roleArn, clock.now());
    const { serviceError } = await import('./service-error.ts');
    throw serviceError('CreateSession', response, signedAt, identity.skippedRule);
  };
  return withRetries(attempt, connection);
}
