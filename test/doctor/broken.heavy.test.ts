/** Broken set-ups, each made here, and the finding that must come first. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as x509 from '@peculiar/x509';
import {
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  leafExtensions,
  privateKeyPem,
} from '../../certs-dev/authority.ts';
import type { Authority, AuthorityOptions } from '../../certs-dev/authority.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { freshPki } from '../support/bad-leaves.ts';
import { CLI } from '../support/cli.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import type { ConnectProxy } from '../support/connect-proxy.ts';
import { doctor, put } from '../support/doctor.ts';
import { constraints, directory, dns } from '../support/name-constraints.ts';
import { openssl } from '../support/pki.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import type { ScriptedServer } from '../support/scripted-server.ts';

const ACCOUNT = '123456789012';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/Workload`;
const PROFILE = (end: number): string =>
  `arn:aws:rolesanywhere:us-east-1:${ACCOUNT}:profile/22222222-2222-2222-2222-22222222222${end}`;

let fresh: Awaited<ReturnType<typeof freshPki>>;
let emulator: Emulator;
let closedPort: number;
let wrongTime: ScriptedServer;
let failing: ScriptedServer;
let guardedProxy: ConnectProxy;
let refusingProxy: ConnectProxy;
/** Leads to the emulator, whatever it is asked for. */
let leadingProxy: ConnectProxy;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ra-doctor-'));
  fresh = await freshPki();
  await makeLimited();
  emulator = await startEmulator({
    trustAnchors: [
      {
        certificates: readFileSync(fresh.path('root.pem'), 'utf8'),
        crls: [{ crl: readFileSync(fresh.path('crl.pem'), 'utf8') }],
      },
    ],
    profiles: [
      { arn: PROFILE(1), roleArns: [ROLE, `${ROLE}Closed`, `${ROLE}Short`], durationSeconds: 43_200 },
      { arn: PROFILE(2), roleArns: [ROLE], enabled: false },
    ],
    roles: [
      { arn: ROLE, maxSessionDuration: 43_200 },
      { arn: `${ROLE}Unlisted` },
      { arn: `${ROLE}Short` },
      {
        arn: `${ROLE}Closed`,
        trustPolicy: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Principal: { Service: 'rolesanywhere.amazonaws.com' },
              Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
              Condition: { StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'somebody else' } },
            },
          ],
        },
      },
    ],
    tls: 'development',
  });
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closedPort = (server.address() as AddressInfo).port;
  await new Promise((resolve) => server.close(resolve));
  wrongTime = await scriptedServer((response) => {
    response.setHeader('date', new Date(Date.now() + 3 * 3_600_000).toUTCString());
    response.writeHead(404).end();
  });
  failing = await scriptedServer((response) => void response.writeHead(500).end());
  guardedProxy = await startConnectProxy({ auth: 'alice:wonderland' });
  leadingProxy = await startConnectProxy({ leadTo: Number(new URL(emulator.tlsUrl ?? '').port) });
  refusingProxy = await startConnectProxy({ refusal: 'HTTP/1.1 403 Forbidden\r\n\r\n' });
}, 120_000);

afterAll(async () => {
  await emulator.close();
  await Promise.all([
    wrongTime.close(),
    failing.close(),
    guardedProxy.close(),
    refusingProxy.close(),
    leadingProxy.close(),
  ]);
  fresh.remove();
  rmSync(folder, { recursive: true });
});

/** A file of {@link makeLimited}. */
function limited(name: string): string {
  return join(folder, 'limited', `${name}.pem`);
}

function write(name: string, ...certificates: x509.X509Certificate[]): void {
  put(limited(name), certificates.map((one) => certificatePem(one)).join(''));
}

async function authority(subject: string, options: Partial<AuthorityOptions> = {}): Promise<Authority> {
  return await issueAuthority({ subject, keys: await generateKeys('ec-p256'), ...options });
}

/** Certificates below CAs that allow less than what is below them, all with one key, and one CA that has expired. */
async function makeLimited(): Promise<void> {
  const keys = await generateKeys('ec-p256');
  put(limited('key'), privateKeyPem(keys));
  const leafOf = async (issuer: Authority, subject = 'CN=workload', names: x509.JsonGeneralNames = []) =>
    await issueLeaf({ subject, issuer, publicKey: keys.publicKey, extensions: leafExtensions(names) });

  const dates = { notBefore: new Date('2010-01-01'), notAfter: new Date('2020-01-01') };
  write('expired', (await authority('CN=Old root', dates)).certificate);
  const root = await authority('CN=Root');
  write('root', root.certificate);
  const short = await authority('CN=Limited', { issuer: root, pathLength: 0 });
  const below = await authority('CN=Below', { issuer: short });
  write('deep', await leafOf(below));
  write('deep-chain', below.certificate, short.certificate);
  const named = await authority('CN=Named', { issuer: root, extensions: [constraints([dns('example.com')])] });
  write('named', await leafOf(named, 'CN=workload', [{ type: 'dns', value: 'web.example.net' }]));
  write('named-chain', named.certificate);
  const excluding = await authority('CN=Excluding', { extensions: [constraints([], [directory('O=Excluded')])] });
  write('excluding', excluding.certificate);
  write('excluded', await leafOf(excluding, 'O=Excluded,CN=workload'));
}

let count = 0;

/** A folder of one set-up. */
function own(...path: string[]): string {
  return join(folder, String(count), ...path);
}

