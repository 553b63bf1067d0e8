/**
 * The world that an emulator begins with: what a caller or a world file says,
 * checked and completed to records. The built-in world is one trust anchor,
 * one profile, one role and one user.
 */
// Tests: test/emulator/world/file.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { MAX_ANCHOR_CRLS, anchorProblem } from '../certificates/anchors.ts';
import { aliasProblem } from '../state/aliases.ts';
import { readCrl } from '../certificates/crl.ts';
import { decodeBase32 } from '../callers/mfa.ts';
import { type PolicyKind, PolicyError, parsePolicy } from '../policy/document.ts';
import { uniqueId } from '../callers/sessions.ts';
import { DEFAULT_MAPPINGS } from '../certificates/session-tags.ts';
import type {
  CrlRecord,
  ManagedPolicyRecord,
  MfaDeviceRecord,
  OidcProviderRecord,
  ProfileRecord,
  RecordSet,
  RoleRecord,
  Tag,
  TrustAnchorRecord,
  UserRecord,
} from '../state/records.ts';

import type {
  PolicyDocument,
  CrlOptions,
  TrustAnchorOptions,
  ProfileOptions,
  RoleOptions,
  UserOptions,
  OidcProviderOptions,
  MfaDeviceOptions,
  ManagedPolicyOptions,
  WorldOptions,
} from './options.ts';

export type * from './options.ts';

/** The account of what says no other, unless the first role is of another. */
const ACCOUNT = '123456789012';

const FIRST_ANCHOR_ID = 111_111_111_111;
const MAX_ROLES = 250;

