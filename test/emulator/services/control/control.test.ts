import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority } from '../../../../src/emulator/certificates/authority.ts';
import { type Emulator, startEmulator } from '../../../../src/emulator/emulator.ts';
import { PKI } from '../../../support/cli.ts';
import { type Json, signedCall } from './drivers.ts';

const PROFILE = '/profile/22222222-2222-2222-2222-222222222222';
const NOWHERE = '99999999-9999-9999-9999-999999999999';
const ROLE = 'arn:aws:iam::123456789012:role/Workload';

/** A user who may look, and one who may do some things to what has a tag. */
const READER = { accessKeyId: 'AKIAREADER0000000000', secretAccessKey: 'secret of the reader' };
const TAGGER = { accessKeyId: 'AKIATAGGER0000000000', secretAccessKey: 'secret of the tagger' };
const STRANGER = { accessKeyId: 'AKIASTRANGER00000000', secretAccessKey: 'secret of the stranger' };

let authority: Authority;
let emulator: Emulator;
beforeAll(async () => {
  authority = await createAuthority();
  const user = (name: string, key: typeof READER, statement: Json, account = '123456789012') => ({
    arn: `arn:aws:iam::${account}:user/${name}`,
    accessKeys: [key],
    policies: [{ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Resource: '*', ...statement }] }],
  });
  emulator = await startEmulator({
    trustAnchors: [{ certificates: authority.certificate }],
    users: [
      user(
        'admin',
        { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
        { Action: '*' },
      ),
      user('reader', READER, { Action: ['rolesanywhere:Get*', 'rolesanywhere:List*'] }),
      user('tagger', TAGGER, {
        Action: 'rolesanywhere:*',
        Condition: { StringEquals: { 'aws:ResourceTag/team': 'a' } },
      }),
      user('stranger', STRANGER, { Action: '*' }, '999999999999'),
    ],
  });
});
afterAll(() => emulator.close());

const call = (method: string, path: string, body?: unknown, credentials?: typeof READER) =>
  signedCall(emulator.url, { method, path, body }, credentials);

const createProfile = (changes: Json) => call('POST', '/profiles', { name: 'a', roleArns: [], ...changes });
const anchorOf = (x509CertificateData: string, changes: Json = {}) =>
  call('POST', '/trustanchors', {
    name: 'a',
    source: { sourceType: 'CERTIFICATE_BUNDLE', sourceData: { x509CertificateData } },
    ...changes,
  });
const tagsOf = (count: number, prefix = 'key') =>
  Array.from({ length: count }, (_, index) => ({ key: `${prefix}${index}`, value: '' }));
const trustAnchorId = '11111111-1111-1111-1111-111111111111';
const trustAnchorArn = `arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/${trustAnchorId}`;
const importCrl = (crlData: unknown, changes: Json = {}) =>
  call('POST', '/crls', { name: 'a', crlData, trustAnchorArn, ...changes });
const pem = (name: string) => readFileSync(`${PKI}${name}`, 'utf8');

const one = (at: string, constraint: string) =>
  `1 validation error detected: ${at} failed to satisfy constraint: Member must ${constraint}`;

const tag = (tags: unknown) => call('POST', '/TagResource', { resourceArn: trustAnchorArn, tags });

