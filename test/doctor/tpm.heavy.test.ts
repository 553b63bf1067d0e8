/** Broken set-ups with keys in a TPM, which is swtpm here: what doctor names first. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startEmulator } from '../../src/emulator/emulator.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PROGRAM, cleanEnv } from '../support/cli.ts';
import { doctor } from '../support/doctor.ts';
import type { Report } from '../support/doctor.ts';
import { KEY_PASSWORD, STORAGE_KEY, madeKeys } from '../support/tpm/keys.ts';
import { Simulator, hasSimulator } from '../support/tpm/simulator.ts';

describe.skipIf(!hasSimulator())('doctor, of a key in a TPM', () => {
  let directory: string;
  let tpm: Simulator;
  let emulator: Emulator;
  let folder: string;
  beforeAll(async () => {
    ({ directory } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
    emulator = await startEmulator({ trustAnchors: [{ certificates: readFileSync(made('root.pem'), 'utf8') }] });
    folder = mkdtempSync(join(tmpdir(), 'ra-doctor-tpm-'));
  }, 240_000);
  afterEach(async () => {
    await tpm.tool('tpm2_dictionarylockout', '-s', '-n', '32', '-t', '1', '-l', '1');
    await tpm.tool('tpm2_dictionarylockout', '-c');
  });
  afterAll(async () => {
    await emulator.close();
    await tpm.remove();
    rmSync(folder, { recursive: true });
  });

  const made = (name: string): string => join(directory, name);
  const flags = (name: string, key: string, ...more: readonly string[]): string[] => [
    `--certificate=${made(`${name}.pem`)}`,
    `--private-key=${key}`,
    `--tpm-device=${tpm.tcti}`,
    `--endpoint=${emulator.url}`,
    `--trust-anchor-arn=${emulator.trustAnchorArns[0]}`,
    `--profile-arn=${emulator.profileArns[0]}`,
    `--role-arn=${emulator.roleArns[0]}`,
    ...more,
  ];
  const report = async (args: readonly string[]): Promise<Report> => await doctor(args, tpm.env);
  /** Has the TPM refuse passwords from now on. */
  const lock = async (): Promise<void> => {
    await tpm.tool('tpm2_dictionarylockout', '-s', '-n', '1', '-t', '10000', '-l', '1');
    writeFileSync(join(tpm.directory, 'digest'), Buffer.alloc(32));
    const sign = ['-c', '0x81010012', '-p', 'wrong', '-g', 'sha256', '-d', 'digest', '-o', 'signature'];
    await tpm.tool('tpm2_sign', ...sign).catch(() => undefined);
  };

  it.each([
    ['by its handle', 'h-ecc256-noda', 'handle:0x81010020', []],
    ['in a file', 't-parent-ecc256', 't-parent-ecc256.key', []],
    ['in a file, that is used', 't-parent-ecc256', 't-parent-ecc256.key', ['--call']],
    ['by its handle, that is used', 'h-ecc256-noda', 'handle:0x81010020', ['--call']],
  ])('%s has no fault to name where there is none', async (_, name, key, more) => {
    const { findings, facts, status } = await report(flags(name, key.startsWith('handle:') ? key : made(key), ...more));
    expect({ findings, status }).toEqual({ findings: [], status: 0 });
    const proof = more.length === 0 ? 'passwords of the TPM' : 'private key';
    expect(facts.map(({ label }) => label)).toContain(proof);
  });

  it.each([
    ['is not there', 'h-ecc256', 'handle:0x81010099', [], 'ERR_TPM_KEY_NOT_FOUND', /no key at/],
    ['was not made persistent', 'h-ecc256', 'handle:0x80000001', [], 'ERR_TPM_HANDLE_NOT_LOADED', /not loaded/],
    ['is a storage key', 'h-ecc256', `handle:${STORAGE_KEY}`, [], 'ERR_TPM_KEY_NOT_SIGNING', /no signing key/],
    ['is that of another certificate', 'h-ecc256', 'handle:0x81010003', [], 'ERR_KEY_MISMATCH', /not the key/],
    ['makes other signatures', 'h-rsa-pss', 'handle:0x81010033', [], 'ERR_TPM_SCHEME', /./],
    ['is bound to a policy', 'h-ecc-policy', 'handle:0x81010035', [], 'ERR_TPM_POLICY_REQUIRED', /policy/],
    [
      'is bound to other PCRs',
      'h-ecc-policy',
      'handle:0x81010035',
      ['--call', '--tpm-policy-pcr=sha256:1'],
      'ERR_TPM_POLICY_FAILED',
      /./,
    ],
  ] as const)('by its handle, names the cause where it %s', async (_, name, key, more, code, says) => {
    const { findings } = await report(flags(name, key, ...more));
    expect(findings[0]).toMatchObject({ code, cause: expect.stringMatching(says) });
    expect(findings[0]?.remedy).not.toBe('');
  });

  it.each([
    ['without a try', []],
    ['with one', ['--call']],
  ])('names the lock that wrong passwords have put the TPM under, %s', async (_, more) => {
    await lock();
    const password = join(folder, 'password');
    writeFileSync(password, KEY_PASSWORD, { mode: 0o600 });
    const { findings } = await report(
      flags('h-ecc256-pw', 'handle:0x81010012', `--tpm-key-password-file=${password}`, ...more),
    );
    expect(findings[0]).toMatchObject({ code: 'ERR_TPM_LOCKOUT', remedy: expect.stringContaining('-c') });
  });

  it('does not count a lock against a key that is not under it', async () => {
    await lock();
    const { findings } = await report(flags('h-ecc256-noda', 'handle:0x81010020'));
    expect(findings).toEqual([]);
  });

  it('in a file, names a parent that is not there', async () => {
    const bare = await new Simulator('tcp').start();
    try {
      const { findings } = await doctor(
        [...flags('t-parent-ecc256', made('t-parent-ecc256.key')), `--tpm-device=${bare.tcti}`],
        bare.env,
      );
      expect(findings[0]).toMatchObject({
        code: 'ERR_TPM_PARENT_NOT_FOUND',
        cause: expect.stringContaining(STORAGE_KEY),
      });
    } finally {
      await bare.remove();
    }
  });

  it.each([
    ['another storage key', 'rsa', [], ['--call'], 'ERR_TPM_KEY_NOT_LOADABLE'],
    ['a key that signs', 'ecc256', ['-u', 'child.pub', '-r', 'child.priv'], [], 'ERR_TPM_PARENT'],
  ])('in a file, names %s in the place of its parent', async (_, kind, child, more, code) => {
    const other = await new Simulator('tcp').start();
    try {
      await other.tool(
        'tpm2_createprimary',
        '-Q',
        '-C',
        'o',
        '-G',
        kind === 'rsa' ? 'rsa' : 'ecc',
        '-c',
        'primary.ctx',
      );
      if (child.length > 0) {
        await other.tool('tpm2_create', '-Q', '-C', 'primary.ctx', '-G', kind, ...child);
        await other.tool('tpm2_flushcontext', '-t');
        await other.tool('tpm2_load', '-Q', '-C', 'primary.ctx', ...child, '-c', 'child.ctx');
      }
      const context = child.length > 0 ? 'child.ctx' : 'primary.ctx';
      await other.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', context, STORAGE_KEY);
      await other.flush();
      const { findings } = await doctor(
        [...flags('t-parent-ecc256', made('t-parent-ecc256.key'), ...more), `--tpm-device=${other.tcti}`],
        other.env,
      );
      expect(findings[0]).toMatchObject({ code });
    } finally {
      await other.remove();
    }
  });

  it('names a device that this user may not open', async () => {
    const device = join(folder, 'tpmrm0');
    writeFileSync(device, '');
    const isRoot = process.getuid?.() === 0;
    chmodSync(device, isRoot ? 0o600 : 0);
    chmodSync(folder, 0o755);
    const [program, ...first] = PROGRAM;
    const args = [...first, 'doctor', '--json', ...flags('h-ecc256', 'handle:0x81010002', `--tpm-device=${device}`)];
    const stdout = await new Promise<string>((resolve) => {
      const own = { env: cleanEnv(), ...(isRoot && { uid: 65_534, gid: 65_534 }) };
      execFile(program, args, own, (_error, out) => resolve(out));
    });
    const [found] = (JSON.parse(stdout) as Report).findings;
    expect(found).toMatchObject({ code: 'ERR_TPM_ACCESS', remedy: expect.stringContaining('tss') });
  });
});
