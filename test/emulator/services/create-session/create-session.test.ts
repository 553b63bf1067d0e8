import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, generateKeys } from '../../../../certs-dev/authority.ts';
import type { Emulator, EmulatorOptions } from '../../../../src/emulator/emulator.ts';
import { type Draft, type Reply, draft, send, signed } from '../../support/signed-request.ts';
import { ARNS, type Client, NOW, certificatePem, makeAuthority, makeClient, startWith } from '../../support/world.ts';

const INSUFFICIENT = 'Untrusted certificate. Insufficient certificate';
const UNTRUSTED = 'Untrusted signing certificate';
const HOUR_MS = 3_600_000;

let root: Authority;
let emulator: Emulator;
let alice: Client;
beforeAll(async () => {
  root = await makeAuthority('root');
  alice = await makeClient(root);
  emulator = await startWith(root);
});
afterAll(() => emulator.close());

interface Outcome {
  status: number;
  code: string | string[] | undefined;
  message: unknown;
  reason: string | undefined;
  reply: Reply;
}

/** Sends a well-signed request; what is tested is its content. */
async function ask(
  client: Client,
  {
    chain = [],
    change = () => undefined,
    to = emulator,
  }: { chain?: x509.X509Certificate[]; change?: (request: Draft) => unknown; to?: Emulator } = {},
): Promise<Outcome> {
  const request = draft(client, to.url, { now: NOW, chain });
  change(request);
  const reply = await send(to.url, signed(request, client));
  const { message } = JSON.parse(reply.body) as { message?: unknown };
  const { status, headers } = reply;
  return { status, code: headers['x-amzn-errortype'], message, reason: to.verdicts.at(-1)?.reason, reply };
}

/** The same, of an emulator of its own. */
async function askOf(options: Partial<EmulatorOptions>, change: (request: Draft) => unknown): Promise<Outcome> {
  const to = await startWith(root, options);
  try {
    return await ask(alice, { change, to });
  } finally {
    await to.close();
  }
}

const withBody = (body: object) => (request: Draft) => (request.body = JSON.stringify(body));

describe('the answer', () => {
  it('has the shape that the service documents', async () => {
    const { reply } = await ask(alice, { change: withBody({ durationSeconds: 900 }) });
    expect(reply.status).toBe(201);
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', date: NOW.toUTCString() });
    expect(JSON.parse(reply.body)).toEqual({
      credentialSet: [
        {
          assumedRoleUser: {
            arn: 'arn:aws:sts::123456789012:assumed-role/Workload/f0e1d2c3b4a596',
            assumedRoleId: expect.stringMatching(/^AROA[A-Z2-7]{17}:f0e1d2c3b4a596$/),
          },
          credentials: {
            accessKeyId: expect.stringMatching(/^ASIA[A-Z2-7]{16}$/),
            secretAccessKey: expect.stringMatching(/^[A-Za-z0-9+/]{40}$/),
            sessionToken: expect.stringMatching(/^[A-Za-z0-9+/]{512}$/),
            expiration: '2030-06-15T12:15:00Z',
          },
          packedPolicySize: 14,
          roleArn: ARNS.roleArn,
          sourceIdentity: 'CN=Alice',
        },
      ],
      subjectArn: expect.stringMatching(/^arn:aws:rolesanywhere:us-east-1:123456789012:subject\/[0-9a-f-]{36}$/),
    });
  });

  it('is other credentials each time, and no verdict holds them', async () => {
    const [one, two] = await Promise.all([ask(alice), ask(alice)]);
    const secrets = [one, two].map(({ reply }) =>
      /"secretAccessKey":"([^"]+)".*"sessionToken":"([^"]+)"/.exec(reply.body),
    );
    expect(secrets[0]?.[1]).not.toBe(secrets[1]?.[1]);
    for (const secret of secrets.flatMap((match) => match?.slice(1) ?? []))
      expect(JSON.stringify(emulator.verdicts)).not.toContain(secret);
  });

  it.each([
    ['CN=Alice', 'CN=Alice'],
    [`CN=${'a'.repeat(61)}`, `CN=${'a'.repeat(61)}`],
    [`CN=${'a'.repeat(62)}`, 'a'.repeat(62)],
    ['OU=Nobody', 'ID=0123'],
  ])('names the source identity of %s', async (subject, sourceIdentity) => {
    const client = await makeClient(root, { subject, serialNumber: '0123' });
    const { reply } = await ask(client);
    expect(JSON.parse(reply.body)).toMatchObject({ credentialSet: [{ sourceIdentity }] });
  });
});

