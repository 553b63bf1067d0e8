/** AWS's SDK for Go, which knows the newest model of Roles Anywhere, against the emulator. */
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { totp } from '../../../src/emulator/callers/mfa.ts';
import { type Emulator, startEmulator } from '../../../src/emulator/emulator.ts';
import { OPERATIONS } from '../../../src/emulator/services/control/model.ts';
import { draft, send, signed } from '../../emulator/support/signed-request.ts';
import { certificatePem, makeAuthority, makeClient } from '../../emulator/support/world.ts';
import { PKI } from '../../support/cli.ts';
import { requireTool } from '../../support/tools.ts';

const ACCOUNT = 'arn:aws:iam::123456789012';
const ISSUER = 'https://idp.example.com/tenant';
const DEVICE = { serialNumber: `${ACCOUNT}:mfa/admin`, secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' };
const ANY_TIME = { notBefore: new Date(0), notAfter: new Date('2049-01-01') };

interface Seen {
  operations: string[];
  errors: Record<string, string>;
  pages: Record<string, number>;
  listed: Record<string, number>;
  aliasArns: string[];
  previousAliasName: string;
  crlDp: boolean;
  subjects: string[];
  settings: number;
  mappings: number;
  tags: Record<string, string>;
  mfaArn: string;
  webArn: string;
  presignedUrl: string;
}

const trusting = (Principal: object, Condition: object, Action: string | string[]) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal, Condition, Action }],
});

/** A token that the identity provider issued. */
function webToken(key: Parameters<typeof sign>[2]): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'RS256', typ: 'JWT', kid: '1' },
    { iss: ISSUER, sub: 'gopher', aud: 'sts.amazonaws.com', iat: now, exp: now + 600 },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  return [...parts, sign('sha256', Buffer.from(parts.join('.')), key).toString('base64url')].join('.');
}

describe.runIf(requireTool('go'))('the AWS SDK for Go', () => {
  let emulator: Emulator;
  let folder: string;
  let seen: Seen;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-go-'));
    const program = join(folder, 'go-emulator');
    const directory = import.meta.dirname;
    const env = { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false' };
    execFileSync('go', ['build', '-o', program, '.'], { cwd: directory, env, stdio: 'pipe' });
    const root = await makeAuthority('root', ANY_TIME);
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    emulator = await startEmulator({
      trustAnchors: [{ certificates: certificatePem(root.certificate) }],
      roles: [
        { arn: `${ACCOUNT}:role/Workload` },
        {
          arn: `${ACCOUNT}:role/Guarded`,
          trustPolicy: trusting(
            { AWS: `${ACCOUNT}:root` },
            { Bool: { 'aws:MultiFactorAuthPresent': 'true' }, StringEquals: { 'sts:SourceIdentity': 'gopher' } },
            ['sts:AssumeRole', 'sts:SetSourceIdentity'],
          ),
        },
        {
          arn: `${ACCOUNT}:role/Federated`,
          trustPolicy: trusting(
            { Federated: `${ACCOUNT}:oidc-provider/idp.example.com/tenant` },
            { StringEquals: { 'idp.example.com/tenant:sub': 'gopher' } },
            'sts:AssumeRoleWithWebIdentity',
          ),
        },
      ],
      mfaDevices: [DEVICE],
      oidcProviders: [
        {
          url: ISSUER,
          clientIds: ['sts.amazonaws.com'],
          jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'RS256', use: 'sig' }] },
        },
      ],
    });
    for (const subject of ['CN=one', 'CN=two']) {
      const client = await makeClient(root, { subject, ...ANY_TIME });
      const { status } = await send(emulator.url, signed(draft(client, emulator.url, { now: new Date() }), client));
      if (status !== 201) throw new Error(`${subject} got status ${status}`);
    }
    const input = {
      endpoint: emulator.url,
      certificate: certificatePem(root.certificate),
      crl: readFileSync(`${PKI}crl.pem`, 'utf8'),
      roleArn: `${ACCOUNT}:role/Workload`,
      mfaRoleArn: `${ACCOUNT}:role/Guarded`,
      serialNumber: DEVICE.serialNumber,
      tokenCode: totp(DEVICE.secret, new Date()),
      webRoleArn: `${ACCOUNT}:role/Federated`,
      webToken: webToken(privateKey),
    };
    seen = await runProgram(program, input);
  }, 600_000);
  afterAll(async () => {
    await emulator.close();
    rmSync(folder, { recursive: true });
  });

  it('calls every operation that there is', () => {
    expect(seen.operations).toEqual(Object.keys(OPERATIONS).toSorted());
    expect(seen.operations).toHaveLength(30);
  });

  it('names resources by their aliases', () => {
    const prefix = 'arn:aws:rolesanywhere:us-east-1:123456789012:alias';
    expect(seen.aliasArns).toEqual([
      `${prefix}/trust-anchor/go/anchor`,
      `${prefix}/profile/go/profile`,
      `${prefix}/crl/go/crl`,
    ]);
    expect(seen.previousAliasName).toBe('go/anchor');
    expect(seen.crlDp).toBe(true);
  });

  it('goes through pages of one', () => {
    expect(seen.listed).toEqual({ trustAnchors: 2, profiles: 2, crls: 1, subjects: 2 });
    expect(seen.pages).toEqual(seen.listed);
    expect(seen.subjects.toSorted()).toEqual(['CN=one', 'CN=two']);
  });

  it('reads what it set', () => {
    expect(seen).toMatchObject({ settings: 2, mappings: 3, tags: { a: '1' } });
  });

  it('gets errors of its own types', () => {
    expect(seen.errors).toEqual({
      'alias that was renamed': 'ResourceNotFoundException',
      'alias that is taken': 'ValidationException',
      'role of another account': 'AccessDeniedException',
      'import for an alias': 'ResourceNotFoundException',
      '201 tags': 'TooManyTagsException',
      'profile that was deleted': 'ResourceNotFoundException',
    });
  });

  it('assumes roles with MFA and with a web identity', () => {
    expect(seen.mfaArn).toMatch(/^arn:aws:sts::123456789012:assumed-role\/Guarded\//);
    expect(seen.webArn).toBe('arn:aws:sts::123456789012:assumed-role/Federated/web');
  });

  it('presigns GetCallerIdentity', async () => {
    const answer = await fetch(seen.presignedUrl);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('<Arn>arn:aws:iam::123456789012:user/admin</Arn>');
  });
});

/** The emulator is in this process, which must not wait while the program runs. */
async function runProgram(program: string, input: object): Promise<Seen> {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'pipe'] });
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.end(JSON.stringify(input));
  const status = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  return JSON.parse(out) as Seen;
}