/** The flags of a set-up that works, with others in their places; null leaves one out. */
function flags(changes: Readonly<Record<string, string | null>> = {}): string[] {
  const all: Record<string, string | null> = {
    certificate: fresh.path('ec-p256.crt.pem'),
    'private-key': fresh.path('ec-p256.key.pem'),
    intermediates: fresh.path('intermediate.pem'),
    'trust-anchor-arn': emulator.trustAnchorArns[0] ?? '',
    'profile-arn': PROFILE(1),
    'role-arn': ROLE,
    endpoint: emulator.url,
    ...changes,
  };
  return Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}`]));
}

/** The flags with one bad certificate of the development PKI. */
function leaf(name: string, changes: Readonly<Record<string, string | null>> = {}): string[] {
  return flags({ certificate: fresh.path(`${name}.crt.pem`), 'private-key': fresh.path('bad.key.pem'), ...changes });
}

/** The same in the words of a config file. */
function quoted(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ');
}

const PROGRAM = `${process.execPath} ${CLI} credential-process`;

/** A config file with a profile `build`, and the environment that leads to it. */
function config(line: string | undefined, more = 'region = us-east-1\n'): Record<string, string> {
  const text = `[profile build]\n${line === undefined ? '' : `credential_process = ${line}\n`}${more}`;
  return { AWS_CONFIG_FILE: put(own('config'), text), AWS_SHARED_CREDENTIALS_FILE: own('credentials') };
}

const BUILD = ['--profile', 'build'];

interface Broken {
  readonly name: string;
  /** The code of the first finding. */
  readonly first: string;
  /** What its cause or its details say. */
  readonly says?: RegExp;
  /** A code that must follow it. */
  readonly follows?: string;
  readonly make: () => { readonly args: readonly string[]; readonly env?: Readonly<Record<string, string>> };
}

const OPTIONS: readonly Broken[] = [
  { name: 'there is nothing at all', first: 'ERR_CONFIG_FILE', make: () => ({ args: [] }) },
  {
    name: 'a certificate is all there is',
    first: 'ERR_FLAG_REQUIRED',
    says: /--trust-anchor-arn, --profile-arn, --role-arn/,
    make: () => ({ args: ['--certificate', fresh.path('ec-p256.combined.pem')] }),
  },
  {
    name: 'the ARNs of trust anchor and profile are interchanged',
    first: 'ERR_ARN',
    says: /--trust-anchor-arn/,
    make: () => ({ args: flags({ 'trust-anchor-arn': PROFILE(1), 'profile-arn': emulator.trustAnchorArns[0] ?? '' }) }),
  },
  {
    name: 'the role is a user',
    first: 'ERR_ARN',
    says: /--role-arn/,
    make: () => ({ args: flags({ 'role-arn': `arn:aws:iam::${ACCOUNT}:user/alice` }) }),
  },
  {
    name: 'the ARNs are in quotes that a config file keeps',
    first: 'ERR_ARN',
    make: () => ({ args: flags({ 'role-arn': `"${ROLE}"` }) }),
  },
  {
    name: 'the profile is of another account',
    first: 'ERR_ARN_MISMATCH',
    says: /account/,
    make: () => ({ args: flags({ 'profile-arn': PROFILE(1).replace(ACCOUNT, '210987654321') }) }),
  },
  {
    name: 'the profile is of another region',
    first: 'ERR_ARN_MISMATCH',
    says: /region/,
    make: () => ({ args: flags({ 'profile-arn': PROFILE(1).replace('us-east-1', 'eu-west-1') }) }),
  },
  {
    name: 'the role is of another partition',
    first: 'ERR_ARN_MISMATCH',
    says: /partition/,
    make: () => ({ args: flags({ 'role-arn': ROLE.replace('arn:aws:', 'arn:aws-cn:') }) }),
  },
  {
    name: 'the role is of another account',
    first: 'WARN_ROLE_ACCOUNT',
    make: () => ({ args: flags({ 'role-arn': ROLE.replace(ACCOUNT, '210987654321') }) }),
  },
  {
    name: 'the region is not that of the trust anchor',
    first: 'ERR_REGION',
    says: /eu-west-1.*us-east-1/,
    make: () => ({ args: flags({ region: 'eu-west-1' }) }),
  },
  { name: 'the region is none', first: 'ERR_REGION', make: () => ({ args: flags({ region: 'Frankfurt' }) }) },
  {
    name: 'the region is of another partition',
    first: 'ERR_ARN_MISMATCH',
    make: () => ({ args: flags({ region: 'cn-north-1' }) }),
  },
  {
    name: 'the session is too short',
    first: 'ERR_DURATION',
    make: () => ({ args: flags({ 'session-duration': '60' }) }),
  },
  {
    name: 'the session name has a space',
    first: 'ERR_SESSION_NAME',
    make: () => ({ args: flags({ 'role-session-name': 'a b' }) }),
  },
  {
    name: 'the endpoint is plain http to another machine',
    first: 'ERR_ENDPOINT',
    make: () => ({ args: flags({ endpoint: 'http://192.0.2.1' }) }),
  },
  {
    name: 'FIPS is asked for in the environment, beside an endpoint',
    first: 'ERR_ENDPOINT',
    says: /AWS_USE_FIPS_ENDPOINT/,
    make: () => ({ args: flags(), env: { AWS_USE_FIPS_ENDPOINT: 'true' } }),
  },
  {
    name: 'a number is out of range',
    first: 'ERR_FLAG_VALUE',
    make: () => ({ args: flags({ 'max-attempts': '1000' }) }),
  },
  {
    name: 'standard input is to be read twice',
    first: 'ERR_FLAG_CONFLICT',
    make: () => ({ args: flags({ 'private-key': '-', 'pkcs8-password-file': '-' }) }),
  },
  {
    name: 'a further role is none',
    first: 'ERR_ARN',
    says: /--assume-role-arn/,
    make: () => ({ args: flags({ 'assume-role-arn': 'Deploy' }) }),
  },
  {
    name: 'a further role asks for another source identity',
    first: 'ERR_SOURCE_IDENTITY',
    make: () => ({ args: [...flags({ 'assume-role-arn': `${ROLE}2` }), '--source-identity=alice'] }),
  },
  {
    name: 'a password stands in the command line',
    first: 'WARN_SECRET_VISIBLE',
    make: () => ({
      args: flags({ 'private-key': fresh.path('ec-p256.encrypted.pem'), 'pkcs8-password': 'development' }),
    }),
  },
  {
    name: 'a variable of a flag holds what the flag does not take',
    first: 'ERR_FLAG_VALUE',
    says: /--session-duration \(ROLES_ANYWHERE_SESSION_DURATION\)/,
    make: () => ({ args: flags(), env: { ROLES_ANYWHERE_SESSION_DURATION: 'an hour' } }),
  },
  {
    name: "a variable of AWS's holds no number",
    first: 'ERR_FLAG_VALUE',
    says: /AWS_MAX_ATTEMPTS/,
    make: () => ({ args: flags(), env: { AWS_MAX_ATTEMPTS: 'many' } }),
  },
  {
    name: 'two variables exclude each other',
    first: 'ERR_FLAG_CONFLICT',
    says: /\(ROLES_ANYWHERE_PKCS8_PASSWORD\).*\(ROLES_ANYWHERE_PKCS8_PASSWORD_FILE\)/,
    make: () => ({
      args: flags(),
      env: { ROLES_ANYWHERE_PKCS8_PASSWORD: 'wonderland', ROLES_ANYWHERE_PKCS8_PASSWORD_FILE: '/etc/password' },
    }),
  },
  {
    name: 'the variable with the ARN of the role holds another',
    first: 'ERR_ARN',
    says: /--role-arn \(ROLES_ANYWHERE_ROLE_ARN\)/,
    make: () => ({ args: flags({ 'role-arn': null }), env: { ROLES_ANYWHERE_ROLE_ARN: PROFILE(1) } }),
  },
  {
    name: 'the endpoint is that of another region',
    first: 'WARN_ENDPOINT_REGION',
    says: /rolesanywhere\.eu-west-1\.amazonaws\.com.*us-east-1/,
    make: () => ({
      args: [
        ...flags({
          endpoint: 'https://rolesanywhere.eu-west-1.amazonaws.com',
          proxy: `http://127.0.0.1:${leadingProxy.port}`,
        }),
        '--no-verify-ssl',
      ],
    }),
  },
];