/** Those of AWS's documentation. */
const DEFAULT_KEYS = [
  { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
];

/**
 * Checks a description and completes it with the defaults.
 *
 * @param now when its things were made
 * @throws RolesAnywhereError `ERR_CERTIFICATE_MALFORMED`, `ERR_ARN`, `ERR_ARN_MISMATCH`, `ERR_DURATION`,
 * `ERR_WORLD`
 */
export function createWorld({ region = 'us-east-1', trustAnchors, ...options }: WorldOptions, now: Date): RecordSet {
  const at = now.toISOString();
  const roles = (options.roles ?? [{ arn: `arn:aws:iam::${ACCOUNT}:role/Workload` }]).map(createRole);
  const account = roles[0]?.account ?? ACCOUNT;
  const profiles = options.profiles ?? [
    {
      arn: `arn:aws:rolesanywhere:${region}:${account}:profile/22222222-2222-2222-2222-222222222222`,
      name: 'default',
      roleArns: roles.filter((role) => role.account === account).map(({ arn }) => arn),
    },
  ];
  const anchorRecords = trustAnchors.map((anchor, index) => createAnchor(anchor, index, { region, account, at }));
  const world: RecordSet = {
    trustAnchors: anchorRecords,
    profiles: profiles.map((profile) => createProfile(profile, region, at)),
    crls: trustAnchors.flatMap(({ crls = [] }, index) => createCrls(crls, anchorRecords[index], region, at)),
    roles,
    users: (options.users ?? [{ arn: `arn:aws:iam::${account}:user/admin`, accessKeys: DEFAULT_KEYS }]).map(createUser),
    oidcProviders: (options.oidcProviders ?? []).map((provider) => createProvider(provider, account)),
    mfaDevices: (options.mfaDevices ?? []).map(createDevice),
    managedPolicies: (options.managedPolicies ?? []).map(createManagedPolicy),
    buckets: (options.buckets ?? [{ name: 'roles-anywhere-demo' }]).map(
      ({ name, account: owner = account, createdAt = '2026-01-01T00:00:00.000Z' }) => ({
        arn: `arn:aws:s3:::${name}`,
        name,
        account: owner,
        createdAt,
      }),
    ),
  };
  for (const items of Object.values(world)) checkUnique(items);
  for (const items of [world.trustAnchors, world.profiles, world.crls]) checkAliases(items);
  return world;
}

function checkUnique(items: readonly { readonly arn: string }[]): void {
  if (new Set(items.map(({ arn }) => arn)).size !== items.length)
    throw new RolesAnywhereError('ERR_ARN', 'two things of the emulator have the same ARN', {
      hint: 'give each trust anchor, profile, role and so on an ARN of its own',
    });
}

function checkAliases(items: readonly (TrustAnchorRecord | ProfileRecord | CrlRecord)[] = []): void {
  const seen = new Set<string>();
  for (const { arn, aliasName } of items) {
    if (aliasName === undefined) continue;
    const problem = aliasProblem(aliasName);
    if (problem !== undefined) throw unusable(`the alias of ${arn} cannot be: ${problem}`);
    const key = `${arn.split(':')[4]} ${aliasName}`;
    if (seen.has(key)) throw unusable(`the alias name ${aliasName} occurs twice among resources of a type`);
    seen.add(key);
  }
}

function createAnchor(
  given: TrustAnchorOptions,
  index: number,
  { region, account, at }: { region: string; account: string; at: string },
): TrustAnchorRecord {
  const { certificates, enabled = true, notificationSettings = [], crlDpRevocationEnabled, aliasName, tags } = given;
  const arn =
    given.arn ??
    `arn:aws:rolesanywhere:${region}:${account}:trust-anchor/11111111-1111-1111-1111-${FIRST_ANCHOR_ID + index}`;
  checkArn(arn, 'trust-anchor', region);
  const problem = anchorProblem(certificates);
  if ('problem' in problem)
    throw new RolesAnywhereError(
      'ERR_CERTIFICATE_MALFORMED',
      `the trust anchor ${given.name ?? arn} ${problem.problem}`,
      { hint: 'a trust anchor is one or two CA certificates in PEM, with CA:TRUE, key usage keyCertSign and SHA-256' },
    );
  return {
    arn,
    name: given.name ?? problem.subject,
    enabled,
    sourceType: 'CERTIFICATE_BUNDLE',
    certificates,
    notificationSettings,
    crlDpRevocationEnabled,
    aliasName,
    tags: tagList(tags),
    createdAt: at,
    updatedAt: at,
  };
}

function createCrls(
  crls: readonly CrlOptions[],
  anchor: TrustAnchorRecord | undefined,
  region: string,
  at: string,
): CrlRecord[] {
  if (anchor === undefined) return [];
  const { arn: trustAnchorArn, name: anchorName } = anchor;
  if (crls.length > MAX_ANCHOR_CRLS) throw unusable(`the trust anchor ${anchorName} has ${crls.length} CRLs, not two`);
  return crls.map(({ crl: crlData, enabled = true, ...given }, index) => {
    const name = given.name ?? `${anchorName} CRL ${index + 1}`;
    const arn = given.arn ?? trustAnchorArn.replace(/trust-anchor\/[^-]+/, `crl/${String(index + 1).repeat(8)}`);
    checkArn(arn, 'crl', region);
    if (readCrl(crlData) === undefined)
      throw unusable(`the CRL ${name} cannot be read`, 'a CRL is PEM, or DER in base64');
    return {
      arn,
      name,
      aliasName: given.aliasName,
      enabled,
      crlData,
      trustAnchorArn,
      tags: [],
      createdAt: at,
      updatedAt: at,
    };
  });
}

function createProfile(options: ProfileOptions, region: string, at: string): ProfileRecord {
  const { arn, roleArns, durationSeconds = 3600, sessionPolicy, attributeMappings = DEFAULT_MAPPINGS } = options;
  checkArn(arn, 'profile', region);
  checkDuration(durationSeconds, 900, arn);
  if (roleArns.length > MAX_ROLES) throw unusable(`the profile ${arn} has more than ${MAX_ROLES} roles`);
  const foreign = roleArns.find((role) => role.split(':')[4] !== arn.split(':')[4]);
  if (foreign !== undefined) throw unusable(`the profile ${arn} has a role of another account, ${foreign}`);
  const fields = attributeMappings.map(({ certificateField }) => certificateField);
  if (new Set(fields).size !== fields.length) throw unusable(`the profile ${arn} maps a field twice`);
  const policy = sessionPolicy && policyText(sessionPolicy, 'session', `the session policy of ${arn}`);
  return {
    arn,
    name: options.name ?? arn.replace(/^.*\//, ''),
    aliasName: options.aliasName,
    enabled: options.enabled ?? true,
    createdBy: '',
    roleArns,
    durationSeconds,
    acceptRoleSessionName: options.acceptRoleSessionName ?? false,
    requireInstanceProperties: options.requireInstanceProperties ?? false,
    sessionPolicy: policy,
    managedPolicyArns: options.managedPolicyArns ?? [],
    attributeMappings,
    tags: tagList(options.tags),
    createdAt: at,
    updatedAt: at,
  };
}

function createRole({ arn, maxSessionDuration = 3600, trustPolicy, policies, tags }: RoleOptions): RoleRecord {
  const identity = readIamArn(arn, 'role');
  checkDuration(maxSessionDuration, 3600, arn);
  return {
    arn,
    ...identity,
    roleId: uniqueId('AROA', { arn }),
    maxSessionDuration,
    trustPolicy: trustPolicy && policyText(trustPolicy, 'trust', `the trust policy of ${arn}`),
    policies: policies && policyTexts(policies, arn),
    tags: tagList(tags),
  };
}

function createUser({ arn, accessKeys, policies, tags }: UserOptions): UserRecord {
  for (const { accessKeyId } of accessKeys)
    if (!/^(?!ASIA)\w{16,128}$/.test(accessKeyId))
      throw unusable(`an access key id of ${arn} is not one`, 'such an id is AKIA and 16 letters and digits');
  return {
    arn,
    ...readIamArn(arn, 'user'),
    userId: uniqueId('AIDA', { arn }),
    accessKeys,
    policies: policies && policyTexts(policies, arn),
    tags: tagList(tags),
  };
}

function readIamArn(arn: string, type: 'role' | 'user'): { name: string; account: string; partition: string } {
  const [, partition, account, name] =
    new RegExp(`^arn:(aws[a-z-]*):iam::(\\d{12}):${type}/(?:[!-.0-~]+/)*([\\w+=,.@-]{1,64})$`).exec(arn) ?? [];
  if (partition === undefined || account === undefined || name === undefined)
    throw new RolesAnywhereError('ERR_ARN', `${arn} is not the ARN of a ${type}`, {
      hint: `such an ARN is arn:aws:iam::ACCOUNT:${type}/NAME`,
    });
  return { name, account, partition };
}

function createProvider(
  { url, clientIds, jwks: given, ...provider }: OidcProviderOptions,
  account: string,
): OidcProviderRecord {
  if (!/^https:\/\/[^?#\s]+$/.test(url)) throw unusable(`the OIDC provider ${url} is no https URL without a query`);
  const jwks = typeof given === 'string' ? given : JSON.stringify(given);
  if (!isKeySet(jwks)) throw unusable(`the keys of the OIDC provider ${url} are no JSON Web Key Set`);
  return {
    arn: `arn:aws:iam::${provider.account ?? account}:oidc-provider/${url.replace('https://', '')}`,
    url,
    clientIds,
    jwks,
  };
}

function isKeySet(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys);
  } catch {
    return false;
  }
}

function createDevice({ serialNumber, secret, owner }: MfaDeviceOptions): MfaDeviceRecord {
  if (decodeBase32(secret) === undefined)
    throw unusable(`the secret of the MFA device ${serialNumber} is not base32`, 'give the letters A to Z and 2 to 7');
  if (owner !== undefined) readIamArn(owner, 'user');
  return { arn: serialNumber, secret, owner };
}

function createManagedPolicy({ arn, document }: ManagedPolicyOptions): ManagedPolicyRecord {
  return { arn, document: policyText(document, 'permissions', `the policy ${arn}`) };
}

function policyTexts(documents: readonly PolicyDocument[], arn: string): string[] {
  return documents.map((document) => policyText(document, 'permissions', `a policy of ${arn}`));
}

function policyText(document: PolicyDocument, kind: PolicyKind, what: string): string {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  try {
    parsePolicy(text, kind);
  } catch (error) {
    if (error instanceof PolicyError) throw unusable(`${what} is malformed: ${error.message}`);
    throw error;
  }
  return text;
}

function tagList(tags: Readonly<Record<string, string>> = {}): Tag[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}

function unusable(message: string, hint = "correct the description of the emulator's world"): RolesAnywhereError {
  return new RolesAnywhereError('ERR_WORLD', message, { hint });
}

function checkArn(arn: string, type: string, region: string): void {
  const [, own] =
    new RegExp(`^arn:aws[a-z-]*:rolesanywhere:([a-z0-9-]+):\\d{12}:${type}/[0-9a-f-]{36}$`).exec(arn) ?? [];
  if (own === undefined)
    throw new RolesAnywhereError('ERR_ARN', `${arn} is not the ARN of a ${type}`, {
      hint: `such an ARN is arn:aws:rolesanywhere:REGION:ACCOUNT:${type}/UUID`,
    });
  if (own !== region)
    throw new RolesAnywhereError('ERR_ARN_MISMATCH', `${arn} is not of the emulator's region ${region}`, {
      hint: 'an endpoint knows what is of its own region alone',
    });
}

function checkDuration(seconds: number, least: number, arn: string): void {
  if (!Number.isInteger(seconds) || seconds < least || seconds > 43_200)
    throw new RolesAnywhereError('ERR_DURATION', `the duration of ${arn} is ${seconds}`, {
      hint: `give whole seconds from ${least} to 43200`,
    });
}
