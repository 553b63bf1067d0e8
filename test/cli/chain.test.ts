import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { EXTERNAL_ID, FIRST, GUARDED, MFA, SECOND, USER, mfaCode, startChainEmulator } from '../support/chain-world.ts';
import { type CliResult, PKI, runCli } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let emulator: Emulator;
let folder: string;
beforeAll(async () => {
  emulator = await startChainEmulator();
  folder = mkdtempSync(join(tmpdir(), 'chain-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await emulator.close();
});

interface ProcessJson {
  AccessKeyId: string;
  SecretAccessKey: string;
  SessionToken: string;
  Expiration: string;
}

function vend(command: string, ...args: string[]): Promise<CliResult> {
  const identity = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`];
  const chain = ['--intermediates', `${PKI}intermediate.pem`, ...worldFlags(emulator)];
  return runCli([command, ...identity, ...chain, '--sts-endpoint', emulator.url, ...args]);
}

/** Whom the credentials that were printed stand for, and the buckets that they may list. */
async function whoIs({ status, stdout, stderr }: CliResult): Promise<{ arn: string | undefined; buckets: number }> {
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
  } = JSON.parse(stdout) as ProcessJson;
  const config = {
    region: 'us-east-1',
    endpoint: emulator.url,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
  };
  const sts = new STSClient(config);
  const s3 = new S3Client({ ...config, forcePathStyle: true });
  try {
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    const { Buckets } = await s3.send(new ListBucketsCommand({}));
    return { arn: Arn, buckets: Buckets?.length ?? 0 };
  } finally {
    sts.destroy();
    s3.destroy();
  }
}

const firstHop = ['--assume-role-arn', `${FIRST},external-id=${EXTERNAL_ID},tag=Team=blue,transitive-tag-key=Team`];
const secondHop = ['--assume-role-arn', SECOND, '--assume-role-session-name', 'night-shift'];
const device = ['--mfa-serial', MFA.source.serialNumber];

describe('a chain of roles', () => {
  it('goes from a certificate over two hops, with a tag that comes along', async () => {
    const result = await vend('credential-process', ...firstHop, ...secondHop);
    expect(await whoIs(result)).toEqual({
      arn: 'arn:aws:sts::123456789012:assumed-role/Second/night-shift',
      buckets: 1,
    });
    const { Expiration } = JSON.parse(result.stdout) as ProcessJson;
    expect(Date.parse(Expiration)).toBeLessThanOrEqual(Date.now() + 3_600_000);
  });

  it.each<[string, () => string[], number, string]>([
    ['the external id is missing', () => ['--assume-role-arn', FIRST], 4, 'ERR_ACCESS_DENIED'],
    [
      'a code is of a device, which the session of a role has not',
      () => [...firstHop, ...secondHop, ...device, '--mfa-token', mfaCode('source')],
      4,
      'ERR_ACCESS_DENIED',
    ],
    [
      'a session is to last longer than an hour',
      () => [...firstHop, '--assume-role-duration', '3601'],
      2,
      'ERR_DURATION',
    ],
    ['a tag has no value', () => ['--assume-role-arn', FIRST, '--tag', 'Team'], 2, 'ERR_TAG'],
    ['a flag of a hop has no hop', () => ['--external-id', EXTERNAL_ID], 2, 'ERR_FLAG_REQUIRED'],
    ['a code has no device', () => [...firstHop, '--mfa-token', '123456'], 2, 'ERR_MFA_SERIAL'],
    ['a policy is no JSON', () => ['--assume-role-arn', FIRST, '--policy', '{'], 2, 'ERR_POLICY'],
    [
      'a policy file is not there',
      () => ['--assume-role-arn', FIRST, '--policy', 'file:///no/file'],
      3,
      'ERR_FILE_NOT_FOUND',
    ],
    [
      'a policy file is a pipe that nobody writes to',
      () => {
        const pipe = join(folder, 'policy');
        execFileSync('mkfifo', [pipe]);
        return ['--assume-role-arn', FIRST, '--policy', `file://${pipe}`];
      },
      3,
      'ERR_FILE_UNREADABLE',
    ],
  ])('says so when %s', async (_, args, status, code) => {
    const before = emulator.verdicts.length;
    const { status: ended, stdout, stderr } = await vend('credential-process', ...args());
    expect({ ended, stdout }).toEqual({ ended: status, stdout: '' });
    expect(stderr).toContain(`[${code}]`);
    // What can be known before is said before anything is sent.
    expect(emulator.verdicts.length > before).toBe(status === 4);
  });

  it('names the hop that a mistake is in', async () => {
    const { stderr } = await vend('credential-process', ...firstHop, '--assume-role-arn', 'arn:x');
    expect(stderr).toContain('hop 2: --assume-role-arn is not the ARN of a role');
  });

  it('says what an AccessDenied has to do with', async () => {
    const { stderr } = await vend('credential-process', '--assume-role-arn', FIRST);
    expect(stderr).toMatch(/hint: the trust policy of .*role\/First .*neither an external id nor MFA/);
  });

  it('shows no secret under --debug', async () => {
    const code = mfaCode('source');
    const { status, stdout, stderr } = await vend('credential-process', '--debug', ...firstHop);
    expect(status).toBe(0);
    expect(stderr).toContain(`AssumeRole ${FIRST}`);
    const { SecretAccessKey, SessionToken } = JSON.parse(stdout) as ProcessJson;
    for (const secret of [SecretAccessKey, SessionToken]) expect(stderr).not.toContain(secret);
    const refused = await vend(
      'credential-process',
      '--debug',
      ...firstHop,
      ...secondHop,
      ...device,
      '--mfa-token',
      code,
    );
    expect(refused.stderr).not.toContain(code);
  });

  it('refuses a code that is good for one request where more are made', async () => {
    const { status, stderr } = await vend(
      'serve',
      '--port',
      '0',
      ...firstHop,
      ...secondHop,
      ...device,
      '--mfa-token',
      mfaCode('source'),
    );
    expect(status).toBe(2);
    expect(stderr).toContain('--mfa-command');
  });
});

