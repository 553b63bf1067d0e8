/** What STS says when it says no, and what to do about it. Loaded at the first refusal. */
import type { ErrorCode, RolesAnywhereError } from '../platform/errors.ts';
import type { HttpResponse } from '../http/http.ts';
import { MAX_MESSAGE, MAX_NAME, classify, errorName, plain, refusalError } from './service-error.ts';
import { readXml, textAt } from './xml.ts';

/** What of a request a refusal may have to do with. Holds no secret. */
export interface StsRequestFacts {
  /** The role that is asked for, if one is. */
  readonly roleArn?: string | undefined;
  readonly externalId?: boolean | undefined;
  readonly mfa?: boolean | undefined;
  readonly tags?: boolean | undefined;
  readonly sourceIdentity?: boolean | undefined;
  /** The session policy that was sent. */
  readonly policy?: string | undefined;
  readonly region?: string | undefined;
}

/** STS API Reference, "Common Errors" and those of the operations, and the codes that users have met. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  AccessDenied: 'ERR_ACCESS_DENIED',
  AccessDeniedException: 'ERR_ACCESS_DENIED',
  ValidationError: 'ERR_VALIDATION',
  MalformedPolicyDocument: 'ERR_VALIDATION',
  PackedPolicyTooLarge: 'ERR_VALIDATION',
  IDPCommunicationError: 'ERR_SERVICE_FAILED', // to be tried again, says its documentation
  403: 'ERR_ACCESS_DENIED',
};

/** What STS says of a token when it could not get at the provider's keys, which may pass. */
const NO_KEY = /retrieve verification key/i;

/** The error for an answer outside 2xx; the body may be anything. */
export function stsError(
  operation: string,
  { status, headers, body }: HttpResponse,
  facts: StsRequestFacts,
): RolesAnywhereError {
  const root = readXml(body);
  const error = root?.name === 'ErrorResponse' ? root : undefined;
  const serviceCode = errorName(textAt(error, 'Error', 'Code'));
  const words = plain(textAt(error, 'Error', 'Message'), MAX_MESSAGE);
  const requestId = plain(textAt(error, 'RequestId') ?? headers['x-amzn-requestid'], MAX_NAME);
  const isPassing = serviceCode === 'InvalidIdentityToken' && NO_KEY.test(words);
  const code = isPassing ? 'ERR_SERVICE_FAILED' : classify(status, serviceCode, CODES);
  const hint = explain(code, serviceCode, words, facts);
  return refusalError({ operation, service: 'STS', code, status, serviceCode, words, requestId }, hint);
}

type Explain = (words: string, facts: StsRequestFacts) => string;

/** What to do about each code. */
const REMEDIES: Readonly<Record<string, Explain>> = {
  AccessDenied: explainAccessDenied,
  AccessDeniedException: explainAccessDenied,
  ValidationError: explainValidation,
  MalformedPolicyDocument: (words, { policy }) => {
    const place = pointInto(policy, words);
    return `correct the session policy${place === undefined ? '' : `, which has at that place: ${place}`}: its elements are Version and Statement, without Principal`;
  },
  PackedPolicyTooLarge: (words) => {
    const percent = /(\d{1,9})(?:\s?%| percent)/i.exec(words);
    const size = percent?.[1];
    return `session policies and session tags together are too large${size === undefined ? '' : ` (${size}% of what is allowed)`}: send fewer or shorter ones`;
  },
  RegionDisabledException: (_, { region }) =>
    `STS is not active in ${region ?? 'this region'} for the account: activate it in IAM's account settings, or use another region (--region)`,
  ExpiredTokenException: () =>
    'the token, or the session that asked, has expired: get a new one, and check the clock of this machine',
  ExpiredToken: () => 'the session that asked has expired: get new credentials for the source',
  InvalidIdentityToken: (words) =>
    NO_KEY.test(words)
      ? "STS could not retrieve the identity provider's keys, which may pass: try later, and check that its discovery document and keys are public"
      : "the web identity token cannot be verified: check that IAM has an OIDC provider for the token's issuer, with its audience among the client ids, and that the token is whole",
  IDPRejectedClaim: () => 'the identity provider rejects the token, which may be expired or revoked: get a new one',
  IDPCommunicationError: () => 'AWS cannot reach the identity provider: check that its discovery document is public',
  InvalidClientTokenId: () =>
    'AWS knows no such access key: check the source of the credentials, and that its partition is that of the role',
  UnrecognizedClientException: () => 'AWS knows no such access key: check the source of the credentials',
  SignatureDoesNotMatch: (words) =>
    /expired|not yet current/i.test(words)
      ? 'set the clock of this machine: it is more than 15 minutes off'
      : 'check the secret access key of the source, and that nothing on the way changes requests',
  RequestExpired: () => 'set the clock of this machine: it is more than 15 minutes off',
};

