import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority } from '../../../../src/emulator/certificates/authority.ts';
import { type Emulator, startEmulator } from '../../../../src/emulator/emulator.ts';
import { aliasProblem } from '../../../../src/emulator/state/aliases.ts';
import { certificatePem, makeAuthority, makeClient } from '../../support/world.ts';
import { draft, send, signed } from '../../support/signed-request.ts';
import { type Json, signedCall } from './drivers.ts';

const PREFIX = 'arn:aws:rolesanywhere:us-east-1:123456789012';
const ROLE = 'arn:aws:iam::123456789012:role/Workload';
const READER = { accessKeyId: 'AKIAREADER0000000000', secretAccessKey: 'secret of the reader' };
const STRANGER = { accessKeyId: 'AKIASTRANGER00000000', secretAccessKey: 'secret of the stranger' };

const allow = (statement: Json) => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });

let authority: Authority;
let emulator: Emulator;
beforeAll(async () => {
  authority = await createAuthority();
  emulator = await startEmulator({
    trustAnchors: [{ certificates: authority.certificate, aliasName: 'corp/root' }],
    users: [
      {
        arn: 'arn:aws:iam::123456789012:user/admin',
        accessKeys: [
          { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
        ],
      },
      {
        arn: 'arn:aws:iam::123456789012:user/reader',
        accessKeys: [READER],
        policies: [allow({ Action: '*', Resource: `${PREFIX}:alias/*` })],
      },
      {
        arn: 'arn:aws:iam::999999999999:user/stranger',
        accessKeys: [STRANGER],
        policies: [allow({ Action: '*', Resource: '*' })],
      },
    ],
  });
});
afterAll(() => emulator.close());

const call = (method: string, path: string, body?: unknown, credentials?: typeof READER) =>
  signedCall(emulator.url, { method, path, body }, credentials);
const createProfile = async (changes: Json) =>
  await call('POST', '/profiles', { name: 'a', roleArns: [ROLE], enabled: true, ...changes });
const profileOf = ({ body }: Awaited<ReturnType<typeof call>>) => body['profile'] as Json;
const idOf = (profile: Json) => String(profile['profileId']);

describe('an alias', () => {
  it('comes back with its ARN, and is missing where there is none', async () => {
    const profile = profileOf(await createProfile({ aliasName: 'jobs/nightly' }));
    expect(profile).toMatchObject({
      aliasName: 'jobs/nightly',
      aliasArn: `${PREFIX}:alias/profile/jobs/nightly`,
      profileArn: `${PREFIX}:profile/${idOf(profile)}`,
    });
    for (const changes of [{}, { aliasName: '' }, { aliasName: null }])
      expect(Object.keys(profileOf(await createProfile(changes)))).not.toContain('aliasName');
  });

  it('names the resource in every operation on one, as its ARN does', async () => {
    const profile = profileOf(await createProfile({ aliasName: 'every' }));
    for (const name of [profile['profileArn'], profile['aliasArn']]) {
      const path = `/profile/${encodeURIComponent(String(name))}`;
      const mappings = `/profiles/${encodeURIComponent(String(name))}/mappings`;
      const rules = { certificateField: 'x509Subject', mappingRules: [{ specifier: 'CN' }] };
      const query = { certificateField: 'x509Subject' };
      for (const answer of [
        await call('GET', path),
        await call('PATCH', path, { name: 'b' }),
        await call('POST', `${path}/disable`),
        await call('POST', `${path}/enable`),
        await call('PUT', mappings, rules),
        await signedCall(emulator.url, { method: 'DELETE', path: mappings, query }),
      ])
        expect(profileOf(answer)).toMatchObject({ profileId: idOf(profile), aliasName: 'every' });
    }
    expect(await call('DELETE', `/profile/${encodeURIComponent(String(profile['aliasArn']))}`)).toMatchObject({
      status: 200,
    });
    expect(await call('GET', `/profile/${idOf(profile)}`)).toMatchObject({ status: 404 });
  });

  it('is changed, taken away and kept by updates, which tell of the one before', async () => {
    const profile = profileOf(await createProfile({ aliasName: 'first' }));
    const path = `/profile/${idOf(profile)}`;
    const kept = profileOf(await call('PATCH', path, { name: 'b' }));
    expect(kept).toMatchObject({ aliasName: 'first' });
    expect(kept).not.toHaveProperty('previousAliasName');
    expect(profileOf(await call('PATCH', path, { aliasName: 'first' }))).not.toHaveProperty('previousAliasName');
    expect(profileOf(await call('PATCH', path, { aliasName: 'second' }))).toMatchObject({
      aliasName: 'second',
      previousAliasName: 'first',
    });
    expect(await call('GET', `/profile/${encodeURIComponent(String(profile['aliasArn']))}`)).toMatchObject({
      status: 404,
      type: 'ResourceNotFoundException',
    });
    expect(profileOf(await call('GET', path))).not.toHaveProperty('previousAliasName');
    expect(await createProfile({ aliasName: 'first' })).toMatchObject({ status: 201 });
    const removed = profileOf(await call('PATCH', path, { aliasName: '' }));
    expect(removed).toMatchObject({ previousAliasName: 'second' });
    expect(removed).not.toHaveProperty('aliasArn');
    expect(profileOf(await call('PATCH', path, { aliasName: 'third' }))).not.toHaveProperty('previousAliasName');
  });

  it('is unique among resources of its type in an account, by case', async () => {
    expect(await createProfile({ aliasName: 'only' })).toMatchObject({ status: 201 });
    expect(await createProfile({ aliasName: 'only' })).toMatchObject({ status: 400, type: 'ValidationException' });
    expect(await createProfile({ aliasName: 'Only' })).toMatchObject({ status: 201 });
    expect(await createProfile({ aliasName: 'corp/root' })).toMatchObject({ status: 201 });
    expect(await call('POST', '/profiles', { name: 'a', roleArns: [], aliasName: 'only' }, STRANGER)).toMatchObject({
      status: 201,
    });
  });

  it('is of CRLs too, and an import does not take that of an anchor', async () => {
    const crlData = Buffer.from(await authority.revoke([])).toString('base64');
    const [trustAnchorArn] = emulator.trustAnchorArns;
    const { body } = await call('POST', '/crls', { name: 'a', crlData, trustAnchorArn, aliasName: 'list' });
    expect(body['crl']).toMatchObject({ aliasArn: `${PREFIX}:alias/crl/list`, trustAnchorArn });
    const path = `/crl/${encodeURIComponent(`${PREFIX}:alias/crl/list`)}`;
    expect((await call('PATCH', path, { aliasName: 'other' })).body['crl']).toMatchObject({
      previousAliasName: 'list',
    });
    expect(
      await call('POST', '/crls', { name: 'a', crlData, trustAnchorArn: `${PREFIX}:alias/trust-anchor/corp/root` }),
    ).toMatchObject({ status: 404, type: 'ResourceNotFoundException' });
  });

  it('is of trust anchors, with whether distribution points are looked at', async () => {
    const source = { sourceType: 'CERTIFICATE_BUNDLE', sourceData: { x509CertificateData: authority.certificate } };
    const made = await call('POST', '/trustanchors', {
      name: 'a',
      source,
      aliasName: 'b',
      crlDpRevocationEnabled: true,
    });
    expect(made.body['trustAnchor']).toMatchObject({
      aliasArn: `${PREFIX}:alias/trust-anchor/b`,
      crlDpRevocationEnabled: true,
    });
    const path = `/trustanchor/${encodeURIComponent(`${PREFIX}:alias/trust-anchor/b`)}`;
    const changed = await call('PATCH', path, { crlDpRevocationEnabled: false, aliasName: 'c' });
    expect(changed.body['trustAnchor']).toMatchObject({ crlDpRevocationEnabled: false, previousAliasName: 'b' });
  });

  it('is not what a policy names', async () => {
    const path = `/trustanchor/${encodeURIComponent(`${PREFIX}:alias/trust-anchor/corp/root`)}`;
    const refused = await call('GET', path, undefined, READER);
    expect(refused).toMatchObject({ status: 403, type: 'AccessDeniedException' });
    expect(refused.body['message']).toContain(`on resource: ${emulator.trustAnchorArns[0]}`);
  });

  it('of another account, region or type names nothing', async () => {
    for (const arn of [
      `${PREFIX}:alias/profile/corp/root`,
      `${PREFIX.replace('us-east-1', 'eu-west-1')}:alias/trust-anchor/corp/root`,
      `${PREFIX}:alias/trust-anchor/CORP/root`,
    ])
      expect(await call('GET', `/trustanchor/${encodeURIComponent(arn)}`)).toMatchObject({ status: 404 });
    const path = `/trustanchor/${encodeURIComponent(`${PREFIX}:alias/trust-anchor/corp/root`)}`;
    expect(await call('GET', path, undefined, STRANGER)).toMatchObject({ status: 404 });
  });

  it.each([
    ['a', true],
    ['A-b_c/d/9', true],
    ['awsx/a', true],
    ['a'.repeat(256), true],
    ['a'.repeat(257), false],
    ['9a', false],
    ['/a', false],
    ['a/', false],
    ['a//b', false],
    ['a b', false],
    ['a.b', false],
    ['ä', false],
    ['AWS/a', false],
  ])('%s can be one: %s', async (name, isGood) => {
    expect(aliasProblem(name) === undefined).toBe(isGood);
    expect(await createProfile({ aliasName: name })).toMatchObject(
      isGood ? { status: 201 } : { status: 400, type: 'ValidationException' },
    );
  });
});

describe('CreateSession', () => {
  it('takes alias ARNs of anchor and profile, and the trust policy sees the anchor’s own', async () => {
    const now = new Date();
    const anyTime = { notBefore: new Date(0), notAfter: new Date('2049-01-01') };
    const root = await makeAuthority('root', anyTime);
    const client = await makeClient(root, anyTime);
    const other = await startEmulator({
      trustAnchors: [{ certificates: certificatePem(root.certificate), aliasName: 'corp/root' }],
      profiles: [
        {
          arn: `${PREFIX}:profile/22222222-2222-2222-2222-222222222222`,
          aliasName: 'Workers',
          roleArns: [ROLE],
        },
      ],
      roles: [
        {
          arn: ROLE,
          trustPolicy: {
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Principal: { Service: 'rolesanywhere.amazonaws.com' },
                Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
                Condition: {
                  ArnEquals: { 'aws:SourceArn': `${PREFIX}:trust-anchor/11111111-1111-1111-1111-111111111111` },
                },
              },
            ],
          },
        },
      ],
    });
    const ask = async (profileAlias: string): Promise<number> => {
      const request = draft(client, other.url, { now });
      const arns = {
        profileArn: `${PREFIX}:alias/profile/${profileAlias}`,
        roleArn: ROLE,
        trustAnchorArn: `${PREFIX}:alias/trust-anchor/corp/root`,
      };
      request.query = Object.entries(arns)
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
        .join('&');
      return (await send(other.url, signed(request, client))).status;
    };
    expect([await ask('Workers'), await ask('workers')]).toEqual([201, 404]);
    await other.close();
  });
});
