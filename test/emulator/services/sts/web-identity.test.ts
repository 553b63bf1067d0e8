import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { type CryptoKey, type JWTPayload, SignJWT, exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../../src/emulator/emulator.ts';
import { ALL_ACTIONS, assume, refusalOf, stsClient, trusting } from '../../support/callers.ts';
import { NOW, makeAuthority, startWith } from '../../support/world.ts';

const URL = 'https://token.example.org/ci';
const PROVIDER = 'arn:aws:iam::123456789012:oidc-provider/token.example.org/ci';
const KEY = 'token.example.org/ci';
const SECONDS = Math.floor(NOW.getTime() / 1000);
const WEB = ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity'];
const role = (name: string) => `arn:aws:iam::123456789012:role/${name}`;

let emulator: Emulator;
let keys: Record<'RS256' | 'ES384' | 'stranger', CryptoKey>;
beforeAll(async () => {
  const root = await makeAuthority('root');
  const [rsa, ec, stranger] = await Promise.all([
    generateKeyPair('RS256'),
    generateKeyPair('ES384'),
    generateKeyPair('RS256'),
  ]);
  keys = { RS256: rsa.privateKey, ES384: ec.privateKey, stranger: stranger.privateKey };
  const jwks = {
    keys: [
      { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256' },
      { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES384' },
    ],
  };
  const federated = { Federated: PROVIDER };
  const trust = (condition: object, action: unknown = WEB) =>
    trusting(federated, condition, action) as Record<string, unknown>;
  emulator = await startWith(root, {
    oidcProviders: [{ url: URL, clientIds: ['sts.amazonaws.com', 'app'], jwks }],
    roles: [
      { arn: role('Ci'), trustPolicy: trust({ StringLike: { [`${KEY}:sub`]: 'repo:o/r:*' } }) },
      { arn: role('App'), trustPolicy: trust({ StringEquals: { [`${KEY}:aud`]: 'app' } }) },
      { arn: role('Amr'), trustPolicy: trust({ 'ForAnyValue:StringLike': { [`${KEY}:amr`]: 'mfa*' } }) },
      { arn: role('Plain'), trustPolicy: trust({}, 'sts:AssumeRoleWithWebIdentity') },
      {
        arn: role('Next'),
        trustPolicy: trusting(
          { AWS: '123456789012' },
          { StringEquals: { 'aws:PrincipalTag/Project': 'Unicorn' } },
          ALL_ACTIONS,
        ) as Record<string, unknown>,
      },
      { arn: role('Default') },
    ],
  });
});
afterAll(() => emulator.close());

async function token(
  claims: JWTPayload = {},
  { alg = 'RS256', kid = 'rsa', key = keys.RS256 }: { alg?: string; kid?: string; key?: CryptoKey | Uint8Array } = {},
): Promise<string> {
  const payload = {
    iss: URL,
    aud: 'sts.amazonaws.com',
    sub: 'repo:o/r:main',
    iat: SECONDS,
    exp: SECONDS + 300,
    ...claims,
  };
  return await new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key);
}

async function exchange(WebIdentityToken: string, name = 'Ci', input: object = {}) {
  const client = new STSClient({ endpoint: emulator.url, region: 'us-east-1', maxAttempts: 1 });
  const RoleArn = role(name);
  return await client.send(
    new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: 'build', WebIdentityToken, ...input }),
  );
}

function own({ Credentials: given }: Awaited<ReturnType<typeof exchange>>) {
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = given ?? {};
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}

describe('a token', () => {
  it('becomes a session, without any credentials', async () => {
    const answer = await exchange(await token());
    expect(answer).toMatchObject({
      SubjectFromWebIdentityToken: 'repo:o/r:main',
      Audience: 'sts.amazonaws.com',
      Provider: PROVIDER,
      AssumedRoleUser: { Arn: 'arn:aws:sts::123456789012:assumed-role/Ci/build' },
    });
    const identity = await stsClient(emulator, own(answer)).send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe('arn:aws:sts::123456789012:assumed-role/Ci/build');
  });

  it('may be signed with ECDSA', async () => {
    const answer = await exchange(await token({}, { alg: 'ES384', kid: 'ec', key: keys.ES384 }));
    expect(answer.AssumedRoleUser?.Arn).toContain('/Ci/build');
  });

  it('brings its authorized party as the audience, when it has one', async () => {
    const answer = await exchange(await token({ azp: 'app' }), 'App');
    expect(answer.Audience).toBe('app');
    expect(await refusalOf(emulator, exchange(await token(), 'App'))).toMatchObject({ code: 'AccessDenied' });
  });

  it('brings how its subject signed in', async () => {
    expect(await exchange(await token({ amr: ['pwd', 'mfa-app'] }), 'Amr')).toMatchObject({ Provider: PROVIDER });
    expect(await refusalOf(emulator, exchange(await token({ amr: ['pwd'] }), 'Amr'))).toMatchObject({
      code: 'AccessDenied',
    });
  });

  it.each([
    [
      'nested',
      { 'https://aws.amazon.com/tags': { principal_tags: { Project: ['Unicorn'] }, transitive_tag_keys: ['Project'] } },
    ],
    [
      'flattened',
      {
        'https://aws.amazon.com/tags/principal_tags/Project': 'Unicorn',
        'https://aws.amazon.com/tags/transitive_tag_keys': ['Project'],
      },
    ],
  ])('brings tags and a source identity, %s', async (_, claims) => {
    const answer = await exchange(await token({ ...claims, 'https://aws.amazon.com/source_identity': 'octocat' }));
    expect(answer.SourceIdentity).toBe('octocat');
    expect(await assume(emulator, own(answer), { RoleArn: role('Next') })).toMatchObject({ sourceIdentity: 'octocat' });
  });
});