describe('the certificate of the subject', () => {
  const { digitalSignature, keyAgreement } = x509.KeyUsageFlags;
  const usage = new x509.KeyUsagesExtension(digitalSignature, true);
  it.each<[string, Parameters<typeof makeClient>[1], string]>([
    [
      'is a CA certificate',
      { extensions: [new x509.BasicConstraintsExtension(true), usage] },
      'it is a CA certificate',
    ],
    ['has no key usage', { extensions: [] }, 'its key usage does not include digitalSignature'],
    [
      'is for key agreement alone',
      { extensions: [new x509.KeyUsagesExtension(keyAgreement)] },
      'its key usage does not',
    ],
    ['has an empty subject', { subject: '' }, 'its subject is empty'],
    ['has expired', { notAfter: new Date(NOW.getTime() - 1000) }, 'it expired at 2030-06-15T11:59:59.000Z'],
    ['is not valid yet', { notBefore: new Date(NOW.getTime() + 1000) }, 'it is not valid before 2030-06-15T12:00:01'],
    [
      'has a critical extension that nobody knows',
      { extensions: [usage, new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] },
      'its critical extension 1.2.3.4',
    ],
  ])('is refused when it %s', async (_, options, reason) => {
    const { status, code, message, reason: given } = await ask(await makeClient(root, options));
    expect({ status, code, message }).toEqual({ status: 403, code: 'AccessDeniedException', message: INSUFFICIENT });
    expect(given).toContain(reason);
  });

  it('is refused when it is signed with SHA-1', async () => {
    const { publicKey, privateKey } = await generateKeys('ec-p256');
    const certificate = await x509.X509CertificateGenerator.create(
      {
        subject: 'CN=Alice',
        issuer: root.certificate.subjectName,
        notBefore: new Date(NOW.getTime() - HOUR_MS),
        notAfter: new Date(NOW.getTime() + HOUR_MS),
        publicKey,
        signingKey: root.keys.privateKey,
        signingAlgorithm: { name: 'ECDSA', hash: 'SHA-1' },
        extensions: [usage],
      },
      webcrypto,
    );
    const { message, reason } = await ask({ certificate, key: KeyObject.from(privateKey) });
    expect(message).toBe(INSUFFICIENT);
    expect(reason).toContain('1.2.840.10045.4.1');
  });

  it('is accepted without extended key usage and basic constraints', async () => {
    expect(await ask(await makeClient(root, { extensions: [usage] }))).toMatchObject({ status: 201 });
  });
});

/** Authorities below the root, one below the other. */
async function authorities(count: number, options: Parameters<typeof makeAuthority>[1] = {}): Promise<Authority[]> {
  const made: Authority[] = [];
  for (let index = 0; index < count; index += 1)
    made.push(await makeAuthority(`authority ${index}`, { issuer: made.at(-1) ?? root, ...options }));
  return made;
}
const certificatesOf = (made: readonly Authority[]): x509.X509Certificate[] =>
  made.map(({ certificate }) => certificate);

