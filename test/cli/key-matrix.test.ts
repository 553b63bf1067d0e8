import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI, runCli } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let emulator: Emulator;
let dir: string;

beforeAll(async () => {
  emulator = await startTestEmulator();
  dir = mkdtempSync(join(tmpdir(), 'ra-matrix-'));
});
afterAll(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Vends with the built program and checks the whole of what it prints. */
async function expectVended(
  identity: readonly string[],
  more: readonly string[] = [],
): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await runCli([
    'credential-process',
    ...identity,
    ...worldFlags(emulator),
    ...more,
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const printed = JSON.parse(stdout) as Record<string, unknown>;
  expect(printed).toEqual({
    Version: 1,
    AccessKeyId: expect.stringMatching(/^ASIA[A-Z0-9]{16}$/) as string,
    SecretAccessKey: expect.any(String) as string,
    SessionToken: expect.any(String) as string,
    Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    AccountId: '123456789012',
  });
  return printed;
}

const RSA = ['rsa-2048', 'rsa-3072', 'rsa-4096'];
const EC = ['ec-p256', 'ec-p384', 'ec-p521'];
const chain = ['--intermediates', `${PKI}intermediate.pem`];

describe('every kind of key in every form is accepted by the other side', () => {
  const forms = [...RSA.map((kind) => [kind, 'pkcs1'] as const), ...EC.map((kind) => [kind, 'sec1'] as const)];

  it.each([...RSA, ...EC])('%s, PKCS#8', async (kind) => {
    await expectVended(['--certificate', `${PKI}${kind}.crt.pem`, '--private-key', `${PKI}${kind}.key.pem`, ...chain]);
  });
  it.each(forms)('%s, %s', async (kind, form) => {
    await expectVended([
      '--certificate',
      `${PKI}${kind}.crt.pem`,
      '--private-key',
      `${PKI}${kind}.${form}.pem`,
      ...chain,
    ]);
  });
  it.each([...RSA, ...EC])('%s, certificate and key in one file', async (kind) => {
    await expectVended(['--certificate', `${PKI}${kind}.combined.pem`, ...chain]);
  });
  it.each([...RSA, ...EC])('%s, text around the certificate and comments in the bundle', async (kind) => {
    const files = ['--certificate', `${PKI}${kind}.text.pem`, '--private-key', `${PKI}${kind}.key.pem`];
    await expectVended([...files, '--intermediates', `${PKI}${kind}.chain.pem`]);
  });
});

describe('serial numbers and chains', () => {
  it.each(['serial-1', 'serial-80', 'serial-20-bytes'])('%s is sent in decimal', async (kind) => {
    await expectVended(['--certificate', `${PKI}${kind}.crt.pem`, '--private-key', `${PKI}${kind}.key.pem`, ...chain]);
  });

  it('a bundle in the wrong order that also holds the leaf, the root and duplicates', async () => {
    const parts = ['root', 'intermediate', 'ec-p256.crt', 'intermediate'].map((name) =>
      readFileSync(`${PKI}${name}.pem`),
    );
    const bundle = join(dir, 'bundle.pem');
    writeFileSync(bundle, Buffer.concat(parts));
    const identity = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`];
    await expectVended([...identity, '--intermediates', bundle]);
  });

  it('a leaf file that carries its chain behind it needs no --intermediates', async () => {
    const file = join(dir, 'full-chain.pem');
    writeFileSync(
      file,
      Buffer.concat(['ec-p384.crt', 'intermediate'].map((name) => readFileSync(`${PKI}${name}.pem`))),
    );
    await expectVended(['--certificate', file, '--private-key', `${PKI}ec-p384.key.pem`]);
  });
});

/** Seconds that the credentials have left. */
function life(printed: Record<string, unknown>): number {
  return (Date.parse(String(printed['Expiration'])) - Date.now()) / 1000;
}

describe('what is asked for', () => {
  const identity = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`, ...chain];

  it('a duration is honoured', async () => {
    expect(life(await expectVended(identity, ['--session-duration', '900']))).toBeLessThanOrEqual(900);
  });

  it('without one the profile’s own rules; under the old name 3600 seconds', async () => {
    const own = await startTestEmulator({
      profiles: [{ arn: emulator.profileArns[0] ?? '', durationSeconds: 7200, roleArns: [...emulator.roleArns] }],
      roles: [{ arn: emulator.roleArns[0] ?? '', maxSessionDuration: 43_200 }],
    });
    try {
      const line = ['credential-process', ...identity, ...worldFlags(own)];
      const plain = JSON.parse((await runCli(line)).stdout) as Record<string, unknown>;
      const compat = JSON.parse((await runCli([...line, '--compat'])).stdout) as Record<string, unknown>;
      expect(life(plain)).toBeGreaterThan(3700);
      expect(life(compat)).toBeLessThanOrEqual(3600);
    } finally {
      await own.close();
    }
  });
});
