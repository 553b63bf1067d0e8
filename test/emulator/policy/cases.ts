/**
 * What policies must say of requests, each case written from a page of AWS's
 * documentation, which it names. Pages without a guide are of the IAM User
 * Guide, https://docs.aws.amazon.com/IAM/latest/UserGuide/PAGE.html; those
 * that begin with `rolesanywhere/` are of the IAM Roles Anywhere User Guide,
 * https://docs.aws.amazon.com/rolesanywhere/latest/userguide/PAGE.html.
 */
import type { PolicyKind } from '../../../src/emulator/policy/document.ts';
import type { RequestPrincipal } from '../../../src/emulator/policy/principals.ts';

type Keys = Record<string, string | string[]>;

/** `none` is an implicit denial; `malformed`, that there is no such policy. */
export type Expected = 'allow' | 'deny' | 'none' | 'malformed';

export interface PolicyCase {
  page: string;
  name: string;
  kind: PolicyKind;
  policy: unknown;
  action: string;
  resource: string;
  principal: RequestPrincipal;
  keys: Keys;
  expected: Expected;
}

const ROLE = 'arn:aws:iam::123456789012:role/Demo';
const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/22222222-2222-2222-2222-222222222222';
const OTHER_ANCHOR = ANCHOR.replace(/22222222-.*/, '33333333-3333-3333-3333-333333333333');
const SERVICE: RequestPrincipal = { type: 'Service', name: 'rolesanywhere.amazonaws.com' };
const ALICE: RequestPrincipal = { type: 'AWS', account: '123456789012', arn: 'arn:aws:iam::123456789012:user/alice' };
const SESSION: RequestPrincipal = {
  type: 'AWS',
  account: '123456789012',
  arn: 'arn:aws:iam::123456789012:role/Demo',
  sessionArn: 'arn:aws:sts::123456789012:assumed-role/Demo/one',
};
const STRANGER: RequestPrincipal = { type: 'AWS', account: '999999999999', arn: 'arn:aws:iam::999999999999:user/eve' };
const PROVIDER = 'arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com';
const FEDERATED: RequestPrincipal = { type: 'Federated', arn: PROVIDER };
const GITHUB = 'token.actions.githubusercontent.com';
const BUCKET = 'arn:aws:s3:::logs';
const OBJECT = 'arn:aws:s3:::logs/2030/a.txt';

type Row = [name: string, condition: object, keys: Keys, expected: Expected];

/** Cases of conditions, on an action that is allowed but for them. */
function conditions(page: string, rows: Row[]): PolicyCase[] {
  return rows.map(([name, condition, keys, expected]) => ({
    page,
    name,
    kind: 'permissions',
    policy: document({ Effect: 'Allow', Action: 's3:ListBucket', Resource: '*', Condition: condition }),
    action: 's3:ListBucket',
    resource: BUCKET,
    principal: ALICE,
    keys,
    expected,
  }));
}

/** Cases of whole statements of a trust policy. */
function trust(
  page: string,
  rows: [
    name: string,
    statements: object | object[],
    principal: RequestPrincipal,
    keys: Keys,
    expected: Expected,
    action?: string,
  ][],
): PolicyCase[] {
  return rows.map(([name, statements, principal, keys, expected, action = 'sts:AssumeRole']) => ({
    page,
    name,
    kind: 'trust',
    policy: document(statements),
    action,
    resource: ROLE,
    principal,
    keys,
    expected,
  }));
}

/** Cases of whole statements of a session or identity policy. */
function permissions(
  page: string,
  rows: [
    name: string,
    statements: object | object[],
    action: string,
    resource: string,
    expected: Expected,
    keys?: Keys,
  ][],
): PolicyCase[] {
  return rows.map(([name, statements, action, resource, expected, keys = {}]) => ({
    page,
    name,
    kind: 'permissions',
    policy: document(statements),
    action,
    resource,
    principal: ALICE,
    keys,
    expected,
  }));
}

function malformed(page: string, kind: PolicyCase['kind'], rows: [name: string, policy: unknown][]): PolicyCase[] {
  const request = { action: 's3:ListBucket', resource: BUCKET, principal: ALICE, keys: {} };
  return rows.map(([name, policy]) => ({ page, name, kind, policy, ...request, expected: 'malformed' }));
}

function document(statements: object | object[]): object {
  return { Version: '2012-10-17', Statement: statements };
}

const allowService = (Condition: object): object => ({
  Effect: 'Allow',
  Principal: { Service: 'rolesanywhere.amazonaws.com' },
  Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
  Condition,
});
const allow = (Principal: unknown, more: object = {}): object => ({
  Effect: 'Allow',
  Principal,
  Action: 'sts:AssumeRole',
  ...more,
});
const can = (Action: unknown, Resource: unknown = '*', more: object = {}): object => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...more,
});
const cannot = (Action: unknown, Resource: unknown = '*', more: object = {}): object => ({
  ...can(Action, Resource, more),
  Effect: 'Deny',
});

