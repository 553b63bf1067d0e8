import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { CLI, IS_EXECUTABLE, PROGRAM, runCli, runProgram } from '../../support/cli.ts';
import { ALWAYS, type FaultyModule, faultyToken } from '../../support/faulty-module.ts';
import { openssl, pkiPath } from '../../support/pki.ts';
import { P11_KIT_PROXY, PIN, SOFTHSM_MODULE, type SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { runOnTerminal } from '../../support/terminal.ts';
import { requireTool } from '../../support/tools.ts';
import { startTestEmulator, worldFlags } from '../../support/vending.ts';

const KEYS = [
  { pki: 'rsa-2048', id: '01', label: 'rsa-2048' },
  { pki: 'rsa-3072', id: '02', label: 'rsa-3072' },
  { pki: 'ec-p256', id: '03', label: 'p256' },
  { pki: 'ec-p384', id: '04', label: 'p384' },
  { pki: 'ec-p521', id: '05', label: 'p521' },
] as const;

const URI = `pkcs11:token=main;object=p256?pin-value=${PIN}`;

describe.skipIf(!hasSoftHsm() || !requireTool('gcc'))('the built program with SoftHSM2', () => {
  let hsm: SoftHsm;
  let faulty: FaultyModule;
  let emulator: Emulator;

  beforeAll(async () => {
    ({ hsm, faulty } = await faultyToken([...KEYS, ALWAYS]));
    emulator = await startTestEmulator();
  }, 60_000);
  afterAll(async () => {
    await emulator.close();
    hsm.remove();
  });

  const vend = (args: readonly string[], env: Record<string, string> = {}) =>
    runCli(['credential-process', ...worldFlags(emulator), ...args], { env: { ...hsm.env, ...env } });

  it.each(
    KEYS.flatMap(({ pki, label }) => [SOFTHSM_MODULE, P11_KIT_PROXY].map((library) => ({ pki, label, library }))),
  )('the emulator takes signatures by $pki through $library', async ({ label, library }) => {
    const uri = `pkcs11:token=main;object=${label}?pin-value=${PIN}`;
    const { status, stdout, stderr } = await vend(['--certificate', uri, '--pkcs11-lib', library]);
    expect([status, ownLines(stderr)]).toEqual([0, []]);
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccessKeyId: expect.stringMatching(/^ASIA/) as string });
  });

  it.runIf(requireTool('python3'))(
    'init shows the certificates at a terminal, and takes one by its number',
    async () => {
      const { status, stdout } = await runOnTerminal(
        [process.execPath, CLI, 'init', '--pkcs11-lib', SOFTHSM_MODULE, '--tpm-device', '/nonexistent'],
        [
          ['or a number from above): ', '99\n'],
          ['or a number from above): ', '1\n'],
          ['trust anchor: ', '\u0004'],
        ],
        hsm.env,
      );
      expect(status).toBe(130);
      expect(stdout).toMatch(/1 {2}in a token: \S.*, until \d{4}-\d\d-\d\d\n {3}pkcs11:\S+/);
      expect(stdout.match(/in a token: /g)?.length).toBeGreaterThanOrEqual(KEYS.length);
      // The key is the token's, too.
      expect(stdout).not.toContain('private key');
    },
  );

  it('the emulator takes a signature of a key that wants the PIN again, and of one whose certificate is in a file', async () => {
    const env = { ROLES_ANYWHERE_PKCS11_PIN: PIN };
    const always = await vend(['--certificate', 'pkcs11:token=main;object=always', '--reuse-pin'], env);
    expect([always.status, ownLines(always.stderr)]).toEqual([0, []]);
    const files = ['--certificate', pkiPath('ec-p384.crt.pem'), '--intermediates', pkiPath('ec-p384.chain.pem')];
    const keyOnly = await vend([...files, '--private-key', 'pkcs11:token=main;object=p384'], env);
    expect([keyOnly.status, ownLines(keyOnly.stderr)]).toEqual([0, []]);
  });

  it('the PIN may come from a file of a flag, and from a command that is allowed', async () => {
    const pinFile = join(hsm.directory, 'pin');
    writeFileSync(pinFile, `${PIN}\n`);
    const uri = 'pkcs11:token=main;object=p256';
    expect((await vend(['--certificate', uri, '--pkcs11-pin-file', pinFile])).status).toBe(0);
    const command = `${uri}?pin-source=|cat%20${pinFile}`;
    expect(await vend(['--certificate', command])).toMatchObject({ status: 3, stdout: '' });
    expect((await vend(['--certificate', command, '--pkcs11-allow-pin-command'])).status).toBe(0);
  });

  it('a pin-value in the path works, with a warning', async () => {
    const { status, stderr } = await vend(['--certificate', `pkcs11:token=main;object=p256;pin-value=${PIN}`]);
    expect(status).toBe(0);
    expect(ownLines(stderr)).toEqual([expect.stringMatching(/^warning: .*\?pin-value=/)]);
    expect(stderr).not.toContain(PIN);
  });

  it.each(KEYS)('sign-string with $pki verifies with openssl', async ({ pki, label }) => {
    const uri = `pkcs11:token=main;object=${label}?pin-value=${PIN}`;
    const publicKey = join(hsm.directory, 'public.pem');
    writeFileSync(publicKey, openssl(['x509', '-in', pkiPath(`${pki}.crt.pem`), '-noout', '-pubkey']));
    for (const key of [
      ['--certificate', uri],
      ['--private-key', uri],
    ]) {
      const { status, stdout } = await runCli(['sign-string', ...key, '--format', 'text'], { env: hsm.env });
      expect(status).toBe(0);
      const fromFile = await runCli(['sign-string', '--private-key', pkiPath(`${pki}.key.pem`), '--format', 'text']);
      const signature = join(hsm.directory, 'signature');
      writeFileSync(signature, Buffer.from(stdout, 'hex'));
      const message = join(hsm.directory, 'message');
      writeFileSync(message, signedMessage(pki));
      const verdict = openssl(['dgst', '-sha256', '-verify', publicKey, '-signature', signature, message]);
      expect(verdict.toString()).toBe('Verified OK\n');
      // PKCS#1 v1.5 knows no chance: token and file say the same.
      expect(pki.startsWith('rsa') ? stdout : fromFile.stdout).toBe(fromFile.stdout);
    }
  });

  it('read-certificate-data lists a line for each certificate, with its own URI', async () => {
    const all = await runCli(
      ['read-certificate-data', '--certificate', 'pkcs11:token=main', '--pkcs11-lib', SOFTHSM_MODULE],
      { env: hsm.env },
    );
    expect([all.status, all.stderr]).toEqual([0, '']);
    const lines = all.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(7);
    for (const line of lines) {
      const { uri, keyType, serialNumber } = JSON.parse(line) as Record<string, string>;
      expect([keyType, serialNumber]).toEqual([expect.stringMatching(/^(RSA|EC)$/), expect.stringMatching(/^\d+$/)]);
      const one = await runCli(['read-certificate-data', '--certificate', uri ?? ''], { env: hsm.env });
      expect(one.stdout).toBe(`${line}\n`);
    }
  });

  it("a wrong PIN is presented once by the AWS SDKs' two runs, and by any that follow", async () => {
    faulty.forget();
    const wrong = ['--certificate', 'pkcs11:token=main;object=p256?pin-value=98765', '--pkcs11-lib', faulty.path];
    const first = await vend(wrong);
    const others = [await vend(wrong), await vend([...wrong, '--pkcs11-allow-low-pin-count'])];
    for (const { status, stdout, stderr } of [first, ...others]) {
      expect([status, stdout]).toEqual([3, '']);
      expect(stderr).not.toContain('98765');
    }
    expect(first.stderr).toContain('refused the PIN');
    expect(others[1]?.stderr).toContain('is not presented again');
    expect(faulty.count('C_Login')).toBe(1);
    await hsm.tool(['--token-label', 'main', '--login', '--pin', PIN, '--list-mechanisms']);
  });

  it.skipIf(IS_EXECUTABLE)(
    'without the native package everything else works, and a URI says what to install',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'no-koffi-'));
      cpSync(dirname(CLI), join(directory, 'dist'), { recursive: true });
      const cli = join(directory, 'dist', 'cli.cjs');
      const files = ['--certificate', pkiPath('ec-p256.combined.pem'), '--intermediates', pkiPath('ec-p256.chain.pem')];
      const withFiles = await runProgram(process.execPath, [
        cli,
        'credential-process',
        ...worldFlags(emulator),
        ...files,
      ]);
      const withToken = await runProgram(process.execPath, [cli, 'sign-string', '--certificate', URI], {
        env: hsm.env,
      });
      rmSync(directory, { recursive: true });
      expect(withFiles.status).toBe(0);
      expect(withToken).toMatchObject({ status: 3, stdout: '' });
      expect(withToken.stderr).toContain(`npm install @koromix/koffi-${process.platform}-${process.arch}`);
    },
  );

  it.skipIf(!requireTool('python3'))('asks at the terminal when nothing else gives the PIN', async () => {
    const args = ['sign-string', '--certificate', 'pkcs11:token=main;object=p256', '--format', 'text'];
    const result = await runOnTerminal([...PROGRAM, ...args], [['PIN of the token "main": ', `${PIN}\r`]], hsm.env);
    expect(result.stdout).toContain('PIN of the token "main": ');
    expect(result.stdout).toMatch(/\n[0-9a-f]{130,}/);
    expect(result.stdout).not.toContain(PIN);
    expect(result.status).toBe(0);
  });
});

/** Lines of this program: through p11-kit's proxy, every module that the machine has may say something. */
function ownLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => /^(?:roles-anywhere|warning|error|hint|debug): /.test(line));
}

/** What sign-string signs: a fixed text and the hash of the public key. */
function signedMessage(pki: string): Buffer {
  const spki = openssl(['x509', '-in', pkiPath(`${pki}.crt.pem`), '-noout', '-pubkey']);
  const der = pki.startsWith('rsa')
    ? openssl(['rsa', '-pubin', '-RSAPublicKey_out', '-outform', 'DER'], spki)
    : point(openssl(['pkey', '-pubin', '-outform', 'DER'], spki));
  const fingerprint = openssl(['dgst', '-sha256', '-binary'], Buffer.concat([Buffer.from('IAM RA'), der]));
  return Buffer.concat([Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1'), fingerprint]);
}

/** The last field of an EC key's SubjectPublicKeyInfo. */
function point(spki: Buffer): Buffer {
  const size = new Map([
    [91, 65],
    [120, 97],
    [158, 133],
  ]).get(spki.length);
  if (size === undefined) throw new Error(`an EC public key of ${spki.length} bytes`);
  return spki.subarray(-size);
}
