import { execFileSync } from 'node:child_process';
import { X509Certificate, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { hasAnotherMachine, runOnAnotherMachine } from '../support/another-machine.ts';
import { type CacheHome, cacheHome } from '../support/cache.ts';
import { EXTERNAL_ID, FIRST, GUARDED, MFA, USER, mfaCode, startChainEmulator } from '../support/chain-world.ts';
import { type CliResult, PKI, runCli } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let home: CacheHome;
beforeEach(() => {
  home = cacheHome();
});
afterEach(() => home.remove());

interface Printed {
  readonly AccessKeyId: string;
  readonly Expiration: string;
  readonly AccountId?: string;
}

/** What a run that is all right printed. */
function keyOf({ status, stdout, stderr }: CliResult): string {
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return (JSON.parse(stdout) as Printed).AccessKeyId;
}

/** The requests that an emulator answered. */
function asked(emulator: Emulator): number {
  return emulator.verdicts.length;
}

function hop(extra = ''): string[] {
  return ['--assume-role-arn', `${FIRST},external-id=${EXTERNAL_ID}${extra}`];
}

/** A profile with the user's access key. */
function profileText(name: string): string {
  return `[${name}]\naws_access_key_id = ${USER.AWS_ACCESS_KEY_ID}\naws_secret_access_key = ${USER.AWS_SECRET_ACCESS_KEY}\n`;
}

describe('assume-role --cache', () => {
  let emulator: Emulator;
  let before: number;
  beforeAll(async () => {
    emulator = await startChainEmulator();
  });
  afterAll(() => emulator.close());
  beforeEach(() => {
    before = asked(emulator);
  });

  const sent = (): number => asked(emulator) - before;
  const assume = (env: Record<string, string>, ...args: string[]): Promise<CliResult> =>
    runCli(['assume-role', '--cache', '--region', 'us-east-1', '--sts-endpoint', emulator.url, ...args], {
      env: { ...home.env, ...env },
    });

  it('gives out again what the first run got, byte for byte', async () => {
    const first = await assume(USER, ...hop());
    keyOf(first);
    for (let turn = 0; turn < 2; turn++) expect(await assume(USER, ...hop())).toEqual(first);
    expect(sent()).toBe(1);
    expect(home.files('session')).toHaveLength(1);
    // A remembered line knows nothing of the credentials that a role is assumed with.
    expect(home.files('line')).toEqual([]);
  });

  it('asks once for runs that start at one time', async () => {
    const keys = await Promise.all(Array.from({ length: 6 }, async () => keyOf(await assume(USER, ...hop()))));
    expect(new Set(keys).size).toBe(1);
    expect(sent()).toBe(1);
  });

  it('never gives one line the set of another', async () => {
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    const lines = [
      hop(),
      hop(',tag=Team=blue'),
      [...hop(), '--assume-role-session-name', 'night-shift'],
      [...hop(), '--assume-role-duration', '900'],
      [...hop(), '--source-identity', 'ada'],
      [...hop(), '--policy', policy.replace('[]', '[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]')],
      [...hop(), '--policy-arn', 'arn:aws:iam::aws:policy/ReadOnlyAccess'],
      [...hop(), '--source', 'env'],
    ];
    const keys: string[] = [];
    for (const line of lines) keys.push(keyOf(await assume(USER, ...line)));
    expect(new Set(keys).size).toBe(lines.length);
    for (const [index, line] of lines.entries()) expect(keyOf(await assume(USER, ...line))).toBe(keys[index]);
    expect(sent()).toBe(lines.length);
  });

  it('asks the service when it starts from other credentials, or from a wrong external id', async () => {
    keyOf(await assume(USER, ...hop()));
    const other = { ...USER, AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7OTHERKY' };
    expect(await assume(other, ...hop())).toMatchObject({ status: 4, stdout: '' });
    const wrong = await assume(USER, '--assume-role-arn', `${FIRST},external-id=other`);
    expect(wrong).toMatchObject({ status: 4, stdout: '' });
    expect(sent()).toBe(3);
  });

  it.runIf(hasAnotherMachine())(
    'asks anew on another machine with the same home, whose instance is another one',
    async () => {
      const first = keyOf(await assume(USER, ...hop()));
      const args = ['assume-role', '--cache', '--region', 'us-east-1', '--sts-endpoint', emulator.url, ...hop()];
      const there = await runOnAnotherMachine(home.dir, args, { env: { ...home.env, ...USER } });
      expect(keyOf(there)).not.toBe(first);
    },
  );

  it('asks anew when the token file that a profile names was replaced', async () => {
    const token = join(home.dir, 'token');
    const config = join(home.dir, 'config');
    writeFileSync(token, 'one');
    writeFileSync(config, `[default]\nregion = us-east-1\n[profile other]\nweb_identity_token_file = ${token}\n`);
    const env = { ...USER, AWS_CONFIG_FILE: config };
    const first = keyOf(await assume(env, ...hop()));
    expect(keyOf(await assume(env, ...hop()))).toBe(first);
    writeFileSync(`${token}.new`, 'two');
    renameSync(`${token}.new`, token);
    expect(keyOf(await assume(env, ...hop()))).not.toBe(first);
  });

  it('reads the files of the AWS CLI for those as it reads them for a profile: no pipe, and no megabyte of blanks at length', async () => {
    const long = join(home.dir, 'config');
    writeFileSync(long, `[default]\nregion = us-east-1\n${'\n'.repeat(500_000)}${' '.repeat(500_000)}\n`);
    expect(keyOf(await assume({ ...USER, AWS_CONFIG_FILE: long }, ...hop()))).toMatch(/^ASIA/);
    const pipe = join(home.dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const refused = await assume({ AWS_CONFIG_FILE: pipe }, '--source-profile', 'other', ...hop());
    expect(refused).toMatchObject({ status: 3, stdout: '' });
    expect(refused.stderr).toContain(`${pipe} is a pipe and not a file [ERR_SOURCE_CREDENTIALS]`);
  });

  it('never takes for another what a container endpoint tells apart by its token alone', async () => {
    const endpoint = createServer((request, response) => {
      const isKnown = request.headers.authorization === 'known';
      const key = isKnown ? USER.AWS_ACCESS_KEY_ID : 'ASIAIOSFODNN7UNKNOWN';
      const times = { Expiration: new Date(Date.now() + 3_600_000).toISOString() };
      // The emulator has no session token for a user's key.
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ AccessKeyId: key, SecretAccessKey: USER.AWS_SECRET_ACCESS_KEY, ...times }));
    }).listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    const { port } = endpoint.address() as AddressInfo;
    const at = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/` };
    const file = (name: string, token: string): Record<string, string> => {
      writeFileSync(join(home.dir, name), token);
      return { ...at, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(home.dir, name) };
    };
    const line = ['--source', 'container', ...hop()];
    try {
      keyOf(await assume({ ...at, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'known' }, ...line));
      keyOf(await assume(file('one', 'known'), ...line));
      for (const env of [
        { ...at, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'unknown' },
        file('two', 'unknown'),
        file('one', 'unknown'),
      ])
        expect(await assume(env, ...line)).toMatchObject({ status: 4, stdout: '' });
    } finally {
      endpoint.close();
    }
  });

  it('asks again once the files of the AWS CLI were changed', async () => {
    const file = join(home.dir, '.aws', 'credentials');
    mkdirSync(join(home.dir, '.aws'));
    writeFileSync(file, profileText('base'));
    const line = ['--source-profile', 'base', ...hop()];
    const first = keyOf(await assume({}, ...line));
    expect(keyOf(await assume({}, ...line))).toBe(first);
    writeFileSync(`${file}.new`, profileText('base') + profileText('other'));
    renameSync(`${file}.new`, file);
    const second = keyOf(await assume({}, ...line));
    expect(second).not.toBe(first);
    // Another profile of the same file.
    expect(keyOf(await assume({}, '--source-profile', 'other', ...hop()))).not.toBe(second);
    expect(sent()).toBe(3);
  });

  it('asks for no code of an MFA device on a hit', async () => {
    const device = ['--assume-role-arn', GUARDED, '--mfa-serial', MFA.source.serialNumber];
    const first = keyOf(await assume(USER, ...device, '--mfa-token', mfaCode('source')));
    // A command that would fail if it ran.
    expect(keyOf(await assume(USER, ...device, '--mfa-command', '/bin/false'))).toBe(first);
    expect(sent()).toBe(1);
  });

  it('renews a set of 900 seconds when a third of its life is left, and not before', async () => {
    const line = [...hop(), '--assume-role-duration', '900'];
    const first = keyOf(await assume(USER, ...line));
    home.age(590);
    expect(keyOf(await assume(USER, ...line))).toBe(first);
    home.age(20);
    expect(keyOf(await assume(USER, ...line))).not.toBe(first);
    expect(sent()).toBe(2);
  });

  it('stays with a set that is valid while it is refused another', async () => {
    const first = keyOf(await assume(USER, ...hop()));
    home.age(2700);
    const { status, stdout, stderr } = await assume({ ...USER, AWS_SECRET_ACCESS_KEY: 'wrong' }, ...hop());
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as Printed).AccessKeyId).toBe(first);
    expect(stderr).toContain('stay in use');
  });

  it('lists the role and no secret', async () => {
    keyOf(await assume(USER, ...hop()));
    const { stdout } = await runCli(['cache', 'list', '--json'], { env: home.env });
    const [row] = JSON.parse(stdout) as Record<string, unknown>[];
    expect(row).toMatchObject({ role: FIRST, account: '123456789012', state: 'valid' });
    expect(row).not.toHaveProperty('certificate');
    expect(stdout).not.toContain(USER.AWS_SECRET_ACCESS_KEY);
  });

  it('checks its flags on a hit too', async () => {
    keyOf(await assume(USER, ...hop()));
    const bad = await assume(USER, ...hop(), '--cache-min-remaining', '0');
    expect(bad.status).toBe(2);
    expect(bad.stderr).toContain('--cache-min-remaining is out of range: 0');
    expect(await assume(USER, ...hop(), '--timeout', '0')).toMatchObject({ status: 2, stdout: '' });
    expect(sent()).toBe(1);
  });
});

/** The flags that name a role, a session and a token. */
function lineFor(role: string, session: string, token: string): string[] {
  return ['--role-arn', role, '--role-session-name', session, '--web-identity-token-file', token];
}

describe('web-identity --cache', () => {
  const ISSUER = 'https://idp.example.com/tenant';
  const ROLE = 'arn:aws:iam::123456789012:role/Federated';
  const OTHER = 'arn:aws:iam::123456789012:role/Other';
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const trustPolicy = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'sts:AssumeRoleWithWebIdentity',
        Principal: { Federated: `arn:aws:iam::123456789012:oidc-provider/idp.example.com/tenant` },
        Condition: { StringEquals: { 'idp.example.com/tenant:aud': 'sts.amazonaws.com' } },
      },
    ],
  };
  let emulator: Emulator;
  let before: number;
  beforeAll(async () => {
    emulator = await startTestEmulator({
      roles: [
        { arn: ROLE, trustPolicy },
        { arn: OTHER, trustPolicy },
      ],
      oidcProviders: [
        {
          url: ISSUER,
          clientIds: ['sts.amazonaws.com'],
          jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'RS256', use: 'sig' }] },
        },
      ],
    });
  });
  afterAll(() => emulator.close());
  beforeEach(() => {
    before = asked(emulator);
  });
  const sent = (): number => asked(emulator) - before;

  /** Puts a token of the provider into a file, as kubelet does: a new file in the old one's place. */
  function writeToken(sub: string, name = 'token.jwt'): string {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: ISSUER, sub, aud: 'sts.amazonaws.com', iat: now, exp: now + 600 };
    const parts = [{ alg: 'RS256', typ: 'JWT', kid: '1' }, all].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = sign('sha256', Buffer.from(parts.join('.')), privateKey).toString('base64url');
    const path = join(home.dir, name);
    writeFileSync(`${path}.new`, `${parts.join('.')}.${signature}\n`);
    renameSync(`${path}.new`, path);
    return path;
  }

  const assume = (env: Record<string, string>, ...args: string[]): Promise<CliResult> =>
    runCli(['web-identity', '--cache', '--region', 'us-east-1', '--sts-endpoint', emulator.url, ...args], {
      env: { ...home.env, ...env },
    });

  it('gives out again what the first run got, and remembers the line', async () => {
    const env = { AWS_ROLE_ARN: ROLE, AWS_WEB_IDENTITY_TOKEN_FILE: writeToken('pod-7'), AWS_ROLE_SESSION_NAME: 'pod' };
    const first = await assume(env);
    keyOf(first);
    expect(home.files('line')).toHaveLength(1);
    for (let turn = 0; turn < 2; turn++) expect(await assume(env)).toEqual(first);
    expect(keyOf(await assume({ ...env, ROLES_ANYWHERE_TIMEOUT: '59' }))).toBe(keyOf(first));
    expect(sent()).toBe(1);
  });

  it('asks again once the token was replaced, another subject among them', async () => {
    const file = writeToken('pod-7');
    const line = ['--role-arn', ROLE, '--role-session-name', 'pod', '--web-identity-token-file', file];
    const first = keyOf(await assume({}, ...line));
    writeToken('pod-8');
    const second = keyOf(await assume({}, ...line));
    expect(second).not.toBe(first);
    expect(keyOf(await assume({}, ...line))).toBe(second);
    expect(sent()).toBe(2);
    rmSync(file);
    expect(await assume({}, ...line)).toMatchObject({ status: 3, stdout: '' });
  });

  it('never gives one line the set of another', async () => {
    const file = writeToken('pod-7');
    const lines = [
      lineFor(ROLE, 'pod', file),
      lineFor(OTHER, 'pod', file),
      lineFor(ROLE, 'night', file),
      lineFor(ROLE, 'pod', writeToken('pod-7', 'other.jwt')),
      [...lineFor(ROLE, 'pod', file), '--session-duration', '900'],
      [...lineFor(ROLE, 'pod', file), '--policy-arn', 'arn:aws:iam::aws:policy/ReadOnlyAccess'],
    ];
    const keys: string[] = [];
    for (const words of lines) keys.push(keyOf(await assume({}, ...words)));
    expect(new Set(keys).size).toBe(lines.length);
    for (const [index, words] of lines.entries()) expect(keyOf(await assume({}, ...words))).toBe(keys[index]);
    expect(sent()).toBe(lines.length);
  });

  it('tells two roles of the variables apart', async () => {
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: writeToken('pod-7'), AWS_ROLE_SESSION_NAME: 'pod' };
    const [one, other] = [
      keyOf(await assume({ ...env, AWS_ROLE_ARN: ROLE })),
      keyOf(await assume({ ...env, AWS_ROLE_ARN: OTHER })),
    ];
    expect(other).not.toBe(one);
    expect(keyOf(await assume({ ...env, AWS_ROLE_ARN: ROLE }))).toBe(one);
  });
});

describe('credential-process --cache with a folder of certificates', () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await startTestEmulator();
  });
  afterAll(() => emulator.close());

  it('keeps what it got while no file there changes, and asks again after', async () => {
    const folder = join(home.dir, 'certificates');
    mkdirSync(folder);
    const add = (kind: string): void => {
      for (const part of ['crt', 'key']) {
        const name = `${kind}.${part}.pem`;
        copyFileSync(`${PKI}${name}`, join(folder, name));
      }
    };
    add('rsa-2048');
    copyFileSync(`${PKI}intermediate.pem`, join(folder, 'intermediate.pem'));
    const issuer = new X509Certificate(readFileSync(`${PKI}ec-p256.crt.pem`)).issuer.replaceAll('\n', ',');
    const selector = ['--cert-selector', `Key=x509Issuer,Value=${issuer}`, '--use-latest-expiring-certificate'];
    const line = ['credential-process', '--certificate', folder, ...selector, ...worldFlags(emulator), '--cache'];
    const ask = async (): Promise<string> => keyOf(await runCli(line, { env: home.env }));
    const first = await ask();
    expect(await ask()).toBe(first);
    expect(asked(emulator)).toBe(1);
    expect(home.files('line')).toHaveLength(1);
    add('ec-p256');
    const second = await ask();
    expect(second).not.toBe(first);
    expect(await ask()).toBe(second);
    rmSync(join(folder, 'rsa-2048.crt.pem'));
    expect(await ask()).not.toBe(second);
    expect(asked(emulator)).toBe(3);
  });
});
