/**
 * CreateSession, verified as the service documents it: IAM Roles Anywhere User
 * Guide, "Authentication", "Signing process" and "CreateSession". Texts of
 * refusals are the service's where one is known; what it says of a certificate
 * that expired, for one, is not.
 */
import { createHash } from 'node:crypto';
import type { Answer, Granted } from './answer.ts';
import { type Certificate, hexSerial } from './certificate.ts';
import { endEntityProblem } from './certificate-rules.ts';
import { findPath } from './chain.ts';
import { type CreateSessionInput, readInput } from './create-session-input.ts';
import { readCertificates, verifyRequest } from './create-session-signature.ts';
import type { ReceivedRequest } from './received.ts';
import { Refusal } from './refusal.ts';
import { type Session, type SessionStore, assumedRoleArn, assumedRoleId, isoSeconds } from './sessions.ts';
import type { Profile, Role, TrustAnchor, World } from './world.ts';

export interface CreateSessionContext {
  readonly world: World;
  readonly sessions: SessionStore;
  readonly now: () => Date;
}

/** @throws Refusal */
export function createSession(request: ReceivedRequest, { world, sessions, now }: CreateSessionContext): Granted {
  const moment = now();
  const { leaf, chain } = readCertificates(request);
  verifyRequest(request, leaf, world.region, moment);
  const input = readInput(request);
  const anchor = find(world.trustAnchors, input.trustAnchorArn, 'trust anchor');
  const profile = find(world.profiles, input.profileArn, 'profile');
  trust(leaf, chain, anchor, moment);
  const role = authorize(input, profile, world);
  const session = sessions.create({
    role,
    sessionName: input.roleSessionName ?? hexSerial(leaf),
    sourceIdentity: sourceIdentity(leaf),
    expiration: expirationOf(input, profile, role, moment),
  });
  return {
    answer: answerOf(session, subjectArn(leaf, anchor)),
    reason: `"${leaf.subject}" became ${assumedRoleArn(session)} until ${isoSeconds(session.expiration)}`,
  };
}

function find<T>(items: ReadonlyMap<string, T>, arn: string, what: string): T {
  const item = items.get(arn);
  if (item !== undefined) return item;
  throw new Refusal(404, 'ResourceNotFoundException', `Resource not found: ${arn}`, `there is no ${what} ${arn}`);
}

function trust(leaf: Certificate, chain: readonly Certificate[], anchor: TrustAnchor, now: Date): void {
  const problem = endEntityProblem(leaf, now);
  if (problem !== undefined)
    throw denied('Untrusted certificate. Insufficient certificate', `certificate "${leaf.subject}": ${problem}`);
  const result = findPath(leaf, chain, anchor.certificates, now);
  if ('reason' in result)
    throw denied('Untrusted signing certificate', `no path to trust anchor ${anchor.name}: ${result.reason}`);
}

function authorize(input: CreateSessionInput, profile: Profile, world: World): Role {
  const role = world.roles.get(input.roleArn);
  const cannot = `Unable to assume role for ${input.roleArn}`;
  if (!profile.roleArns.includes(input.roleArn)) throw denied(cannot, `role ${input.roleArn} is not in the profile`);
  if (role === undefined) throw denied(cannot, `there is no role ${input.roleArn}`);
  if (input.roleSessionName !== undefined && !profile.acceptRoleSessionName)
    throw denied('Not authorized to set roleSessionName.', 'the profile does not accept session names');
  return role;
}

function expirationOf(
  { durationSeconds }: CreateSessionInput,
  profile: Profile,
  { arn, maxSessionDuration }: Role,
  now: Date,
): Date {
  const duration = Math.min(durationSeconds ?? profile.durationSeconds, profile.durationSeconds);
  if (duration > maxSessionDuration)
    throw denied(
      `Unable to assume role for ${arn}. The requested DurationSeconds exceeds the MaxSessionDuration set for this role.`,
      `${duration} seconds are more than the role's maximum of ${maxSessionDuration}`,
    );
  return new Date((Math.floor(now.getTime() / 1000) + duration) * 1000);
}

/** User Guide, "Trust model": `CN=` where STS's limit of 64 characters leaves room for it; without a CN, the serial number. */
function sourceIdentity(leaf: Certificate): string {
  const { commonName } = leaf;
  if (commonName === undefined || commonName.length > 64) return `ID=${hexSerial(leaf)}`;
  return commonName.length > 61 ? commonName : `CN=${commonName}`;
}

/** A subject is named after what the certificate calls it, so that its renewal is the same subject. */
function subjectArn({ subjectDer }: Certificate, { arn }: TrustAnchor): string {
  const hex = createHash('sha256').update(subjectDer).digest('hex');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
  return arn.replace(/trust-anchor\/.*$/, `subject/${uuid}`);
}

function answerOf(session: Session, subject: string): Answer {
  const { role, accessKeyId, secretAccessKey, sessionToken, expiration } = session;
  const body = {
    credentialSet: [
      {
        assumedRoleUser: { arn: assumedRoleArn(session), assumedRoleId: assumedRoleId(session) },
        credentials: { accessKeyId, secretAccessKey, sessionToken, expiration: isoSeconds(expiration) },
        packedPolicySize: 0, // percent: no session policy and no tags go with the session
        roleArn: role.arn,
        sourceIdentity: session.sourceIdentity,
      },
    ],
    subjectArn: subject,
  };
  return { status: 201, contentType: 'application/json', body: JSON.stringify(body) };
}

function denied(message: string, reason: string): Refusal {
  return new Refusal(403, 'AccessDeniedException', message, reason);
}
