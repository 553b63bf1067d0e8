/**
 * The session of CreateSession: IAM Roles Anywhere User Guide, "CreateSession"
 * and "Trust model". Roles Anywhere assumes the role for the certificate, so
 * what STS asks of AssumeRole holds here too.
 */
// Tests: test/emulator/services/create-session/authorization.test.ts
import { commonKeys } from '../../callers/caller.ts';
import { type SessionClaims, assumedRoleArn, assumedRoleId, expiryOf, isoSeconds } from '../../callers/sessions.ts';
import { type Certificate, hexSerial } from '../../certificates/certificate.ts';
import { type SessionTags, sessionTags, sourceIdentity } from '../../certificates/session-tags.ts';
import { type Assumption, actionsOf, trustDecision } from '../../policy/assume.ts';
import { PolicyError, parsePolicy } from '../../policy/document.ts';
import { ContextKeys } from '../../policy/keys.ts';
import { packedPolicySize, tooLarge } from '../../policy/packed-size.ts';
import { type SessionPolicies, sessionPolicyProblem } from '../../policy/session-policies.ts';
import { tagKeys } from '../../policy/tags.ts';
import type { ProfileRecord, RoleRecord, TrustAnchorRecord } from '../../state/records.ts';
import type { Answer, Granted } from '../../wire/answer.ts';
import { Refusal } from '../../wire/refusal.ts';
import type { RequestContext } from '../context.ts';
import type { CreateSessionInput } from './input.ts';
import { MESSAGES } from './messages.ts';
import { subjectArn } from './subjects.ts';

const PRINCIPAL = { type: 'Service', name: 'rolesanywhere.amazonaws.com' } as const;

/** A request whose certificate the trust anchor vouches for. */
export interface Trusted {
  readonly input: CreateSessionInput;
  readonly leaf: Certificate;
  readonly anchor: TrustAnchorRecord;
  readonly profile: ProfileRecord;
  readonly now: Date;
}

/** What the certificate and the profile make of the session. */
interface Wanted extends SessionTags, SessionPolicies {
  readonly role: RoleRecord;
  readonly sessionName: string;
  readonly identity: string;
}

/** @throws Refusal */
export function createRoleSession(trusted: Trusted, context: RequestContext): Granted {
  const { input, leaf, profile, now } = trusted;
  const role = roleOf(trusted, context);
  const seconds = durationOf(input, profile, role);
  const { identity, problem } = sourceIdentity(leaf);
  const wanted: Wanted = {
    role,
    ...sessionTags(leaf, profile.attributeMappings),
    sessionName: input.roleSessionName ?? hexSerial(leaf),
    identity,
    policies: profile.sessionPolicy === undefined ? [] : [profile.sessionPolicy],
    policyArns: profile.managedPolicyArns,
  };
  if (problem !== undefined)
    throw cannotAssume(wanted, `the source identity "${identity}" ${problem}, which STS refuses`);
  authorize(wanted, trusted, context);
  const packed = checkPolicies(wanted);
  const { tags, sessionName, policies, policyArns, unmapped } = wanted;
  const { answer, expiration } = answerOf(
    {
      principalArn: role.arn,
      sessionName,
      issuedAt: now.getTime(),
      expiresAt: expiryOf(now, seconds),
      sourceIdentity: identity,
      tags,
      policies,
      policyArns,
    },
    { trusted, role, packed },
    context,
  );
  const left = Object.values(unmapped).flat();
  return {
    answer,
    reason:
      `"${leaf.subject}" became ${assumedRoleArn(role, sessionName)} until ${isoSeconds(expiration)}` +
      (left.length === 0 ? '' : `, without tags for ${left.join(', ')}, whose values no tag can have`),
  };
}

function roleOf({ input, profile }: Trusted, { state }: RequestContext): RoleRecord {
  const { roleArn, roleSessionName } = input;
  const cannot = cannotAssumeText(roleArn);
  if (!profile.enabled) throw denied(MESSAGES.profileDisabled.text, `profile ${profile.name} is disabled`);
  if (!profile.roleArns.includes(roleArn)) throw denied(cannot, `role ${roleArn} is not in the profile`);
  const role = state.get('roles', roleArn);
  if (role === undefined) throw denied(cannot, `there is no role ${roleArn}`);
  const account = profile.arn.split(':')[4];
  if (role.account !== account) throw denied(cannot, `role ${roleArn} is not of the profile's account ${account}`);
  if (roleSessionName !== undefined && !profile.acceptRoleSessionName)
    throw denied(MESSAGES.sessionName.text, 'the profile does not accept session names');
  return role;
}