const assumeFrom = (env: Record<string, string>, ...args: string[]): Promise<CliResult> =>
  runCli(['assume-role', '--region', 'us-east-1', '--sts-endpoint', emulator.url, ...args], {
    env: { AWS_EC2_METADATA_DISABLED: 'true', HOME: folder, ...env },
  });

describe('assume-role', () => {
  it('starts from the environment with MFA, and carries tags and source identity over two hops', async () => {
    const mfa = `mfa-serial=${MFA.source.serialNumber},mfa-command=echo ${mfaCode('source')}`;
    const guarded = ['--assume-role-arn', `${GUARDED},tag=Team=blue,transitive-tag-key=Team,${mfa}`];
    const result = await assumeFrom(USER, ...guarded, ...secondHop, '--source-identity', 'Alice');
    expect(await whoIs(result)).toEqual({ arn: expect.stringContaining('/Second/night-shift') as string, buckets: 1 });
  });

  it('tells the command for MFA codes no secret of this program', async () => {
    const seen = join(folder, 'seen');
    const env = { ...USER, ROLES_ANYWHERE_PKCS11_PIN: 'the-pin', ROLES_ANYWHERE_PKCS8_PASSWORD: 'the-password' };
    const command = `env > '${seen}'; echo 000000`;
    const result = await assumeFrom(env, '--assume-role-arn', GUARDED, ...device, '--mfa-command', command);
    expect(result.status).toBe(4);
    expect(readFileSync(seen, 'utf8')).toContain('AWS_EC2_METADATA_DISABLED=true');
    expect(readFileSync(seen, 'utf8')).not.toMatch(/the-pin|the-password/);
  });

  it('says so when the MFA code is wrong', async () => {
    const { status, stderr } = await assumeFrom(USER, '--assume-role-arn', GUARDED, ...device, '--mfa-token', '000000');
    expect(status).toBe(4);
    expect(stderr).toContain('invalid MFA one time pass code');
  });

  it('starts from a profile', async () => {
    const credentials = join(folder, 'credentials');
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = USER;
    writeFileSync(credentials, `[base]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`);
    const result = await assumeFrom(
      { AWS_SHARED_CREDENTIALS_FILE: credentials },
      '--source-profile',
      'base',
      ...firstHop,
    );
    expect(result).toMatchObject({ status: 0, stderr: '' });
  });

  it('says what is missing when there is nothing to start from', async () => {
    const { status, stderr } = await assumeFrom({}, ...firstHop);
    expect(status).toBe(3);
    expect(stderr).toContain('[ERR_SOURCE_CREDENTIALS]');
  });

  it('refuses a source beside a profile of another kind', async () => {
    const { status, stderr } = await assumeFrom(USER, '--source', 'env', '--source-profile', 'x', ...firstHop);
    expect(status).toBe(2);
    expect(stderr).toContain('exclude each other');
  });
});