function explain(code: ErrorCode, serviceCode: string, words: string, facts: StsRequestFacts): string | undefined {
  const remedy = Object.hasOwn(REMEDIES, serviceCode) ? REMEDIES[serviceCode] : undefined;
  if (remedy !== undefined) return remedy(words, facts);
  if (code === 'ERR_THROTTLED') return 'STS gets too many requests of this account: share sessions, or try later';
  if (code === 'ERR_SERVICE_FAILED') return 'try later';
  if (code === 'ERR_RESPONSE_INVALID') return 'check the endpoint, and that nothing on the way answers in its place';
  return undefined;
}

/** AccessDenied never says which condition was not met; its words say which action it was, and the request what it lacked. */
function explainAccessDenied(words: string, facts: StsRequestFacts): string {
  if (/invalid MFA|one time pass\s?code/i.test(words))
    return 'the MFA code was wrong, or was used before: give the next one that the device shows';
  if (/MultiFactorAuthentication failed/i.test(words))
    return 'check the serial number of the MFA device: it must be of the user who asks, who must be an IAM user';
  if (/explicit deny/i.test(words)) return 'a policy denies it: the message names its kind';
  if (/sts:TagSession/i.test(words))
    return `session tags need sts:TagSession in the permissions of the caller and in the trust policy of ${facts.roleArn}`;
  if (/sts:SetSourceIdentity/i.test(words))
    return `a source identity needs sts:SetSourceIdentity in the permissions of the caller and in the trust policy of ${facts.roleArn}; sessions of Roles Anywhere always have one, and it stays for the whole chain`;
  if (/sts:AssumeRoleWithWebIdentity/i.test(words))
    return `the trust policy of ${facts.roleArn} must name the OIDC provider as Federated principal and allow sts:AssumeRoleWithWebIdentity, with conditions on aud and sub that this token meets`;
  if (facts.roleArn === undefined)
    return 'no permission is needed for it: the policy of a VPC endpoint on the way may be what denies it';
  const missing = [
    ...(facts.externalId === true ? [] : ['an external id']),
    ...(facts.mfa === true ? [] : ['MFA']),
    ...(facts.tags === true ? [] : ['session tags']),
  ];
  return `the trust policy of ${facts.roleArn} must name the caller and its conditions must be met, and the caller's permissions must allow sts:AssumeRole on it; ${missing.length === 0 ? 'check the values that were sent' : `the request had neither ${missing.join(' nor ')}, should the trust policy ask for one`}`;
}

function explainValidation(words: string, { roleArn = 'the role' }: StsRequestFacts): string {
  if (/role chaining/i.test(words)) return 'a session that starts from a role session ends after an hour: ask for 3600';
  if (/MaxSessionDuration/i.test(words))
    return `ask for less, or raise the maximum session duration of ${roleArn} (an hour unless it was raised)`;
  return 'correct the parameter that the message names';
}

/** STS counts lines and columns from 1: "Syntax error at position (2,14)". */
function pointInto(policy: string | undefined, words: string): string | undefined {
  const [, line, column] = /\((\d{1,6}),\s*(\d{1,6})\)/.exec(words) ?? [];
  const text = policy?.split('\n')[Number(line) - 1];
  if (text === undefined) return undefined;
  const from = Math.max(0, Number(column) - 1);
  const found = text.slice(from, from + 40).trim();
  return found === '' ? undefined : JSON.stringify(found);
}