function durationOf({ durationSeconds }: CreateSessionInput, profile: ProfileRecord, role: RoleRecord): number {
  const duration = Math.min(durationSeconds ?? profile.durationSeconds, profile.durationSeconds);
  if (duration > role.maxSessionDuration)
    throw denied(
      `${cannotAssumeText(role.arn)}${MESSAGES.duration.text}`,
      `${duration} seconds are more than the role's maximum of ${role.maxSessionDuration}`,
    );
  return duration;
}

/**
 * The role's trust policy, by the keys of the User Guide's "Trust model": the
 * tags are there as those of the principal, and as those of the request, as
 * with any session that is tagged as it begins.
 */
function authorize(wanted: Wanted, { anchor }: Trusted, context: RequestContext): void {
  const { role, tags, sessionName, identity } = wanted;
  const keys = new ContextKeys({
    ...commonKeys(context.request, context),
    'aws:PrincipalServiceName': PRINCIPAL.name,
    'aws:PrincipalIsAWSService': 'true',
    'aws:PrincipalType': 'Service',
    'aws:SourceArn': anchor.arn,
    'aws:SourceAccount': anchor.arn.split(':')[4],
    'sts:RoleSessionName': sessionName,
    'sts:SourceIdentity': identity,
    ...tagKeys(tags),
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:PrincipalTag/${key}`, value])),
  });
  const assumption: Assumption = {
    role,
    action: 'sts:AssumeRole',
    principal: PRINCIPAL,
    keys,
    tagged: Object.keys(tags).length > 0,
    identified: true,
  };
  for (const action of actionsOf(assumption)) {
    const { effect, reason } = trustDecision(assumption, action);
    if (effect !== 'allow') throw cannotAssume(wanted, `the trust policy of ${role.arn}: ${reason}`);
  }
}

/** @returns the packed size in percent */
function checkPolicies(wanted: Wanted): number {
  const { role, policies } = wanted;
  const problem = sessionPolicyProblem(wanted, role.account);
  if (problem !== undefined) {
    const {
      member,
      value = 'it',
      constraint = `${value} is not a policy of account ${role.account} or of AWS`,
    } = problem;
    throw cannotAssume(wanted, `the profile's ${member}: ${constraint}`);
  }
  try {
    for (const policy of policies) parsePolicy(policy, 'session');
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw cannotAssume(wanted, `the profile's session policy is malformed: ${error.message}`);
  }
  const packed = packedPolicySize(wanted);
  if (packed > 100)
    throw denied(
      `${cannotAssumeText(role.arn)}. ${tooLarge(packed, wanted)}`,
      `the profile's policies and the session's tags take ${packed} % of the packed size limit`,
    );
  return packed;
}

/** The refusal that does not say why STS refuses, but for attributes that were left out. */
function cannotAssume({ role, unmapped }: Wanted, reason: string): Refusal {
  const parts = Object.entries(unmapped).map(([field, specifiers]) => `${field}: [${specifiers.join(', ')}]`);
  const dropped = Object.values(unmapped).some((specifiers) => specifiers.length > 0)
    ? `${MESSAGES.unmapped.text}${parts.join('; ')}`
    : '';
  return denied(`${cannotAssumeText(role.arn)}${dropped}`, reason);
}

function cannotAssumeText(roleArn: string): string {
  return MESSAGES.cannotAssume.text.replace('ARN', roleArn);
}

function answerOf(
  claims: SessionClaims & { readonly sessionName: string },
  { trusted: { leaf, anchor }, role, packed }: { trusted: Trusted; role: RoleRecord; packed: number },
  { tokens }: RequestContext,
): { answer: Answer; expiration: Date } {
  const { sessionName, sourceIdentity: identity } = claims;
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = tokens.issue(claims);
  const body = {
    credentialSet: [
      {
        assumedRoleUser: { arn: assumedRoleArn(role, sessionName), assumedRoleId: assumedRoleId(role, sessionName) },
        credentials: { accessKeyId, secretAccessKey, sessionToken, expiration: isoSeconds(expiration) },
        packedPolicySize: packed,
        roleArn: role.arn,
        sourceIdentity: identity,
      },
    ],
    subjectArn: subjectArn(leaf, anchor),
  };
  return { answer: { status: 201, contentType: 'application/json', body: JSON.stringify(body) }, expiration };
}

/** A refusal in the words of the service. */
export function denied(message: string, reason: string): Refusal {
  return new Refusal(403, 'AccessDeniedException', message, reason);
}