describe('input beyond the model is refused', () => {
  it.each<[string, () => ReturnType<typeof call>, string]>([
    ['no name', () => createProfile({ name: null }), one("Value null at 'name'", 'not be null')],
    [
      'a short duration',
      () => createProfile({ durationSeconds: 899 }),
      one("Value '899' at 'durationSeconds'", 'have value greater than or equal to 900'),
    ],
    [
      'a long duration',
      () => createProfile({ durationSeconds: 43_201 }),
      one("Value '43201' at 'durationSeconds'", 'have value less than or equal to 43200'),
    ],
    [
      'an odd name',
      () => createProfile({ name: 'a/b' }),
      one("Value 'a/b' at 'name'", String.raw`satisfy regular expression pattern: [ a-zA-Z0-9\-_]*`),
    ],
    [
      'too many roles',
      () => createProfile({ roleArns: Array.from({ length: 251 }, () => ROLE) }),
      one("Value at 'roleArns'", 'have length less than or equal to 250'),
    ],
    [
      'what is no role',
      () => createProfile({ roleArns: [ROLE, 'arn:aws:iam::1:user/a'] }),
      one(
        "Value 'arn:aws:iam::1:user/a' at 'roleArns.2.member'",
        'satisfy regular expression pattern: arn:aws(-[^:]+)?:iam(:.*){2}(:role.*)',
      ),
    ],
    [
      'a tag key that is too long, whose value is not repeated',
      () => createProfile({ tags: [{ key: 'k'.repeat(129), value: '' }] }),
      one("Value at 'tags.1.member.key'", 'have length less than or equal to 128'),
    ],
    [
      'an unknown event',
      () => anchorOf(authority.certificate, { notificationSettings: [{ enabled: false, event: 'NONE' }] }),
      one(
        "Value 'NONE' at 'notificationSettings.1.member.event'",
        'satisfy enum value set: [CA_CERTIFICATE_EXPIRY, END_ENTITY_CERTIFICATE_EXPIRY]',
      ),
    ],
    [
      'an id that is none',
      () => call('GET', '/crl/1'),
      one(
        "Value '1' at 'crlId'",
        'satisfy regular expression pattern: .*[a-f0-9]{8}-([a-z0-9]{4}-){3}[a-z0-9]{12}.*|arn:aws(-[^:]+)?:rolesanywhere:.*',
      ),
    ],
    ['an empty CRL', () => importCrl(''), one("Value at 'crlData'", 'have length greater than or equal to 1')],
    ['no source', () => call('POST', '/trustanchors', { name: 'a' }), one("Value null at 'source'", 'not be null')],
    [
      'an empty source',
      () => call('POST', '/trustanchors', { name: 'a', source: {} }),
      'sourceType and sourceData are required',
    ],
    ['a leaf as a CA', () => anchorOf(pem('ec-p256.crt.pem')), 'Incorrect basic constraints for CA certificate'],
    ['no certificate', () => anchorOf('nothing'), 'The certificate bundle holds no certificate'],
    ['three CAs', () => anchorOf(authority.certificate.repeat(3)), 'The certificate bundle holds 3 certificates'],
    [
      'a private CA',
      () =>
        call('POST', '/trustanchors', {
          name: 'a',
          source: { sourceType: 'AWS_ACM_PCA', sourceData: { acmPcaArn: 'arn:aws:acm-pca:us-east-1:1:x' } },
        }),
      'Trust anchors of type AWS_ACM_PCA are not supported',
    ],
    [
      'a notification without a threshold',
      () =>
        anchorOf(authority.certificate, { notificationSettings: [{ enabled: true, event: 'CA_CERTIFICATE_EXPIRY' }] }),
      'A threshold is required for an enabled notification setting',
    ],
    ['a CRL in DER', () => importCrl(Buffer.from([0x30, 0]).toString('base64')), 'The CRL is not in PEM format'],
    [
      'a CRL for no anchor',
      () =>
        importCrl(Buffer.from(pem('crl.pem')).toString('base64'), {
          trustAnchorArn: trustAnchorArn.replace(/.$/, '9'),
        }),
      `Trust anchor not found: ${trustAnchorArn.replace(/.$/, '9')}`,
    ],
    ['a tag twice', () => createProfile({ tags: [...tagsOf(1), ...tagsOf(1)] }), 'Tag keys must be unique'],
    [
      "a tag of AWS's own",
      () => createProfile({ tags: tagsOf(1, 'aws:') }),
      'Tag keys must not begin with aws:, which is reserved',
    ],
    [
      'a specifier that is none',
      () =>
        call('PUT', `/profiles/${NOWHERE.replaceAll('9', '2')}/mappings`, {
          certificateField: 'x509SAN',
          mappingRules: [{ specifier: '*' }],
        }),
      'Invalid specifier for x509SAN: *',
    ],
    [
      'a page of nothing',
      () => signedCall(emulator.url, { method: 'GET', path: '/crls', query: { pageSize: '0' } }),
      'pageSize must be at least 1',
    ],
    [
      'a token of another list',
      () => signedCall(emulator.url, { method: 'GET', path: '/crls', query: { nextToken: 'AAAA' } }),
      'Invalid nextToken',
    ],
  ])('%s', async (_, send, message) => {
    expect(await send()).toEqual({ status: 400, type: 'ValidationException', body: { message } });
  });

  it.each<[string, () => ReturnType<typeof call>]>([
    ['a string for a number', () => createProfile({ durationSeconds: '900' })],
    ['a fraction', () => createProfile({ durationSeconds: 900.5 })],
    ['a string for a boolean', () => createProfile({ enabled: 'true' })],
    ['a string for a list', () => createProfile({ roleArns: ROLE })],
    ['a number for a string', () => createProfile({ name: 1 })],
    ['a list for a structure', () => call('POST', '/trustanchors', { name: 'a', source: [] })],
    ['what is not base64', () => importCrl('-----BEGIN')],
    ['what is not JSON', () => call('POST', '/profiles', '{')],
    ['what is no object', () => call('POST', '/profiles', '[]')],
    [
      'a page size in words',
      () => signedCall(emulator.url, { method: 'GET', path: '/crls', query: { pageSize: 'ten' } }),
    ],
  ])('as not serializable: %s', async (_, send) => {
    expect(await send()).toMatchObject({ status: 400, type: 'SerializationException' });
  });
});

