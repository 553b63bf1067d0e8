/**
 * CreateSession, verified as the service documents it: IAM Roles Anywhere User
 * Guide, "Authentication", "Signing process" and "CreateSession". The texts of
 * refusals are the service's where they are known. That of an expired
 * certificate, for one, is not.
 */
import { anchorCertificates } from '../../certificates/anchors.ts';
import type { Certificate } from '../../certificates/certificate.ts';
import { revocationProblem } from '../../certificates/crl.ts';
import { distributedProblem } from '../../certificates/crl-distribution.ts';
import { findPath } from '../../certificates/path.ts';
import { endEntityProblem } from '../../certificates/rules.ts';
import { findByArn } from '../../state/aliases.ts';
import type { TrustAnchorRecord } from '../../state/records.ts';
import type { Granted } from '../../wire/answer.ts';
import type { ReceivedRequest } from '../../wire/received.ts';
import { Refusal } from '../../wire/refusal.ts';
import type { RequestContext } from '../context.ts';
import { type CreateSessionInput, readInput } from './input.ts';
import { MESSAGES } from './messages.ts';
import { type Trusted, createRoleSession, denied } from './role-session.ts';
import { readCertificates, verifyRequest } from './signature.ts';
import { sighting } from './subjects.ts';

/** @throws Refusal */
export async function createSession(request: ReceivedRequest, context: RequestContext): Promise<Granted> {
  const { state, region } = context;
  const now = context.now();
  const { leaf, chain } = readCertificates(request);
  verifyRequest(request, leaf, region, now);
  const input = readInput(request, context.onUnknownMember);
  throttle(input, leaf, context);
  const { trustAnchorArn, profileArn } = input;
  const anchor = found(
    state.get('trustAnchors', trustAnchorArn) ?? findByArn(state.list('trustAnchors'), 'trust-anchor', trustAnchorArn),
    trustAnchorArn,
    'trust anchor',
  );
  const profile = found(
    state.get('profiles', profileArn) ?? findByArn(state.list('profiles'), 'profile', profileArn),
    profileArn,
    'profile',
  );
  checkAccounts(anchor.arn, profile.arn);
  await trust(leaf, chain, anchor, context);
  const trusted: Trusted = { input, leaf, anchor, profile, now };
  let failed = true;
  try {
    const granted = createRoleSession(trusted, context);
    failed = false;
    return granted;
  } finally {
    state.apply({ op: 'saw', sighting: sighting(leaf, anchor, { now, failed, properties: input.instanceProperties }) });
  }
}

function throttle({ trustAnchorArn }: CreateSessionInput, leaf: Certificate, context: RequestContext): void {
  const account = trustAnchorArn.split(':')[4] ?? '';
  const reason = context.throttle.take(account, leaf.der.toString('base64'));
  if (reason !== undefined) throw new Refusal(429, 'ThrottlingException', MESSAGES.rate.text, reason);
}

function found<T>(item: T | undefined, arn: string, what: string): T {
  if (item !== undefined) return item;
  throw new Refusal(
    404,
    'ResourceNotFoundException',
    MESSAGES.notFound.text.replace('ARN', arn),
    `there is no ${what} ${arn}`,
  );
}

/** An anchor vouches for the profiles of its own account. */
function checkAccounts(anchorArn: string, profileArn: string): void {
  const [own, other] = [anchorArn.split(':')[4], profileArn.split(':')[4]];
  if (own !== other)
    throw denied(MESSAGES.accounts.text, `the trust anchor is of account ${own}, the profile of ${other}`);
}

async function trust(
  leaf: Certificate,
  chain: readonly Certificate[],
  anchor: TrustAnchorRecord,
  context: RequestContext,
): Promise<void> {
  const now = context.now();
  if (!anchor.enabled) throw denied(MESSAGES.anchorDisabled.text, `trust anchor ${anchor.name} is disabled`);
  const problem = endEntityProblem(leaf, now);
  if (problem !== undefined)
    throw denied(MESSAGES.insufficientCertificate.text, `certificate "${leaf.subject}": ${problem}`);
  const result = findPath(leaf, chain, anchorCertificates(anchor), now);
  if ('reason' in result)
    throw denied(MESSAGES.untrustedIssuer.text, `no path to trust anchor ${anchor.name}: ${result.reason}`);
  const crls = context.state.list('crls').filter(({ trustAnchorArn }) => trustAnchorArn === anchor.arn);
  const revocation = revocationProblem(result.path, crls);
  if (revocation !== undefined) throw denied(MESSAGES.revoked.text, revocation);
  if (anchor.crlDpRevocationEnabled !== true) return;
  const distributed = await distributedProblem(result.path, now);
  if (distributed === undefined) return;
  throw denied((distributed.isRevoked ? MESSAGES.revoked : MESSAGES.revocationUnknown).text, distributed.reason);
}
