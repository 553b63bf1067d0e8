import { X509Certificate, createHash, verify } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { CLI, type CliResult, runCli } from '../../support/cli.ts';
import { runOnTerminal } from '../../support/terminal.ts';
import { requireTool } from '../../support/tools.ts';
import { type MadeKey, NV_INDEX, STORAGE_KEY, derOf, keyFilePem, madeKeys, partsOf } from '../../support/tpm/keys.ts';
import { keyNamed } from '../../support/tpm/open.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';
import { startTestEmulator, worldFlags } from '../../support/vending.ts';

/** How keys are refused that make no signature that the service takes. */
const REFUSED: Readonly<Record<string, string>> = {
  'h-rsa-decrypt': 'ERR_TPM_KEY_NOT_SIGNING',
  'h-rsa-pss': 'ERR_TPM_SCHEME',
  'h-rsa-sha384': 'ERR_TPM_SCHEME',
  'h-ecc-policy': 'ERR_TPM_POLICY_REQUIRED',
};

const passwordsOf = ({ password, parentPassword }: MadeKey): Record<string, string> => ({
  ...(password === undefined ? {} : { ROLES_ANYWHERE_TPM_KEY_PASSWORD: password }),
  ...(parentPassword === undefined ? {} : { ROLES_ANYWHERE_TPM_PARENT_PASSWORD: parentPassword }),
});

const code = ({ stderr }: CliResult): string | undefined =>
  /\((ERR_\w+)\)/.exec(stderr)?.[1] ?? /ERR_\w+/.exec(stderr)?.[0];

