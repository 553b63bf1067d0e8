/**
 * CreateSession, verified as the service documents it: IAM Roles Anywhere User
 * Guide, "Authentication", "Signing process" and "CreateSession". The texts of
 * refusals are the service's where they are known. That of an expired
 * certificate, for one, is not.
 */
import type { Answer, Granted } from '../../wire/answer.ts';
import { type Assumption, actionsOf, trustDecision } from '../../policy/assume.ts';
import { packedPolicySize } from '../../policy/packed-size.ts';
import { tagKeys } from '../../policy/tags.ts';
import { commonKeys } from '../../callers/caller.ts';
import { type Certificate, hexSerial } from '../../certificates/certificate.ts';
import { endEntityProblem } from '../../certificates/rules.ts';
import { findPath } from '../../certificates/path.ts';
import type { EmulatorContext } from '../context.ts';
import { type CreateSessionInput, readInput } from './input.ts';
import { readCertificates, verifyRequest } from './signature.ts';
import { revocationProblem } from '../../certificates/crl.ts';
import { PolicyError, parsePolicy } from '../../policy/document.ts';
import { ContextKeys } from '../../policy/keys.ts';
import type { ReceivedRequest } from '../../wire/received.ts';
import { Refusal } from '../../wire/refusal.ts';
import { type SessionTags, sessionTags, sourceIdentity } from '../../certificates/session-tags.ts';
import { type SessionClaims, assumedRoleArn, assumedRoleId, expiryOf, isoSeconds } from '../../callers/sessions.ts';
import type { ProfileRecord, RoleRecord, TrustAnchorRecord } from '../../state/records.ts';
import { sighting, subjectArn } from './subjects.ts';
import { anchorCertificates } from '../../certificates/anchors.ts';

const PRINCIPAL = { type: 'Service', name: 'rolesanywhere.amazonaws.com' } as const;

/** A request whose certificate the trust anchor vouches for. */
interface Trusted {
  readonly input: CreateSessionInput;
  readonly leaf: Certificate;
  readonly anchor: TrustAnchorRecord;
  readonly profile: ProfileRecord;
  readonly now: Date;
}

/** @throws Refusal */
export function createSession(request: ReceivedRequest, context: EmulatorContext): Granted {
  const { state, region } = context;
  const now = context.now();
  const { leaf, chain } = readCertificates(request);
  verifyRequest(request, leaf, region, now);
  const input = readInput(request);
  throttle(input, leaf, context);
  const anchor = found(state.get('trustAnchors', input.trustAnchorArn), input.trustAnchorArn, 'trust anchor');
  const profile = found(state.get('profiles', input.profileArn), input.profileArn, 'profile');
  trust(leaf, chain, anchor, context);
  const trusted: Trusted = { input, leaf, anchor, profile, now };
  let failed = true;
  try {
    const granted = vend(trusted, context);
    failed = false;
    return granted;
  } finally {
    state.apply({ op: 'saw', sighting: sighting(leaf, anchor, { now, failed, properties: input.instanceProperties }) });
  }
}

function throttle({ trustAnchorArn }: CreateSessionInput, leaf: Certificate, context: EmulatorContext): void {
  const account = trustAnchorArn.split(':')[4] ?? '';
  const reason = context.throttle.take(account, leaf.der.toString('base64'));
  if (reason !== undefined) throw new Refusal(429, 'ThrottlingException', 'Rate exceeded', reason);
}

function found<T>(item: T | undefined, arn: string, what: string): T {
  if (item !== undefined) return item;
  throw new Refusal(404, 'ResourceNotFoundException', `Resource not found: ${arn}`, `there is no ${what} ${arn}`);
}

function trust(
  leaf: Certificate,
  chain: readonly Certificate[],
  anchor: TrustAnchorRecord,
  context: EmulatorContext,
): void {
  const now = context.now();
  if (!anchor.enabled) throw denied('Trust anchor is disabled', `trust anchor ${anchor.name} is disabled`);
  const problem = endEntityProblem(leaf, now);
  if (problem !== undefined)
    throw denied('Untrusted certificate. Insufficient certificate', `certificate "${leaf.subject}": ${problem}`);
  const result = findPath(leaf, chain, anchorCertificates(anchor), now);
  if ('reason' in result)
    throw denied('Untrusted signing certificate', `no path to trust anchor ${anchor.name}: ${result.reason}`);
  const crls = context.state.list('crls').filter(({ trustAnchorArn }) => trustAnchorArn === anchor.arn);
  const revocation = revocationProblem(result.path, crls);
  if (revocation !== undefined) throw denied('Certificate revoked', revocation);
}

