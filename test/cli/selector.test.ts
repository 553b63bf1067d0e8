/** The built program chooses a certificate: in a folder, a bundle and a PKCS#12 file. */
import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI, runCli } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

const NAMES = ['rsa-2048', 'ec-p256', 'ec-p384'] as const;

let emulator: Emulator;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-selector-cli-'));
  for (const name of NAMES)
    for (const kind of ['crt', 'key']) copyFileSync(`${PKI}${name}.${kind}.pem`, join(dir, `${name}.${kind}.pem`));
  copyFileSync(`${PKI}intermediate.pem`, join(dir, 'intermediate.pem'));
  emulator = await startTestEmulator();
});
afterAll(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true, force: true });
});

const certificateOf = (name: string): X509Certificate => new X509Certificate(readFileSync(`${PKI}${name}.crt.pem`));
const bySerial = (name: string): string => `Key=x509Serial,Value=${certificateOf(name).serialNumber}`;
const bySubject = (name: string): string =>
  `Key=x509Subject,Value=${certificateOf(name).subject.replaceAll('\n', ',')}`;

describe('with a selector', () => {
  it.each(NAMES)('credential-process asks with %s out of a folder, and its chain', async (name) => {
    for (const selector of [bySerial(name), bySubject(name)]) {
      const line = ['credential-process', '--certificate', dir, '--cert-selector', selector, ...worldFlags(emulator)];
      const { status, stdout, stderr } = await runCli(line);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    }
  });

  it('sign-string signs with the one that is meant', async () => {
    const [chosen, named] = await Promise.all([
      runCli(['sign-string', '--certificate', dir, '--cert-selector', bySerial('rsa-2048')]),
      runCli(['sign-string', '--private-key', `${PKI}rsa-2048.key.pem`]),
    ]);
    expect(chosen.stdout).toBe(named.stdout);
    expect(chosen.status).toBe(0);
  });

  it('several are refused with a list; the flag takes the one that expires last', async () => {
    const line = ['sign-string', '--certificate', dir, '--cert-selector', 'Key=x509Issuer,Value=CN=Intermediate'];
    const issuer = certificateOf('ec-p256')
      .issuer.split('\n')
      .find((part) => part.startsWith('CN='));
    line[4] = `Key=x509Issuer,Value=${issuer}`;
    const refused = await runCli(line);
    expect(refused).toMatchObject({ status: 3, stdout: '' });
    expect(refused.stderr).toMatch(/3 certificates in --certificate .* match --cert-selector/);
    for (const name of NAMES)
      expect(refused.stderr).toContain(
        `serial number ${BigInt(`0x${certificateOf(name).serialNumber}`)
          .toString(16)
          .toUpperCase()}`,
      );
    expect((await runCli([...line, '--use-latest-expiring-certificate'])).status).toBe(0);
  });

  it('read-certificate-data lists what matches, as JSON and as text', async () => {
    const read = ['read-certificate-data', '--certificate', dir, '--cert-selector'];
    const json = await runCli([...read, bySubject('ec-p256')]);
    expect(json.stderr).toBe('');
    const lines = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual([
      expect.objectContaining({
        file: join(dir, 'ec-p256.crt.pem'),
        keyType: 'EC',
        certificateData: certificateOf('ec-p256').raw.toString('base64'),
      }),
    ]);
    const text = await runCli([...read, 'Key=x509Issuer,Value=O=Roles Anywhere development', '--format', 'text']);
    for (const name of NAMES) expect(text.stdout).toContain(`${join(dir, `${name}.crt.pem`)}\n`);
    expect(text.stdout).toContain(join(dir, 'intermediate.pem'));
    const none = await runCli([...read, 'Key=x509Serial,Value=77']);
    expect(none).toMatchObject({ status: 3, stdout: '' });
    expect(none.stderr).toContain('no certificate in --certificate');
  });

  it('read-certificate-data lists what matches in a PKCS#12 file', async () => {
    const p12 = ['--certificate', `${PKI}ec-p256.p12`, '--pkcs12-password', 'development'];
    const { stdout } = await runCli(['read-certificate-data', ...p12, '--cert-selector', bySerial('ec-p256')]);
    expect(JSON.parse(stdout)).toMatchObject({ certificateData: certificateOf('ec-p256').raw.toString('base64') });
  });

  it('the name of the helper means the system, which has no store here, and no file beside it', async () => {
    const selector = ['--cert-selector', bySerial('ec-p256')];
    const beside = await runCli(['sign-string', '--compat', '--certificate', dir, ...selector]);
    expect(beside.stderr).toContain('--certificate and --cert-selector exclude each other');
    for (const command of ['sign-string', 'read-certificate-data', 'credential-process'])
      for (const name of [[], ['--compat']]) {
        const world = command === 'credential-process' ? worldFlags(emulator) : [];
        const alone = await runCli([command, ...name, ...selector, ...world]);
        expect(alone).toMatchObject({ status: 2, stdout: '' });
        expect(alone.stderr).toContain('there is no certificate store');
      }
  });
});
