import { createHash } from 'node:crypto';
import { GetCallerIdentityCommand, GetSessionTokenCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../../src/emulator/emulator.ts';
import { totp } from '../../../../src/emulator/callers/mfa.ts';
import type { RoleOptions } from '../../../../src/emulator/world/world.ts';
import { ADMIN, type Credentials, assume, refusalOf, stsClient, trusting, vend } from '../../support/callers.ts';
import { ARNS, type Client, NOW, makeAuthority, makeClient, startWith } from '../../support/world.ts';

const ACCOUNT = 'arn:aws:iam::123456789012';
const DEMO = ARNS.roleArn;
const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'; // of RFC 6238, appendix B
const DEVICE = `${ACCOUNT}:mfa/alice`;
const OWN_DEVICE = `${ACCOUNT}:mfa/admin`;

const role = (name: string, trustPolicy?: object, more: Partial<RoleOptions> = {}): RoleOptions => ({
  arn: `${ACCOUNT}:role/${name}`,
  trustPolicy: trustPolicy as Record<string, unknown> | undefined,
  ...more,
});
const permissions = (...statements: object[]): Record<string, unknown> => ({
  Version: '2012-10-17',
  Statement: statements,
});
const allow = (Action: unknown, Resource: unknown = '*'): object => ({ Effect: 'Allow', Action, Resource });

const ROLES: RoleOptions[] = [
  { arn: DEMO, maxSessionDuration: 43_200 },
  role('Second'),
  role('Long', undefined, { maxSessionDuration: 43_200 }),
  role('NoTags', trusting({ AWS: DEMO }, {}, ['sts:AssumeRole', 'sts:SetSourceIdentity'])),
  role('NoIdentity', trusting({ AWS: DEMO }, {}, ['sts:AssumeRole', 'sts:TagSession'])),
  role('External', trusting({ AWS: DEMO }, { StringEquals: { 'sts:ExternalId': 'agreed' } })),
  role('Mfa', trusting({ AWS: '123456789012' }, { Bool: { 'aws:MultiFactorAuthPresent': 'true' } })),
  role('FreshMfa', trusting({ AWS: '123456789012' }, { NumericLessThan: { 'aws:MultiFactorAuthAge': '300' } })),
  role(
    'AliceAlone',
    trusting({ AWS: '123456789012' }, { StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Alice' } }),
  ),
  role('Project', trusting({ AWS: '123456789012' }, { StringEquals: { 'aws:PrincipalTag/Project': 'Unicorn' } })),
  role('Nobody', trusting({ AWS: '999999999999' })),
  role('Weak', undefined, { policies: [permissions(allow('s3:*'))] }),
  role('NamesWeak', trusting({ AWS: `${ACCOUNT}:role/Weak` })),
  {
    arn: 'arn:aws:iam::999999999999:role/Abroad',
    trustPolicy: trusting({ AWS: '123456789012' }) as Record<string, unknown>,
  },
  {
    arn: 'arn:aws:iam::999999999999:role/NamesWeak',
    trustPolicy: trusting({ AWS: `${ACCOUNT}:role/Weak` }) as Record<string, unknown>,
  },
  role('Service/Path'),
];

let emulator: Emulator;
let alice: Client;
let now = NOW;
let session: Credentials;
beforeAll(async () => {
  const root = await makeAuthority('root');
  alice = await makeClient(root);
  emulator = await startWith(root, {
    now: () => now,
    roles: ROLES,
    mfaDevices: [
      { serialNumber: DEVICE, secret: SECRET },
      { serialNumber: `${ACCOUNT}:mfa/bob`, secret: SECRET, owner: `${ACCOUNT}:user/bob` },
      { serialNumber: 'arn:aws:iam::999999999999:mfa/theirs', secret: SECRET },
      { serialNumber: OWN_DEVICE, secret: SECRET, owner: `${ACCOUNT}:user/admin` },
    ],
    managedPolicies: [
      { arn: `${ACCOUNT}:policy/chain`, document: permissions(allow('sts:*')) },
      { arn: `${ACCOUNT}:policy/other`, document: permissions(allow('s3:*')) },
    ],
  });
});
beforeEach(async () => {
  now = new Date(now.getTime() + 60_000); // two steps on: each test has codes of its own
  session = await vend(emulator, alice, { now });
});
afterAll(() => emulator.close());

const hop = (name: string, input: object = {}, from: Credentials = session) =>
  assume(emulator, from, { RoleArn: name.startsWith('arn:') ? name : `${ACCOUNT}:role/${name}`, ...input }, now);
const refused = (name: string, input: object = {}, from: Credentials = session) =>
  refusalOf(emulator, hop(name, input, from));
const identity = async (of: Credentials) => {
  const { Arn, Account, UserId } = await stsClient(emulator, of, now).send(new GetCallerIdentityCommand({}));
  return { Arn, Account, UserId };
};

describe('a chain that begins with a certificate', () => {
  it('becomes the second role, for an hour, with the source identity of the first', async () => {
    const second = await hop('Second');
    expect(await identity(second)).toMatchObject({ Arn: 'arn:aws:sts::123456789012:assumed-role/Second/hop' });
    expect(second.expiration).toEqual(new Date(Math.floor(now.getTime() / 1000) * 1000 + 3_600_000));
    expect(second.sourceIdentity).toBe('CN=Alice');
    expect((await hop('AliceAlone')).sourceIdentity).toBe('CN=Alice');
  });

  it('goes on, and the source identity with it', async () => {
    const third = await hop('Long', {}, await hop('Second'));
    expect(third).toMatchObject({ sourceIdentity: 'CN=Alice' });
  });

  it('lasts an hour at most, whatever the role allows', async () => {
    expect(await refused('Long', { DurationSeconds: 3601 })).toMatchObject({
      code: 'ValidationError',
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      status: 400,
    });
  });

  it('cannot change the source identity, and may repeat it', async () => {
    expect(await refused('Second', { SourceIdentity: 'Mallory' })).toMatchObject({ code: 'AccessDenied', status: 403 });
    expect((await hop('Second', { SourceIdentity: 'Alice' }, ADMIN)).sourceIdentity).toBe('Alice');
  });

  it('leaves the tags of the certificate behind, which are not transitive', async () => {
    const { reason } = await refused('AliceAlone', {}, await hop('Second'));
    expect(reason).toContain(
      'aws:PrincipalTag/x509Subject/CN of "Alice" does not hold, since the key is not in the request',
    );
  });

  it('hands on the tags that are transitive, and no others', async () => {
    const Tags = [
      { Key: 'Project', Value: 'Unicorn' },
      { Key: 'Team', Value: 'Blue' },
    ];
    const plain = await hop('Second', { Tags });
    const transitive = await hop('Second', { Tags, TransitiveTagKeys: ['Project'] });
    await hop('Project', {}, plain);
    await hop('Project', {}, transitive);
    expect((await refused('Project', {}, await hop('Long', {}, plain))).reason).toContain('aws:PrincipalTag/Project');
    expect(await hop('Project', {}, await hop('Long', {}, transitive))).toMatchObject({ sourceIdentity: 'CN=Alice' });
    const third = await hop('Second', {}, await hop('Long', {}, transitive));
    expect(await hop('Project', {}, third)).toMatchObject({ sourceIdentity: 'CN=Alice' });
  });

  it('cannot set a tag again that it inherits, in whatever case', async () => {
    const Tags = [{ Key: 'Project', Value: 'Unicorn' }];
    const first = await hop('Second', { Tags, TransitiveTagKeys: ['Project'] });
    expect(await refused('Long', { Tags: [{ Key: 'PROJECT', Value: 'Other' }] }, first)).toMatchObject({
      code: 'InvalidParameterValue',
      message: expect.stringContaining('conflicts with a transitive tag key from the calling session'),
    });
  });
});

describe('the trust policy', () => {
  it.each<[string, string, object, string]>([
    ['Nobody', 'sts:AssumeRole', {}, 'it names other principals'],
    ['Missing', 'sts:AssumeRole', {}, 'there is no role'],
    ['NoIdentity', 'sts:SetSourceIdentity', {}, 'nothing allows sts:SetSourceIdentity'],
    ['NoTags', 'sts:TagSession', { Tags: [{ Key: 'a', Value: 'b' }] }, 'nothing allows sts:TagSession'],
    ['External', 'sts:AssumeRole', {}, 'sts:ExternalId of "agreed" does not hold, since the key is not in the request'],
    ['External', 'sts:AssumeRole', { ExternalId: 'guessed' }, 'since the key is "guessed"'],
    ['Mfa', 'sts:AssumeRole', {}, 'aws:MultiFactorAuthPresent of "true" does not hold, since the key is "false"'],
  ])('of %s refuses %s with %j', async (name, action, input, reason) => {
    expect(await refused(name, input)).toMatchObject({
      code: 'AccessDenied',
      status: 403,
      message: `User: arn:aws:sts::123456789012:assumed-role/Workload/f0e1d2c3b4a596 is not authorized to perform: ${action} on resource: ${ACCOUNT}:role/${name}`,
      reason: expect.stringContaining(reason),
    });
  });

  it.each<[string, object]>([
    ['NoTags', {}],
    ['External', { ExternalId: 'agreed' }],
  ])('of %s takes %j', async (name, input) => {
    expect(await hop(name, input)).toMatchObject({ arn: `arn:aws:sts::123456789012:assumed-role/${name}/hop` });
  });

  it('leaves it to the caller’s own policies when it names the account', async () => {
    const weak = await hop('Weak');
    expect((await refused('Second', {}, weak)).reason).toContain(
      'the policies of arn:aws:sts::123456789012:assumed-role/Weak/hop',
    );
    expect(await hop('NamesWeak', {}, weak)).toMatchObject({ sourceIdentity: 'CN=Alice' });
  });

  it('needs the caller’s own policies across accounts, even when it names the caller', async () => {
    expect(await identity(await hop('arn:aws:iam::999999999999:role/Abroad'))).toMatchObject({
      Account: '999999999999',
    });
    expect((await refused('arn:aws:iam::999999999999:role/NamesWeak', {}, await hop('Weak'))).reason).toContain(
      'nothing allows sts:AssumeRole',
    );
  });

  it('leaves the path of a role out of its sessions', async () => {
    expect((await hop('Service/Path')).arn).toBe('arn:aws:sts::123456789012:assumed-role/Path/hop');
  });
});

const dense = (index: number): string =>
  ['a', 'b', 'c', 'd'].map((part) => createHash('sha256').update(`${part}${index}`).digest('hex')).join('');

describe('session policies', () => {
  const chain = JSON.stringify(permissions(allow('sts:*')));
  it.each<[string, object, boolean]>([
    ['what they allow', { Policy: chain }, true],
    ['what a managed one allows', { PolicyArns: [{ arn: `${ACCOUNT}:policy/chain` }] }, true],
    ['what one of AWS allows', { PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/AdministratorAccess' }] }, true],
    ['what either allows', { Policy: chain, PolicyArns: [{ arn: `${ACCOUNT}:policy/other` }] }, true],
    ['nothing else', { Policy: JSON.stringify(permissions(allow('s3:*'))) }, false],
    ['nothing that a managed one does not allow', { PolicyArns: [{ arn: `${ACCOUNT}:policy/other` }] }, false],
    ['nothing by one that does not exist', { PolicyArns: [{ arn: `${ACCOUNT}:policy/missing` }] }, false],
    [
      'nothing that they deny',
      { Policy: JSON.stringify(permissions(allow('*'), { Effect: 'Deny', Action: 'sts:AssumeRole', Resource: '*' })) },
      false,
    ],
  ])('leave a session %s', async (_, input, granted) => {
    const limited = await hop('Second', input);
    const outcome = await hop('Long', {}, limited).catch((error: Error) => error.name);
    expect(typeof outcome === 'object').toBe(granted);
    expect(emulator.verdicts.at(-1)?.reason).toContain(granted ? 'became' : "the session's policies");
  });

  it.each([
    ['is not JSON', '{', 'This policy contains invalid Json'],
    [
      'has a principal',
      JSON.stringify(permissions({ ...allow('*'), Principal: '*' })),
      'should not specify a principal',
    ],
    [
      'has an effect of its own',
      JSON.stringify(permissions({ ...allow('*'), Effect: 'Maybe' })),
      'Invalid effect: Maybe',
    ],
  ])('are refused when one %s', async (_, Policy, message) => {
    expect(await refused('Second', { Policy })).toMatchObject({
      code: 'MalformedPolicyDocumentException',
      status: 400,
      message: expect.stringContaining(message),
    });
  });

  it('are refused when they and the tags pack too large, with the percentage', async () => {
    const Tags = Array.from({ length: 50 }, (_, index) => ({ Key: `k${index}`, Value: dense(index) }));
    expect(await refused('Second', { Tags })).toMatchObject({
      code: 'PackedPolicyTooLargeException',
      message: expect.stringMatching(/^Packed size of session tags consumes \d{4}% of allotted space\.$/),
    });
    const Policy = JSON.stringify({ ...permissions(allow('*')), Id: dense(1) });
    expect(await refused('Second', { Tags: Tags.slice(0, 3), Policy })).toMatchObject({
      code: 'PackedPolicyTooLargeException',
      message: expect.stringMatching(/^Packed policy consumes \d{3}% of allotted space, please use smaller policy\.$/),
    });
  });
});

describe('parameters', () => {
  it.each<[string, object, string, string]>([
    [
      'a short session name',
      { RoleSessionName: 'a' },
      'ValidationError',
      "at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
    ],
    ['a session name with a space', { RoleSessionName: 'a b' }, 'ValidationError', 'regular expression pattern'],
    ['a role that is no ARN', { RoleArn: 'role' }, 'ValidationError', "at 'roleArn'"],
    ['a short time', { DurationSeconds: 899 }, 'ValidationError', 'greater than or equal to 900'],
    ['a long time', { DurationSeconds: 43_201 }, 'ValidationError', 'less than or equal to 43200'],
    ['a policy of 2049 characters', { Policy: ' '.repeat(2049) }, 'ValidationError', 'less than or equal to 2048'],
    ['a policy with a control character', { Policy: '\u0007' }, 'ValidationError', 'regular expression pattern'],
    [
      '11 policies',
      { PolicyArns: Array.from({ length: 11 }, () => ({ arn: `${ACCOUNT}:policy/chain` })) },
      'ValidationError',
      "at 'policyArns'",
    ],
    [
      'a policy of another account',
      { PolicyArns: [{ arn: 'arn:aws:iam::999999999999:policy/a' }] },
      'ValidationError',
      'Invalid ARN',
    ],
    [
      '51 tags',
      { Tags: Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: '' })) },
      'ValidationError',
      "at 'tags'",
    ],
    [
      'a tag key of 129 characters',
      { Tags: [{ Key: 'a'.repeat(129), Value: '' }] },
      'ValidationError',
      "at 'tags.1.member.key'",
    ],
    [
      'a tag value with parentheses',
      { Tags: [{ Key: 'a', Value: '(b)' }] },
      'ValidationError',
      "at 'tags.1.member.value'",
    ],
    ['a tag without a key', { Tags: [{ Value: 'b' }] }, 'ValidationError', "Value null at 'tags.1.member.key'"],
    ['a tag without a value', { Tags: [{ Key: 'b' }] }, 'ValidationError', "Value null at 'tags.1.member.value'"],
    ['a tag of aws:', { Tags: [{ Key: 'AWS:a', Value: 'b' }] }, 'InvalidParameterValue', 'cannot begin with aws:'],
    [
      'a tag twice',
      {
        Tags: [
          { Key: 'a', Value: 'b' },
          { Key: 'A', Value: 'c' },
        ],
      },
      'InvalidParameterValue',
      'Duplicate tag keys',
    ],
    [
      'a transitive key without its tag',
      { TransitiveTagKeys: ['a'] },
      'InvalidParameterValue',
      'must be included in the requested tags',
    ],
    ['an external id of one character', { ExternalId: 'a' }, 'ValidationError', "at 'externalId'"],
    ['a code of five digits', { SerialNumber: DEVICE, TokenCode: '12345' }, 'ValidationError', "Value at 'tokenCode'"],
    ['a source identity of aws:', { SourceIdentity: 'aws:a' }, 'ValidationError', "at 'sourceIdentity'"],
  ])('%s is refused', async (_, input, code, message) => {
    expect(await refused('Second', input)).toMatchObject({
      code,
      status: 400,
      message: expect.stringContaining(message),
    });
  });

  it('take context assertions, which are of no effect here', async () => {
    const ProvidedContexts = [
      { ProviderArn: 'arn:aws:iam::aws:contextProvider/IdentityCenter', ContextAssertion: 'abcd' },
    ];
    expect(await hop('Second', { ProvidedContexts })).toMatchObject({ sourceIdentity: 'CN=Alice' });
  });
});

/** The code of the devices at so many seconds from now. */
const codeAt = (seconds = 0) => totp(SECRET, new Date(now.getTime() + seconds * 1000));

describe('MFA', () => {
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('has the codes of RFC 6238, appendix B: %i', (seconds, expected) => {
    expect(totp(SECRET, new Date(seconds * 1000))).toBe(expected);
  });

  it('opens a role that requires it, once a code', async () => {
    const input = { SerialNumber: DEVICE, TokenCode: codeAt() };
    expect(await hop('Mfa', input, ADMIN)).toMatchObject({ arn: 'arn:aws:sts::123456789012:assumed-role/Mfa/hop' });
    expect(await refused('Mfa', input, ADMIN)).toMatchObject({
      code: 'AccessDenied',
      message: 'MultiFactorAuthentication failed with invalid MFA one time pass code. ',
      reason: expect.stringContaining('was used before'),
    });
  });

  it('takes the code of the step before and after, and none beyond', async () => {
    expect((await refused('Mfa', { SerialNumber: DEVICE, TokenCode: codeAt(-60) }, ADMIN)).reason).toContain(
      'not one of device',
    );
    await hop('Mfa', { SerialNumber: DEVICE, TokenCode: codeAt(-30) }, ADMIN);
    await hop('Mfa', { SerialNumber: DEVICE, TokenCode: codeAt(30) }, ADMIN);
    expect((await refused('Mfa', { SerialNumber: DEVICE, TokenCode: codeAt(90) }, ADMIN)).reason).toContain(
      'not one of device',
    );
  });

  it.each<[string, object, string]>([
    ['a device that does not exist', { SerialNumber: `${ACCOUNT}:mfa/x`, TokenCode: '123456' }, 'there is no device'],
    [
      "another's device",
      { SerialNumber: `${ACCOUNT}:mfa/bob`, TokenCode: '123456' },
      'is not arn:aws:iam::123456789012:user/admin',
    ],
    [
      'a device of another account',
      { SerialNumber: 'arn:aws:iam::999999999999:mfa/theirs', TokenCode: '123456' },
      'is not arn:aws:iam::123456789012:user/admin',
    ],
    ['a code without a device', { TokenCode: '123456' }, 'SerialNumber was not sent'],
    ['a device without a code', { SerialNumber: DEVICE }, 'TokenCode was not sent'],
  ])('refuses %s', async (_, input, reason) => {
    expect(await refused('Mfa', input, ADMIN)).toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('MultiFactorAuthentication failed'),
      reason: expect.stringContaining(reason),
    });
  });
});