function vend(trusted: Trusted, context: EmulatorContext): Granted {
  const { input, leaf, profile, now } = trusted;
  const role = roleOf(trusted, context);
  const seconds = durationOf(input, profile, role);
  const { tags, unmapped } = sessionTags(leaf, profile.attributeMappings);
  const identity = sourceIdentity(leaf);
  const sessionName = input.roleSessionName ?? hexSerial(leaf);
  assume(trusted, role, { tags, unmapped, sessionName, identity }, context);
  const policies = profile.sessionPolicy === undefined ? [] : [profile.sessionPolicy];
  const packed = packedPolicySize({ policies, policyArns: profile.managedPolicyArns, tags });
  if (packed > 100)
    throw denied(
      `Unable to assume role for ${role.arn}`,
      `the profile's policies and the session's tags take ${packed} % of the packed size limit`,
    );
  const claims: SessionClaims = {
    principalArn: role.arn,
    sessionName,
    issuedAt: now.getTime(),
    expiresAt: expiryOf(now, seconds),
    sourceIdentity: identity,
    tags,
    policies,
    policyArns: profile.managedPolicyArns,
  };
  const { answer, expiration } = answerOf(claims, { trusted, role, packed }, context);
  const left = Object.values(unmapped).flat();
  return {
    answer,
    reason:
      `"${leaf.subject}" became ${assumedRoleArn(role, sessionName)} until ${isoSeconds(expiration)}` +
      (left.length === 0 ? '' : `, without tags for ${left.join(', ')}, whose values no tag can have`),
  };
}

function roleOf({ input, profile }: Trusted, { state }: EmulatorContext): RoleRecord {
  const { roleArn, roleSessionName, instanceProperties } = input;
  const cannot = `Unable to assume role for ${roleArn}`;
  if (!profile.enabled) throw denied('Profile is disabled', `profile ${profile.name} is disabled`);
  if (!profile.roleArns.includes(roleArn)) throw denied(cannot, `role ${roleArn} is not in the profile`);
  const role = state.get('roles', roleArn);
  if (role === undefined) throw denied(cannot, `there is no role ${roleArn}`);
  if (roleSessionName !== undefined && !profile.acceptRoleSessionName)
    throw denied('Not authorized to set roleSessionName.', 'the profile does not accept session names');
  if (profile.requireInstanceProperties && Object.keys(instanceProperties ?? {}).length === 0)
    throw denied('Instance properties are required', 'the profile requires instance properties, and none were sent');
  return role;
}

function durationOf({ durationSeconds }: CreateSessionInput, profile: ProfileRecord, role: RoleRecord): number {
  const duration = Math.min(durationSeconds ?? profile.durationSeconds, profile.durationSeconds);
  if (duration > role.maxSessionDuration)
    throw denied(
      `Unable to assume role for ${role.arn}. The requested DurationSeconds exceeds the MaxSessionDuration set for this role.`,
      `${duration} seconds are more than the role's maximum of ${role.maxSessionDuration}`,
    );
  return duration;
}

/**
 * The role's trust policy, by the keys of the User Guide's "Trust model": the
 * tags are there as those of the principal, and as those of the request, as
 * with any session that is tagged as it begins.
 */
function assume(
  { anchor, profile, now }: Trusted,
  role: RoleRecord,
  { tags, unmapped, sessionName, identity }: SessionTags & { sessionName: string; identity: string },
  { region }: EmulatorContext,
): void {
  const keys = new ContextKeys({
    ...commonKeys(now, region),
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
  const tagged = Object.keys(tags).length > 0;
  const assumption: Assumption = {
    role,
    action: 'sts:AssumeRole',
    principal: PRINCIPAL,
    keys,
    tagged,
    identified: true,
  };
  for (const action of actionsOf(assumption)) {
    const { effect, reason } = trustDecision(assumption, action);
    if (effect !== 'allow')
      throw denied(
        `Unable to assume role for ${role.arn}${dropped(unmapped)}`,
        `the trust policy of ${role.arn}: ${reason}`,
      );
  }
  try {
    if (profile.sessionPolicy !== undefined) parsePolicy(profile.sessionPolicy, 'session');
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw denied(
      `Unable to assume role for ${role.arn}`,
      `the profile's session policy is malformed: ${error.message}`,
    );
  }
}

/** The words that the service adds when it left out attributes that the policy may have asked for. */
function dropped(unmapped: SessionTags['unmapped']): string {
  const parts = Object.entries(unmapped).map(([field, specifiers]) => `${field}: [${specifiers.join(', ')}]`);
  return Object.values(unmapped).some((specifiers) => specifiers.length > 0)
    ? `. Some attributes failed to be mapped into session tags. ${parts.join('; ')}`
    : '';
}

function answerOf(
  claims: SessionClaims,
  { trusted: { leaf, anchor }, role, packed }: { trusted: Trusted; role: RoleRecord; packed: number },
  { tokens }: EmulatorContext,
): { answer: Answer; expiration: Date } {
  const { sessionName = '' } = claims;
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = tokens.issue(claims);
  const body = {
    credentialSet: [
      {
        assumedRoleUser: { arn: assumedRoleArn(role, sessionName), assumedRoleId: assumedRoleId(role, sessionName) },
        credentials: { accessKeyId, secretAccessKey, sessionToken, expiration: isoSeconds(expiration) },
        packedPolicySize: packed,
        roleArn: role.arn,
        sourceIdentity: claims.sourceIdentity,
      },
    ],
    subjectArn: subjectArn(leaf, anchor),
  };
  return { answer: { status: 201, contentType: 'application/json', body: JSON.stringify(body) }, expiration };
}

function denied(message: string, reason: string): Refusal {
  return new Refusal(403, 'AccessDeniedException', message, reason);
}