const OPERATORS = 'reference_policies_elements_condition_operators';
const MULTIVALUED = 'reference_policies_condition-logic-multiple-context-keys-or-values';
const VARIABLES = 'reference_policies_variables';

export const POLICY_CASES: readonly PolicyCase[] = [
  ...trust('rolesanywhere/trust-model', [
    ['lets the service assume the role', allowService({}), SERVICE, {}, 'allow'],
    ['lets it tag the session', allowService({}), SERVICE, {}, 'allow', 'sts:TagSession'],
    ['lets it set the source identity', allowService({}), SERVICE, {}, 'allow', 'sts:SetSourceIdentity'],
    [
      'needs sts:TagSession by name',
      { ...allowService({}), Action: 'sts:AssumeRole' },
      SERVICE,
      {},
      'none',
      'sts:TagSession',
    ],
    [
      'needs sts:SetSourceIdentity by name',
      { ...allowService({}), Action: ['sts:AssumeRole', 'sts:TagSession'] },
      SERVICE,
      {},
      'none',
      'sts:SetSourceIdentity',
    ],
    ['needs the service principal', allow({ Service: 'ec2.amazonaws.com' }), SERVICE, {}, 'none'],
    [
      'takes the subject that it names',
      allowService({ StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Alice' } }),
      SERVICE,
      { 'aws:PrincipalTag/x509Subject/CN': 'Alice' },
      'allow',
    ],
    [
      'takes no other subject',
      allowService({ StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Alice' } }),
      SERVICE,
      { 'aws:PrincipalTag/x509Subject/CN': 'Bob' },
      'none',
    ],
    [
      'compares the case of a subject',
      allowService({ StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Alice' } }),
      SERVICE,
      { 'aws:PrincipalTag/x509Subject/CN': 'alice' },
      'none',
    ],
    [
      'takes the issuer that it names',
      allowService({ StringEquals: { 'aws:PrincipalTag/x509Issuer/CN': 'Root' } }),
      SERVICE,
      { 'aws:PrincipalTag/x509Issuer/CN': 'Root' },
      'allow',
    ],
    [
      'takes a source identity',
      allowService({ StringEquals: { 'sts:SourceIdentity': ['CN=Alice', 'CN=Bob'] } }),
      SERVICE,
      { 'sts:SourceIdentity': 'CN=Bob' },
      'allow',
    ],
    [
      'takes a name of a SPIFFE identity',
      allowService({ StringLike: { 'aws:PrincipalTag/x509SAN/URI': 'spiffe://example.org/web/*' } }),
      SERVICE,
      { 'aws:PrincipalTag/x509SAN/URI': 'spiffe://example.org/web/1' },
      'allow',
    ],
    [
      'takes the trust anchor that it names',
      allowService({ ArnEquals: { 'aws:SourceArn': [ANCHOR] } }),
      SERVICE,
      { 'aws:SourceArn': ANCHOR },
      'allow',
    ],
    [
      'takes no other trust anchor',
      allowService({ ArnEquals: { 'aws:SourceArn': [ANCHOR] } }),
      SERVICE,
      { 'aws:SourceArn': OTHER_ANCHOR },
      'none',
    ],
    [
      'takes the account of the trust anchor',
      allowService({ StringEquals: { 'aws:SourceAccount': '123456789012' } }),
      SERVICE,
      { 'aws:SourceAccount': '123456789012' },
      'allow',
    ],
    [
      'needs all of its conditions',
      allowService({
        StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Alice' },
        ArnEquals: { 'aws:SourceArn': ANCHOR },
      }),
      SERVICE,
      { 'aws:PrincipalTag/x509Subject/CN': 'Alice', 'aws:SourceArn': OTHER_ANCHOR },
      'none',
    ],
  ]),
  ...trust('rolesanywhere/attribute-mapping-and-trust-policy', [
    [
      'does not hold for an attribute that is not mapped',
      allowService({ StringEquals: { 'aws:PrincipalTag/x509Issuer/CN': 'Bob' } }),
      SERVICE,
      {},
      'none',
    ],
    [
      'holds, negated, for an attribute that is not mapped',
      allowService({ StringNotEquals: { 'aws:PrincipalTag/x509Issuer/CN': 'Bob' } }),
      SERVICE,
      {},
      'allow',
    ],
  ]),
  ...trust('reference_policies_elements_principal', [
    ['names an account by its root', allow({ AWS: 'arn:aws:iam::123456789012:root' }), ALICE, {}, 'allow'],
    ['names an account by its number', allow({ AWS: '123456789012' }), ALICE, {}, 'allow'],
    ['names one of several accounts', allow({ AWS: ['999999999999', '123456789012'] }), ALICE, {}, 'allow'],
    ['names another account', allow({ AWS: '999999999999' }), ALICE, {}, 'none'],
    ['names a user', allow({ AWS: 'arn:aws:iam::123456789012:user/alice' }), ALICE, {}, 'allow'],
    ['compares the case of a user', allow({ AWS: 'arn:aws:iam::123456789012:user/Alice' }), ALICE, {}, 'none'],
    ['has no wildcard for part of a name', allow({ AWS: 'arn:aws:iam::123456789012:user/*' }), ALICE, {}, 'none'],
    ['names every session of a role', allow({ AWS: ROLE }), SESSION, {}, 'allow'],
    [
      'names one session of a role',
      allow({ AWS: 'arn:aws:sts::123456789012:assumed-role/Demo/one' }),
      SESSION,
      {},
      'allow',
    ],
    [
      'names another session of the role',
      allow({ AWS: 'arn:aws:sts::123456789012:assumed-role/Demo/two' }),
      SESSION,
      {},
      'none',
    ],
    ['names everyone', allow('*'), STRANGER, {}, 'allow'],
    ['names everyone of AWS', allow({ AWS: '*' }), STRANGER, {}, 'allow'],
    [
      'names a web identity provider',
      { ...allow({ Federated: PROVIDER }), Action: 'sts:AssumeRoleWithWebIdentity' },
      FEDERATED,
      {},
      'allow',
      'sts:AssumeRoleWithWebIdentity',
    ],
    [
      'names principals of several kinds',
      allow({ Service: 'rolesanywhere.amazonaws.com', AWS: '123456789012' }),
      SERVICE,
      {},
      'allow',
    ],
  ]),
  ...trust('reference_policies_elements_notprincipal', [
    [
      'denies all but one',
      [allow({ AWS: '123456789012' }), { Effect: 'Deny', NotPrincipal: { AWS: ROLE }, Action: 'sts:AssumeRole' }],
      ALICE,
      {},
      'deny',
    ],
    [
      'does not deny that one',
      [allow({ AWS: '123456789012' }), { Effect: 'Deny', NotPrincipal: { AWS: ROLE }, Action: 'sts:AssumeRole' }],
      SESSION,
      {},
      'allow',
    ],
  ]),
  ...trust('id_roles_common-scenarios_third-party', [
    [
      'takes the external id that was agreed on',
      allow({ AWS: '999999999999' }, { Condition: { StringEquals: { 'sts:ExternalId': '12345' } } }),
      STRANGER,
      { 'sts:ExternalId': '12345' },
      'allow',
    ],
    [
      'refuses another external id',
      allow({ AWS: '999999999999' }, { Condition: { StringEquals: { 'sts:ExternalId': '12345' } } }),
      STRANGER,
      { 'sts:ExternalId': '12346' },
      'none',
    ],
    [
      'refuses a call without one',
      allow({ AWS: '999999999999' }, { Condition: { StringEquals: { 'sts:ExternalId': '12345' } } }),
      STRANGER,
      {},
      'none',
    ],
  ]),
  ...trust('id_credentials_mfa_configure-api-require', [
    [
      'takes a caller with MFA',
      allow({ AWS: '123456789012' }, { Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } } }),
      ALICE,
      { 'aws:MultiFactorAuthPresent': 'true' },
      'allow',
    ],
    [
      'refuses a caller without',
      allow({ AWS: '123456789012' }, { Condition: { Bool: { 'aws:MultiFactorAuthPresent': true } } }),
      ALICE,
      { 'aws:MultiFactorAuthPresent': 'false' },
      'none',
    ],
    [
      'refuses long-term credentials, which lack the key',
      allow({ AWS: '123456789012' }, { Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } } }),
      ALICE,
      {},
      'none',
    ],
    [
      'takes MFA of the last hour',
      allow({ AWS: '123456789012' }, { Condition: { NumericLessThan: { 'aws:MultiFactorAuthAge': '3600' } } }),
      ALICE,
      { 'aws:MultiFactorAuthAge': '3599' },
      'allow',
    ],
    [
      'refuses MFA of an hour ago',
      allow({ AWS: '123456789012' }, { Condition: { NumericLessThan: { 'aws:MultiFactorAuthAge': 3600 } } }),
      ALICE,
      { 'aws:MultiFactorAuthAge': '3600' },
      'none',
    ],
  ]),
  ...trust('reference_policies_condition-keys', [
    [
      'denies without MFA, long-term credentials included',
      [
        allow('*'),
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 'sts:AssumeRole',
          Condition: { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'false' } },
        },
      ],
      ALICE,
      {},
      'deny',
    ],
    [
      'lets MFA pass such a denial',
      [
        allow('*'),
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 'sts:AssumeRole',
          Condition: { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'false' } },
        },
      ],
      ALICE,
      { 'aws:MultiFactorAuthPresent': 'true' },
      'allow',
    ],
    [
      'matches the names of keys without regard to case',
      allow('*', { Condition: { StringEquals: { 'AWS:principalaccount': '123456789012' } } }),
      ALICE,
      { 'aws:PrincipalAccount': '123456789012' },
      'allow',
    ],
  ]),
  ...trust('reference_policies_iam-condition-keys', [
    [
      'takes a session name',
      allow('*', { Condition: { StringLike: { 'sts:RoleSessionName': 'alice-*' } } }),
      ALICE,
      { 'sts:RoleSessionName': 'alice-1' },
      'allow',
    ],
    [
      'takes the user name as session name',
      allow('*', { Condition: { StringEquals: { 'sts:RoleSessionName': '${aws:username}' } } }),
      ALICE,
      { 'sts:RoleSessionName': 'alice', 'aws:username': 'alice' },
      'allow',
    ],
    [
      'refuses another than the user name',
      allow('*', { Condition: { StringEquals: { 'sts:RoleSessionName': '${aws:username}' } } }),
      ALICE,
      { 'sts:RoleSessionName': 'bob', 'aws:username': 'alice' },
      'none',
    ],
    [
      'takes the transitive keys that it lists',
      allow('*', { Condition: { 'ForAllValues:StringEquals': { 'sts:TransitiveTagKeys': ['Project'] } } }),
      ALICE,
      { 'sts:TransitiveTagKeys': ['Project'] },
      'allow',
    ],
    [
      'refuses further transitive keys',
      allow('*', { Condition: { 'ForAllValues:StringEquals': { 'sts:TransitiveTagKeys': ['Project'] } } }),
      ALICE,
      { 'sts:TransitiveTagKeys': ['Project', 'Team'] },
      'none',
    ],
  ]),
  ...trust('id_session-tags', [
    [
      'takes the tags that it lists',
      {
        ...allow('*', { Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project', 'CostCenter'] } } }),
        Action: 'sts:TagSession',
      },
      ALICE,
      { 'aws:TagKeys': ['Project'] },
      'allow',
      'sts:TagSession',
    ],
    [
      'refuses other tags',
      {
        ...allow('*', { Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project'] } } }),
        Action: 'sts:TagSession',
      },
      ALICE,
      { 'aws:TagKeys': ['Admin'] },
      'none',
      'sts:TagSession',
    ],
    [
      'takes the value that it names of a tag',
      { ...allow('*', { Condition: { StringLike: { 'aws:RequestTag/Project': '*' } } }), Action: 'sts:TagSession' },
      ALICE,
      { 'aws:RequestTag/Project': 'Unicorn' },
      'allow',
      'sts:TagSession',
    ],
    [
      'needs the tag',
      { ...allow('*', { Condition: { StringLike: { 'aws:RequestTag/Project': '*' } } }), Action: 'sts:TagSession' },
      ALICE,
      {},
      'none',
      'sts:TagSession',
    ],
  ]),
  ...trust('id_credentials_temp_control-access_monitor', [
    [
      'takes a source identity that it lists',
      {
        ...allow('*', { Condition: { StringLike: { 'sts:SourceIdentity': ['DevUser123', 'Admin*'] } } }),
        Action: 'sts:SetSourceIdentity',
      },
      ALICE,
      { 'sts:SourceIdentity': 'AdminOne' },
      'allow',
      'sts:SetSourceIdentity',
    ],
    [
      'refuses another source identity',
      {
        ...allow('*', { Condition: { StringLike: { 'sts:SourceIdentity': ['DevUser123'] } } }),
        Action: 'sts:SetSourceIdentity',
      },
      ALICE,
      { 'sts:SourceIdentity': 'Eve' },
      'none',
      'sts:SetSourceIdentity',
    ],
    [
      'needs a session that has one',
      allow('*', { Condition: { Null: { 'aws:SourceIdentity': 'false' } } }),
      SESSION,
      {},
      'none',
    ],
  ]),
  ...trust('id_roles_providers_create_oidc', [
    [
      'takes the repository and audience that it names',
      {
        Effect: 'Allow',
        Principal: { Federated: PROVIDER },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: {
          StringEquals: { [`${GITHUB}:aud`]: 'sts.amazonaws.com', [`${GITHUB}:sub`]: 'repo:o/r:ref:refs/heads/main' },
        },
      },
      FEDERATED,
      { [`${GITHUB}:aud`]: 'sts.amazonaws.com', [`${GITHUB}:sub`]: 'repo:o/r:ref:refs/heads/main' },
      'allow',
      'sts:AssumeRoleWithWebIdentity',
    ],
    [
      'refuses another branch',
      {
        Effect: 'Allow',
        Principal: { Federated: PROVIDER },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: { StringLike: { [`${GITHUB}:sub`]: 'repo:o/r:ref:refs/heads/main' } },
      },
      FEDERATED,
      { [`${GITHUB}:sub`]: 'repo:o/r:ref:refs/heads/dev' },
      'none',
      'sts:AssumeRoleWithWebIdentity',
    ],
    [
      'takes any branch by a wildcard',
      {
        Effect: 'Allow',
        Principal: { Federated: PROVIDER },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: { StringLike: { [`${GITHUB}:sub`]: 'repo:o/r:*' } },
      },
      FEDERATED,
      { [`${GITHUB}:sub`]: 'repo:o/r:ref:refs/heads/dev' },
      'allow',
      'sts:AssumeRoleWithWebIdentity',
    ],
  ]),

  ...permissions('reference_policies_evaluation-logic', [
    ['denies what nothing allows', can('s3:GetObject'), 's3:ListBucket', BUCKET, 'none'],
    ['allows what it says', can('s3:ListBucket'), 's3:ListBucket', BUCKET, 'allow'],
    ['denies in spite of what allows', [can('s3:*'), cannot('s3:ListBucket')], 's3:ListBucket', BUCKET, 'deny'],
    ['denies whichever comes first', [cannot('s3:ListBucket'), can('s3:*')], 's3:ListBucket', BUCKET, 'deny'],
    [
      'does not deny what a condition leaves out',
      [can('s3:*'), cannot('s3:*', '*', { Condition: { StringEquals: { 'aws:username': 'bob' } } })],
      's3:ListBucket',
      BUCKET,
      'allow',
      { 'aws:username': 'alice' },
    ],
  ]),
  ...permissions('reference_policies_elements_action', [
    ['matches an action without regard to case', can('S3:listbucket'), 's3:ListBucket', BUCKET, 'allow'],
    ['matches every action of a service', can('s3:*'), 's3:GetObject', OBJECT, 'allow'],
    ['matches the actions that begin so', can('s3:Get*'), 's3:GetObject', OBJECT, 'allow'],
    ['matches the actions that hold a word', can('iam:*AccessKey*'), 'iam:CreateAccessKey', '*', 'allow'],
    ['does not match other services', can('s3:*'), 'sts:AssumeRole', ROLE, 'none'],
    ['matches every action', can('*'), 'sts:AssumeRole', ROLE, 'allow'],
  ]),
  ...permissions('reference_policies_elements_notaction', [
    [
      'allows everything but some',
      { Effect: 'Allow', NotAction: 'iam:*', Resource: '*' },
      's3:ListBucket',
      BUCKET,
      'allow',
    ],
    ['does not allow those', { Effect: 'Allow', NotAction: 'iam:*', Resource: '*' }, 'iam:CreateUser', '*', 'none'],
    [
      'denies everything but some',
      [can('*'), { Effect: 'Deny', NotAction: 's3:*', Resource: '*' }],
      'sts:AssumeRole',
      ROLE,
      'deny',
    ],
  ]),
  ...permissions('reference_policies_elements_resource', [
    ['names one resource', can('sts:AssumeRole', ROLE), 'sts:AssumeRole', ROLE, 'allow'],
    ['names another', can('sts:AssumeRole', ROLE), 'sts:AssumeRole', `${ROLE}2`, 'none'],
    [
      'matches the resources that begin so',
      can('s3:GetObject', 'arn:aws:s3:::logs/*'),
      's3:GetObject',
      OBJECT,
      'allow',
    ],
    [
      'matches one character',
      can('sts:AssumeRole', 'arn:aws:iam::123456789012:role/Dem?'),
      'sts:AssumeRole',
      ROLE,
      'allow',
    ],
    [
      'matches any account by a wildcard',
      can('sts:AssumeRole', 'arn:aws:iam::*:role/Demo'),
      'sts:AssumeRole',
      ROLE,
      'allow',
    ],
    ['may end early', can('s3:GetObject', 'arn:aws:s3'), 's3:GetObject', OBJECT, 'allow'],
    ['may end early, and be of another service', can('s3:GetObject', 'arn:aws:sqs'), 's3:GetObject', OBJECT, 'none'],
    ['goes beyond a colon by a wildcard', can('sts:AssumeRole', 'arn:aws:iam:*'), 'sts:AssumeRole', ROLE, 'allow'],
    ['goes beyond all of them', can('sts:AssumeRole', 'arn:*'), 'sts:AssumeRole', ROLE, 'allow'],
    ['goes beyond a colon to another end', can('sts:AssumeRole', 'arn:aws:iam:*:x'), 'sts:AssumeRole', ROLE, 'none'],
    ['names one of several', can('s3:GetObject', [BUCKET, `${BUCKET}/*`]), 's3:GetObject', OBJECT, 'allow'],
    [
      'needs "*" for an action without resources',
      can('s3:ListAllMyBuckets', BUCKET),
      's3:ListAllMyBuckets',
      '*',
      'none',
    ],
  ]),
  ...permissions('reference_policies_elements_notresource', [
    [
      'denies all resources but one',
      [can('s3:*'), { Effect: 'Deny', Action: 's3:*', NotResource: [BUCKET, `${BUCKET}/*`] }],
      's3:GetObject',
      'arn:aws:s3:::other/a',
      'deny',
    ],
    [
      'does not deny that one',
      [can('s3:*'), { Effect: 'Deny', Action: 's3:*', NotResource: [BUCKET, `${BUCKET}/*`] }],
      's3:GetObject',
      OBJECT,
      'allow',
    ],
  ]),
  ...permissions(VARIABLES, [
    [
      'puts the user name into a resource',
      can('s3:GetObject', 'arn:aws:s3:::homes/${aws:username}/*'),
      's3:GetObject',
      'arn:aws:s3:::homes/alice/a',
      'allow',
      { 'aws:username': 'alice' },
    ],
    [
      'leaves out the homes of others',
      can('s3:GetObject', 'arn:aws:s3:::homes/${aws:username}/*'),
      's3:GetObject',
      'arn:aws:s3:::homes/bob/a',
      'none',
      { 'aws:username': 'alice' },
    ],
    [
      'takes a wildcard in a value as it is',
      can('s3:GetObject', 'arn:aws:s3:::homes/${aws:username}/*'),
      's3:GetObject',
      'arn:aws:s3:::homes/bob/a',
      'none',
      { 'aws:username': '*' },
    ],
    [
      'does not match without a value',
      can('s3:GetObject', 'arn:aws:s3:::homes/${aws:username}/*'),
      's3:GetObject',
      'arn:aws:s3:::homes//a',
      'none',
    ],
    [
      'has a default',
      can('s3:GetObject', "arn:aws:s3:::homes/${aws:PrincipalTag/team, 'company-wide'}/*"),
      's3:GetObject',
      'arn:aws:s3:::homes/company-wide/a',
      'allow',
    ],
    [
      'prefers a value to the default',
      can('s3:GetObject', "arn:aws:s3:::homes/${aws:PrincipalTag/team, 'company-wide'}/*"),
      's3:GetObject',
      'arn:aws:s3:::homes/yellow/a',
      'allow',
      { 'aws:PrincipalTag/team': 'yellow' },
    ],
    [
      'writes a star as ${*}',
      can('s3:GetObject', 'arn:aws:s3:::logs/${*}'),
      's3:GetObject',
      'arn:aws:s3:::logs/*',
      'allow',
    ],
    ['means that star and nothing else', can('s3:GetObject', 'arn:aws:s3:::logs/${*}'), 's3:GetObject', OBJECT, 'none'],
  ]),
  {
    page: VARIABLES,
    name: 'has no variables in version 2008-10-17',
    kind: 'permissions',
    policy: { Version: '2008-10-17', Statement: [can('s3:GetObject', 'arn:aws:s3:::homes/${aws:username}/*')] },
    action: 's3:GetObject',
    resource: 'arn:aws:s3:::homes/alice/a',
    principal: ALICE,
    keys: { 'aws:username': 'alice' },
    expected: 'none',
  },

  ...conditions(OPERATORS, [
    [
      'StringEquals is exact',
      { StringEquals: { 'aws:PrincipalTag/job': 'iamuser-admin' } },
      { 'aws:PrincipalTag/job': 'iamuser-admin' },
      'allow',
    ],
    [
      'StringEquals has no wildcards',
      { StringEquals: { 'aws:PrincipalTag/job': 'iamuser-*' } },
      { 'aws:PrincipalTag/job': 'iamuser-admin' },
      'none',
    ],
    [
      'StringNotEquals',
      { StringNotEquals: { 'aws:PrincipalTag/job': 'admin' } },
      { 'aws:PrincipalTag/job': 'admin' },
      'none',
    ],
    [
      'StringEqualsIgnoreCase',
      { StringEqualsIgnoreCase: { 'aws:PrincipalTag/job': 'ADMIN' } },
      { 'aws:PrincipalTag/job': 'Admin' },
      'allow',
    ],
    [
      'StringNotEqualsIgnoreCase',
      { StringNotEqualsIgnoreCase: { 'aws:PrincipalTag/job': 'ADMIN' } },
      { 'aws:PrincipalTag/job': 'Admin' },
      'none',
    ],
    [
      'StringLike with any characters',
      { StringLike: { 's3:prefix': 'home/*/docs' } },
      { 's3:prefix': 'home/alice/b/docs' },
      'allow',
    ],
    ['StringLike with one character', { StringLike: { 's3:prefix': 'home/?' } }, { 's3:prefix': 'home/ab' }, 'none'],
    ['StringNotLike', { StringNotLike: { 's3:prefix': 'home/*' } }, { 's3:prefix': 'home/alice' }, 'none'],
    ['StringNotLike holds without the key', { StringNotLike: { 's3:prefix': 'home/*' } }, {}, 'allow'],
    ['StringLike does not hold without the key', { StringLike: { 's3:prefix': '*' } }, {}, 'none'],
    ['NumericLessThanEquals', { NumericLessThanEquals: { 's3:max-keys': '10' } }, { 's3:max-keys': '10' }, 'allow'],
    [
      'NumericEquals compares numbers, not texts',
      { NumericEquals: { 's3:max-keys': '10' } },
      { 's3:max-keys': '10.0' },
      'allow',
    ],
    ['NumericGreaterThan', { NumericGreaterThan: { 's3:max-keys': '10' } }, { 's3:max-keys': '9' }, 'none'],
    [
      'DateGreaterThan',
      { DateGreaterThan: { 'aws:TokenIssueTime': '2020-01-01T00:00:01Z' } },
      { 'aws:TokenIssueTime': '2020-01-01T00:00:02Z' },
      'allow',
    ],
    [
      'DateLessThan with seconds since the epoch',
      { DateLessThan: { 'aws:CurrentTime': '1893456000' } },
      { 'aws:CurrentTime': '2030-01-01T00:00:00Z' },
      'none',
    ],
    [
      'DateLessThan with an offset',
      { DateLessThan: { 'aws:CurrentTime': '2030-01-01T02:00:00+02:00' } },
      { 'aws:CurrentTime': '2029-12-31T23:59:59Z' },
      'allow',
    ],
    ['Bool', { Bool: { 'aws:SecureTransport': 'true' } }, { 'aws:SecureTransport': 'false' }, 'none'],
    ['IpAddress', { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } }, { 'aws:SourceIp': '203.0.113.7' }, 'allow'],
    [
      'NotIpAddress',
      { NotIpAddress: { 'aws:SourceIp': ['203.0.113.0/24', '2001:DB8:1234:5678::/64'] } },
      { 'aws:SourceIp': '2001:db8:1234:5678::1' },
      'none',
    ],
    [
      'IpAddress of one address',
      { IpAddress: { 'aws:SourceIp': '203.0.113.7' } },
      { 'aws:SourceIp': '203.0.113.8' },
      'none',
    ],
    [
      'ArnEquals has wildcards, as ArnLike has',
      { ArnEquals: { 'aws:SourceArn': 'arn:aws:rolesanywhere:*:123456789012:trust-anchor/*' } },
      { 'aws:SourceArn': ANCHOR },
      'allow',
    ],
    [
      'ArnLike keeps the components apart',
      { ArnLike: { 'aws:SourceArn': 'arn:aws:rolesanywhere:*:trust-anchor/*' } },
      { 'aws:SourceArn': ANCHOR },
      'none',
    ],
    [
      'ArnLike needs all six components',
      { ArnLike: { 'aws:SourceArn': 'arn:aws:rolesanywhere:*' } },
      { 'aws:SourceArn': ANCHOR },
      'none',
    ],
    [
      'ArnNotLike',
      { ArnNotLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/Demo' } },
      { 'aws:PrincipalArn': ROLE },
      'none',
    ],
    ['ArnNotEquals holds without the key', { ArnNotEquals: { 'aws:SourceArn': ANCHOR } }, {}, 'allow'],
    ['IfExists holds without the key', { StringEqualsIfExists: { 'ec2:InstanceType': 't1.micro' } }, {}, 'allow'],
    [
      'IfExists compares a key that is there',
      { StringEqualsIfExists: { 'ec2:InstanceType': 't1.micro' } },
      { 'ec2:InstanceType': 'm5.large' },
      'none',
    ],
    ['NumericLessThanIfExists', { NumericLessThanIfExists: { 'aws:MultiFactorAuthAge': '3600' } }, {}, 'allow'],
    ['Null true needs the key to be missing', { Null: { 'aws:TokenIssueTime': 'true' } }, {}, 'allow'],
    [
      'Null true does not hold with the key',
      { Null: { 'aws:TokenIssueTime': 'true' } },
      { 'aws:TokenIssueTime': '2030-01-01T00:00:00Z' },
      'none',
    ],
    [
      'Null false needs the key',
      { Null: { 'aws:TokenIssueTime': 'false' } },
      { 'aws:TokenIssueTime': '2030-01-01T00:00:00Z' },
      'allow',
    ],
  ]),
  ...conditions(MULTIVALUED, [
    [
      'one of several values is enough',
      { StringEquals: { 'aws:PrincipalTag/team': ['a', 'b'] } },
      { 'aws:PrincipalTag/team': 'b' },
      'allow',
    ],
    [
      'none of several values, negated',
      { StringNotEquals: { 'aws:PrincipalTag/team': ['a', 'b'] } },
      { 'aws:PrincipalTag/team': 'b' },
      'none',
    ],
    [
      'all keys of an operator are needed',
      { StringEquals: { 'aws:PrincipalTag/team': 'a', 'aws:PrincipalTag/job': 'x' } },
      { 'aws:PrincipalTag/team': 'a' },
      'none',
    ],
    [
      'ForAnyValue needs one in common',
      { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['environment', 'cost-center'] } },
      { 'aws:TagKeys': ['cost-center', 'other'] },
      'allow',
    ],
    [
      'ForAnyValue does not hold with none in common',
      { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['environment'] } },
      { 'aws:TagKeys': ['other'] },
      'none',
    ],
    [
      'ForAnyValue does not hold without the key',
      { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['environment'] } },
      {},
      'none',
    ],
    [
      'ForAllValues needs every value of the request',
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['environment', 'cost-center'] } },
      { 'aws:TagKeys': ['environment', 'other'] },
      'none',
    ],
    [
      'ForAllValues holds without the key',
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['environment'] } },
      {},
      'allow',
    ],
    [
      'ForAllValues with Null needs the key',
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['environment'] }, Null: { 'aws:TagKeys': 'false' } },
      {},
      'none',
    ],
    [
      'ForAllValues negated needs no value in common',
      { 'ForAllValues:StringNotEquals': { 'aws:TagKeys': ['secret'] } },
      { 'aws:TagKeys': ['secret', 'other'] },
      'none',
    ],
    [
      'ForAnyValue:StringLike',
      { 'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': ['o-1/*'] } },
      { 'aws:PrincipalOrgPaths': ['o-1/r-1/'] },
      'allow',
    ],
  ]),

  ...malformed('reference_policies_grammar', 'permissions', [
    ['is not JSON', '{"Version":'],
    ['has an element that does not exist', { ...document(can('s3:*')), Statements: [] }],
    ['has no statement', { Version: '2012-10-17' }],
    ['has a version that does not exist', { Version: '2012-10-18', Statement: [can('s3:*')] }],
    ['has an effect in lower case', document({ ...can('s3:*'), Effect: 'allow' })],
    ['has neither Action nor NotAction', document({ Effect: 'Allow', Resource: '*' })],
    ['has both', document({ ...can('s3:*'), NotAction: 's3:Get*' })],
    ['has an action without a service', document(can('ListBucket'))],
    [
      'has an operator that does not exist',
      document(can('s3:*', '*', { Condition: { StringIs: { 'aws:username': 'a' } } })),
    ],
    [
      'compares a number with what is none',
      document(can('s3:*', '*', { Condition: { NumericLessThan: { 's3:max-keys': 'ten' } } })),
    ],
    [
      'compares a date with what is none',
      document(can('s3:*', '*', { Condition: { DateLessThan: { 'aws:CurrentTime': 'tomorrow' } } })),
    ],
  ]),
  ...malformed('reference_policies_elements_sid', 'permissions', [
    ['has two statements of one Sid', document([can('s3:*', '*', { Sid: 'A' }), can('sts:*', '*', { Sid: 'A' })])],
    ['has a Sid with a space', document(can('s3:*', '*', { Sid: 'a b' }))],
  ]),
  ...malformed('reference_policies_elements_resource', 'permissions', [
    ['has no resource', document({ Effect: 'Allow', Action: 's3:*' })],
    ['has a resource that is no ARN', document(can('s3:*', 'logs'))],
  ]),
  ...malformed('reference-arns', 'session', [
    ['has a resource that ends early, and is passed to STS', document(can('s3:*', 'arn:aws:s3'))],
  ]),
  ...malformed('reference_policies_elements_principal', 'permissions', [
    ['has a principal where the principal is known', document(can('s3:*', '*', { Principal: '*' }))],
  ]),
  ...malformed('reference_policies_elements_principal', 'trust', [
    ['has no principal', document({ Effect: 'Allow', Action: 'sts:AssumeRole' })],
    ['has a kind of principal that does not exist', document(allow({ Aws: '*' }))],
  ]),
  ...malformed('id_roles_create_for-custom', 'trust', [
    ['has a resource, which is the role itself', document(allow('*', { Resource: '*' }))],
    ['is about other actions than of STS', document({ ...allow('*'), Action: 's3:GetObject' })],
  ]),
  ...malformed('reference_policies_elements_notprincipal', 'trust', [
    [
      'allows all but some',
      document({ Effect: 'Allow', NotPrincipal: { AWS: '999999999999' }, Action: 'sts:AssumeRole' }),
    ],
  ]),
];
