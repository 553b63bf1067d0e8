/** Profiles, and which attributes of a certificate they make session tags of. */
// Tests: test/emulator/services/control/control.test.ts
import { randomUUID } from 'node:crypto';
import { DEFAULT_MAPPINGS } from '../../certificates/session-tags.ts';
import type { AttributeMapping, ProfileRecord } from '../../state/records.ts';
import { Refusal } from '../../wire/refusal.ts';
import type { InputOf } from './model.ts';
import {
  type Call,
  type Outcome,
  type Resource,
  aliasDetail,
  changed,
  checkTags,
  find,
  idOf,
  newAlias,
  previousAlias,
  resourceArn,
} from './resources.ts';
import { invalid } from './shapes.ts';

export const PROFILES: Resource<ProfileRecord> & { readonly type: 'profile' } = {
  type: 'profile',
  get: (state, arn) => state.get('profiles', arn),
  list: (state) => state.list('profiles'),
  put: (state, record) => state.apply({ op: 'put', kind: 'profiles', record }),
  detail(profile) {
    const { arn, tags: _, ...members } = profile;
    return { profileId: idOf(profile), profileArn: arn, ...members, ...aliasDetail(PROFILES, profile) };
  },
};

/** @throws Refusal */
export function createProfile(input: InputOf<'CreateProfile'>, call: Call): Outcome {
  const { name, roleArns, sessionPolicy, tags = [] } = input;
  checkTags(tags);
  checkRoles(roleArns, call);
  const profile: ProfileRecord = {
    arn: resourceArn(PROFILES.type, randomUUID(), call),
    name,
    aliasName: newAlias(PROFILES, input.aliasName, call),
    enabled: input.enabled ?? false,
    createdBy: call.caller.arn,
    roleArns,
    durationSeconds: input.durationSeconds ?? 3600,
    acceptRoleSessionName: input.acceptRoleSessionName ?? false,
    requireInstanceProperties: input.requireInstanceProperties ?? false,
    sessionPolicy,
    managedPolicyArns: input.managedPolicyArns ?? [],
    attributeMappings: DEFAULT_MAPPINGS,
    tags,
    createdAt: call.now,
    updatedAt: call.now,
  };
  return kept(profile, call, 'was created');
}

/** @throws Refusal */
export function updateProfile({ profileId, aliasName, ...changes }: InputOf<'UpdateProfile'>, call: Call): Outcome {
  const before = find(PROFILES, profileId, call);
  checkRoles(changes.roleArns, call);
  const after = { ...changed(before, changes, call), aliasName: newAlias(PROFILES, aliasName, call, before) };
  return kept(after, call, 'was changed', previousAlias(before, after));
}

/** Who makes a profile passes its roles to the service, and roles of another account cannot be passed. */
function checkRoles(roleArns: readonly string[] = [], { caller }: Call): void {
  const foreign = roleArns.find((arn) => arn.split(':')[4] !== caller.account);
  if (foreign !== undefined)
    throw new Refusal(
      403,
      'AccessDeniedException',
      'Cross-account pass role is not allowed.',
      `${foreign} is not of account ${caller.account}`,
    );
}

/**
 * Puts the rules of one field in the place of those that it had.
 *
 * @throws Refusal
 */
export function putAttributeMapping(input: InputOf<'PutAttributeMapping'>, call: Call): Outcome {
  const { profileId, certificateField, mappingRules } = input;
  const profile = find(PROFILES, profileId, call);
  for (const { specifier } of mappingRules) checkSpecifier(certificateField, specifier);
  if (new Set(mappingRules.map(({ specifier }) => specifier)).size !== mappingRules.length)
    throw invalid('Specifiers must be unique');
  return mapped(profile, [...others(profile, certificateField), { certificateField, mappingRules }], call);
}

/**
 * Takes specifiers out of a field's rules, or without any the field itself.
 *
 * @throws Refusal
 */
export function deleteAttributeMapping(input: InputOf<'DeleteAttributeMapping'>, call: Call): Outcome {
  const { profileId, certificateField, specifiers } = input;
  const profile = find(PROFILES, profileId, call);
  const before = profile.attributeMappings.find((mapping) => mapping.certificateField === certificateField);
  const left = before?.mappingRules.filter(({ specifier }) => specifiers?.includes(specifier) === false) ?? [];
  const rest = left.length === 0 ? [] : [{ certificateField, mappingRules: left }];
  return mapped(profile, [...others(profile, certificateField), ...rest], call);
}

function others({ attributeMappings }: ProfileRecord, field: string): AttributeMapping[] {
  return attributeMappings.filter(({ certificateField }) => certificateField !== field);
}

function mapped(profile: ProfileRecord, attributeMappings: readonly AttributeMapping[], call: Call): Outcome {
  return kept(changed(profile, { attributeMappings }, call), call, 'has other attribute mappings');
}

/** User Guide, "Certificate attribute mapping": attributes by name or OID, and `*` for all of a name. */
function checkSpecifier(field: AttributeMapping['certificateField'], specifier: string): void {
  const name = String.raw`(?:[A-Za-z]+|\d+(?:\.\d+)+|\*)`;
  const pattern = field === 'x509SAN' ? `DNS|URI|Name/${name}` : name;
  if (!new RegExp(`^(?:${pattern})$`).test(specifier)) throw invalid(`Invalid specifier for ${field}: ${specifier}`);
}

function kept(profile: ProfileRecord, { context }: Call, what: string, more: object = {}): Outcome {
  PROFILES.put(context.state, profile);
  return { body: { profile: { ...PROFILES.detail(profile), ...more } }, done: `${profile.arn} ${what}` };
}
