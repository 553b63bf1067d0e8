/** Callers, and what they may do. */
// Tests: test/emulator/services/create-session/authorization.test.ts
import { type ReceivedRequest, headerValues } from '../wire/received.ts';
import { Refusal } from '../wire/refusal.ts';
import { type SessionClaims, assumedRoleArn, assumedRoleId, isoSeconds } from './sessions.ts';
import { AWS_MANAGED_POLICIES, ALLOW_ALL } from '../policy/defaults.ts';
import { type Policy, parsePolicy } from '../policy/document.ts';
import { type Decision, evaluate } from '../policy/evaluate.ts';
import { ContextKeys } from '../policy/keys.ts';
import type { RequestPrincipal } from '../policy/principals.ts';
import type { RoleRecord, UserRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';

/** The one for whom the credentials of a request stand. */
export interface Caller {
  /** As GetCallerIdentity gives it: of the user, or of the role's session. */
  readonly arn: string;
  readonly userId: string;
  readonly account: string;
  readonly partition: string;
  /** The role or user to whom the credentials belong. */
  readonly principal: { readonly role: RoleRecord; readonly sessionName: string } | { readonly user: UserRecord };
  /** The content of the session token; undefined for long-term credentials. */
  readonly session: SessionClaims | undefined;
  /** The tags of the role or user; those of the session replace them where the keys are the same. */
  readonly tags: Readonly<Record<string, string>>;
}

/** @returns undefined when the role or user no longer exists */
export function callerOfSession(session: SessionClaims, state: State): Caller | undefined {
  const { principalArn, sessionName } = session;
  const role = state.get('roles', principalArn);
  if (role !== undefined && sessionName !== undefined) {
    const { account, partition } = role;
    return {
      arn: assumedRoleArn(role, sessionName),
      userId: assumedRoleId(role, sessionName),
      account,
      partition,
      principal: { role, sessionName },
      session,
      tags: mergeTags(tagsOf(role), session.tags ?? {}),
    };
  }
  const user = state.get('users', principalArn);
  return user && { ...callerOfUser(user), session };
}

/** The caller with a user's own access key. */
export function callerOfUser(user: UserRecord): Caller {
  const { arn, userId, account, partition } = user;
  return { arn, userId, account, partition, principal: { user }, session: undefined, tags: tagsOf(user) };
}

function tagsOf({ tags }: RoleRecord | UserRecord): Record<string, string> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
}

/** Tags with `later` in the place of those with the same key: keys are the same without regard to case. */
export function mergeTags(
  earlier: Readonly<Record<string, string>>,
  later: Readonly<Record<string, string>>,
): Record<string, string> {
  const replaced = new Set(Object.keys(later).map((key) => key.toLowerCase()));
  return {
    ...Object.fromEntries(Object.entries(earlier).filter(([key]) => !replaced.has(key.toLowerCase()))),
    ...later,
  };
}

/** The caller as a policy with principals sees it. */
export function principalOf({ principal, account, arn }: Caller): RequestPrincipal {
  return 'role' in principal
    ? { type: 'AWS', account, arn: principal.role.arn, sessionArn: arn }
    : { type: 'AWS', account, arn };
}

/**
 * The keys that tell of the caller: IAM User Guide, "AWS global condition
 * context keys" (reference_policies_condition-keys.html).
 */
export function callerKeys({ principal, session, account, userId, tags, arn }: Caller, now: Date): ContextKeys {
  const isRole = 'role' in principal;
  const keys = new ContextKeys({
    'aws:PrincipalAccount': account,
    'aws:PrincipalArn': isRole ? principal.role.arn : arn,
    'aws:PrincipalType': isRole ? 'AssumedRole' : 'User',
    'aws:userid': userId,
    'aws:username': isRole ? undefined : principal.user.name,
    'aws:SourceIdentity': session?.sourceIdentity,
    'aws:FederatedProvider': session?.federatedProvider,
    // Long-term credentials do not have the MFA keys at all.
    'aws:MultiFactorAuthPresent': session && String(session.mfaAt !== undefined),
    'aws:MultiFactorAuthAge':
      session?.mfaAt === undefined ? undefined : String(Math.floor((now.getTime() - session.mfaAt) / 1000)),
    'aws:TokenIssueTime': session && isoSeconds(new Date(session.issuedAt)),
  });
  for (const [key, value] of Object.entries(tags)) keys.set({ [`aws:PrincipalTag/${key}`]: value });
  return keys;
}

/** The keys that every request has. */
export function commonKeys(
  request: ReceivedRequest,
  { now, region }: { now: () => Date; region: string },
): Record<string, string | undefined> {
  const at = now();
  return {
    'aws:CurrentTime': isoSeconds(at),
    'aws:EpochTime': String(Math.floor(at.getTime() / 1000)),
    'aws:SecureTransport': String(request.isSecure),
    'aws:SourceIp': request.sourceIp,
    'aws:UserAgent': headerValues(request, 'user-agent')[0],
    'aws:Referer': headerValues(request, 'referer')[0],
    'aws:RequestedRegion': region,
    'aws:ViaAWSService': 'false',
  };
}

/** The decision of a session's own policies on a request; undefined when it has none. */
export function sessionDecision(
  { session }: Caller,
  state: State,
  request: { action: string; resource: string; keys: ContextKeys },
): Decision | undefined {
  const { policies = [], policyArns = [] } = session ?? {};
  if (policies.length + policyArns.length === 0) return undefined;
  const all: Policy[] = [
    ...policies.map((text) => parsePolicy(text, 'session')),
    ...policyArns.flatMap((arn) => managedPolicy(arn, state) ?? []),
  ];
  return evaluate(all, request);
}

/** The decision of the policies of the caller's role or user on a request. */
export function identityDecision(
  { principal }: Caller,
  request: { action: string; resource: string; keys: ContextKeys },
): Decision {
  const { policies = [ALLOW_ALL] } = 'role' in principal ? principal.role : principal.user;
  return evaluate(
    policies.map((text) => parsePolicy(text, 'permissions')),
    request,
  );
}

/** A policy by its ARN: of the world, or one of those of AWS that are known here. */
function managedPolicy(arn: string, state: State): Policy | undefined {
  const text =
    state.get('managedPolicies', arn)?.document ??
    AWS_MANAGED_POLICIES.get(/^arn:aws[a-z-]*:iam::aws:policy\/(?:.*\/)?([^/]+)$/.exec(arn)?.[1] ?? '');
  return text === undefined ? undefined : parsePolicy(text, 'permissions');
}

/**
 * The reason why the caller may not do something with a resource that has no policy of
 * its own, or undefined: the policies of the role or user must allow it, and
 * so must those of the session.
 *
 * @param resource an ARN, or `*` for an action that has no resource
 */
export function permissionProblem(
  caller: Caller,
  state: State,
  request: { action: string; resource: string; keys: ContextKeys },
): string | undefined {
  const identity = identityDecision(caller, request);
  if (identity.effect !== 'allow') return `the policies of ${caller.arn}: ${identity.reason}`;
  const session = sessionDecision(caller, state, request);
  return session === undefined || session.effect === 'allow' ? undefined : `the session's policies: ${session.reason}`;
}

/** The refusal that says who may not do what, in IAM's words. */
export function notAuthorized(
  { arn }: Pick<Caller, 'arn'>,
  action: string,
  resource: string,
  reason: string,
  code = 'AccessDenied',
): Refusal {
  const on = resource === '*' ? '' : ` on resource: ${resource}`;
  return new Refusal(403, code, `User: ${arn} is not authorized to perform: ${action}${on}`, reason);
}