describe('MFA of a role', () => {
  it('does not exist: a device is of the user who calls', async () => {
    expect(await refused('Mfa', { SerialNumber: DEVICE, TokenCode: codeAt() })).toMatchObject({
      code: 'AccessDenied',
      message: expect.stringContaining('associated with this user'),
      reason: expect.stringMatching(/is a user's, and .*assumed-role\/Workload.* is the session of a role/),
    });
    await hop('Mfa', { SerialNumber: DEVICE, TokenCode: codeAt() }, ADMIN);
  });
});

const get = async (input: object = {}, from: Credentials = ADMIN): Promise<Credentials & { expiration: Date }> => {
  const { Credentials: given } = await stsClient(emulator, from, now).send(new GetSessionTokenCommand(input));
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '', Expiration = NOW } = given ?? {};
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: Expiration,
  };
};

describe('GetSessionToken', () => {
  it('gives a user a session of twelve hours that is the user', async () => {
    const own = await get();
    expect(own.expiration).toEqual(new Date(Math.floor(now.getTime() / 1000) * 1000 + 43_200_000));
    expect(await identity(own)).toEqual(await identity(ADMIN));
  });

  it('lasts 36 hours at most', async () => {
    expect((await get({ DurationSeconds: 129_600 })).expiration.getTime() - now.getTime()).toBeGreaterThan(129_599_000);
    expect(await refusalOf(emulator, get({ DurationSeconds: 129_601 }))).toMatchObject({ code: 'ValidationError' });
  });

  it('is refused to temporary credentials', async () => {
    const outcome = await refusalOf(emulator, get({}, session));
    expect(outcome).toMatchObject({
      code: 'AccessDenied',
      message: 'Cannot call GetSessionToken with session credentials',
    });
  });

  it('carries MFA on, and its age', async () => {
    const own = await get({ SerialNumber: OWN_DEVICE, TokenCode: totp(SECRET, now) });
    await hop('Mfa', {}, own);
    await hop('FreshMfa', {}, own);
    now = new Date(now.getTime() + 301_000);
    await hop('Mfa', {}, own);
    expect((await refused('FreshMfa', {}, own)).reason).toMatch(/aws:MultiFactorAuthAge of "300" .* is "30[01]"/);
    expect((await refused('Mfa', {}, await get())).reason).toContain('since the key is "false"');
    expect((await refused('Mfa', {}, ADMIN)).reason).toContain('since the key is not in the request');
  });

  it('takes its credentials for chaining: an hour at most, which the access key itself may exceed', async () => {
    const { code } = await refused('Long', { DurationSeconds: 3601 }, await get());
    expect(code).toBe('ValidationError');
    await hop('Long', { DurationSeconds: 3600 }, await get());
    const long = await hop('Long', { DurationSeconds: 43_200 }, ADMIN);
    expect(long.expiration.getTime() - now.getTime()).toBeGreaterThan(43_199_000);
  });
});
