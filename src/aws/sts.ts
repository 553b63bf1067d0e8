/** AWS Security Token Service: one request of its query protocol, signed or not, with retries. */
import type { SessionCredentials } from '../credentials/credentials.ts';
import { formatExpiration, parseExpiration } from '../credentials/expiration.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpRequest, HttpResponse } from '../http/http.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import { canonicalQuery } from '../signing/canonical.ts';
import type { QueryParameter } from '../signing/canonical.ts';
import { signWithAccessKey } from '../signing/sigv4.ts';
import type { AccessKey } from '../signing/sigv4.ts';
import { operationUrl } from './endpoints.ts';
import { withRetries } from './retry.ts';
import type { StsConnection } from './sts-connection.ts';
import { stsEndpoint } from './sts-endpoint.ts';
import type { StsRequestFacts } from './sts-error.ts';
import { childAt, readXml, textAt } from './xml.ts';
import type { XmlElement } from './xml.ts';

const VERSION = '2011-06-15';
const MAX_RESPONSE_BYTES = 64 * 1024;

/** One operation. */
export interface StsOperation {
  readonly action: 'AssumeRole' | 'AssumeRoleWithWebIdentity';
  readonly partition: string;
  /** Called for each attempt: a code or a token may be good for one only. */
  readonly parameters: () => Promise<readonly QueryParameter[]>;
  /** Left out: the request is not signed. */
  readonly accessKey?: AccessKey;
  /** What its error may have to do with. */
  readonly facts: StsRequestFacts;
}

/** The result of an operation that gives credentials. */
export interface StsCredentials {
  readonly credentials: SessionCredentials;
  /** The `...Result` element. */
  readonly result: XmlElement;
}

/**
 * Makes a request that vends credentials.
 *
 * @throws RolesAnywhereError the service's refusal, an unusable answer, or what kept it from answering
 */
export async function vendFromSts(operation: StsOperation, connection: StsConnection): Promise<StsCredentials> {
  const { action, partition, accessKey } = operation;
  const { region, transport, tls, signal, retry, now = Date.now, userAgent = USER_AGENT } = connection;
  const url = operationUrl(connection.endpoint ?? stsEndpoint(partition, region), '/');

  const attempt = async (timeoutMs: number): Promise<StsCredentials> => {
    const parameters = await operation.parameters();
    // Encoded as a form wants it too: everything but the unreserved characters, a space as %20.
    const body = canonicalQuery([['Action', action], ['Version', VERSION], ...parameters]);
    const plain = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const signable = { method: 'POST', url, headers: plain, body };
    const headers =
      accessKey === undefined
        ? plain
        : signWithAccessKey(signable, accessKey, { region, service: 'sts', date: new Date(now()) });
    const request: HttpRequest = {
      method: 'POST',
      url,
      headers: { ...headers, 'user-agent': userAgent },
      body,
      timeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
      ...(tls === undefined ? {} : { tls }),
      ...(signal === undefined ? {} : { signal }),
    };
    const response = await transport(request);
    if (response.status >= 200 && response.status <= 299) return readVended(action, response, now());
    const { stsError } = await import('./sts-error.ts');
    throw stsError(action, response, { ...operation.facts, region });
  };
  const { monotonic, random, sleep } = connection;
  return withRetries(attempt, {
    ...retry,
    ...(signal === undefined ? {} : { signal }),
    ...(monotonic === undefined ? {} : { monotonic }),
    ...(random === undefined ? {} : { random }),
    ...(sleep === undefined ? {} : { sleep }),
  });
}

/** Nothing of the answer gets into an error: it may hold a secret. */
function readVended(action: string, response: HttpResponse, now: number): StsCredentials {
  const root = readXml(response.body);
  const requestId = textAt(root, 'ResponseMetadata', 'RequestId');
  const origin = {
    status: response.status,
    ...(requestId !== undefined && /^[\w-]{1,128}$/.test(requestId) ? { requestId } : {}),
  };
  const invalid = (what: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_RESPONSE_INVALID', `the answer to ${action} ${what}`, {
      ...origin,
      hint: 'check that the endpoint is STS, and that nothing on the way answers in its place',
    });
  const result = root?.name === `${action}Response` ? childAt(root, `${action}Result`) : undefined;
  if (result === undefined) throw invalid('is not what STS answers');
  const text = (name: string): string => {
    const value = textAt(result, 'Credentials', name);
    // Visible ASCII: it goes into headers, environments and files.
    if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) throw invalid(`has no usable ${name}`);
    return value;
  };
  const expiration = parseExpiration(text('Expiration'));
  if (expiration === undefined) throw invalid('has an Expiration that is not an RFC 3339 time');
  const credentials = {
    accessKeyId: text('AccessKeyId'),
    secretAccessKey: text('SecretAccessKey'),
    sessionToken: text('SessionToken'),
    expiration,
    ...assumedRole(textAt(result, 'AssumedRoleUser', 'Arn')),
  };
  if (expiration.getTime() <= now) {
    throw new RolesAnywhereError(
      'ERR_CREDENTIALS_EXPIRED',
      `STS handed out credentials that expired at ${formatExpiration(expiration)}`,
      { ...origin, hint: "check this machine's clock" },
    );
  }
  return { credentials, result };
}

function assumedRole(arn: string | undefined): Pick<SessionCredentials, 'accountId' | 'assumedRoleArn'> {
  const accountId = /^arn:[a-z0-9-]+:sts::(\d{12}):assumed-role\/[\x21-\x7e]+$/.exec(arn ?? '')?.[1];
  return arn === undefined || accountId === undefined ? {} : { assumedRoleArn: arn, accountId };
}