function trustOf(issuer: string): Record<string, unknown> {
  const provider = issuer.replace('https://', '');
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'sts:AssumeRoleWithWebIdentity',
        Principal: { Federated: `arn:aws:iam::123456789012:oidc-provider/${provider}` },
        Condition: { StringEquals: { [`${provider}:aud`]: 'sts.amazonaws.com', [`${provider}:sub`]: 'pod-7' } },
      },
    ],
  };
}

describe('web-identity', () => {
  const ISSUER = 'https://idp.example.com/tenant';
  const ROLE = 'arn:aws:iam::123456789012:role/Federated';
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let federated: Emulator;

  beforeAll(async () => {
    federated = await startTestEmulator({
      roles: [{ arn: ROLE, trustPolicy: trustOf(ISSUER) }],
      oidcProviders: [
        {
          url: ISSUER,
          clientIds: ['sts.amazonaws.com'],
          jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'RS256', use: 'sig' }] },
        },
      ],
    });
  });
  afterAll(() => federated.close());

  /** A file with a token that the provider issued. */
  function tokenFile(claims: object = {}): string {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: ISSUER, sub: 'pod-7', aud: 'sts.amazonaws.com', iat: now, exp: now + 600, ...claims };
    const parts = [{ alg: 'RS256', typ: 'JWT', kid: '1' }, all].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = sign('sha256', Buffer.from(parts.join('.')), privateKey).toString('base64url');
    const path = join(folder, 'token.jwt');
    writeFileSync(path, `${parts.join('.')}.${signature}\n`);
    return path;
  }

  const assume = (env: Record<string, string>, ...args: string[]): Promise<CliResult> =>
    runCli(['web-identity', '--region', 'us-east-1', '--sts-endpoint', federated.url, ...args], { env });

  it('assumes a role with the token of the flag', async () => {
    const args = ['--role-arn', ROLE, '--role-session-name', 'me', '--web-identity-token-file', tokenFile()];
    const { status, stdout, stderr } = await assume({}, ...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccountId: '123456789012' });
  });

  it('understands the variables of the SDKs', async () => {
    const env = { AWS_ROLE_ARN: ROLE, AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile(), AWS_ROLE_SESSION_NAME: 'pod' };
    expect(await assume(env)).toMatchObject({ status: 0, stderr: '' });
  });

  it.each<[string, () => string[], number, string]>([
    ['the token is of another audience', () => [tokenFile({ aud: 'other' })], 4, 'ERR_'],
    ['the token has expired', () => [tokenFile({ iat: 1, exp: 2 })], 4, 'ExpiredToken'],
    ['the token is of someone else', () => [tokenFile({ sub: 'pod-8' })], 4, 'ERR_ACCESS_DENIED'],
    ['there is no such file', () => ['/no/such/file'], 3, 'ERR_WEB_IDENTITY_TOKEN'],
  ])('says so when %s', async (_, file, status, shown) => {
    const result = await assume({}, '--role-arn', ROLE, '--web-identity-token-file', ...file());
    expect({ status: result.status, stdout: result.stdout }).toEqual({ status, stdout: '' });
    expect(result.stderr).toContain(shown);
  });

  it('says what is missing', async () => {
    expect((await assume({})).stderr).toContain('missing flag: --role-arn');
    expect((await assume({ AWS_ROLE_ARN: ROLE })).stderr).toContain('missing flag: --web-identity-token-file');
  });
});

describe('console', () => {
  it('prints a URL that signs in, and nothing of it under --debug', async () => {
    const args = ['--signin-endpoint', emulator.url, '--service', 's3', '--session-duration', '3600', '--debug'];
    const { status, stdout, stderr } = await vend('console', ...args);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const url = new URL(stdout.trim());
    const token = url.searchParams.get('SigninToken') ?? '';
    expect(token.length).toBeGreaterThan(20);
    expect(stderr).not.toContain(token);
    expect(url.searchParams.get('Destination')).toBe('https://console.aws.amazon.com/s3/home?region=us-east-1');
    const answer = await fetch(url, { redirect: 'manual' });
    expect([200, 302]).toContain(answer.status);
  });

  it('leaves the duration out for a chain, which AWS would refuse', async () => {
    const args = ['--signin-endpoint', emulator.url, '--session-duration', '3600', ...firstHop];
    expect(await vend('console', ...args)).toMatchObject({ status: 0, stderr: '' });
  });

  it('starts from other credentials too', async () => {
    const args = ['console', '--source', 'env', '--region', 'us-east-1', '--sts-endpoint', emulator.url];
    const more = ['--signin-endpoint', emulator.url, ...firstHop];
    expect(await runCli([...args, ...more], { env: USER })).toMatchObject({ status: 0, stderr: '' });
  });
});
