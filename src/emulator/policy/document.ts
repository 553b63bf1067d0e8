/**
 * Policy documents: IAM User Guide, "Grammar of the IAM JSON policy language"
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html)
 * and the pages of the single elements.
 */
// Tests: test/emulator/policy/evaluate.test.ts
import { conditionProblem } from './conditions.ts';

/**
 * `trust`: of a role, with principals. `permissions`: what a role or a user may do, with resources. `session`: the same
 * for a session, in which ARNs must be complete.
 */
export type PolicyKind = 'trust' | 'permissions' | 'session';

export type Conditions = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** Principals by type (`AWS`, `Service`, `Federated`, `CanonicalUser`), or `*` for everyone. */
export type Principals = '*' | Readonly<Record<string, readonly string[]>>;

export interface Statement {
  /** For the log: the Sid, or the position from 1. */
  readonly label: string;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  /** Whether it is about every action but those. */
  readonly notActions: boolean;
  readonly principals: Principals | undefined;
  readonly notPrincipals: boolean;
  readonly resources: readonly string[] | undefined;
  readonly notResources: boolean;
  readonly conditions: Conditions;
}

export interface Policy {
  /** Whether `${...}` stands for a variable: in version 2012-10-17 alone. */
  readonly variables: boolean;
  readonly statements: readonly Statement[];
}

/** The fault of a document, as the service words it where that is known. */
export class PolicyError extends Error {}

type JsonObject = Readonly<Record<string, unknown>>;

const STATEMENT_MEMBERS = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);
const PRINCIPAL_TYPES = new Set(['AWS', 'Service', 'Federated', 'CanonicalUser']);

const parsed = new Map<string, Policy>(); // by kind and text, since a policy is asked far oftener than it changes
const MAX_PARSED = 500;

/**
 * Reads a document.
 *
 * @throws PolicyError
 */
