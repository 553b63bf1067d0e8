/**
 * A URL that signs a browser in to the AWS console with temporary credentials.
 *
 * Source: IAM User Guide, "Enable custom identity broker access to the AWS console".
 */
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpTransport, TlsSettings } from '../http/http.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import { canonicalQuery } from '../signing/canonical.ts';
import type { AccessKey } from '../signing/sigv4.ts';
import { operationUrl } from './endpoints.ts';
import { member, parseJson } from './json.ts';
import { withRetries } from './retry.ts';
import type { RetryEnvironment, RetrySettings } from './retry.ts';

export interface SigninUrlOptions extends RetryEnvironment {
  /** Temporary ones. */
  readonly credentials: AccessKey;
  /** Default `aws`. Where the hosts are not known, `endpoint` and `destination` must be given. */
  readonly partition?: string | undefined;
  /** Where the browser goes: a URL, or the console's path of a service, such as `s3`. Default: the console's home. */
  readonly destination?: string | undefined;
  /** Of the console's page. Default: the one that the console chooses. */
  readonly region?: string | undefined;
  /**
   * 900 to 43200 seconds. Not for credentials that were obtained with those of another role: AWS refuses it, and their
   * session lasts an hour at most.
   */
  readonly sessionDuration?: number | undefined;
  /** Where the console sends people when the session is over. Default: nowhere. */
  readonly issuer?: string | undefined;
  /** Federation endpoint without its path. Default: the partition's. */
  readonly endpoint?: URL | undefined;
  readonly transport: HttpTransport;
  readonly tls?: TlsSettings | undefined;
  readonly retry?: RetrySettings | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Hosts of the partitions that AWS documents; those of others are not public. */
const HOSTS: Readonly<Record<string, { readonly signin: string; readonly console: string }>> = {
  aws: { signin: 'signin.aws.amazon.com', console: 'console.aws.amazon.com' },
  'aws-cn': { signin: 'signin.amazonaws.cn', console: 'console.amazonaws.cn' },
  'aws-us-gov': { signin: 'signin.amazonaws-us-gov.com', console: 'console.amazonaws-us-gov.com' },
};

const MAX_RESPONSE_BYTES = 64 * 1024;

/**
 * Makes a sign-in URL. Whoever has it is signed in: it is as secret as the
 * credentials, and good for 15 minutes.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT`, `ERR_DURATION`, the service's refusal, or what kept it from answering
 */
export async function signinUrl(options: SigninUrlOptions): Promise<string> {
  const { transport, tls, signal, retry, issuer, sessionDuration } = options;
  checkDuration(sessionDuration);
  const { federation, destination } = placesOf(options);
  const { accessKeyId, secretAccessKey, sessionToken } = options.credentials;
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
  const attempt = async (timeoutMs: number): Promise<string> => {
    const { status, body: answer } = await transport({
      method: 'POST',
      url: federation,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': USER_AGENT },
      body,
      timeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
      ...(tls === undefined ? {} : { tls }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (status !== 200) throw refused(status, sessionDuration !== undefined);
    const token = member(parseJson(answer), 'SigninToken');
    if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
    throw new RolesAnywhereError('ERR_RESPONSE_INVALID', 'the federation endpoint gave no sign-in token', {
      status,
      hint: 'check the endpoint, and that nothing on the way answers in its place',
    });
  };
  const token = await withRetries(attempt, {
    ...retry,
    ...timing(options),
    ...(signal === undefined ? {} : { signal }),
  });
  const login = new URL(federation);
  login.search = canonicalQuery([
    ['Action', 'login'],
    ['Destination', destination],
    ...(issuer === undefined ? [] : [['Issuer', issuer] as const]),
    ['SigninToken', token],
  ]);
  return login.href;
}

function placesOf({ partition = 'aws', endpoint, destination, region }: SigninUrlOptions): {
  federation: URL;
  destination: string;
} {
  const hosts = Object.hasOwn(HOSTS, partition) ? HOSTS[partition] : undefined;
  const unknown = (what: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_ENDPOINT', `the ${what} of partition ${JSON.stringify(partition)} is not known`, {
      hint: 'give the federation endpoint and a whole URL as destination',
    });
  if (endpoint === undefined && hosts === undefined) throw unknown('federation endpoint');
  const federation = operationUrl(endpoint ?? new URL(`https://${hosts?.signin ?? ''}`), '/federation');
  if (destination !== undefined && /^https:\/\//i.test(destination)) {
    if (URL.canParse(destination)) return { federation, destination };
    throw new RolesAnywhereError('ERR_ENDPOINT', 'the destination is not a URL', { hint: 'give https://HOST/PATH' });
  }
  if (hosts === undefined) throw unknown('console');
  const path = destination ?? 'home';
  if (!/^[\w.-]+(?:\/[\w./:?&=#%+~-]*)?$/.test(path))
    throw new RolesAnywhereError('ERR_ENDPOINT', `not a destination: ${JSON.stringify(path.slice(0, 200))}`, {
      hint: 'give a URL that begins with https://, or the short name of a service, such as s3',
    });
  const page = new URL(`https://${hosts.console}/${path.includes('/') ? path : `${path}/home`}`);
  if (path === 'home') page.pathname = '/console/home';
  if (region !== undefined) page.searchParams.set('region', region);
  return { federation, destination: page.href };
}

function timing({ monotonic, random, sleep }: RetryEnvironment): RetryEnvironment {
  return {
    ...(monotonic === undefined ? {} : { monotonic }),
    ...(random === undefined ? {} : { random }),
    ...(sleep === undefined ? {} : { sleep }),
  };
}

function checkDuration(seconds: number | undefined): void {
  if (seconds === undefined || (Number.isInteger(seconds) && seconds >= 900 && seconds <= 43_200)) return;
  throw new RolesAnywhereError('ERR_DURATION', `the session duration is out of range: ${seconds}`, {
    hint: 'give 900 to 43200 seconds',
  });
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