const IDENTITIES: readonly Broken[] = [
  {
    name: 'the certificate is not there',
    first: 'ERR_FILE_NOT_FOUND',
    says: /--certificate/,
    make: () => ({ args: flags({ certificate: own('none.pem') }) }),
  },
  {
    name: 'the key is not there',
    first: 'ERR_FILE_NOT_FOUND',
    says: /--private-key/,
    make: () => ({ args: flags({ 'private-key': own('none.pem') }) }),
  },
  {
    name: 'a variable in a path was not expanded',
    first: 'ERR_FILE_NOT_FOUND',
    says: /~|\$HOME/,
    make: () => ({ args: flags({ certificate: '~/client.pem' }) }),
  },
  {
    name: 'the certificate is a folder',
    first: 'ERR_FILE_IS_DIRECTORY',
    make: () => ({ args: flags({ certificate: folder }) }),
  },
  {
    name: 'the certificate is empty',
    first: 'ERR_PEM_EMPTY',
    make: () => ({ args: flags({ certificate: put(own('empty.pem'), '') }) }),
  },
  {
    name: 'the certificate was cut',
    first: 'ERR_PEM_TRUNCATED',
    make: () => ({
      args: flags({ certificate: put(own('cut.pem'), readFileSync(fresh.path('ec-p256.crt.pem')).subarray(0, 300)) }),
    }),
  },
  {
    name: 'a download gave a page instead of the certificate',
    first: 'ERR_FORMAT_UNKNOWN',
    says: /page/,
    make: () => ({ args: flags({ certificate: put(own('page.pem'), '<!DOCTYPE html><title>Sign in</title>') }) }),
  },
  {
    name: 'the certificate is a request for one',
    first: 'ERR_PEM_LABEL',
    says: /request/,
    make: () => ({
      args: flags({
        certificate: put(
          own('request.pem'),
          openssl(['req', '-new', '-key', fresh.path('ec-p256.key.pem'), '-subj', '/CN=x']),
        ),
      }),
    }),
  },
  {
    name: 'certificate and key are interchanged',
    first: 'ERR_PEM_LABEL',
    make: () => ({
      args: flags({ certificate: fresh.path('ec-p256.key.pem'), 'private-key': fresh.path('ec-p256.crt.pem') }),
    }),
  },
  {
    name: 'the key is of SSH',
    first: 'ERR_KEY_UNSUPPORTED',
    make: () => ({
      args: flags({
        'private-key': put(
          own('id'),
          '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gt\n-----END OPENSSH PRIVATE KEY-----\n',
        ),
      }),
    }),
  },
  {
    name: 'there is no key',
    first: 'ERR_KEY_MISSING',
    make: () => ({ args: flags({ 'private-key': null }) }),
  },
  {
    name: 'the key is that of another certificate',
    first: 'ERR_KEY_MISMATCH',
    make: () => ({ args: flags({ 'private-key': fresh.path('bad.key.pem') }) }),
  },
  {
    name: 'the key is encrypted, and nothing gives its password',
    first: 'ERR_PASSWORD_REQUIRED',
    make: () => ({ args: flags({ 'private-key': fresh.path('ec-p256.encrypted.pem') }) }),
  },
  {
    name: 'the password of the key is wrong',
    first: 'ERR_PASSWORD_INCORRECT',
    make: () => ({
      args: flags({
        'private-key': fresh.path('ec-p256.encrypted.pem'),
        'pkcs8-password-file': put(own('password'), 'wrong\n'),
      }),
    }),
  },
  {
    name: 'the password of the container is wrong',
    first: 'ERR_PASSWORD_INCORRECT',
    make: () => ({
      args: flags({ certificate: fresh.path('ec-p256.p12'), 'private-key': null, intermediates: null }),
      env: { ROLES_ANYWHERE_PKCS12_PASSWORD: 'wrong' },
    }),
  },
  {
    name: 'the file with the password is not there',
    first: 'ERR_PASSWORD_SOURCE',
    make: () => ({
      args: flags({ 'private-key': fresh.path('ec-p256.encrypted.pem'), 'pkcs8-password-file': own('none') }),
    }),
  },
  {
    name: 'the variable with the certificate is not set',
    first: 'ERR_VARIABLE_NOT_SET',
    make: () => ({ args: flags({ certificate: 'env:CLIENT_CERTIFICATE' }) }),
  },
  {
    name: 'the certificate has expired',
    first: 'ERR_CERTIFICATE_EXPIRED',
    follows: 'ERR_ACCESS_DENIED',
    make: () => ({ args: [...leaf('bad-expired'), '--call'] }),
  },
  {
    name: 'the certificate is not valid yet',
    first: 'ERR_CERTIFICATE_NOT_YET_VALID',
    follows: 'ERR_ACCESS_DENIED',
    make: () => ({ args: [...leaf('bad-not-yet-valid'), '--call'] }),
  },
  {
    name: "the certificate is a CA's",
    first: 'ERR_CERTIFICATE_IS_CA',
    follows: 'ERR_ACCESS_DENIED',
    make: () => ({ args: [...leaf('bad-ca'), '--call'] }),
  },
  {
    name: 'the certificate may not sign',
    first: 'ERR_CERTIFICATE_KEY_USAGE',
    follows: 'ERR_ACCESS_DENIED',
    make: () => ({ args: [...leaf('bad-no-digital-signature'), '--call'] }),
  },
  {
    name: 'the certificate says nothing of what its key is for',
    first: 'ERR_CERTIFICATE_KEY_USAGE',
    make: () => ({ args: leaf('bad-no-key-usage') }),
  },
  {
    name: 'the certificate is signed with SHA-1',
    first: 'ERR_CERTIFICATE_SIGNATURE_ALGORITHM',
    make: () => ({ args: leaf('bad-sha-1') }),
  },
  { name: 'the certificate is of version 1', first: 'ERR_CERTIFICATE_VERSION', make: () => ({ args: leaf('bad-v1') }) },
  {
    name: 'the certificate has no subject',
    first: 'ERR_CERTIFICATE_SUBJECT_EMPTY',
    make: () => ({ args: leaf('bad-empty-subject') }),
  },
  {
    name: 'the certificate expires soon',
    first: 'WARN_CERTIFICATE_EXPIRES_SOON',
    make: () => ({
      args: flags({
        certificate: fresh.path('expires-soon.crt.pem'),
        'private-key': fresh.path('expires-soon.key.pem'),
      }),
    }),
  },
  {
    name: 'everybody can read the key',
    first: 'WARN_KEY_READABLE',
    make: () => ({
      args: flags({ 'private-key': put(own('key.pem'), readFileSync(fresh.path('ec-p256.key.pem')), 0o644) }),
    }),
  },
  {
    name: 'everybody can put another certificate in its place',
    first: 'WARN_FILE_WRITABLE',
    make: () => {
      mkdirSync(own('open'), { recursive: true });
      chmodSync(own('open'), 0o777);
      copyFileSync(fresh.path('ec-p256.crt.pem'), own('open', 'client.pem'));
      return { args: flags({ certificate: own('open', 'client.pem') }) };
    },
  },
  {
    name: 'everybody can read the password',
    first: 'WARN_SECRET_READABLE',
    make: () => ({
      args: flags({
        'private-key': fresh.path('ec-p256.encrypted.pem'),
        'pkcs8-password-file': put(own('password'), 'development\n', 0o644),
      }),
    }),
  },
  {
    name: 'no certificate of the folder is the one that is meant',
    first: 'ERR_CERTIFICATE_NOT_FOUND',
    make: () => {
      put(own('store', 'a.pem'), readFileSync(fresh.path('ec-p256.combined.pem')));
      return {
        args: [
          ...flags({ certificate: own('store'), 'private-key': null }),
          '--cert-selector=Key=x509Subject,Value=CN=nobody',
        ],
      };
    },
  },
  {
    name: 'the store of the system is asked where there is none',
    first: 'ERR_STORE_PLATFORM',
    make: () => ({
      args: [
        ...flags({ certificate: null, 'private-key': null, intermediates: null }),
        '--cert-selector=Key=x509Subject,Value=CN=client',
      ],
    }),
  },
  {
    name: 'the module of the token is not there',
    first: 'ERR_PKCS11_MODULE_NOT_FOUND',
    make: () => ({
      args: flags({ certificate: 'pkcs11:token=t;object=o', 'private-key': null, 'pkcs11-lib': own('libnone.so') }),
    }),
  },
  {
    name: 'the TPM is not there',
    first: 'ERR_TPM_NOT_FOUND',
    make: () => ({ args: flags({ 'private-key': 'handle:0x81000001', 'tpm-device': own('tpm0') }) }),
  },
  {
    name: 'the SPIFFE agent does not run',
    first: 'ERR_SPIFFE_CONNECT',
    make: () => ({
      args: [...flags({ certificate: `spiffe:unix://${own('agent.sock')}`, 'private-key': null, intermediates: null })],
    }),
  },
];