export function parsePolicy(text: string, kind: PolicyKind): Policy {
  const key = `${kind} ${text}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const policy = read(text, kind);
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(key, policy);
  return policy;
}

function read(text: string, kind: PolicyKind): Policy {
  const document = parseJson(text);
  for (const name of Object.keys(document))
    if (!['Version', 'Id', 'Statement'].includes(name)) throw new PolicyError(`Syntax errors in policy: ${name}.`);
  const { Version: version = '2008-10-17', Id: id, Statement: given } = document;
  if (version !== '2012-10-17' && version !== '2008-10-17')
    throw new PolicyError('The policy must contain a valid version string.');
  if (id !== undefined && typeof id !== 'string') throw new PolicyError('Syntax errors in policy: Id is no string.');
  const list = Array.isArray(given) ? given : [given];
  if (given === undefined || list.length === 0)
    throw new PolicyError('Syntax errors in policy: there is no statement.');
  const sids = list.flatMap((item) => (isObject(item) && item['Sid'] !== undefined ? [item['Sid']] : []));
  if (new Set(sids).size !== sids.length)
    throw new PolicyError('Statement IDs (SID) in a single policy must be unique.');
  return {
    variables: version === '2012-10-17',
    statements: list.map((item, index) => readStatement(item, index + 1, kind)),
  };
}

function parseJson(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new PolicyError('This policy contains invalid Json');
  }
  if (!isObject(value)) throw new PolicyError('Syntax errors in policy.');
  return value;
}

function readStatement(value: unknown, position: number, kind: PolicyKind): Statement {
  if (!isObject(value)) throw new PolicyError(`Syntax errors in policy: statement ${position} is no object.`);
  for (const name of Object.keys(value))
    if (!STATEMENT_MEMBERS.has(name)) throw new PolicyError(`Syntax errors in policy: ${name}.`);
  const { Sid: sid, Effect: effect } = value;
  if (sid !== undefined && (typeof sid !== 'string' || !/^[0-9A-Za-z]*$/.test(sid)))
    throw new PolicyError('Statement IDs (SID) must be alpha-numeric.');
  if (effect !== 'Allow' && effect !== 'Deny') throw new PolicyError(`Invalid effect: ${String(effect)}`);
  const [actions, notActions] = oneOf(value, 'Action', 'NotAction');
  if (actions === undefined) throw new PolicyError('Policy statement must contain actions.');
  const [principals, notPrincipals] = oneOf(value, 'Principal', 'NotPrincipal');
  const [resources, notResources] = oneOf(value, 'Resource', 'NotResource');
  if (kind === 'trust') checkTrust(value, effect, notPrincipals, principals, resources);
  else checkPermissions(principals, resources);
  const statement = {
    label: typeof sid === 'string' && sid !== '' ? sid : `number ${position}`,
    effect,
    actions: strings(actions, 'Action'),
    notActions,
    principals: principals === undefined ? undefined : readPrincipals(principals),
    notPrincipals,
    resources: resources === undefined ? undefined : strings(resources, 'Resource'),
    notResources,
    conditions: readConditions(value['Condition']),
  } as const;
  checkNames(statement, kind);
  return statement;
}

/** The value of an element or of its negation, of which there may be one. */
function oneOf(value: JsonObject, name: string, negated: string): [unknown, boolean] {
  if (value[name] !== undefined && value[negated] !== undefined)
    throw new PolicyError(`Syntax errors in policy: ${name} and ${negated} in one statement.`);
  return [value[name] ?? value[negated], value[negated] !== undefined];
}

function checkTrust(
  value: JsonObject,
  effect: string,
  notPrincipals: boolean,
  principals: unknown,
  resources: unknown,
): void {
  if (resources !== undefined)
    throw new PolicyError(`Has prohibited field ${value['Resource'] === undefined ? 'NotResource' : 'Resource'}`);
  if (principals === undefined) throw new PolicyError('Missing required field Principal');
  if (notPrincipals && effect === 'Allow') throw new PolicyError('Allow with NotPrincipal is not allowed.');
}

function checkPermissions(principals: unknown, resources: unknown): void {
  if (principals !== undefined) throw new PolicyError('Policy document should not specify a principal.');
  if (resources === undefined) throw new PolicyError('Policy statement must contain resources.');
}

function checkNames({ actions, resources = [] }: Statement, kind: PolicyKind): void {
  for (const action of actions) {
    if (action !== '*' && !/^[A-Za-z0-9-]+:[\w*?-]+$/.test(action))
      throw new PolicyError('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
    if (kind === 'trust' && action !== '*' && !/^sts:/i.test(action))
      throw new PolicyError('AssumeRole policy may only specify STS AssumeRole actions.');
  }
  for (const resource of resources) {
    // IAM User Guide, "IAM ARNs": an identity-based policy may end early, and one that is passed to STS may not.
    const least = kind === 'session' ? 6 : 2;
    if (resource !== '*' && (!/^(?:arn:|\*|\${)/.test(resource) || resource.split(':').length < least))
      throw new PolicyError(`Resource ${resource} must be in ARN format or "*".`);
  }
}

function readPrincipals(value: unknown): Principals {
  if (value === '*') return '*';
  if (!isObject(value) || Object.keys(value).length === 0) throw new PolicyError('Invalid principal in policy.');
  return Object.fromEntries(
    Object.entries(value).map(([type, names]) => {
      if (!PRINCIPAL_TYPES.has(type)) throw new PolicyError(`Invalid principal in policy: "${type}"`);
      return [type, strings(names, 'Principal')];
    }),
  );
}

function readConditions(value: unknown): Conditions {
  if (value === undefined) return {};
  if (!isObject(value)) throw new PolicyError('Syntax errors in policy: Condition is no object.');
  return Object.fromEntries(
    Object.entries(value).map(([operator, keys]) => {
      if (!isObject(keys)) throw new PolicyError(`Syntax errors in policy: ${operator} is no object.`);
      const texts = Object.fromEntries(Object.entries(keys).map(([key, given]) => [key, scalars(given, key)]));
      const problem = conditionProblem(operator, texts);
      if (problem !== undefined) throw new PolicyError(problem);
      return [operator, texts];
    }),
  );
}

function strings(value: unknown, element: string): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item !== 'string' || item === '') throw new PolicyError(`Syntax errors in policy: ${element}.`);
    return item;
  });
}

/** Values of a condition may be written as strings, numbers and booleans. */
function scalars(value: unknown, key: string): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') return String(item);
    throw new PolicyError(`Syntax errors in policy: the value of condition key ${key}.`);
  });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
