/**
 * AssumeRole: STS API Reference, "AssumeRole"; IAM User Guide, "Pass session
 * tags in AWS STS" and "Monitor and control actions taken with assumed roles".
 */
import type { Granted } from '../../wire/answer.ts';
import { type Assumption, actionsOf, trustDecision } from '../../policy/assume.ts';
import { tagKeys } from '../../policy/tags.ts';
import {
  type Caller,
  callerKeys,
  commonKeys,
  identityDecision,
  mergeTags,
  notAuthorized,
  principalOf,
  sessionDecision,
} from '../../callers/caller.ts';
import type { RequestContext } from '../context.ts';
import { takeCode } from '../../callers/mfa.ts';
import type { ContextKeys } from '../../policy/keys.ts';
import { expiryOf, isoSeconds } from '../../callers/sessions.ts';
import type { RoleRecord } from '../../state/records.ts';
import type { State } from '../../state/state.ts';
import {
  type RequestedTags,
  type StsParameters,
  checkContexts,
  duration,
  invalid,
  optional,
  refused,
  requestedTags,
  required,
  sessionPolicies,
} from './parameters.ts';
import { checkDuration, checkPolicies, issue } from './session.ts';
import { stsAnswer } from './xml.ts';

const ACTION = 'sts:AssumeRole';
const DEFAULT_SECONDS = 3600;
const MAX_SECONDS = 43_200;

/** @throws Refusal */
export function assumeRole(parameters: StsParameters, caller: Caller, context: RequestContext): Granted {
  const { state, requestId } = context;
  const now = context.now();
  const roleArn = required(parameters, 'RoleArn');
  const sessionName = required(parameters, 'RoleSessionName');
  const seconds = duration(parameters, DEFAULT_SECONDS, MAX_SECONDS);
  const policies = sessionPolicies(parameters, roleArn.split(':')[4] ?? '');
  const requested = requestedTags(parameters);
  checkContexts(parameters);
  const { tags, transitiveTagKeys } = inherit(caller, requested);
  const sourceIdentity = identityOf(parameters, caller);
  const role = state.get('roles', roleArn);
  if (role === undefined) throw notAuthorized(caller, ACTION, roleArn, `there is no role ${roleArn}`);
  const code = { serialNumber: optional(parameters, 'SerialNumber'), tokenCode: optional(parameters, 'TokenCode') };
  const hasCode = takeCode(code, caller, { state, now });
  const keys = callerKeys(caller, now).with({
    ...commonKeys(context.request, context),
    'sts:ExternalId': optional(parameters, 'ExternalId'),
    'sts:RoleSessionName': sessionName,
    'sts:SourceIdentity': sourceIdentity,
    'aws:MultiFactorAuthPresent': hasCode ? 'true' : undefined,
    'aws:MultiFactorAuthAge': hasCode ? '0' : undefined,
    ...tagKeys(requested.tags, transitiveTagKeys),
    ...resourceKeys(role),
  });
  authorize(
    {
      role,
      action: ACTION,
      principal: principalOf(caller),
      keys,
      tagged: Object.keys(tags).length > 0,
      identified: sourceIdentity !== undefined,
    },
    caller,
    state,
  );
  const isChained = 'role' in caller.principal;
  // AWS takes any temporary credentials for chaining here, those of GetSessionToken too.
  checkDuration(seconds, role, caller.session !== undefined);
  checkPolicies(policies);
  const { elements, credentials, arn } = issue(
    role,
    {
      principalArn: roleArn,
      sessionName,
      issuedAt: now.getTime(),
      expiresAt: expiryOf(now, seconds),
      sourceIdentity,
      tags,
      transitiveTagKeys,
      ...policies,
      chained: isChained,
    },
    context,
  );
  return {
    answer: stsAnswer('AssumeRole', elements, requestId),
    reason: `${caller.arn} became ${arn} until ${isoSeconds(credentials.expiration)}`,
  };
}

/** The requested tags, and those that the caller's session hands on. */
function inherit({ session }: Caller, { tags, transitiveTagKeys }: RequestedTags): RequestedTags {
  const handed = session?.transitiveTagKeys ?? [];
  const inherited = Object.fromEntries(handed.map((key) => [key, session?.tags?.[key] ?? '']));
  const lower = new Set(handed.map((key) => key.toLowerCase()));
  const conflict = Object.keys(tags).find((key) => lower.has(key.toLowerCase()));
  if (conflict !== undefined)
    throw refused(
      'InvalidParameterValue',
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
      `tag ${conflict} is inherited from the caller's session, and cannot be set again`,
    );
  return { tags: mergeTags(inherited, tags), transitiveTagKeys: [...handed, ...transitiveTagKeys] };
}

/** Once set, a source identity stays through every further role, and cannot be changed. */
function identityOf(parameters: StsParameters, { session }: Caller): string | undefined {
  const wanted = optional(parameters, 'SourceIdentity');
  if (wanted !== undefined && /^aws:/i.test(wanted))
    throw invalid('sourceIdentity', wanted, 'Member must not begin with aws:');
  const own = session?.sourceIdentity;
  if (own !== undefined && wanted !== undefined && own !== wanted)
    throw refused(
      'AccessDenied',
      'The source identity of a session cannot be changed.',
      `the caller's source identity is ${own}, and ${wanted} was asked for`,
      403,
    );
  return wanted ?? own;
}

/** IAM User Guide: aws:ResourceTag and aws:ResourceAccount, here of the role. */
function resourceKeys({ tags, account }: RoleRecord): Record<string, string> {
  return {
    'aws:ResourceAccount': account,
    ...Object.fromEntries(
      tags.flatMap(({ key, value }) => [
        [`aws:ResourceTag/${key}`, value],
        [`iam:ResourceTag/${key}`, value],
      ]),
    ),
  };
}

/**
 * The trust policy and the caller's own policies together. STS API Reference,
 * "AssumeRole", Permissions: across accounts both must allow it. Within one,
 * a trust policy that names the caller is enough; one that names the account
 * leaves it to the caller's policies.
 */
function authorize(assumption: Assumption, caller: Caller, state: State): void {
  const { role, keys } = assumption;
  for (const action of actionsOf(assumption)) {
    const trust = trustDecision(assumption, action);
    if (trust.effect !== 'allow')
      throw notAuthorized(caller, action, role.arn, `the trust policy of ${role.arn}: ${trust.reason}`);
    const problem = ownProblem(caller, state, { action, resource: role.arn, keys }, trust.match, role);
    if (problem !== undefined) throw notAuthorized(caller, action, role.arn, problem);
  }
}

function ownProblem(
  caller: Caller,
  state: State,
  request: { action: string; resource: string; keys: ContextKeys },
  match: string,
  { account }: RoleRecord,
): string | undefined {
  const own = identityDecision(caller, request);
  const session = sessionDecision(caller, state, request);
  const isNamed = account === caller.account && match !== 'account';
  if (own.effect === 'deny' || (own.effect === 'none' && !isNamed))
    return `the policies of ${caller.arn}: ${own.reason}`;
  if (session?.effect === 'deny' || (session?.effect === 'none' && !(isNamed && match === 'session')))
    return `the session's policies: ${session.reason}`;
  return undefined;
}
