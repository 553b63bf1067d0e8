/** What all ways of assuming a role have in common: its trust policy, its limits and the size of what goes with it. */
import { deflateRawSync } from 'node:zlib';
import { defaultTrustPolicy } from './policy/defaults.ts';
import { type Policy, parsePolicy } from './policy/document.ts';
import { type Decision, evaluate } from './policy/evaluate.ts';
import type { ContextKeys } from './policy/keys.ts';
import type { RequestPrincipal } from './policy/principals.ts';
import type { RoleRecord } from './state/records.ts';

const SET_SOURCE_IDENTITY = 'sts:SetSourceIdentity';
const TAG_SESSION = 'sts:TagSession';

/** What a request wants to make of the role. */
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

/** What the role's trust policy says of one action. */
export function trustDecision({ role, principal, keys }: Assumption, action: string): Decision {
  return evaluate([trustPolicy(role)], { action, principal, keys });
}

/** Keys of the tags that a request sets: IAM User Guide, "Pass session tags in AWS STS". */
export function tagKeys(
  tags: Readonly<Record<string, string>>,
  transitive: readonly string[] = [],
): Record<string, string | readonly string[]> {
  const names = Object.keys(tags);
  return {
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
    ...(names.length === 0 ? {} : { 'aws:TagKeys': names }),
    ...(transitive.length === 0 ? {} : { 'sts:TransitiveTagKeys': transitive }),
  };
}

/** Bytes that stand for 100 % here. */
const PACKED_LIMIT = 2048;

/**
 * Policies and tags in percent of what may go with a session. STS packs them
 * into a binary format that is not documented, and so is the limit: this is a
 * likeness, in which what compresses well takes less room.
 */
export function packedPolicySize(
  policies: readonly string[],
  policyArns: readonly string[],
  tags: Readonly<Record<string, string>>,
): number {
  const texts = [...policies, ...policyArns, ...Object.entries(tags).flat()];
  return texts.length === 0 ? 0 : Math.ceil((deflateRawSync(texts.join('\0')).length / PACKED_LIMIT) * 100);
}