const CHAINS: readonly Broken[] = [
  {
    name: 'the chain is too long',
    first: 'ERR_CHAIN_TOO_LONG',
    make: () => ({ args: leaf('bad-six-deep', { intermediates: fresh.path('bad-six-deep.chain.pem') }) }),
  },
  {
    name: 'the intermediates are not there',
    first: 'ERR_FILE_NOT_FOUND',
    says: /--intermediates/,
    make: () => ({ args: flags({ intermediates: own('none.pem') }) }),
  },
  {
    name: 'the intermediates are not given, and the trust anchor is at hand',
    first: 'ERR_CHAIN_INCOMPLETE',
    follows: 'ERR_ACCESS_DENIED',
    says: /Development intermediate/,
    make: () => ({ args: [...flags({ intermediates: null }), `--trust-anchor=${fresh.path('root.pem')}`, '--call'] }),
  },
  {
    name: 'the trust anchor is another CA',
    first: 'ERR_CHAIN_INCOMPLETE',
    make: () => ({ args: [...flags(), `--trust-anchor=${fresh.path('tls-root.pem')}`] }),
  },
  {
    name: 'the CA was made anew with another key',
    first: 'ERR_CHAIN_SIGNATURE',
    make: () => {
      const anew = own('root.pem');
      put(anew, '');
      const subject = '/CN=Development root/O=Roles Anywhere development';
      openssl([
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        own('root.key'),
        '-out',
        anew,
        '-subj',
        subject,
      ]);
      return { args: [...flags(), `--trust-anchor=${anew}`] };
    },
  },
  {
    name: 'the intermediate of the same name is another one',
    first: 'ERR_CHAIN_SIGNATURE',
    make: () => ({ args: leaf('bad-wrong-issuer') }),
  },
  {
    name: 'the file of the trust anchor is a key',
    first: 'ERR_PEM_LABEL',
    make: () => ({ args: [...flags(), `--trust-anchor=${fresh.path('ec-p256.key.pem')}`] }),
  },
  {
    name: 'the bundle is of another certificate',
    first: 'WARN_CHAIN_UNRELATED',
    make: () => ({
      args: flags({
        intermediates: put(
          own('bundle.pem'),
          readFileSync(fresh.path('intermediate.pem'), 'utf8') + readFileSync(fresh.path('tls-root.pem'), 'utf8'),
        ),
      }),
    }),
  },
  {
    name: 'the bundle is empty',
    first: 'WARN_CHAIN_EMPTY',
    make: () => ({ args: flags({ intermediates: put(own('bundle.pem'), '') }) }),
  },
];

