/** What the state says of a CreateSession request: trust policies, mappings, revocation, quotas, and who is seen. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, generateKeys, leafExtensions } from '../../../../certs-dev/authority.ts';
import type { Emulator, EmulatorOptions } from '../../../../src/emulator/emulator.ts';
import type { ProfileOptions, RoleOptions, TrustAnchorOptions } from '../../../../src/emulator/world/world.ts';
import { ALL_ACTIONS, trusting } from '../../support/callers.ts';
import { type Draft, draft, send, signed } from '../../support/signed-request.ts';
import { ARNS, type Client, NOW, certificatePem, makeAuthority, makeClient, startWith } from '../../support/world.ts';

const SERVICE = { Service: 'rolesanywhere.amazonaws.com' };
const CANNOT = `Unable to assume role for ${ARNS.roleArn}`;

let root: Authority;
let alice: Client;
beforeAll(async () => {
  root = await makeAuthority('root');
  alice = await makeClient(root, {
    extensions: leafExtensions([{ type: 'url', value: 'spiffe://example.org/web' }]),
  });
});
let emulator: Emulator;
afterEach(() => emulator.close());

interface World {
  anchor?: Partial<TrustAnchorOptions> | undefined;
  profile?: Partial<ProfileOptions> | undefined;
  role?: Partial<RoleOptions> | undefined;
}

async function start({ anchor, profile, role }: World, options: Partial<EmulatorOptions> = {}): Promise<void> {
  emulator = await startWith(root, {
    trustAnchors: [{ certificates: certificatePem(root.certificate), ...anchor }],
    profiles: [{ arn: ARNS.profileArn, roleArns: [ARNS.roleArn], ...profile }],
    roles: [{ arn: ARNS.roleArn, ...role }],
    ...options,
  });
}

async function ask(
  client: Client = alice,
  {
    change,
    now = NOW,
    chain = [],
  }: { change?: (request: Draft) => unknown; now?: Date; chain?: x509.X509Certificate[] } = {},
): Promise<{ status: number; code: unknown; message: string; reason: string | undefined; body: string }> {
  const request = draft(client, emulator.url, { now, chain });
  change?.(request);
  const { status, body, headers } = await send(emulator.url, signed(request, client));
  const { message = '' } = JSON.parse(body) as { message?: string };
  return { status, code: headers['x-amzn-errortype'], message, reason: emulator.verdicts.at(-1)?.reason, body };
}

const withTrust = (condition: object, action?: unknown): World => ({
  role: { trustPolicy: trusting(SERVICE, condition, action) as Record<string, unknown> },
});

describe('the trust policy of the role', () => {
  it.each<[string, object]>([
    ['the subject', { StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Alice' } }],
    ['the issuer', { StringEquals: { 'aws:PrincipalTag/x509Issuer/CN': 'root' } }],
    ['a SPIFFE identity', { StringLike: { 'aws:PrincipalTag/x509SAN/URI': 'spiffe://example.org/*' } }],
    ['a tag of the request', { StringEquals: { 'aws:RequestTag/x509Subject/OU': 'Tests' } }],
    ['the trust anchor', { ArnEquals: { 'aws:SourceArn': ARNS.trustAnchorArn } }],
    ['the account', { StringEquals: { 'aws:SourceAccount': '123456789012' } }],
    ['the source identity', { StringEquals: { 'sts:SourceIdentity': 'CN=Alice' } }],
    ['the session name', { StringEquals: { 'sts:RoleSessionName': 'f0e1d2c3b4a596' } }],
    ['a connection without TLS', { Bool: { 'aws:SecureTransport': 'false' } }],
    ['no user agent', { Null: { 'aws:UserAgent': 'true' } }],
    ['the address', { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } }],
    ['the time', { DateLessThan: { 'aws:CurrentTime': '2030-06-15T12:00:01Z' } }],
  ])('may ask for %s', async (_, condition) => {
    await start(withTrust(condition));
    expect(await ask()).toMatchObject({ status: 201 });
  });

  it.each<[string, object, unknown, string]>([
    [
      'another subject',
      { StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Bob' } },
      ALL_ACTIONS,
      'since the key is "Alice"',
    ],
    ['another anchor', { ArnEquals: { 'aws:SourceArn': `${ARNS.trustAnchorArn}0` } }, ALL_ACTIONS, 'aws:SourceArn'],
    ['no sts:TagSession', {}, ['sts:AssumeRole', 'sts:SetSourceIdentity'], 'nothing allows sts:TagSession'],
    ['no sts:SetSourceIdentity', {}, ['sts:AssumeRole', 'sts:TagSession'], 'nothing allows sts:SetSourceIdentity'],
    ['no sts:AssumeRole', {}, ['sts:TagSession'], 'nothing allows sts:AssumeRole'],
  ])('refuses with %s, and the client is not told why', async (_, condition, action, reason) => {
    await start(withTrust(condition, action));
    expect(await ask()).toMatchObject({
      status: 403,
      code: 'AccessDeniedException',
      message: CANNOT,
      reason: expect.stringContaining(reason),
    });
  });

  it('refuses when it trusts another service', async () => {
    await start({ role: { trustPolicy: trusting({ Service: 'ec2.amazonaws.com' }) as Record<string, unknown> } });
    expect(await ask()).toMatchObject({ message: CANNOT, reason: expect.stringContaining('names other principals') });
  });

  it('needs no sts:TagSession when nothing is mapped', async () => {
    const world = withTrust({}, ['sts:AssumeRole', 'sts:SetSourceIdentity']);
    await start({ ...world, profile: { attributeMappings: [] } });
    expect(await ask()).toMatchObject({ status: 201 });
  });

  it('sees what is mapped alone: a negated condition holds for the rest', async () => {
    const attributeMappings = [{ certificateField: 'x509Issuer', mappingRules: [{ specifier: '*' }] }] as const;
    await start({
      ...withTrust({ StringNotEquals: { 'aws:PrincipalTag/x509Subject/CN': 'Alice' } }),
      profile: { attributeMappings },
    });
    expect(await ask()).toMatchObject({ status: 201 });
  });

  it('is told of attributes that no tag can hold, as the service tells', async () => {
    await start(withTrust({ StringLike: { 'aws:PrincipalTag/x509Subject/CN': '*' } }));
    expect(await ask(await makeClient(root, { subject: 'CN=A(1),O=Fine' }))).toMatchObject({
      status: 403,
      message:
        `${CANNOT}. Some attributes failed to be mapped into session tags. Subject: [CN]; Issuer: []; SAN: []`.replace(
          'Subject: [CN]; Issuer: []',
          'Issuer: []; Subject: [CN]',
        ),
    });
  });
});

describe('the profile and the anchor', () => {
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] };
  it.each<[string, World, object]>([
    ['a disabled anchor', { anchor: { enabled: false } }, { status: 403, message: 'Trust anchor is disabled' }],
    ['a disabled profile', { profile: { enabled: false } }, { status: 403, message: 'Profile is disabled' }],
    [
      'a profile whose policy packs too large',
      { profile: { sessionPolicy: JSON.stringify({ ...policy, Id: largeText(1000) }) } },
      {
        status: 403,
        message: expect.stringMatching(
          /^Unable to assume role for \S+\. Packed policy consumes \d{3}% of allotted space, please use smaller policy\.$/,
        ),
      },
    ],
    [
      'a profile whose policy is longer than STS takes',
      { profile: { sessionPolicy: JSON.stringify({ ...policy, Id: ' '.repeat(2048) }) } },
      { status: 403, message: CANNOT, reason: expect.stringContaining('less than or equal to 2048') },
    ],
    [
      'a profile with more managed policies than STS takes',
      { profile: { managedPolicyArns: Array.from({ length: 11 }, (_, at) => `arn:aws:iam::aws:policy/P${at}`) } },
      { status: 403, message: CANNOT, reason: expect.stringContaining('less than or equal to 10') },
    ],
    [
      'a profile with a managed policy of another account',
      { profile: { managedPolicyArns: ['arn:aws:iam::999999999999:policy/theirs'] } },
      { status: 403, message: CANNOT, reason: expect.stringContaining('is not a policy of account 123456789012') },
    ],
  ])('refuse with %s', async (_, world, expected) => {
    await start(world);
    expect(await ask()).toMatchObject(expected);
  });

  it('take a request without instance properties, which the profile cannot require', async () => {
    await start({ profile: { requireInstanceProperties: true } });
    expect(await ask()).toMatchObject({ status: 201 });
  });

  it('are of one account, and so is the role', async () => {
    const abroad = 'arn:aws:rolesanywhere:us-east-1:999999999999:profile/44444444-4444-4444-4444-444444444444';
    await start({}, { profiles: [{ arn: abroad, roleArns: [] }] });
    const change = (request: Draft): void => {
      request.query = request.query.replace(/profileArn=[^&]+/, `profileArn=${encodeURIComponent(abroad)}`);
    };
    expect(await ask(alice, { change })).toMatchObject({
      status: 403,
      code: 'AccessDeniedException',
      reason: 'the trust anchor is of account 123456789012, the profile of 999999999999',
    });
    const [profile] = emulator.state.list('profiles');
    const [role] = emulator.state.list('roles');
    if (profile === undefined || role === undefined) throw new Error('there is no profile or role');
    const foreign = { ...role, arn: 'arn:aws:iam::999999999999:role/Abroad', account: '999999999999' };
    const own = { ...profile, arn: ARNS.profileArn, roleArns: [foreign.arn] };
    emulator.state.apply({ op: 'put', kind: 'roles', record: foreign });
    emulator.state.apply({ op: 'put', kind: 'profiles', record: own });
    const toForeign = (request: Draft): void => {
      request.query = request.query.replace(/roleArn=[^&]+/, `roleArn=${encodeURIComponent(foreign.arn)}`);
    };
    expect(await ask(alice, { change: toForeign })).toMatchObject({
      status: 403,
      reason: expect.stringContaining("is not of the profile's account 123456789012"),
    });
  });

  it('keep instance properties', async () => {
    await start({ profile: { requireInstanceProperties: true } });
    const body = '{"instanceProperties":{"host":"web-1"}}';
    expect(await ask(alice, { change: (request) => (request.body = body) })).toMatchObject({ status: 201 });
    expect(emulator.state.list('subjects')[0]?.instanceProperties).toEqual([
      { seenAt: NOW.toISOString(), failed: false, properties: { host: 'web-1' } },
    ]);
  });

  it('follow a change of the state at once', async () => {
    await start({});
    const [profile] = emulator.state.list('profiles');
    if (profile === undefined) throw new Error('there is no profile');
    expect(await ask()).toMatchObject({ status: 201 });
    emulator.state.apply({ op: 'put', kind: 'profiles', record: { ...profile, enabled: false } });
    expect(await ask()).toMatchObject({ status: 403 });
    emulator.state.apply({ op: 'delete', kind: 'profiles', arn: profile.arn });
    expect(await ask()).toMatchObject({ status: 404, code: 'ResourceNotFoundException' });
  });

  it('tell how much of the packed size is used', async () => {
    await start({ profile: { sessionPolicy: policy } });
    const { body } = await ask();
    const { credentialSet } = JSON.parse(body) as { credentialSet: [{ packedPolicySize: number }] };
    expect(credentialSet[0].packedPolicySize).toBeGreaterThan(3);
  });
});

/** Text that compression makes little of. */
function largeText(length: number): string {
  return Buffer.from(Array.from({ length }, (_, index) => (index * index * 7 + (index >> 3) * 131) % 251)).toString(
    'base64',
  );
}