describe('the chain', () => {
  it('is found through five certificates in any order', async () => {
    const made = await authorities(5);
    const client = await makeClient(made[4] ?? root);
    const { status, reason } = await ask(client, { chain: certificatesOf(made) });
    expect({ status, reason: reason }).toMatchObject({ status: 201 });
    expect(await ask(client, { chain: certificatesOf(made).toReversed() })).toMatchObject({ status: 201 });
  });

  it('may hold the leaf and the anchor', async () => {
    const [one] = await authorities(1);
    const client = await makeClient(one ?? root);
    const chain = [client.certificate, one?.certificate ?? root.certificate, root.certificate];
    expect(await ask(client, { chain })).toMatchObject({ status: 201 });
  });

  it('is refused with six certificates', async () => {
    const { status, reason } = await ask(alice, { chain: certificatesOf(await authorities(6)) });
    expect({ status, reason }).toEqual({ status: 403, reason: 'x-amz-x509-chain holds 6 certificates, more than 5' });
  });

  it('ends at an anchor that is not self-signed', async () => {
    const [one] = await authorities(1);
    const to = await startWith(one ?? root);
    expect(await ask(await makeClient(one ?? root), { to })).toMatchObject({ status: 201 });
    await to.close();
  });

  it.each<[string, Parameters<typeof makeAuthority>[1], string]>([
    ['has expired', { notAfter: new Date(NOW.getTime() - 1000) }, 'it expired at'],
    ['is not valid yet', { notBefore: new Date(NOW.getTime() + 1000) }, 'it is not valid before'],
  ])('is refused when an intermediate %s', async (_, options, expected) => {
    const made = await authorities(1, options);
    const { message, reason } = await ask(await makeClient(made[0] ?? root), { chain: certificatesOf(made) });
    expect(message).toBe(UNTRUSTED);
    expect(reason).toContain(expected);
  });

  it('is refused when an end entity issued the certificate', async () => {
    const bob = await makeClient(root, { subject: 'CN=Bob' });
    const keys = { privateKey: await importKey(bob.key), publicKey: await bob.certificate.publicKey.export(webcrypto) };
    const client = await makeClient({ certificate: bob.certificate, keys });
    const { message, reason } = await ask(client, { chain: [bob.certificate] });
    expect(message).toBe(UNTRUSTED);
    expect(reason).toContain('"CN=Bob" cannot have issued "CN=Alice, OU=Tests": it is not a CA certificate');
  });

  it('is refused when a path length constraint is exceeded', async () => {
    const top = await makeAuthority('top', { issuer: root, pathLength: 0 });
    const below = await makeAuthority('below', { issuer: top });
    const { message, reason } = await ask(await makeClient(below), { chain: certificatesOf([below, top]) });
    expect(message).toBe(UNTRUSTED);
    expect(reason).toContain('its path length constraint is 0, and 1 are below it');
  });

  it('is refused when an intermediate is missing', async () => {
    const made = await authorities(2);
    const { message, reason } = await ask(await makeClient(made[1] ?? root), { chain: certificatesOf(made.slice(1)) });
    expect(message).toBe(UNTRUSTED);
    expect(reason).toContain('no certificate of "CN=authority 0", which issued "CN=authority 1", was found');
  });

  it('is refused when another key has the name of the anchor', async () => {
    const impostor = await makeAuthority('root');
    const { message, reason } = await ask(await makeClient(impostor), { chain: [impostor.certificate] });
    expect(message).toBe(UNTRUSTED);
    expect(reason).toContain('the signature does not verify with its key');
  });
});

async function importKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return await webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
}

const arn = (name: keyof typeof ARNS, value: string) => (request: Draft) =>
  (request.query = request.query.replace(encodeURIComponent(ARNS[name]), encodeURIComponent(value)));
const cut = (pattern: RegExp) => (request: Draft) => (request.query = request.query.replace(pattern, ''));

