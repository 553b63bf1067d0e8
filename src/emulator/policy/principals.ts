/**
 * Principals: IAM User Guide, "AWS JSON policy elements: Principal"
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html).
 */
// Tests: test/emulator/policy/evaluate.test.ts
import type { Principals } from './document.ts';

export type RequestPrincipal =
  | { readonly type: 'Service'; readonly name: string }
  | { readonly type: 'Federated'; readonly arn: string }
  | {
      readonly type: 'AWS';
      readonly account: string;
      /** The ARN of the user, or of the role of the session. */
      readonly arn: string;
      /** The ARN of the role's session. */
      readonly sessionArn?: string | undefined;
    };

/**
 * The way in which a policy names a principal: by its account, which leaves the rest to the
 * account; for itself, or as one of everybody; or the one session of a role.
 */
export type PrincipalMatch = 'none' | 'account' | 'principal' | 'session';

/** The closest way in which `principals` name `principal`. */
export function matchPrincipals(principals: Principals, principal: RequestPrincipal): PrincipalMatch {
  if (principals === '*') return 'principal';
  const names = principals[principal.type] ?? [];
  if (names.includes('*') && principal.type === 'AWS') return 'principal';
  if (principal.type === 'Service') return names.includes(principal.name) ? 'principal' : 'none';
  if (principal.type === 'Federated') return names.includes(principal.arn) ? 'principal' : 'none';
  const { account, arn, sessionArn } = principal;
  if (sessionArn !== undefined && names.includes(sessionArn)) return 'session';
  if (names.includes(arn)) return 'principal';
  const isRoot = (name: string): boolean =>
    name === account || (/^arn:aws[a-z-]*:iam::\d{12}:root$/.test(name) && name.split(':')[4] === account);
  return names.some(isRoot) ? 'account' : 'none';
}
