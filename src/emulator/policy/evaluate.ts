/**
 * Whether policies let a request through: IAM User Guide, "Policy evaluation
 * logic" (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
 */
import { holds } from './conditions.ts';
import type { Policy, Statement } from './document.ts';
import type { ContextKeys } from './keys.ts';
import { type Variables, matchesAction, matchesResource } from './patterns.ts';
import { type PrincipalMatch, type RequestPrincipal, matchPrincipals } from './principals.ts';

export interface PolicyRequest {
  /** Such as `sts:AssumeRole`. */
  readonly action: string;
  /** ARN, or `*` of actions that have none. For policies with resources. */
  readonly resource?: string | undefined;
  /** For policies with principals. */
  readonly principal?: RequestPrincipal | undefined;
  readonly keys: ContextKeys;
}

export interface Decision {
  /** `none`: nothing denies it, and nothing allows it. */
  readonly effect: 'allow' | 'deny' | 'none';
  /** The closest way in which the statements that allow it name the principal. */
  readonly match: PrincipalMatch;
  /** Words for the log: which statement decided, or why none that is about the action did. */
  readonly reason: string;
}

/** The decision of several policies together: a denial in any of them is the last word. */
export function evaluate(policies: readonly Policy[], request: PolicyRequest): Decision {
  const misses: string[] = [];
  let allowed: Decision | undefined;
  for (const policy of policies)
    for (const statement of policy.statements) {
      const { label, effect } = statement;
      const result = apply(statement, policy, request);
      if ('miss' in result) {
        if (effect === 'Allow' && result.miss !== undefined) misses.push(`statement ${label}: ${result.miss}`);
      } else if (effect === 'Deny')
        return { effect: 'deny', match: result.match, reason: `statement ${label} denies ${request.action}` };
      else if (allowed === undefined || rank(result.match) > rank(allowed.match))
        allowed = { effect: 'allow', match: result.match, reason: `statement ${label} allows ${request.action}` };
    }
  const about = misses.length === 0 ? 'no statement is about it' : misses.join('; ');
  return allowed ?? { effect: 'none', match: 'none', reason: `nothing allows ${request.action}: ${about}` };
}

function rank(match: PrincipalMatch): number {
  return ['none', 'account', 'principal', 'session'].indexOf(match);
}

/** The way in which a statement names the principal, or why it does not apply; no reason when it is about other actions. */
function apply(
  statement: Statement,
  { variables }: Policy,
  { action, resource, principal, keys }: PolicyRequest,
): { match: PrincipalMatch } | { miss: string | undefined } {
  const { actions, notActions, resources, notResources, principals, notPrincipals, conditions } = statement;
  const scope = { keys: variables ? keys : undefined };
  if (actions.some((text) => matchesAction(text, action)) === notActions) return { miss: undefined };
  let match: PrincipalMatch = 'principal';
  if (principals !== undefined) {
    const named = principal === undefined ? 'none' : matchPrincipals(principals, principal);
    if ((named === 'none') !== notPrincipals) return { miss: 'it names other principals' };
    match = notPrincipals ? 'principal' : named;
  }
  if (resources !== undefined) {
    const isNamed = resources.some((text) => isAbout(text, resource ?? '*', scope));
    if (isNamed === notResources) return { miss: `it names other resources than ${resource ?? '*'}` };
  }
  for (const [operator, wanted] of Object.entries(conditions))
    for (const [key, values] of Object.entries(wanted))
      if (!holds(operator, key, values, keys, scope)) return { miss: failure(operator, key, values, keys) };
  return { match };
}

/** Whether a text of Resource names what the request is about: `*` of an action that has no resource. */
function isAbout(text: string, resource: string, scope: Variables): boolean {
  return text === '*' || (resource !== '*' && matchesResource(text, resource, scope));
}

function failure(operator: string, key: string, wanted: readonly string[], keys: ContextKeys): string {
  const actual = keys.get(key);
  const found = actual === undefined ? 'is not in the request' : `is ${list(actual)}`;
  return `${operator} ${key} of ${list(wanted)} does not hold, since the key ${found}`;
}

function list(values: readonly string[]): string {
  return values.length === 1 ? `"${values[0]}"` : `[${values.map((value) => `"${value}"`).join(', ')}]`;
}