describe('the parameters', () => {
  it.each<[string, (request: Draft) => unknown, number, string, RegExp]>([
    [
      'without a profile',
      cut(/^profileArn=[^&]*&/),
      400,
      'ValidationException',
      /at 'profileArn' failed to satisfy constraint: Member must not be null/,
    ],
    ['without a role', cut(/roleArn=[^&]*&/), 400, 'ValidationException', /at 'roleArn'/],
    ['without a trust anchor', cut(/&trustAnchorArn=.*/), 400, 'ValidationException', /at 'trustAnchorArn'/],
    [
      'with a role for a profile',
      arn('profileArn', ARNS.roleArn),
      400,
      'ValidationException',
      /at 'profileArn'.*pattern/,
    ],
    [
      'with an ARN that is too long',
      arn('roleArn', `${ARNS.roleArn}${'a'.repeat(1000)}`),
      400,
      'ValidationException',
      /length less than or equal to 1011/,
    ],
    [
      'with an unknown trust anchor',
      arn('trustAnchorArn', ARNS.trustAnchorArn.replace(/.$/, '9')),
      404,
      'ResourceNotFoundException',
      /trust-anchor/,
    ],
    [
      'with an unknown profile',
      arn('profileArn', ARNS.profileArn.replace(/.$/, '9')),
      404,
      'ResourceNotFoundException',
      /profile/,
    ],
    [
      'with a profile of another region',
      arn('profileArn', ARNS.profileArn.replace('us-east-1', 'eu-west-1')),
      404,
      'ResourceNotFoundException',
      /eu-west-1/,
    ],
    [
      'with a role that is not in the profile',
      arn('roleArn', 'arn:aws:iam::123456789012:role/Admin'),
      403,
      'AccessDeniedException',
      /^Unable to assume role for arn:aws:iam::123456789012:role\/Admin$/,
    ],
    [
      'for 899 seconds',
      withBody({ durationSeconds: 899 }),
      400,
      'ValidationException',
      /^1 validation error detected: Value '899' at 'durationSeconds'/,
    ],
    ['for 43201 seconds', withBody({ durationSeconds: 43_201 }), 400, 'ValidationException', /'43201'/],
    ['for 900.5 seconds', withBody({ durationSeconds: 900.5 }), 400, 'SerializationException', /durationSeconds/],
    ['for "3600" seconds', withBody({ durationSeconds: '3600' }), 400, 'SerializationException', /durationSeconds/],
    [
      'with a space in the session name',
      withBody({ roleSessionName: 'a b' }),
      400,
      'ValidationException',
      /roleSessionName/,
    ],
    [
      'with a session name of one character',
      withBody({ roleSessionName: 'a' }),
      400,
      'ValidationException',
      /roleSessionName/,
    ],
    [
      'with a session name of 65 characters',
      withBody({ roleSessionName: 'a'.repeat(65) }),
      400,
      'ValidationException',
      /roleSessionName/,
    ],
    [
      'with text for instance properties',
      withBody({ instanceProperties: 'a' }),
      400,
      'SerializationException',
      /instanceProperties/,
    ],
    [
      'with 51 instance properties',
      withBody({ instanceProperties: Object.fromEntries(Array.from({ length: 51 }, (_, key) => [key, 'a'])) }),
      400,
      'ValidationException',
      /instanceProperties/,
    ],
    [
      'with another role in the body',
      withBody({ roleArn: 'arn:aws:iam::123456789012:role/Admin' }),
      400,
      'ValidationException',
      /same in query and body/,
    ],
    ['with a role that is a number', withBody({ roleArn: 1 }), 400, 'ValidationException', /same in query and body/],
    ['with a list for a body', withBody([]), 400, 'SerializationException', /no JSON object/],
    [
      'with half a body',
      (request) => (request.body = '{"durationSeconds":'),
      400,
      'SerializationException',
      /not JSON/,
    ],
  ])('%s are refused', async (_, change, status, code, message) => {
    const outcome = await ask(alice, { change });
    expect(outcome).toMatchObject({ status, code });
    expect(outcome.message).toMatch(message);
  });

  it('are taken from the body, with what the service does not know ignored', async () => {
    const outcome = await ask(alice, {
      change: (request) => {
        request.query = '';
        request.body = JSON.stringify({ ...ARNS, instanceProperties: { a: 'b' }, other: null, durationSeconds: null });
      },
    });
    expect(outcome).toMatchObject({ status: 201 });
  });

  it('may name the session, when the profile lets them', async () => {
    const change = withBody({ roleSessionName: 'a+b=c,d.e@f-g' });
    const profiles = [{ arn: ARNS.profileArn, roleArns: [ARNS.roleArn], acceptRoleSessionName: true }];
    const { reply } = await askOf({ profiles }, change);
    expect(reply.body).toContain('assumed-role/Workload/a+b=c,d.e@f-g"');
    expect(await ask(alice, { change })).toMatchObject({
      status: 403,
      message: 'Not authorized to set roleSessionName.',
    });
  });

  it.each([
    { asked: undefined, profile: 7200, role: 7200, end: '14:00:00' },
    { asked: 3600, profile: 7200, role: 7200, end: '13:00:00' },
    { asked: 43_200, profile: 7200, role: 7200, end: '14:00:00' },
    { asked: 43_200, profile: 43_200, role: 43_200, end: '00:00:00' },
    { asked: 43_200, profile: 900, role: 3600, end: '12:15:00' },
    { asked: 3600, profile: 7200, role: 3600, end: '13:00:00' },
  ])('last until $end: asked $asked, profile $profile, role $role', async ({ asked, profile, role, end }) => {
    const profiles = [{ arn: ARNS.profileArn, roleArns: [ARNS.roleArn], durationSeconds: profile }];
    const roles = [{ arn: ARNS.roleArn, maxSessionDuration: role }];
    const { reply } = await askOf({ profiles, roles }, withBody({ durationSeconds: asked }));
    expect(reply.body).toContain(`${end}Z"`);
  });

  it("are refused when the duration exceeds the role's maximum", async () => {
    const profiles = [{ arn: ARNS.profileArn, roleArns: [ARNS.roleArn], durationSeconds: 7200 }];
    const { status, message } = await askOf({ profiles }, withBody({}));
    expect({ status, message }).toEqual({
      status: 403,
      message: `Unable to assume role for ${ARNS.roleArn}. The requested DurationSeconds exceeds the MaxSessionDuration set for this role.`,
    });
  });
});