const LIMITED: readonly Broken[] = [
  {
    name: 'the certificate of the trust anchor has expired',
    first: 'ERR_TRUST_ANCHOR',
    says: /CN=Old root.* 2020-01-01T00:00:00Z/,
    make: () => ({ args: [...flags(), `--trust-anchor=${limited('expired')}`] }),
  },
  {
    name: 'a CA stands below one that allows none',
    first: 'ERR_CHAIN_PATH_LENGTH',
    says: /CN=Limited.* 0 CAs below it/,
    make: () => ({
      args: [
        ...flags({ certificate: limited('deep'), 'private-key': limited('key'), intermediates: limited('deep-chain') }),
        `--trust-anchor=${limited('root')}`,
      ],
    }),
  },
  {
    name: 'the same of an intermediate, and the trust anchor is not known here',
    first: 'ERR_CHAIN_PATH_LENGTH',
    make: () => ({
      args: flags({
        certificate: limited('deep'),
        'private-key': limited('key'),
        intermediates: limited('deep-chain'),
      }),
    }),
  },
  {
    name: 'a name in the certificate is none that its CA may give',
    first: 'ERR_CHAIN_NAMES',
    says: /DNS:web\.example\.net .*not permitted.*CN=Named/,
    make: () => ({
      args: flags({
        certificate: limited('named'),
        'private-key': limited('key'),
        intermediates: limited('named-chain'),
      }),
    }),
  },
  {
    name: 'the trust anchor excludes the subject of the certificate',
    first: 'ERR_CHAIN_NAMES',
    says: /subject:CN=workload,O=Excluded .*excluded.*CN=Excluding/,
    make: () => ({
      args: [
        ...flags({ certificate: limited('excluded'), 'private-key': limited('key'), intermediates: null }),
        `--trust-anchor=${limited('excluding')}`,
      ],
    }),
  },
];

