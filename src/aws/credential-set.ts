/** The answer to CreateSession. */
import type { SessionCredentials } from '../credentials/credentials.ts';
import { formatExpiration, parseExpiration } from '../credentials/expiration.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpResponse } from '../http/http.ts';
import { member, parseJson } from './json.ts';

/**
 * Reads the first credential set of a 2xx answer. What is not needed is not
 * looked at, and nothing of the answer gets into an error: it may hold a secret.
 *
 * @param now milliseconds since 1970
 * @throws RolesAnywhereError `ERR_RESPONSE_INVALID`, `ERR_CREDENTIALS_EMPTY`, `ERR_CREDENTIALS_EXPIRED`
 */
export function readCredentialSet(response: HttpResponse, now: number): SessionCredentials {
  const invalid = (what: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_RESPONSE_INVALID', `the answer to CreateSession ${what}`, {
      ...origin(response),
      hint: 'check that the endpoint is Roles Anywhere, and that nothing on the way answers in its place',
    });

  const sets = member(parseJson(response.body), 'credentialSet');
  if (!Array.isArray(sets)) throw invalid('holds no credentialSet');
  if (sets.length === 0) {
    throw new RolesAnywhereError('ERR_CREDENTIALS_EMPTY', 'the service handed out no credentials', {
      ...origin(response),
      hint: 'check that the role is in the profile and that the profile is enabled',
    });
  }
  const set: unknown = sets[0];
  const credentials = member(set, 'credentials');
  const text = (name: string): string => {
    const value = member(credentials, name);
    // Visible ASCII: it goes into headers, environments and files.
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) throw invalid(`has no usable ${name}`);
    return value;
  };
  const expiration = parseExpiration(text('expiration'));
  if (expiration === undefined) throw invalid('has an expiration that is not an RFC 3339 time');
  const read = {
    accessKeyId: text('accessKeyId'),
    secretAccessKey: text('secretAccessKey'),
    sessionToken: text('sessionToken'),
    expiration,
    ...readAssumedRole(set),
  };
  if (expiration.getTime() <= now) {
    throw new RolesAnywhereError(
      'ERR_CREDENTIALS_EXPIRED',
      `the service handed out credentials that expired at ${formatExpiration(expiration)}`,
      { ...origin(response), hint: "check this machine's clock" },
    );
  }
  return read;
}

/** The role's ARN and the account in it, if the answer has them. */
function readAssumedRole(set: unknown): Pick<SessionCredentials, 'accountId' | 'assumedRoleArn'> {
  const assumedRoleArn = member(member(set, 'assumedRoleUser'), 'arn');
  if (typeof assumedRoleArn !== 'string') return {};
  const accountId = /^arn:[a-z0-9-]+:sts::(\d{12}):assumed-role\/[\x21-\x7e]+$/.exec(assumedRoleArn)?.[1];
  return accountId === undefined ? {} : { assumedRoleArn, accountId };
}

function origin({ status, headers }: HttpResponse): { status: number; requestId?: string } {
  const requestId = headers['x-amzn-requestid'] ?? '';
  return { status, ...(/^[\w-]{1,128}$/.test(requestId) ? { requestId } : {}) };
}