/** Names the second trust anchor. */
function second(request: Draft): void {
  request.query = request.query.replace(/1$/, '2');
}

describe('a world', () => {
  it.each<[string, () => Promise<Partial<EmulatorOptions>> | Partial<EmulatorOptions>, string]>([
    ['with an empty trust anchor', () => ({ trustAnchors: [{ certificates: '' }] }), 'ERR_CERTIFICATE_MALFORMED'],
    [
      'with a leaf for a trust anchor',
      () => ({ trustAnchors: [{ certificates: certificatePem(alice.certificate) }] }),
      'ERR_CERTIFICATE_MALFORMED',
    ],
    [
      'with a broken trust anchor',
      () => ({ trustAnchors: [{ certificates: '-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----' }] }),
      'ERR_CERTIFICATE_MALFORMED',
    ],
    [
      'with three certificates in one anchor',
      () => ({ trustAnchors: [{ certificates: certificatePem(root.certificate).repeat(3) }] }),
      'ERR_CERTIFICATE_MALFORMED',
    ],
    [
      'with a trust anchor of another region',
      () => ({
        trustAnchors: [{ arn: ARNS.trustAnchorArn, certificates: certificatePem(root.certificate) }],
        region: 'eu-west-1',
      }),
      'ERR_ARN_MISMATCH',
    ],
    ['with a profile that is a role', () => ({ profiles: [{ arn: ARNS.roleArn, roleArns: [] }] }), 'ERR_ARN'],
    ['with two roles of one ARN', () => ({ roles: [{ arn: ARNS.roleArn }, { arn: ARNS.roleArn }] }), 'ERR_ARN'],
    ['with a role for a minute', () => ({ roles: [{ arn: ARNS.roleArn, maxSessionDuration: 60 }] }), 'ERR_DURATION'],
    ['on an address that is not of this machine', () => ({ host: '192.0.2.1' }), 'ERR_LISTEN'],
    [
      'with a profile that has a role of another account',
      () => ({ profiles: [{ arn: ARNS.profileArn, roleArns: ['arn:aws:iam::999999999999:role/Abroad'] }] }),
      'ERR_WORLD',
    ],
    [
      'with an MFA device of a role',
      () => ({ mfaDevices: [{ serialNumber: 'GAHT12345678', secret: 'GEZDGNBV', owner: ARNS.roleArn }] }),
      'ERR_ARN',
    ],
    ['on a port that is taken', () => ({ port: emulator.port }), 'ERR_LISTEN'],
    ['with a broken TLS key', () => ({ tls: { cert: certificatePem(root.certificate), key: 'none' } }), 'ERR_TLS'],
  ])('%s does not start', async (_, options, code) => {
    await expect(startWith(root, await options())).rejects.toMatchObject({ name: 'RolesAnywhereError', code });
  });

  it('numbers its trust anchors, and keeps what each of them vouches for apart', async () => {
    const other = await makeAuthority('other');
    const to = await startWith(root, {
      trustAnchors: [root, other].map(({ certificate }) => ({ certificates: certificatePem(certificate) })),
    });
    expect(to.trustAnchorArns).toEqual([ARNS.trustAnchorArn, ARNS.trustAnchorArn.replace(/.$/, '2')]);
    const client = await makeClient(other);
    expect(await ask(client, { to })).toMatchObject({ status: 403, message: UNTRUSTED });
    expect(await ask(client, { to, change: second })).toMatchObject({ status: 201 });
    expect(await ask(alice, { to, change: second })).toMatchObject({ status: 403, message: UNTRUSTED });
    await to.close();
  });
});
