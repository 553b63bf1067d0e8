/**
 * A URL that signs a browser in to the AWS console with temporary credentials.
 *
 * Source: IAM User Guide, "Enable custom identity broker access to the AWS console".
 */
import type { AwsCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { canonicalQuery } from '../signing/canonical.ts';
import { post } from './connection.ts';
import type { Connection } from './connection.ts';
import { isCredentialText } from './credential-answer.ts';
import { noFips, operationUrl, parseEndpoint } from './endpoints.ts';
import { member, parseJson } from './json.ts';
import { withRetries } from './retry.ts';
import { checkDuration } from './session-limits.ts';

/** One sign-in. */
export interface SigninUrlRequest {
  /** Temporary ones. */
  readonly credentials: AwsCredentials;
  /** Default `aws`. Where the hosts are not known, the connection's endpoint and `destination` must be given. */
  readonly partition?: string | undefined;
  /** Where the browser goes: a URL, or the console's path of a service, such as `s3`. Default: the console's home. */
  readonly destination?: string | undefined;
  /** The region of the console's page. Default: the one that the console chooses. */
  readonly region?: string | undefined;
  /**
   * 900 to 43200 seconds. Not for credentials that were obtained with those of another role: AWS refuses it, and their
   * session lasts an hour at most.
   */
  readonly sessionDuration?: number | undefined;
  /** Where the console sends people when the session is over. Default: nowhere. */
  readonly issuer?: string | undefined;
}

/** The hosts where browsers sign in, of the partitions for which AWS documents them: one for all regions. */
const SIGNIN_HOST: Readonly<Record<string, string>> = {
  aws: 'signin.aws.amazon.com',
  'aws-cn': 'signin.amazonaws.cn',
  'aws-us-gov': 'signin.amazonaws-us-gov.com',
};

/** Source: the endpoint rules of AWS's SDKs for the service `signin`, which have such a host in GovCloud alone. */
const FIPS_HOST: Readonly<Record<string, string>> = { 'aws-us-gov': 'signin-fips.amazonaws-us-gov.com' };

/** The console's hosts in the partitions that AWS documents; those of others are not public. */
const CONSOLE_HOST: Readonly<Record<string, string>> = {
  aws: 'console.aws.amazon.com',
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
};

/**
 * The endpoint of sign-in: the one that was given, or that of the partition. There is none for dual-stack, which has no
 * effect on it.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT`, also for FIPS where AWS does not run it
 */
export function signinEndpoint({ endpoints = {} }: Pick<Connection, 'endpoints'>, partition: string): URL {
  if (endpoints.signin !== undefined) return parseEndpoint(endpoints.signin, 'the endpoint', endpoints.allowHttp);
  if (!Object.hasOwn(SIGNIN_HOST, partition))
    throw new RolesAnywhereError(
      'ERR_ENDPOINT',
      `the endpoint of signin in partition ${JSON.stringify(partition)} is not known`,
      { hint: 'give it with --signin-endpoint' },
    );
  const hosts = endpoints.useFips === true ? FIPS_HOST : SIGNIN_HOST;
  if (!Object.hasOwn(hosts, partition)) throw noFips('signin', `partition ${partition}`);
  return new URL(`https://${hosts[partition]}`);
}

/**
 * Makes a sign-in URL. Whoever has it is signed in: it is as secret as the
 * credentials, and good for 15 minutes.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT`, `ERR_DURATION`, the service's refusal, or what kept it from answering
 */
export async function signinUrl(request: SigninUrlRequest, connection: Connection): Promise<string> {
  const { issuer, sessionDuration, partition = 'aws' } = request;
  checkDuration(sessionDuration, 'the session duration');
  const federation = operationUrl(signinEndpoint(connection, partition), '/federation');
  const destination = consolePage(request);
  const { accessKeyId, secretAccessKey, sessionToken } = request.credentials;
  if (sessionToken === undefined)
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', 'a sign-in URL needs temporary credentials', {
      hint: 'assume a role first',
    });
  // In the body, where the token is written to no log, and may be long.
  const body = canonicalQuery([
    ['Action', 'getSigninToken'],
    ...(sessionDuration === undefined ? [] : [['SessionDuration', String(sessionDuration)] as const]),
    ['Session', JSON.stringify({ sessionId: accessKeyId, sessionKey: secretAccessKey, sessionToken })],
  ]);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const token = await withRetries(async (timeoutMs) => {
    const { status, body: answer } = await post(connection, { url: federation, headers, body }, timeoutMs);
    if (status !== 200) throw refused(status, sessionDuration !== undefined);
    const given = member(parseJson(answer), 'SigninToken');
    if (isCredentialText(given)) return given;
    throw new RolesAnywhereError('ERR_RESPONSE_INVALID', 'the federation endpoint gave no sign-in token', {
      status,
      hint: 'check the endpoint, and that nothing on the way answers in its place',
    });
  }, connection);
  const login = new URL(federation);
  login.search = canonicalQuery([
    ['Action', 'login'],
    ['Destination', destination],
    ...(issuer === undefined ? [] : [['Issuer', issuer] as const]),
    ['SigninToken', token],
  ]);
  return login.href;
}

/**
 * The page where the browser goes.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT`
 */
export function consolePage({ partition = 'aws', destination, region }: Omit<SigninUrlRequest, 'credentials'>): string {
  if (destination !== undefined && /^https:\/\//i.test(destination)) {
    if (URL.canParse(destination)) return destination;
    throw new RolesAnywhereError('ERR_ENDPOINT', 'the destination is not a URL', { hint: 'give https://HOST/PATH' });
  }
  const host = Object.hasOwn(CONSOLE_HOST, partition) ? CONSOLE_HOST[partition] : undefined;
  if (host === undefined)
    throw new RolesAnywhereError('ERR_ENDPOINT', `the console of partition ${JSON.stringify(partition)} is not known`, {
      hint: 'give the federation endpoint and a whole URL as destination',
    });
  const path = destination ?? 'home';
  if (!/^[\w.-]+(?:\/[\w./:?&=#%+~-]*)?$/.test(path))
    throw new RolesAnywhereError('ERR_ENDPOINT', `not a destination: ${JSON.stringify(path.slice(0, 200))}`, {
      hint: 'give a URL that begins with https://, or the short name of a service, such as s3',
    });
  const page = new URL(`https://${host}/${path.includes('/') ? path : `${path}/home`}`);
  if (path === 'home') page.pathname = '/console/home';
  if (region !== undefined) page.searchParams.set('region', region);
  return page.href;
}

/** Its words are a page for people, which says no more than the status. */
function refused(status: number, withDuration: boolean): RolesAnywhereError {
  if (status === 429 || status >= 500)
    return new RolesAnywhereError(
      status === 429 ? 'ERR_THROTTLED' : 'ERR_SERVICE_FAILED',
      `the federation endpoint failed (status ${status})`,
      { status, hint: 'try later' },
    );
  if (status < 400)
    return new RolesAnywhereError('ERR_RESPONSE_INVALID', `the federation endpoint answered with status ${status}`, {
      status,
      hint: 'check the endpoint, and that nothing on the way answers in its place',
    });
  return new RolesAnywhereError('ERR_SERVICE_REFUSED', `no sign-in token was given (status ${status})`, {
    status,
    hint: withDuration
      ? 'leave the session duration out for credentials that were obtained with those of another role'
      : 'check that the credentials are temporary, of this partition, and not expired',
  });
}
