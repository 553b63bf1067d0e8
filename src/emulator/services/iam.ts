/**
 * The emulator's IAM: CreateRole alone, so that what sets up a trust anchor and a profile can make their role too. IAM API
 * Reference, "CreateRole"; codes and texts are the service's where they are known.
 */
import type { Answer, Granted } from '../wire/answer.ts';
import { authenticate } from '../callers/authenticate.ts';
import { callerKeys, commonKeys, notAuthorized, permissionProblem } from '../callers/caller.ts';
import { isoSeconds, uniqueId } from '../callers/sessions.ts';
import { PolicyError, parsePolicy } from '../policy/document.ts';
import type { RoleRecord, Tag } from '../state/records.ts';
import type { RequestContext } from './context.ts';
import { queryAnswer, queryError, queryParameters } from '../wire/query.ts';
import type { ReceivedRequest } from '../wire/received.ts';
import { Refusal, type RefusalDetails } from '../wire/refusal.ts';

const VERSION = '2010-05-08';
const NAMESPACE = `https://iam.amazonaws.com/doc/${VERSION}/`;

/** The quota of a role's trust policy in characters, blanks not counted: IAM User Guide, "IAM and AWS STS quotas". */
const MAX_TRUST_POLICY = 2048;

const KNOWN =
  /^(?:Action|Version|RoleName|Path|AssumeRolePolicyDocument|Description|MaxSessionDuration|Tags\.member\.\d+\.(?:Key|Value))$/;

/** @throws Refusal */
export function iam(request: ReceivedRequest, context: RequestContext): Granted {
  const parameters = new Map(queryParameters(request));
  const action = parameters.get('Action') ?? '';
  const caller = authenticate(request, 'iam', context);
  if (action !== 'CreateRole' || parameters.get('Version') !== VERSION)
    throw new Refusal(
      400,
      'InvalidAction',
      `Could not find operation ${action} for version ${parameters.get('Version') ?? 'NO_VERSION_SPECIFIED'}`,
      `of IAM CreateRole alone is emulated, not ${action === '' ? 'a request without an action' : action}`,
    );
  for (const name of parameters.keys()) if (!KNOWN.test(name)) context.onUnknownMember(action, name);
  const { account, partition } = caller;
  const { path, ...role } = readRole(parameters, { account, partition });
  const keys = callerKeys(caller, context.now()).with(commonKeys(request, context));
  const problem = permissionProblem(caller, context.state, { action: 'iam:CreateRole', resource: role.arn, keys });
  if (problem !== undefined) throw notAuthorized(caller, 'iam:CreateRole', role.arn, problem);
  // Names are those of an account, whatever their path.
  if (context.state.list('roles').some((other) => other.account === account && other.name === role.name))
    throw new Refusal(409, 'EntityAlreadyExists', `Role with name ${role.name} already exists.`, `${role.arn} exists`);
  context.state.apply({ op: 'put', kind: 'roles', record: role });
  const elements = {
    Path: path,
    RoleName: role.name,
    RoleId: role.roleId,
    Arn: role.arn,
    CreateDate: isoSeconds(context.now()),
    AssumeRolePolicyDocument: encodeURIComponent(role.trustPolicy),
  };
  return {
    answer: queryAnswer(NAMESPACE, action, { Role: elements }, context.requestId),
    reason: `CreateRole of ${caller.arn}: ${role.arn} was created`,
  };
}

/** A refusal in the form of IAM. */
export function iamError(details: RefusalDetails, requestId: string): Answer {
  return queryError(NAMESPACE, details, requestId);
}

type CreatedRole = RoleRecord & { readonly path: string; readonly trustPolicy: string };

function readRole(
  parameters: ReadonlyMap<string, string>,
  { account, partition }: { readonly account: string; readonly partition: string },
): CreatedRole {
  const name = required(parameters, 'RoleName', 'roleName');
  if (!/^[\w+=,.@-]{1,64}$/.test(name))
    throw invalid('roleName', 'Member must satisfy regular expression pattern: [\\w+=,.@-]+, of 1 to 64 characters');
  const path = parameters.get('Path') ?? '/';
  if (!/^\/(?:[!-~]+\/)?$/.test(path) || path.length > 512)
    throw invalid(
      'path',
      'Member must satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)',
    );
  if ((parameters.get('Description') ?? '').length > 1000)
    throw invalid('description', 'Member must have length less than or equal to 1000');
  const duration = parameters.get('MaxSessionDuration') ?? '3600';
  const maxSessionDuration = /^\d{1,6}$/.test(duration) ? Number(duration) : 0;
  if (maxSessionDuration < 3600 || maxSessionDuration > 43_200)
    throw invalid('maxSessionDuration', 'Member must have value between 3600 and 43200');
  const arn = `arn:${partition}:iam::${account}:role${path}${name}`;
  return {
    arn,
    name,
    path,
    account,
    partition,
    roleId: uniqueId('AROA', { arn }),
    maxSessionDuration,
    trustPolicy: readTrustPolicy(required(parameters, 'AssumeRolePolicyDocument', 'assumeRolePolicyDocument')),
    // Nothing is attached to a new role: it may do nothing.
    policies: [],
    tags: readTags(parameters),
  };
}

function readTrustPolicy(text: string): string {
  try {
    parsePolicy(text, 'trust');
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new Refusal(400, 'MalformedPolicyDocument', error.message, `the trust policy: ${error.message}`);
  }
  const size = text.replaceAll(/\s/g, '').length;
  if (size <= MAX_TRUST_POLICY) return text;
  throw new Refusal(
    409,
    'LimitExceeded',
    `Cannot exceed quota for ACLSizePerRole: ${MAX_TRUST_POLICY}`,
    `the trust policy has ${size} characters`,
  );
}

function readTags(parameters: ReadonlyMap<string, string>): Tag[] {
  const tags: Tag[] = [];
  for (let index = 1; ; index += 1) {
    const key = parameters.get(`Tags.member.${index}.Key`);
    if (key === undefined) return tags;
    tags.push({ key, value: parameters.get(`Tags.member.${index}.Value`) ?? '' });
  }
}

function required(parameters: ReadonlyMap<string, string>, parameter: string, member: string): string {
  const value = parameters.get(parameter);
  if (value === undefined || value === '') throw invalid(member, 'Member must not be null');
  return value;
}

function invalid(member: string, constraint: string): Refusal {
  const message = `1 validation error detected: Value at '${member}' failed to satisfy constraint: ${constraint}`;
  return new Refusal(400, 'ValidationError', message, `${member}: ${constraint}`);
}
