/** Credentials in an answer of AWS, whichever the service and its format. */
// Tests: test/aws/create-session.test.ts, test/aws/assume-role.test.ts
import type { SessionCredentials } from '../credentials/credentials.ts';
import { formatExpiration, parseExpiration } from '../credentials/expiration.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpResponse } from '../http/http.ts';
import { member, parseJson } from './json.ts';

/** An answer of 2xx, taken apart as its format wants it. */
export interface CredentialAnswer {
  /** The operation, for messages. */
  readonly operation: string;
  /** Who should have answered. */
  readonly service: 'Roles Anywhere' | 'STS';
  readonly status: number;
  readonly requestId: unknown;
  /** The member of the credentials of that name: `accessKeyId`, `secretAccessKey`, `sessionToken`, `expiration`. */
  readonly credential: (name: string) => unknown;
  readonly assumedRoleArn: unknown;
  /** The role that was asked for. */
  readonly roleArn: string;
}

const OTHER_ROLE = 'names another role than was asked for';

/**
 * Reads the credentials of an answer. Nothing of the answer gets into an error: it may hold a secret.
 *
 * @param now milliseconds since 1970
 * @throws RolesAnywhereError `ERR_RESPONSE_INVALID`, `ERR_CREDENTIALS_EXPIRED`
 */
export function readCredentials(answer: CredentialAnswer, now: number): SessionCredentials {
  const text = (name: string): string => {
    const value = answer.credential(name);
    if (!isCredentialText(value)) throw invalidAnswer(answer, `has no usable ${name}`);
    return value;
  };
  if (namesAnother(String(answer.assumedRoleArn), answer.roleArn)) throw invalidAnswer(answer, OTHER_ROLE);
  const expiration = parseExpiration(text('expiration'));
  if (expiration === undefined) throw invalidAnswer(answer, 'has an expiration that is not an RFC 3339 time');
  const read = {
    accessKeyId: text('accessKeyId'),
    secretAccessKey: text('secretAccessKey'),
    sessionToken: text('sessionToken'),
    expiration,
    ...assumedRole(String(answer.assumedRoleArn)),
  };
  if (expiration.getTime() > now) return read;
  throw new RolesAnywhereError(
    'ERR_CREDENTIALS_EXPIRED',
    `${answer.service} handed out credentials that expired at ${formatExpiration(expiration)}`,
    { ...originOf(answer), hint: "check this machine's clock" },
  );
}

/** Whether a session is of another role: `assumed-role/NAME/SESSION` leaves the path out. What is no such ARN names none. */
function namesAnother(assumedRoleArn: string, roleArn: string): boolean {
  const [, account, name] = /^arn:[a-z0-9-]+:sts::(\d{12}):assumed-role\/([^/]+)\//.exec(assumedRoleArn) ?? [];
  const [, , , , asked, role = ''] = roleArn.split(':');
  return account !== undefined && (account !== asked || name !== role.slice(role.lastIndexOf('/') + 1));
}

/** Whether an ARN is another role's. It may leave the path out, as a session's does: no two roles of an account have one name. */
function namesAnotherRole(arn: string, roleArn: string): boolean {
  // What follows the partition, as above.
  const asked = roleArn.replace(/arn:[^:]*/, '');
  const named = /^arn:[^:]*(:.*)/.exec(arn)?.[1];
  return named !== undefined && named !== asked && named !== asked.replace(/:role\/.*\//, ':role/');
}

function assumedRole(assumedRoleArn: string): Pick<SessionCredentials, 'accountId' | 'assumedRoleArn'> {
  const accountId = /^arn:[a-z0-9-]+:sts::(\d{12}):assumed-role\/[\x21-\x7e]+$/.exec(assumedRoleArn)?.[1];
  return accountId === undefined ? {} : { assumedRoleArn, accountId };
}

/** Whether a value can be a part of credentials, which go into headers, environments and files: visible ASCII. */
export function isCredentialText(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}

/** The error for an answer that is not what the service gives. */
export function invalidAnswer(
  answer: Omit<CredentialAnswer, 'credential' | 'assumedRoleArn' | 'roleArn'>,
  what: string,
): RolesAnywhereError {
  return new RolesAnywhereError('ERR_RESPONSE_INVALID', `the answer to ${answer.operation} ${what}`, {
    ...originOf(answer),
    hint: `check that the endpoint is ${answer.service}, and that nothing on the way answers in its place`,
  });
}

/**
 * Reads the first credential set of CreateSession's answer. What is not needed is not looked at.
 *
 * @param roleArn the role that was asked for
 * @throws RolesAnywhereError as {@link readCredentials}, and `ERR_CREDENTIALS_EMPTY`
 */
export function readCredentialSet(
  { status, headers, body }: HttpResponse,
  roleArn: string,
  now: number,
): SessionCredentials {
  const origin = {
    operation: 'CreateSession',
    service: 'Roles Anywhere',
    status,
    requestId: headers['x-amzn-requestid'],
  } as const;
  const sets = member(parseJson(body), 'credentialSet');
  if (!Array.isArray(sets)) throw invalidAnswer(origin, 'holds no credentialSet');
  if (sets.length === 0)
    throw new RolesAnywhereError('ERR_CREDENTIALS_EMPTY', 'the service handed out no credentials', {
      ...originOf(origin),
      hint: 'check that the role is in the profile and that the profile is enabled',
    });
  const [set]: readonly unknown[] = sets;
  const named = member(set, 'roleArn');
  if (typeof named === 'string' && namesAnotherRole(named, roleArn)) throw invalidAnswer(origin, OTHER_ROLE);
  const credentials = member(set, 'credentials');
  return readCredentials(
    {
      ...origin,
      roleArn,
      credential: (name) => member(credentials, name),
      assumedRoleArn: member(member(set, 'assumedRoleUser'), 'arn'),
    },
    now,
  );
}

function originOf({ status, requestId }: Pick<CredentialAnswer, 'status' | 'requestId'>): {
  status: number;
  requestId?: string | undefined;
} {
  return {
    status,
    requestId: typeof requestId === 'string' && /^[\w-]{1,128}$/.test(requestId) ? requestId : undefined,
  };
}
