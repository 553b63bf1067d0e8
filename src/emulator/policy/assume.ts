/** The rules that all ways of assuming a role share: the actions that its trust policy must allow. */
// Tests: test/emulator/services/create-session/authorization.test.ts
import { defaultTrustPolicy } from './defaults.ts';
import { type Policy, parsePolicy } from './document.ts';
import { type Decision, evaluate } from './evaluate.ts';
import type { ContextKeys } from './keys.ts';
import type { RequestPrincipal } from './principals.ts';
import type { RoleRecord } from '../state/records.ts';

const SET_SOURCE_IDENTITY = 'sts:SetSourceIdentity';
const TAG_SESSION = 'sts:TagSession';

/** The session that a request asks for. */
export interface Assumption {
  readonly role: RoleRecord;
  /** `sts:AssumeRole` or `sts:AssumeRoleWithWebIdentity`. */
  readonly action: string;
  readonly principal: RequestPrincipal;
  readonly keys: ContextKeys;
  /** Whether tags go with the session, inherited ones included. */
  readonly tagged: boolean;
  /** Whether a source identity goes with it. */
  readonly identified: boolean;
}

/** Every action that the trust policy must allow: setting tags and a source identity are further ones. */
export function actionsOf({ action, tagged, identified }: Assumption): string[] {
  return [action, ...(tagged ? [TAG_SESSION] : []), ...(identified ? [SET_SOURCE_IDENTITY] : [])];
}

function trustPolicy(role: RoleRecord): Policy {
  return parsePolicy(role.trustPolicy ?? defaultTrustPolicy(role), 'trust');
}

/** The decision of the role's trust policy on one action. */
export function trustDecision({ role, principal, keys }: Assumption, action: string): Decision {
  return evaluate([trustPolicy(role)], { action, principal, keys });
}
