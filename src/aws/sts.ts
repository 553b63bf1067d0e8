/** AWS Security Token Service: one request of its query protocol, signed or not, with retries. */
// Tests: test/aws/assume-role.test.ts, test/aws/web-identity.test.ts
import type { AwsCredentials, SessionCredentials } from '../credentials/credentials.ts';
import type { HttpResponse } from '../http/http.ts';
import { canonicalQuery } from '../signing/canonical.ts';
import type { QueryParameter } from '../signing/canonical.ts';
import { signWithAccessKey } from '../signing/sigv4.ts';
import { post } from './connection.ts';
import type { Connection } from './connection.ts';
import { invalidAnswer, readCredentials } from './credential-answer.ts';
import { checkRegionOf } from './arn.ts';
import { endpointOf, operationUrl } from './endpoints.ts';
import { withRetries } from './retry.ts';
import type { StsRequestFacts } from './sts-error.ts';
import { senderOnTime } from './send-on-time.ts';
import { createServiceClock } from './service-clock.ts';
import type { RoleSessionInput } from './sts-input.ts';
import { childAt, readXml, textAt } from './xml.ts';
import type { XmlElement } from './xml.ts';

const VERSION = '2011-06-15';

/** One operation. */
export interface StsOperation {
  readonly action: 'AssumeRole' | 'AssumeRoleWithWebIdentity';
  readonly region: string;
  readonly input: RoleSessionInput;
  /** The parameters besides those of {@link RoleSessionInput}. Called for each attempt: a code or a token may be good for one only. */
  readonly parameters: () => Promise<readonly QueryParameter[]>;
  /** Who asks. Left out: the request is not signed. */
  readonly credentials?: AwsCredentials | undefined;
  /** What its error may have to do with, besides role, policy and region. */
  readonly facts?: Omit<StsRequestFacts, 'roleArn' | 'policy' | 'region'> | undefined;
}

/** A session, and what STS says about it. */
export interface AssumedRole extends SessionCredentials {
  readonly sourceIdentity?: string | undefined;
  /** How much of the space for session policies and tags is used, in percent. */
  readonly packedPolicySize?: number | undefined;
}

/**
 * Makes a request that gives the credentials of a role.
 *
 * @returns the session, and the `...Result` element that it was in
 * @throws RolesAnywhereError the service's refusal, an unusable answer, or what kept it from answering
 */
export async function askSts(
  { action, region, input, parameters, credentials, facts }: StsOperation,
  connection: Connection,
): Promise<{ readonly session: AssumedRole; readonly result: XmlElement }> {
  const { roleArn, policy } = input;
  const { clock = createServiceClock() } = connection;
  const [, partition = ''] = roleArn.split(':');
  checkRegionOf({ partition }, region, "the role's ARN");
  const known = roleSessionParameters(input, clock.now());
  return await query(
    {
      action,
      partition,
      region,
      parameters: async () => [...known, ...(await parameters())],
      credentials,
      facts: { ...facts, roleArn, policy },
    },
    { ...connection, clock },
    (response) => readSession(action, response, roleArn, clock.now()),
  );
}

/** One request of the query protocol. */
export interface StsQuery {
  readonly action: string;
  readonly partition: string;
  readonly region: string;
  /** Called for each attempt. Default: there are none. */
  readonly parameters?: (() => Promise<readonly QueryParameter[]>) | undefined;
  /** Who asks. Left out: the request is not signed. */
  readonly credentials?: AwsCredentials | undefined;
  readonly facts: Omit<StsRequestFacts, 'region'>;
}

/**
 * Makes a request, with retries, each attempt freshly signed.
 *
 * @param read makes the result of a good answer
 * @throws RolesAnywhereError the service's refusal, or what kept it from answering; what `read` throws
 */
export async function query<T>(
  { action, partition, region, parameters, credentials, facts }: StsQuery,
  connection: Connection,
  read: (response: HttpResponse) => T,
): Promise<T> {
  const { clock = createServiceClock() } = connection;
  const url = operationUrl(endpointOf(connection, 'sts', partition, region), '/');
  const known: readonly QueryParameter[] = [
    ['Action', action],
    ['Version', VERSION],
  ];
  const sendOnTime = senderOnTime(clock, connection, credentials !== undefined);
  return await withRetries(async (timeoutMs) => {
    const { response } = await sendOnTime(async (signedAt, attemptMs) => {
      // Encoded as a form wants it too: everything but the unreserved characters, a space as %20.
      const body = canonicalQuery([...known, ...((await parameters?.()) ?? [])]);
      const plain = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
      const headers =
        credentials === undefined
          ? plain
          : signWithAccessKey({ method: 'POST', url, headers: plain, body }, credentials, {
              region,
              service: 'sts',
              date: new Date(signedAt),
            });
      return await post(connection, { url, headers, body }, attemptMs);
    }, timeoutMs);
    if (response.status >= 200 && response.status <= 299) return read(response);
    const { stsError } = await import('./sts-error.ts');
    throw stsError(action, response, { ...facts, region });
  }, connection);
}

/** A parameter, or none. */
export function single(name: string, value: string | undefined): QueryParameter[] {
  return value === undefined ? [] : [[name, value]];
}

/** What both operations send. A session without a name gets one that says where it came from, and when. */
function roleSessionParameters(input: RoleSessionInput, now: number): QueryParameter[] {
  const { roleArn, roleSessionName = `roles-anywhere-${now}`, durationSeconds, policy, policyArns = [] } = input;
  return [
    ['RoleArn', roleArn],
    ['RoleSessionName', roleSessionName],
    ...single('DurationSeconds', durationSeconds?.toString()),
    ...single('Policy', policy),
    ...policyArns.map((arn, index): QueryParameter => [`PolicyArns.member.${index + 1}.arn`, arn]),
  ];
}

function readSession(
  operation: string,
  { status, body }: HttpResponse,
  roleArn: string,
  now: number,
): { readonly session: AssumedRole; readonly result: XmlElement } {
  const root = readXml(body);
  const origin = {
    operation,
    service: 'STS',
    status,
    requestId: textAt(root, 'ResponseMetadata', 'RequestId'),
  } as const;
  const result = root?.name === `${operation}Response` ? childAt(root, `${operation}Result`) : undefined;
  if (result === undefined) throw invalidAnswer(origin, 'is not what STS answers');
  const credentials = readCredentials(
    {
      ...origin,
      roleArn,
      credential: (name) => textAt(result, 'Credentials', `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`),
      assumedRoleArn: textAt(result, 'AssumedRoleUser', 'Arn'),
    },
    now,
  );
  // What has not the form that it should have is left out.
  const sourceIdentity = textAt(result, 'SourceIdentity') ?? '';
  const percent = textAt(result, 'PackedPolicySize') ?? '';
  return {
    session: {
      ...credentials,
      sourceIdentity: /^[\x20-\x7e]{2,64}$/.test(sourceIdentity) ? sourceIdentity : undefined,
      packedPolicySize: /^\d{1,3}$/.test(percent) ? Number(percent) : undefined,
    },
    result,
  };
}