async function crl(issuer: Authority, serials: string[], days = 1): Promise<string> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: NOW,
    nextUpdate: new Date(NOW.getTime() + days * 86_400_000),
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: NOW })),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    signingKey: issuer.keys.privateKey,
  });
  return x509.PemConverter.encode(list.rawData, 'X509 CRL'); // RFC 7468, section 6
}
const serialOf = ({ certificate }: Client): string => certificate.serialNumber;

describe('revocation', () => {
  it('refuses a certificate that a CRL names', async () => {
    await start({ anchor: { crls: [{ crl: await crl(root, ['01', serialOf(alice)]) }] } });
    expect(await ask()).toMatchObject({
      status: 403,
      code: 'AccessDeniedException',
      reason: 'CRL CN=root CRL 1 has revoked "CN=Alice, OU=Tests", serial number f0e1d2c3b4a596',
    });
  });

  it('still does so with a CRL that should have been replaced', async () => {
    await start({ anchor: { crls: [{ crl: await crl(root, [serialOf(alice)], -1) }] } });
    expect(await ask()).toMatchObject({ status: 403 });
  });

  it('refuses what is issued by a CA that a CRL names', async () => {
    const between = await makeAuthority('between', { issuer: root, serialNumber: '77' });
    const client = await makeClient(between);
    await start({ anchor: { crls: [{ crl: await crl(root, ['77']) }] } });
    expect(await ask(client, { chain: [between.certificate] })).toMatchObject({
      status: 403,
      reason: expect.stringContaining('has revoked "CN=between", serial number 77'),
    });
  });

  it.each<[string, () => Promise<Partial<TrustAnchorOptions>>]>([
    ['others', async () => ({ crls: [{ crl: await crl(root, ['01']) }] })],
    ['it and is disabled', async () => ({ crls: [{ crl: await crl(root, [serialOf(alice)]), enabled: false }] })],
    [
      'it and is by another key',
      async () => ({ crls: [{ crl: await crl({ ...root, keys: await generateKeys('ec-p256') }, [serialOf(alice)]) }] }),
    ],
    [
      'it and is by another CA',
      async () => ({ crls: [{ crl: await crl(await makeAuthority('x'), [serialOf(alice)]) }] }),
    ],
  ])('lets a certificate pass when a CRL names %s', async (_, anchor) => {
    await start({ anchor: await anchor() });
    expect(await ask()).toMatchObject({ status: 201 });
  });

  it('keeps what is no CRL out of the world', async () => {
    await start({});
    const other = start({ anchor: { crls: [{ crl: certificatePem(root.certificate) }] } });
    await expect(other).rejects.toMatchObject({ code: 'ERR_WORLD' });
  });
});