describe.skipIf(!hasSimulator())('the built program with keys in a TPM', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let emulator: Emulator;
  let tpm: Simulator;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    const certificates = readFileSync(join(directory, 'root.pem'), 'utf8');
    emulator = await startTestEmulator({ trustAnchors: [{ certificates }] });
    tpm = await new Simulator('unix', directory).start();
  }, 240_000);
  afterAll(async () => {
    await emulator.close();
    await tpm.remove();
  });

  const flagsOf = ({ name, key, silent }: MadeKey): string[] => [
    '--certificate',
    join(directory, `${name}.pem`),
    '--private-key',
    key.startsWith('handle:') ? key : join(directory, key),
    ...(silent === true ? ['--no-tpm-key-password'] : []),
  ];
  const vend = (at: Simulator, args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> =>
    runCli(['credential-process', ...worldFlags(emulator), ...args], { env: { ...at.env, ...env } });
  it.each(['unix', 'tcp'] as const)(
    'get credentials by a %s socket with each key that can sign, and a reason for each other',
    async (kind) => {
      const at = await new Simulator(kind, directory).start();
      try {
        const outcomes: Record<string, unknown> = {};
        for (const made of keys) {
          const device = kind === 'unix' ? at.socket : at.tcti;
          const result = await vend(at, [...flagsOf(made), '--tpm-device', device], passwordsOf(made));
          outcomes[made.name] = result.status === 0 ? Object.keys(JSON.parse(result.stdout) as object) : code(result);
        }
        const credentials = ['Version', 'AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration', 'AccountId'];
        expect(outcomes).toEqual(Object.fromEntries(keys.map(({ name }) => [name, REFUSED[name] ?? credentials])));
        expect(await at.tool('tpm2_getcap', 'handles-persistent')).toContain(STORAGE_KEY);
        expect(await at.leftovers()).toEqual([]);
      } finally {
        await at.remove();
      }
    },
    300_000,
  );

  it.runIf(requireTool('python3'))('are shown at a terminal by init, those that sign alone', async () => {
    const { status, stdout } = await runOnTerminal(
      [process.execPath, CLI, 'init', '--pkcs11-lib', '/nonexistent.so'],
      [['certificate (', '\u0004']],
      tpm.env,
    );
    expect(status).toBe(130);
    const shown = [...stdout.matchAll(/in the TPM: (?:EC|RSA \d+) key (handle:0x[0-9a-f]+)/g)].map(
      ([, handle]) => handle,
    );
    const signing = keys.filter(
      ({ name, key }) => key.startsWith('handle:') && REFUSED[name] !== 'ERR_TPM_KEY_NOT_SIGNING',
    );
    expect(shown).toEqual(expect.arrayContaining(signing.map(({ key }) => key)));
    expect(shown).not.toContain(keys.find(({ name }) => name === 'h-rsa-decrypt')?.key);
  });

  it('find the TPM by TPM_DEVICE, by TPM2TOOLS_TCTI, and by the variable of the flag', async () => {
    const key = keyNamed(keys, 'o-owner-p256');
    const { TPM2TOOLS_TCTI: tcti = '', ...rest } = tpm.env;
    const at = { env: rest } as unknown as Simulator;
    for (const env of [
      { TPM_DEVICE: tpm.socket },
      { TPM2TOOLS_TCTI: tcti },
      { ROLES_ANYWHERE_TPM_DEVICE: tpm.socket },
    ] as Record<string, string>[])
      expect((await vend(at, flagsOf(key), env)).status).toBe(0);
    expect(
      (await vend(at, flagsOf(key), { TPM_DEVICE: '/nonexistent', ROLES_ANYWHERE_TPM_DEVICE: tpm.socket })).status,
    ).toBe(0);
    expect(code(await vend(at, flagsOf(key), { TPM_DEVICE: '/nonexistent' }))).toBe('ERR_TPM_NOT_FOUND');
    expect(code(await vend(at, flagsOf(key)))).toBe('ERR_TPM_NOT_FOUND');
  });

  it('read the key also from the certificate’s file, and from standard input', async () => {
    const both =
      readFileSync(join(directory, 'o-owner-p256.pem'), 'utf8') +
      readFileSync(join(directory, 'o-owner-p256.key'), 'utf8');
    const file = join(tpm.directory, 'both.pem');
    writeFileSync(file, both, { mode: 0o644 });
    // Others may read it: without this TPM it is good for nothing.
    expect(await vend(tpm, ['--certificate', file])).toMatchObject({ status: 0, stderr: '' });
    writeFileSync(join(tpm.directory, 'k.der'), derOf(readFileSync(join(directory, 'o-owner-p256.key'), 'utf8')));
    const der = ['--certificate', join(directory, 'o-owner-p256.pem'), '--private-key', join(tpm.directory, 'k.der')];
    expect((await vend(tpm, der)).status).toBe(0);
  });

  it('take passwords from flags and files', async () => {
    const key = keyNamed(keys, 'o-parentpw-p256-pw');
    const files = [key.password, key.parentPassword].map((password, index) => {
      const file = join(tpm.directory, `password-${index}`);
      writeFileSync(file, `${password}\n`, { mode: 0o600 });
      return file;
    });
    const [own = '', parent = ''] = files;
    expect(
      (await vend(tpm, [...flagsOf(key), '--tpm-key-password-file', own, '--tpm-parent-password-file', parent])).status,
    ).toBe(0);
    const typed = ['--tpm-key-password', key.password ?? '', '--tpm-parent-password', key.parentPassword ?? ''];
    expect((await vend(tpm, [...flagsOf(key), ...typed])).status).toBe(0);
    expect((await vend(tpm, [...flagsOf(key), ...typed, '--tpm-password-in-clear'])).status).toBe(0);
    expect(code(await vend(tpm, [...flagsOf(key), '--tpm-parent-password-file', parent]))).toBe(
      'ERR_PASSWORD_REQUIRED',
    );
  });

  it('tell a wrong password of the key from that of its parent and of the hierarchy, and send each once', async () => {
    const at = await new Simulator('tcp', directory).start();
    try {
      const counter = async (): Promise<number> =>
        Number(/LOCKOUT_COUNTER: (\S+)/.exec(await at.tool('tpm2_getcap', 'properties-variable'))?.[1]);
      await at.tool('tpm2_dictionarylockout', '-s', '-n', '6', '-t', '10000', '-l', '1');
      await at.tool('tpm2_dictionarylockout', '-c');
      const before = await counter();
      const key = keyNamed(keys, 'h-ecc256-pw');
      const wrong = { ROLES_ANYWHERE_TPM_KEY_PASSWORD: 'wrong' };
      const first = await vend(at, flagsOf(key), wrong);
      expect([first.status, code(first)]).toEqual([3, 'ERR_TPM_KEY_PASSWORD']);
      expect(first.stderr).toMatch(/5 of 6 tries are left, and one comes back every 3 hours/);
      expect(code(await vend(at, flagsOf(key), wrong))).toBe('ERR_TPM_PASSWORD_WITHHELD');
      expect((await counter()) - before).toBe(1);
      // One in 256 other passwords cannot be told from the refused one.
      const right = await vend(at, flagsOf(key), passwordsOf(key));
      expect([undefined, 'ERR_TPM_PASSWORD_WITHHELD']).toContain(code(right));
      const parent = keyNamed(keys, 'o-parentpw-p256');
      expect(code(await vend(at, flagsOf(parent), { ROLES_ANYWHERE_TPM_PARENT_PASSWORD: 'wrong' }))).toBe(
        'ERR_TPM_PARENT_PASSWORD',
      );
      expect(code(await vend(at, flagsOf(keyNamed(keys, 't-parent-ecc256-pw')), wrong))).toBe('ERR_TPM_KEY_PASSWORD');
      // Two tries are left or three; the next is not sent when one is.
      const noda = keyNamed(keys, 'h-ecc256-pw-noda');
      expect(code(await vend(at, flagsOf(noda), wrong))).toBe('ERR_TPM_KEY_PASSWORD');
      await at.tool('tpm2_changeauth', '-Q', '-c', 'owner', 'owner-password');
      const owner = keyNamed(keys, 'o-owner-p256');
      expect(code(await vend(at, flagsOf(owner)))).toBe('ERR_PASSWORD_REQUIRED');
      expect(code(await vend(at, [...flagsOf(owner), '--tpm-hierarchy-password', 'wrong']))).toBe(
        'ERR_TPM_HIERARCHY_PASSWORD',
      );
      expect((await vend(at, [...flagsOf(owner), '--tpm-hierarchy-password', 'owner-password'])).status).toBe(0);
      expect(await at.leftovers()).toEqual([]);
    } finally {
      await at.remove();
    }
  }, 60_000);

  it('send nothing when one try is left, and say when the next comes back', async () => {
    const at = await new Simulator('tcp', directory).start();
    try {
      await at.tool('tpm2_dictionarylockout', '-s', '-n', '2', '-t', '600', '-l', '1');
      await at.tool('tpm2_dictionarylockout', '-c');
      const wrong = { ROLES_ANYWHERE_TPM_KEY_PASSWORD: 'wrong' };
      const made = (name: string): string[] => flagsOf(keyNamed(keys, name));
      expect(code(await vend(at, made('h-ecc256-pw'), wrong))).toBe('ERR_TPM_KEY_PASSWORD');
      const spared = await vend(at, made('h-rsa2048-pw'), wrong);
      expect(code(spared)).toBe('ERR_TPM_LAST_TRY');
      expect(spared.stderr).toMatch(/1 of 2 tries are left, and one comes back every 10 minutes/);
      // Another program takes the last one.
      await at
        .tool(
          'tpm2_sign',
          '-Q',
          '-c',
          '0x81010012',
          '-p',
          'bad',
          '-g',
          'sha256',
          '-o',
          's',
          join(directory, 'root.pem'),
        )
        .catch(() => undefined);
      const locked = await vend(at, made('h-rsa2048-pw'), passwordsOf(keyNamed(keys, 'h-rsa2048-pw')));
      expect(code(locked)).toBe('ERR_TPM_LOCKOUT');
      expect(locked.stderr).toContain('tpm2_dictionarylockout -c');
      // Keys that are not under protection sign on.
      const noda = keyNamed(keys, 'h-ecc256-pw-noda');
      expect((await vend(at, flagsOf(noda), passwordsOf(noda))).status).toBe(0);
    } finally {
      await at.remove();
    }
  }, 60_000);

  it('refuse files that are no keys, by what they are', async () => {
    const [, publicPart, privatePart] = partsOf(readFileSync(join(directory, 'o-owner-p256.key'), 'utf8'));
    const parts = { parent: 0x40000001, publicPart, privatePart };
    const file = join(tpm.directory, 'odd.key');
    for (const [expected, text] of [
      ['ERR_TPM_KEY_IMPORTABLE', keyFilePem({ ...parts, type: '2.23.133.10.1.4', secret: Buffer.from('secret') })],
      ['ERR_TPM_KEY_SEALED', keyFilePem({ ...parts, type: '2.23.133.10.1.5' })],
      ['ERR_KEY_UNSUPPORTED', keyFilePem({ ...parts, type: '1.2.3' })],
      ['ERR_TPM_PARENT', keyFilePem({ ...parts, parent: 0x80000000 })],
      ['ERR_TPM_PARENT_NOT_FOUND', keyFilePem({ ...parts, parent: 0x81999999 })],
      ['ERR_TPM_KEY_NOT_LOADABLE', keyFilePem({ ...parts, parent: 0x81000001, emptyAuth: 1 })],
      ['ERR_KEY_MALFORMED', keyFilePem({ ...parts, privatePart: privatePart.subarray(1) })],
      ['ERR_KEY_MALFORMED', keyFilePem({ ...parts, publicPart: publicPart.subarray(0, 40) })],
      ['ERR_PEM_TRUNCATED', keyFilePem(parts).slice(0, 200)],
    ] as const) {
      writeFileSync(file, text);
      const result = await vend(tpm, ['--certificate', join(directory, 'o-owner-p256.pem'), '--private-key', file]);
      expect([expected, code(result), result.status]).toEqual([expected, expected, 3]);
    }
  });

  it('compare the key with the certificate before anything is sent', async () => {
    const before = emulator.verdicts.length;
    for (const key of ['handle:0x81010003', join(directory, 'o-owner-p384.key')]) {
      const result = await vend(tpm, ['--certificate', join(directory, 'h-ecc256.pem'), '--private-key', key]);
      expect([code(result), result.status]).toEqual(['ERR_KEY_MISMATCH', 3]);
    }
    expect(emulator.verdicts.length).toBe(before);
  });

  it('read the certificate from an NV index, for credentials and for people', async () => {
    const nv = ['--certificate', `nv:${NV_INDEX}`];
    expect((await vend(tpm, [...nv, '--private-key', 'handle:0x81010002', '--no-tpm-key-password'])).status).toBe(0);
    const read = await runCli(['read-certificate-data', ...nv], { env: tpm.env });
    const file = await runCli(['read-certificate-data', '--certificate', join(directory, 'h-ecc256.pem')]);
    expect([read.status, read.stdout]).toEqual([0, file.stdout]);
    const text = await runCli(['read-certificate-data', ...nv, '--format', 'text'], { env: tpm.env });
    expect(text.stdout).toContain('h-ecc256');
    const absent = await runCli(['read-certificate-data', '--certificate', 'nv:1500002'], { env: tpm.env });
    expect([absent.status, code(absent)]).toEqual([3, 'ERR_TPM_NV_NOT_FOUND']);
    const handle = await runCli(['read-certificate-data', '--certificate', 'nv:0x81000001'], { env: tpm.env });
    expect([handle.status, code(handle)]).toEqual([2, 'ERR_TPM_HANDLE_KIND']);
  });

  it('sign the test message, with and without the certificate', async () => {
    const key = ['--private-key', 'handle:0x81010002', '--no-tpm-key-password'];
    const certificate = ['--certificate', join(directory, 'h-ecc256.pem')];
    for (const args of [key, [...certificate, ...key]])
      expect(await runCli(['sign-string', ...args], { env: tpm.env })).toMatchObject({
        status: 0,
        stderr: '',
        stdout: expect.stringMatching(/^"[\da-f]{130,150}"$/) as string,
      });
    const raw = await runCli(
      ['sign-string', '--private-key', join(directory, 'o-owner-p384.key'), '--digest', 'SHA384'],
      { env: tpm.env },
    );
    expect([raw.status, raw.stderr]).toEqual([0, '']);
    // The message ends in a digest of the key itself: of the uncompressed point, which ends its SubjectPublicKeyInfo.
    const { publicKey } = new X509Certificate(readFileSync(join(directory, 'o-owner-p384.pem')));
    const point = publicKey.export({ type: 'spki', format: 'der' }).subarray(-97);
    const message = Buffer.concat([
      Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1'),
      createHash('sha256').update('IAM RA').update(point).digest(),
    ]);
    expect(verify('SHA384', message, publicKey, Buffer.from(JSON.parse(raw.stdout) as string, 'hex'))).toBe(true);
  });

  it('of eight at once, without a resource manager, all get credentials', async () => {
    for (const [kind, name] of [
      ['unix', 'o-owner-p256-pw'],
      ['tcp', 'o-parent-rsa2048-pw'],
    ] as const) {
      const at = await new Simulator(kind, directory).start();
      try {
        const key = keyNamed(keys, name);
        const results = await Promise.all(Array.from({ length: 8 }, () => vend(at, flagsOf(key), passwordsOf(key))));
        expect(results.map(({ status, stderr }) => [status, stderr])).toEqual(Array.from({ length: 8 }, () => [0, '']));
        expect(await at.leftovers()).toEqual([]);
      } finally {
        await at.remove();
      }
    }
  }, 120_000);

  it('show no password and no trace of it, with --debug either', async () => {
    const key = keyNamed(keys, 'o-parentpw-p256-pw');
    const { stderr, status } = await vend(tpm, [...flagsOf(key), '--debug'], passwordsOf(key));
    expect(status).toBe(0);
    expect(stderr).not.toContain(key.password);
    expect(stderr).not.toContain(key.parentPassword);
    rmSync(tpm.env['ROLES_ANYWHERE_STATE_DIR'] ?? '', { recursive: true, force: true });
  });
});