describe('credentials', () => {
  it('must be known, and signed with for this service and region', async () => {
    const get = { method: 'GET', path: PROFILE };
    expect(await signedCall(emulator.url, get, { ...READER, accessKeyId: 'AKIANOBODY0000000000' })).toMatchObject({
      status: 403,
      type: 'UnrecognizedClientException',
    });
    expect(await signedCall(emulator.url, get, READER, { region: 'eu-west-1' })).toMatchObject({
      type: 'InvalidSignatureException',
      body: { message: 'Credential should be scoped to a valid region.' },
    });
    const answer = await fetch(`${emulator.url}${PROFILE}`);
    expect([answer.status, answer.headers.get('x-amzn-errortype')]).toEqual([
      403,
      'MissingAuthenticationTokenException',
    ]);
  });

  it('see only what is of their account', async () => {
    expect(await call('GET', PROFILE, undefined, READER)).toMatchObject({ status: 200 });
    expect(await call('GET', PROFILE, undefined, STRANGER)).toMatchObject({ type: 'ResourceNotFoundException' });
    expect(await call('GET', '/profiles', undefined, STRANGER)).toEqual({
      status: 200,
      type: undefined,
      body: { profiles: [] },
    });
    const query = { resourceArn: trustAnchorArn };
    expect(
      await signedCall(emulator.url, { method: 'GET', path: '/ListTagsForResource', query }, STRANGER),
    ).toMatchObject({ status: 404, type: 'ResourceNotFoundException' });
  });

  it('do what their policies allow, conditions on tags included', async () => {
    expect(await call('POST', `${PROFILE}/disable`, undefined, READER)).toEqual({
      status: 403,
      type: 'AccessDeniedException',
      body: {
        message: `User: arn:aws:iam::123456789012:user/reader is not authorized to perform: rolesanywhere:DisableProfile on resource: arn:aws:rolesanywhere:us-east-1:123456789012:${PROFILE.slice(1)}`,
      },
    });
    const path = `/trustanchor/${trustAnchorId}`;
    expect(await call('GET', path, undefined, TAGGER)).toMatchObject({ status: 403 });
    await call('POST', '/TagResource', { resourceArn: trustAnchorArn, tags: [{ key: 'team', value: 'a' }] });
    expect(await call('GET', path, undefined, TAGGER)).toMatchObject({ status: 200 });
    await call('POST', '/UntagResource', { resourceArn: trustAnchorArn, tagKeys: ['team'] });
  });
});

describe('what there is', () => {
  it('is listed in pages that neither repeat nor leave out, whatever is made or deleted meanwhile', async () => {
    const made = [];
    for (let count = 0; count < 5; count += 1) made.push((await createProfile({ name: `p${count}` })).body['profile']);
    const ids = made.map((profile) => (profile as { profileId: string }).profileId);
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const query = { pageSize: '2', ...(nextToken === undefined ? {} : { nextToken }) };
      const { body } = await signedCall(emulator.url, { method: 'GET', path: '/profiles', query });
      const page = (body['profiles'] as { profileId: string }[]).map(({ profileId }) => profileId);
      expect(page.length).toBeLessThanOrEqual(2);
      seen.push(...page);
      nextToken = body['nextToken'] as string | undefined;
      if (seen.length === 2) await call('DELETE', `/profile/${seen[1]}`);
    } while (nextToken !== undefined);
    expect(seen.toSorted()).toEqual([...ids, PROFILE.slice('/profile/'.length)].toSorted());
  });

  it('is not found when it is not there', async () => {
    for (const path of [`/trustanchor/${NOWHERE}`, `/profile/${NOWHERE}`, `/crl/${NOWHERE}`, `/subject/${NOWHERE}`])
      expect(await call('GET', path)).toMatchObject({ status: 404, type: 'ResourceNotFoundException' });
    expect(await call('GET', '/nothing')).toMatchObject({ status: 404, type: 'UnknownOperationException' });
  });

  it('has 200 tags at most, and two CRLs for an anchor', async () => {
    expect(await tag(tagsOf(200))).toEqual({ status: 201, type: undefined, body: {} });
    expect(await tag(tagsOf(1, 'other'))).toMatchObject({ status: 400, type: 'TooManyTagsException' });
    const crl = Buffer.from(await authority.revoke([])).toString('base64');
    expect(await importCrl(crl)).toMatchObject({ status: 201, body: { crl: { enabled: false, crlData: crl } } });
    expect(await importCrl(crl)).toMatchObject({ status: 201 });
    expect(await importCrl(crl)).toMatchObject({
      body: { message: 'The limit of 2 CRLs per trust anchor is reached' },
    });
  });

  it('loses a field of its mappings when that is deleted without specifiers', async () => {
    const id = '22222222-2222-2222-2222-222222222222';
    const query = { certificateField: 'x509Issuer' };
    const { body } = await signedCall(emulator.url, { method: 'DELETE', path: `/profiles/${id}/mappings`, query });
    const { attributeMappings } = body['profile'] as { attributeMappings: { certificateField: string }[] };
    expect(attributeMappings.map(({ certificateField }) => certificateField)).toEqual(['x509Subject', 'x509SAN']);
  });

  it('takes a body with a CRL of the largest size that the service takes', async () => {
    const padding = 'x'.repeat(299_900);
    const crlData = Buffer.from(`${padding}\n-----BEGIN X509 CRL-----\n`).toString('base64');
    expect(await call('PATCH', `/crl/${NOWHERE}`, { crlData })).toMatchObject({ type: 'ResourceNotFoundException' });
    const { status, body } = await importCrl(Buffer.alloc(300_001).toString('base64'));
    expect([status, body['message']]).toEqual([400, expect.stringContaining('less than or equal to 300000')]);
  });
});