describe('a token is refused', () => {
  it.each<[string, () => Promise<string>, string, string]>([
    [
      'that has expired',
      () => token({ exp: SECONDS - 1 }),
      'ExpiredTokenException',
      'Token expired: current date/time',
    ],
    [
      'of an unknown issuer',
      () => token({ iss: 'https://evil.example' }),
      'InvalidIdentityToken',
      'No OpenIDConnect provider found in your account for https://evil.example',
    ],
    ['for another audience', () => token({ aud: 'other' }), 'InvalidIdentityToken', 'Incorrect token audience'],
    ['by another key', () => token({}, { key: keys.stranger }), 'InvalidIdentityToken', 'Invalid token'],
    [
      'by a key that nobody knows',
      () => token({}, { kid: 'new' }),
      'InvalidIdentityToken',
      "Couldn't retrieve verification key",
    ],
    [
      'with a shared secret',
      () => token({}, { alg: 'HS256', key: new Uint8Array(32) }),
      'InvalidIdentityToken',
      'Invalid token',
    ],
    [
      'without a subject',
      () => token({ sub: undefined as unknown as string }),
      'InvalidIdentityToken',
      'Invalid token',
    ],
    ['that is not valid yet', () => token({ nbf: SECONDS + 60 }), 'InvalidIdentityToken', 'Invalid token'],
    ['that is none', async () => 'not a token', 'InvalidIdentityToken', 'not a valid JWT'],
    [
      'with two values of a tag',
      () => token({ 'https://aws.amazon.com/tags': { principal_tags: { a: ['b', 'c'] } } }),
      'ValidationError',
      "at 'tags.a'",
    ],
    [
      'with a source identity that cannot be',
      () => token({ 'https://aws.amazon.com/source_identity': 'a b' }),
      'ValidationError',
      "at 'sourceIdentity'",
    ],
  ])('%s', async (_, make, code, message) => {
    const outcome = await refusalOf(emulator, exchange(await make()));
    const exception = code === 'InvalidIdentityToken' ? 'InvalidIdentityTokenException' : code;
    expect(outcome).toMatchObject({ code: exception, status: 400, message: expect.stringContaining(message) });
  });

  it.each([
    ['Ci', { sub: 'repo:evil/r:main' }, 'sts:AssumeRoleWithWebIdentity', 'token.example.org/ci:sub'],
    ['Default', {}, 'sts:AssumeRoleWithWebIdentity', 'no statement is about it'],
    ['Missing', {}, 'sts:AssumeRoleWithWebIdentity', 'there is no role'],
    ['Plain', { 'https://aws.amazon.com/source_identity': 'me' }, 'sts:SetSourceIdentity', 'no statement is about it'],
    [
      'Plain',
      { 'https://aws.amazon.com/tags': { principal_tags: { a: ['b'] } } },
      'sts:TagSession',
      'no statement is about it',
    ],
  ])('by the trust policy of %s with %j', async (name, claims, action, reason) => {
    expect(await refusalOf(emulator, exchange(await token(claims), name))).toMatchObject({
      code: 'AccessDenied',
      status: 403,
      message: `Not authorized to perform ${action}`,
      reason: expect.stringContaining(reason),
    });
  });

  it('with a ProviderId, which OIDC has no use for', async () => {
    const call = exchange(await token(), 'Ci', { ProviderId: 'www.amazon.com' });
    expect(await refusalOf(emulator, call)).toMatchObject({ code: 'InvalidIdentityTokenException' });
  });

  it('for longer than the role allows', async () => {
    const call = exchange(await token(), 'Ci', { DurationSeconds: 3601 });
    expect((await refusalOf(emulator, call)).message).toContain('exceeds the MaxSessionDuration');
  });

  it('and is not in the verdict', async () => {
    const text = await token({ aud: 'other' });
    await refusalOf(emulator, exchange(text));
    expect(JSON.stringify(emulator.verdicts)).not.toContain(text.split('.')[1]);
  });
});