describe('quotas', () => {
  it('throttle an account at 10 requests a second and a certificate at 5, and recover', async () => {
    let now = NOW;
    await start({}, { throttle: true, now: () => now });
    const bob = await makeClient(root, { subject: 'CN=Bob' });
    const carol = await makeClient(root, { subject: 'CN=Carol' });
    const statuses = async (client: Client, count: number) => {
      const all: number[] = [];
      for (let index = 0; index < count; index += 1) all.push((await ask(client)).status);
      return all;
    };
    expect(await statuses(alice, 6)).toEqual([201, 201, 201, 201, 201, 429]);
    expect(await statuses(bob, 5)).toEqual([201, 201, 201, 201, 201]);
    expect(await ask(carol)).toMatchObject({
      status: 429,
      code: 'ThrottlingException',
      message: 'Rate exceeded',
      reason: 'account 123456789012 has used its 10 requests per second',
    });
    now = new Date(NOW.getTime() + 200);
    expect(await statuses(alice, 2)).toEqual([201, 429]);
  });

  it('do not hold by default', async () => {
    await start({});
    for (let index = 0; index < 12; index += 1) expect(await ask()).toMatchObject({ status: 201 });
  });
});

describe('subjects', () => {
  it('are kept with their certificates and what became of the last request', async () => {
    let now = NOW;
    await start({}, { now: () => now });
    await ask();
    const renewed = await makeClient(root, { serialNumber: '02' });
    now = new Date(NOW.getTime() + 1000);
    await ask(renewed, {
      now,
      change: (request) => (request.body = '{"durationSeconds":901,"roleSessionName":"mine"}'),
    });
    const [subject, ...others] = emulator.state.list('subjects');
    expect(others).toEqual([]);
    expect(subject).toMatchObject({
      x509Subject: 'CN=Alice, OU=Tests',
      createdAt: NOW.toISOString(),
      lastSeenAt: now.toISOString(),
      credentials: [
        { serialNumber: '02', issuer: 'CN=root', failed: true, seenAt: now.toISOString() },
        { serialNumber: 'f0e1d2c3b4a596', failed: false, seenAt: NOW.toISOString() },
      ],
    });
    expect(subject?.credentials[1]?.x509CertificateData.trim()).toBe(certificatePem(alice.certificate).trim());
    expect(JSON.parse((await ask(alice, { now })).body)).toMatchObject({ subjectArn: subject?.arn });
  });

  it('are not made by certificates that no anchor vouches for', async () => {
    await start({});
    await ask(await makeClient(await makeAuthority('other')));
    expect(emulator.state.list('subjects')).toEqual([]);
  });
});