const NETWORKS: readonly Broken[] = [
  {
    name: 'nothing listens at the endpoint',
    first: 'ERR_CONNECT',
    make: () => ({ args: [...flags({ endpoint: `http://127.0.0.1:${closedPort}` }), '--call'] }),
  },
  {
    name: 'the name of the endpoint is not known',
    first: 'ERR_DNS',
    make: () => ({ args: flags({ endpoint: 'https://rolesanywhere.invalid' }) }),
  },
  {
    name: 'the endpoint of the environment is not reached',
    first: 'ERR_CONNECT',
    make: () => ({
      args: flags({ endpoint: null }),
      env: { AWS_ENDPOINT_URL_ROLESANYWHERE: `http://127.0.0.1:${closedPort}` },
    }),
  },
  {
    name: "the endpoint's certificate is of an authority that nobody knows",
    first: 'ERR_TLS_AUTHORITY',
    make: () => ({ args: flags({ endpoint: emulator.tlsUrl ?? '' }) }),
  },
  {
    name: 'the endpoint does not speak TLS',
    first: 'ERR_TLS',
    make: () => ({ args: flags({ endpoint: emulator.url.replace('http:', 'https:') }) }),
  },
  {
    name: 'the file of roots is not there',
    first: 'ERR_CA_BUNDLE',
    make: () => ({ args: flags({ endpoint: emulator.tlsUrl ?? '', 'ca-bundle': own('none.pem') }) }),
  },
  {
    name: 'the proxy is no URL of one',
    first: 'ERR_PROXY_URL',
    make: () => ({ args: flags({ endpoint: 'https://rolesanywhere.invalid', proxy: 'ftp://proxy' }) }),
  },
  {
    name: 'the proxy of the environment is not reached',
    first: 'ERR_CONNECT',
    says: /the proxy/,
    make: () => ({
      args: flags({ endpoint: 'https://rolesanywhere.invalid' }),
      env: { HTTPS_PROXY: `http://127.0.0.1:${closedPort}` },
    }),
  },
  {
    name: 'the proxy wants a password',
    first: 'ERR_PROXY_AUTH',
    make: () => ({
      args: flags({ endpoint: 'https://rolesanywhere.invalid', proxy: `http://127.0.0.1:${guardedProxy.port}` }),
    }),
  },
  {
    name: 'the proxy does not let through',
    first: 'ERR_PROXY',
    make: () => ({
      args: flags({ endpoint: 'https://rolesanywhere.invalid', proxy: `http://127.0.0.1:${refusingProxy.port}` }),
    }),
  },
  {
    name: 'the clock is three hours behind',
    first: 'WARN_CLOCK_OFFSET',
    says: /(?:3 hours|2 hours 59 minutes) behind/,
    make: () => ({ args: flags({ endpoint: wrongTime.url }) }),
  },
  {
    name: 'whoever answers is believed',
    first: 'WARN_TLS_NOT_VERIFIED',
    make: () => ({ args: [...flags({ endpoint: emulator.tlsUrl ?? '' }), '--no-verify-ssl'] }),
  },
  {
    name: 'the roots that Node is to trust besides are not there',
    first: 'WARN_EXTRA_CA_CERTS',
    make: () => ({ args: flags(), env: { NODE_EXTRA_CA_CERTS: own('none.pem') } }),
  },
];

const SERVICE: readonly Broken[] = [
  {
    name: 'the trust anchor does not exist',
    first: 'ERR_NOT_FOUND',
    make: () => ({
      args: [
        ...flags({ 'trust-anchor-arn': (emulator.trustAnchorArns[0] ?? '').replaceAll('1111', '3333') }),
        '--call',
      ],
    }),
  },
  {
    name: 'the role is not in the list of the profile',
    first: 'ERR_ACCESS_DENIED',
    says: /aws rolesanywhere get-profile/,
    make: () => ({ args: [...flags({ 'role-arn': `${ROLE}Unlisted` }), '--call'] }),
  },
  {
    name: 'the trust policy of the role asks for another name',
    first: 'ERR_ACCESS_DENIED',
    says: /"aws:PrincipalTag\/x509Subject\/CN": "ec-p256"/,
    make: () => ({ args: [...flags({ 'role-arn': `${ROLE}Closed` }), '--call'] }),
  },
  {
    name: 'the profile is switched off',
    first: 'ERR_ACCESS_DENIED',
    make: () => ({ args: [...flags({ 'profile-arn': PROFILE(2) }), '--call'] }),
  },
  {
    name: 'the intermediates are not given, and nothing here knows the trust anchor',
    first: 'ERR_ACCESS_DENIED',
    says: /ends at the issuer "O=Roles Anywhere development,CN=Development intermediate"/,
    make: () => ({ args: [...flags({ intermediates: null }), '--call'] }),
  },
  {
    name: 'the profile takes no session name',
    first: 'ERR_ACCESS_DENIED',
    says: /acceptRoleSessionName/,
    make: () => ({ args: [...flags({ 'role-session-name': 'night' }), '--call'] }),
  },
  {
    name: 'the session is longer than the role allows',
    first: 'ERR_ACCESS_DENIED',
    make: () => ({ args: [...flags({ 'role-arn': `${ROLE}Short`, 'session-duration': '43200' }), '--call'] }),
  },
  {
    name: 'the certificate is revoked',
    first: 'ERR_ACCESS_DENIED',
    says: /list-crls/,
    make: () => ({
      args: [
        ...flags({ certificate: fresh.path('revoked.crt.pem'), 'private-key': fresh.path('revoked.key.pem') }),
        '--call',
      ],
    }),
  },
  {
    name: 'the service fails',
    first: 'ERR_SERVICE_FAILED',
    make: () => ({ args: [...flags({ endpoint: failing.url, 'max-attempts': '1' }), '--call'] }),
  },
];

