/** The session at the end of AssumeRole and AssumeRoleWithWebIdentity. */
// Tests: test/emulator/services/sts/assume-role.test.ts
import { packedPolicySize, tooLarge } from '../../policy/packed-size.ts';
import type { RequestContext } from '../context.ts';
import { PolicyError, parsePolicy } from '../../policy/document.ts';
import { type Credentials, type SessionClaims, assumedRoleArn, assumedRoleId } from '../../callers/sessions.ts';
import type { RoleRecord } from '../../state/records.ts';
import type { SessionPolicies } from '../../policy/session-policies.ts';
import { refused } from './parameters.ts';
import type { Elements } from '../../wire/query.ts';
import { credentialElements } from './xml.ts';

const ROLE_CHAINING_SECONDS = 3600;

/** @throws Refusal when a session cannot last so long */
export function checkDuration(seconds: number, role: RoleRecord, isChained: boolean): void {
  if (isChained && seconds > ROLE_CHAINING_SECONDS)
    throw refused(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      `${seconds} seconds are more than an hour, and the caller is a role's session itself`,
    );
  if (seconds > role.maxSessionDuration)
    throw refused(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      `${seconds} seconds are more than the role's maximum of ${role.maxSessionDuration}`,
    );
}

/** @throws Refusal when a session policy is malformed */
export function checkPolicies({ policies }: SessionPolicies): void {
  for (const text of policies)
    try {
      parsePolicy(text, 'session');
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      throw refused('MalformedPolicyDocument', error.message, `the session policy is malformed: ${error.message}`);
    }
}

/**
 * Makes the session.
 *
 * @throws Refusal when its policies and tags are too large
 */
export function issue(
  role: RoleRecord,
  claims: SessionClaims & { readonly sessionName: string },
  { tokens }: RequestContext,
): { credentials: Credentials; elements: Elements; arn: string } {
  const { sessionName, sourceIdentity, policies = [], policyArns = [], tags = {} } = claims;
  const all = { policies, policyArns, tags };
  const packed = packedPolicySize(all);
  if (packed > 100)
    throw refused('PackedPolicyTooLarge', tooLarge(packed, all), `policies and tags take ${packed} % of the limit`);
  const credentials = tokens.issue(claims);
  const arn = assumedRoleArn(role, sessionName);
  return {
    credentials,
    arn,
    elements: {
      Credentials: credentialElements(credentials),
      AssumedRoleUser: { AssumedRoleId: assumedRoleId(role, sessionName), Arn: arn },
      PackedPolicySize: packed > 0 ? packed : undefined,
      SourceIdentity: sourceIdentity,
    },
  };
}
