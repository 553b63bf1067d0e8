/** The rules of STS for the policies that are passed to a session: STS API Reference, "AssumeRole", Policy and PolicyArns. */
// Tests: test/emulator/services/sts/assume-role.test.ts

const MAX_POLICY_ARNS = 10;
const MAX_CHARACTERS = 2048;

/** The session policies of a request: JSON texts, and ARNs of managed policies. */
export interface SessionPolicies {
  readonly policies: readonly string[];
  readonly policyArns: readonly string[];
}

/** A rule that was broken: which parameter breaks it, by which value, and the rule in the service's words. */
export interface PolicyProblem {
  readonly member: 'policy' | 'policyArns';
  readonly value: string | undefined;
  /** Undefined: the value is no ARN of a policy that the session may have. */
  readonly constraint: string | undefined;
}

const atMost = (most: number): string => `Member must have length less than or equal to ${most}`;

/**
 * The first rule that session policies break, or undefined.
 *
 * @param account that of the role, to which a managed policy must belong unless it is AWS's own
 */
export function sessionPolicyProblem(
  { policies, policyArns }: SessionPolicies,
  account: string,
): PolicyProblem | undefined {
  if (policyArns.length > MAX_POLICY_ARNS)
    return { member: 'policyArns', value: undefined, constraint: atMost(MAX_POLICY_ARNS) };
  for (const value of policyArns) {
    if (value.length < 20 || value.length > 2048)
      return { member: 'policyArns', value, constraint: 'Member must have length between 20 and 2048' };
    const [, owner] = /^arn:aws[a-z-]*:iam::(aws|\d{12}):policy\/.+$/.exec(value) ?? [];
    if (owner !== 'aws' && owner !== account) return { member: 'policyArns', value, constraint: undefined };
  }
  return [...policies, ...policyArns].join('').length > MAX_CHARACTERS
    ? { member: 'policy', value: undefined, constraint: atMost(MAX_CHARACTERS) }
    : undefined;
}