const PROFILES: readonly Broken[] = [
  {
    name: 'a quote in the line does not end',
    first: 'ERR_PROCESS_LINE',
    says: /quote/,
    make: () => ({ args: BUILD, env: config(`${PROGRAM} --certificate "client.pem`) }),
  },
  {
    name: 'the line leaves the home directory to a shell',
    first: 'ERR_PROCESS_LINE',
    says: /credential_process = .* --certificate \/home\/alice\/client.pem/,
    make: () => ({
      args: BUILD,
      env: { ...config(`${PROGRAM} --certificate $HOME/client.pem --role-arn x`), HOME: '/home/alice' },
    }),
  },
  {
    name: 'the line begins with ~',
    first: 'ERR_PROCESS_LINE',
    says: /credential_process = '?\/home\/alice\/bin\/roles-anywhere/,
    make: () => ({ args: BUILD, env: { ...config('~/bin/roles-anywhere credential-process'), HOME: '/home/alice' } }),
  },
  {
    name: 'the line has a pipe',
    first: 'ERR_PROCESS_LINE',
    make: () => ({ args: BUILD, env: config(`${PROGRAM} ${quoted(flags())} | cat`) }),
  },
  {
    name: 'the line sets a variable first',
    first: 'ERR_PROCESS_LINE',
    make: () => ({ args: BUILD, env: config(`AWS_REGION=us-east-1 ${PROGRAM} ${quoted(flags())}`) }),
  },
  {
    name: 'the line has a path with spaces, and no quotes',
    first: 'ERR_USAGE',
    make: () => ({
      args: BUILD,
      env: config(`${PROGRAM} ${quoted(flags({ certificate: null }))} --certificate /srv/my certificates/client.pem`),
    }),
  },
  {
    name: 'the program is not there',
    first: 'ERR_PROCESS_PROGRAM',
    make: () => ({ args: BUILD, env: config(`${own('roles-anywhere')} credential-process`) }),
  },
  {
    name: 'the line stands in quotes as a whole',
    first: 'ERR_PROCESS_PROGRAM',
    says: /^(?![\s\S]*a-hidden-word)[\s\S]*credential-process --pkcs8-password <redacted>, does not exist/,
    make: () => ({ args: BUILD, env: config(`"${PROGRAM} credential-process --pkcs8-password a-hidden-word"`) }),
  },
  {
    name: 'the program is in no folder of PATH',
    first: 'ERR_PROCESS_PROGRAM',
    make: () => ({ args: BUILD, env: { ...config('roles-anywhere credential-process'), PATH: '/usr/bin:/bin' } }),
  },
  {
    name: 'the program is run by a node that is not there',
    first: 'ERR_PROCESS_PROGRAM',
    says: /node/,
    make: () => {
      const script = put(own('bin', 'roles-anywhere'), '#!/usr/bin/env node\n', 0o755);
      return { args: BUILD, env: { ...config(`${script} credential-process`), PATH: own('bin') } };
    },
  },
  {
    name: 'the script of the program was moved',
    first: 'ERR_PROCESS_PROGRAM',
    make: () => ({ args: BUILD, env: config(`${process.execPath} ${own('cli.cjs')} credential-process`) }),
  },
  {
    name: 'the program is found by PATH alone',
    first: 'WARN_PROCESS_PATH',
    make: () => {
      put(own('bin', 'roles-anywhere'), '', 0o755);
      return {
        args: BUILD,
        env: { ...config(`roles-anywhere credential-process ${quoted(flags())}`), PATH: own('bin') },
      };
    },
  },
  {
    name: 'the certificate is below whatever folder the caller is in',
    first: 'WARN_PROCESS_PATH',
    says: /--certificate/,
    make: () => ({
      args: BUILD,
      env: config(`${PROGRAM} ${quoted(flags({ certificate: relative('.', fresh.path('ec-p256.crt.pem')) }))}`),
    }),
  },
  {
    name: 'the profile has no line',
    first: 'ERR_CONFIG_PROFILE',
    make: () => ({ args: BUILD, env: config(undefined) }),
  },
  {
    name: 'the profile is spelt otherwise',
    first: 'ERR_CONFIG_PROFILE',
    make: () => ({ args: ['--profile', 'biuld'], env: config(`${PROGRAM} ${quoted(flags())}`) }),
  },
  {
    name: 'the config file has a key twice',
    first: 'ERR_CONFIG_FILE',
    make: () => ({
      args: BUILD,
      env: config(`${PROGRAM} ${quoted(flags())}`, 'region = us-east-1\nregion = eu-west-1\n'),
    }),
  },
  {
    name: 'a comment stands behind the line',
    first: 'ERR_CONFIG_KEY',
    make: () => ({ args: BUILD, env: config(`${PROGRAM} ${quoted(flags())} # production`) }),
  },
  {
    name: 'the profile has an access key besides',
    first: 'WARN_PROFILE_OTHER_CREDENTIALS',
    make: () => ({
      args: BUILD,
      env: config(
        `${PROGRAM} ${quoted(flags())}`,
        'region = us-east-1\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n',
      ),
    }),
  },
  {
    name: 'the line has a flag that there is not',
    first: 'ERR_UNKNOWN_FLAG',
    make: () => ({ args: BUILD, env: config(`${PROGRAM} ${quoted(flags())} --certifcate x`) }),
  },
  {
    name: 'the line lacks the role',
    first: 'ERR_FLAG_REQUIRED',
    make: () => ({ args: BUILD, env: config(`${PROGRAM} ${quoted(flags({ 'role-arn': null }))}`) }),
  },
  {
    name: 'the profile has a key of no flag',
    first: 'ERR_CONFIG_KEY',
    make: () => ({
      args: BUILD,
      env: config(`${PROGRAM} --config-profile build`, `region = us-east-1\nrolesanywhere_certifcate = x\n`),
    }),
  },
  {
    name: 'the profile that the flags are to be from is spelt otherwise',
    first: 'ERR_CONFIG_PROFILE',
    says: /biuld/,
    make: () => ({ args: [...flags(), '--config-profile', 'biuld'], env: config(`${PROGRAM} ${quoted(flags())}`) }),
  },
  {
    name: 'a key of the profile that the flags are from is misspelt',
    first: 'ERR_CONFIG_KEY',
    says: /line 3: unknown key rolesanywhere_certifcate/,
    make: () => ({
      args: [...flags(), '--config-profile', 'build'],
      env: config(`${PROGRAM} --config-profile build`, 'rolesanywhere_certifcate = x\nregion = us-east-1\n'),
    }),
  },
  {
    name: 'a key of the profile holds what the flag does not take',
    first: 'ERR_FLAG_VALUE',
    says: /--session-duration \(rolesanywhere_session_duration in line 4 of/,
    make: () => ({
      args: BUILD,
      env: config(
        `${PROGRAM} --config-profile build ${quoted(flags())}`,
        'region = us-east-1\nrolesanywhere_session_duration = an hour\n',
      ),
    }),
  },
  {
    name: 'the profile has no region',
    first: 'WARN_PROFILE_REGION',
    make: () => ({ args: BUILD, env: config(`${PROGRAM} ${quoted(flags())}`, '') }),
  },
  {
    name: 'the line prints no credentials',
    first: 'ERR_PROCESS_LINE',
    says: /whoami/,
    make: () => ({ args: BUILD, env: config(`${process.execPath} ${CLI} whoami ${quoted(flags())}`) }),
  },
  {
    name: 'the line prints help',
    first: 'ERR_PROCESS_LINE',
    make: () => ({ args: BUILD, env: config(`${process.execPath} ${CLI} --help`) }),
  },
  {
    name: 'the line runs something else',
    first: 'NOTE_PROCESS_OTHER',
    make: () => ({ args: BUILD, env: config('/bin/cat /nonexistent') }),
  },
  {
    name: 'the certificate of the line has expired',
    first: 'ERR_CERTIFICATE_EXPIRED',
    make: () => ({ args: BUILD, env: config(`${PROGRAM} ${quoted(leaf('bad-expired'))}`) }),
  },
];

const SURROUNDINGS: readonly Broken[] = [
  {
    name: 'an access key in the environment comes first',
    first: 'WARN_ENVIRONMENT_KEYS',
    make: () => ({
      args: BUILD,
      env: {
        ...config(`${PROGRAM} ${quoted(flags())}`),
        AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
        AWS_SECRET_ACCESS_KEY: 'x',
      },
    }),
  },
  {
    name: 'AWS_PROFILE chooses another profile',
    first: 'WARN_ENVIRONMENT_PROFILE',
    make: () => ({ args: BUILD, env: { ...config(`${PROGRAM} ${quoted(flags())}`), AWS_PROFILE: 'test' } }),
  },
  {
    name: 'a web identity comes first',
    first: 'WARN_ENVIRONMENT_WEB_IDENTITY',
    make: () => ({
      args: BUILD,
      env: {
        ...config(`${PROGRAM} ${quoted(flags())}`),
        AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/token',
        AWS_ROLE_ARN: ROLE,
      },
    }),
  },
  {
    name: 'NODE_OPTIONS loads other code',
    first: 'WARN_ENVIRONMENT_NODE',
    make: () => ({ args: flags(), env: { NODE_OPTIONS: '--require /opt/agent.js' } }),
  },
  {
    name: 'a library is loaded into the program',
    first: 'WARN_ENVIRONMENT_PRELOAD',
    make: () => ({ args: flags(), env: { LD_PRELOAD: '/opt/agent.so' } }),
  },
  {
    name: 'a variable is misspelt',
    first: 'WARN_VARIABLE_UNKNOWN',
    make: () => ({ args: flags(), env: { ROLES_ANYWHERE_CERTIFCATE: 'x' } }),
  },
  {
    name: 'the endpoint of a serve that is gone is still named',
    first: 'WARN_SERVE_ENDPOINT',
    make: () => ({
      args: flags(),
      env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${closedPort}/creds` },
    }),
  },
  {
    name: 'serve is gone, and all that there is',
    first: 'ERR_CONNECT',
    make: () => ({ args: [], env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${closedPort}/creds` } }),
  },
  {
    name: 'the token of serve cannot be read',
    first: 'ERR_SOURCE_CREDENTIALS',
    says: /token file/,
    make: () => ({
      args: [],
      env: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: failing.url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: own('token'),
      },
    }),
  },
  {
    name: 'the token of serve ends with a line feed',
    first: 'ERR_SOURCE_CREDENTIALS',
    says: /line end/,
    make: () => ({
      args: [],
      env: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: failing.url,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: put(own('token'), 'x'.repeat(43) + '\n'),
      },
    }),
  },
];

const ALL = { OPTIONS, IDENTITIES, CHAINS, LIMITED, NETWORKS, SERVICE, PROFILES, SURROUNDINGS };

describe.each(Object.entries(ALL))('doctor, of broken set-ups (%s)', (_area, table) => {
  it.each(table)('names the real cause first when $name', async ({ first, says = /^/, follows = first, make }) => {
    count += 1;
    const { args, env } = make();
    const { findings, status } = await doctor(args, { PATH: '/usr/bin:/bin', HOME: own('home'), ...env });
    const [found] = findings;
    expect({ first: found?.code, findings }).toMatchObject({ first });
    expect(found?.remedy).not.toBe('');
    expect([found?.cause, ...(found?.details ?? [])].join('\n')).toMatch(says);
    expect(findings.map(({ code }) => code)).toContain(follows);
    expect(status === 0).toBe(!first.startsWith('ERR_'));
  });
});

describe('the broken set-ups', () => {
  it('are at least sixty', () => {
    expect(Object.values(ALL).flat().length).toBeGreaterThanOrEqual(60);
  });
});