describe.skipIf(
  !hasSimulator() || !requireTool('tpm2-abrmd') || !requireTool('dbus-daemon') || !requireTool('tpm2_send'),
)('the built program with tpm2-abrmd', () => {
  it('gets credentials through the resource manager, also eight at once', async () => {
    const { directory, keys } = await madeKeys();
    const certificates = readFileSync(join(directory, 'root.pem'), 'utf8');
    const emulator = await startTestEmulator({ trustAnchors: [{ certificates }] });
    const { Abrmd } = await import('../../support/tpm/abrmd.ts');
    const tpm = await new Simulator('tcp', directory).start();
    let manager: Awaited<ReturnType<typeof Abrmd.start>> | undefined;
    try {
      manager = await Abrmd.start(tpm);
      const { env, tcti } = manager;
      const key = keyNamed(keys, 'o-owner-p256');
      const args = [
        '--certificate',
        join(directory, `${key.name}.pem`),
        '--private-key',
        join(directory, key.key),
        '--tpm-device',
        tcti,
      ];
      const results = await Promise.all(
        Array.from({ length: 8 }, () => runCli(['credential-process', ...worldFlags(emulator), ...args], { env })),
      );
      expect(results.map(({ status, stderr }) => [status, stderr])).toEqual(Array.from({ length: 8 }, () => [0, '']));
      const without = await runCli(['credential-process', ...worldFlags(emulator), ...args], {
        env: { ...env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' },
      });
      expect([without.status, /ERR_\w+/.exec(without.stderr)?.[0]]).toEqual([3, 'ERR_TPM_CONNECT']);
    } finally {
      await manager?.stop();
      await tpm.remove();
      await emulator.close();
    }
  }, 120_000);
});
