/** The built program: exit statuses, what is on standard output, and that no secret is. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI, runCli } from '../support/cli.ts';
import { doctorText, put } from '../support/doctor.ts';
import type { Report } from '../support/doctor.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let emulator: Emulator;
let folder: string;
let key: string;
beforeAll(async () => {
  emulator = await startTestEmulator();
  folder = mkdtempSync(join(tmpdir(), 'ra-doctor-'));
  key = put(join(folder, 'key.pem'), readFileSync(`${PKI}ec-p256.key.pem`));
});
afterAll(async () => {
  await emulator.close();
  rmSync(folder, { recursive: true });
});

function setUp(...more: string[]): string[] {
  const files = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', key];
  return [...files, '--intermediates', `${PKI}intermediate.pem`, ...worldFlags(emulator), ...more];
}

describe('roles-anywhere doctor', () => {
  it('says that nothing is wrong, and nothing on standard error', async () => {
    const { status, stdout, stderr } = await runCli(['doctor', ...setUp('--call')]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^doctor: the set-up of these flags\n\noptions\n/);
    expect(stdout).toMatch(/\nservice\n {2}CreateSession +gives credentials until /);
    expect(stdout).toMatch(/\n {2}the certificate stores of Windows and of macOS \(Keychain\): this is linux\n/);
    expect(stdout).toMatch(/\n\nnothing is wrong\n$/);
  });

  it.each([
    ['2, for options', 2, ['--region', 'eu-west-1']],
    ['3, for the identity', 3, ['--private-key', `${PKI}rsa-2048.key.pem`]],
    ['4, for a refusal', 4, ['--role-arn', 'arn:aws:iam::123456789012:role/Other', '--call']],
    ['5, for the network', 5, ['--endpoint', 'http://127.0.0.1:1', '--call']],
    ['0, for warnings', 0, ['--no-verify-ssl']],
  ])('ends with %s', async (_, expected, more) => {
    const { status, stdout } = await runCli(['doctor', ...setUp(...more), '--json']);
    const report = JSON.parse(stdout) as Report;
    expect({ status, said: report.status }).toEqual({ status: expected, said: expected });
    expect(report.findings).not.toEqual([]);
  });

  it('reports faults of variables and of the config file, each with its origin, and goes on', async () => {
    const config = put(
      join(folder, 'config'),
      '[profile build]\nregion = us-east-1\nrolesanywhere_timeout = soon\nrolesanywhere_certifcate = x\nmax_attempts = 0\n',
    );
    const env = {
      AWS_CONFIG_FILE: config,
      ROLES_ANYWHERE_SESSION_DURATION: 'an hour',
      ROLES_ANYWHERE_ROLE_SESSION_NAME: 'a b',
    };
    const line = ['doctor', ...setUp('--config-profile', 'build')];
    const { status, stdout, stderr } = await runCli([...line, '--json'], { env });
    const { findings, facts } = JSON.parse(stdout) as Report;
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    const causes = findings.filter(({ severity }) => severity === 'error').map(({ cause }) => cause);
    expect(causes).toEqual([
      expect.stringMatching(/^--session-duration \(ROLES_ANYWHERE_SESSION_DURATION\) /),
      expect.stringMatching(/^--timeout \(rolesanywhere_timeout in line 3 of .*, profile build\) /),
      expect.stringMatching(/^--role-session-name \(ROLES_ANYWHERE_ROLE_SESSION_NAME\) /),
      `${config}, line 4: unknown key rolesanywhere_certifcate`,
      `${config}, line 5: max_attempts is 1 to 100, not "0"`,
    ]);
    expect(facts.map(({ label }) => label)).toContain('private key');
    // What is shown instead of being looked at is not passed over.
    const shown = await runCli([...line, '--print-config'], { env });
    expect({ status: shown.status, stdout: shown.stdout }).toEqual({ status: 2, stdout: '' });
  });

  it('prints no password, PIN or key, whatever is wrong', async () => {
    const encrypted = put(join(folder, 'encrypted.pem'), readFileSync(`${PKI}ec-p256.encrypted.pem`));
    const secrets = ['horse-battery', 'staple-correct', '987654'];
    const lines = [
      setUp('--private-key', encrypted, '--pkcs8-password', 'horse-battery'),
      setUp('--proxy', 'http://alice:staple-correct@127.0.0.1:1'),
      setUp(
        '--certificate',
        'pkcs11:token=none;object=x?pin-value=987654',
        '--private-key',
        'pkcs11:token=none?pin-value=987654',
      ),
    ];
    for (const form of [[], ['--json'], ['--redact']])
      for (const line of lines) {
        const { stdout, stderr, status } = await runCli(['doctor', ...line, ...form]);
        expect(status).toBeGreaterThanOrEqual(0);
        expect(secrets.filter((secret) => `${stdout}${stderr}`.includes(secret))).toEqual([]);
      }
  });

  it.each([
    ['behind a flag', '--region $HOME --pkcs12-password horse-battery'],
    ['joined to its flag', '--region $HOME --pkcs8-password=horse-battery'],
    ['in a variable', '--pkcs12-password $HIDDEN'],
    ['in a variable of any flag', '--role-session-name $HIDDEN'],
    ['in a PIN', '--region $HOME --certificate pkcs11:token=t?pin-value=horse-battery;x'],
    ['in a proxy', '--region $HOME --proxy=http://u:horse-battery@127.0.0.1:1'],
    ['in a variable that a shell would set', '', 'SECRET=horse-battery '],
  ])('prints no secret of a line in the config file: %s', async (_, flags, before = '') => {
    const program = put(join(folder, 'roles-anywhere'), '#!/bin/sh\n', 0o755);
    const config = put(
      join(folder, 'config'),
      `[default]\nregion = us-east-1\ncredential_process = ${before}${program} credential-process ${flags}\n`,
    );
    const env = { AWS_CONFIG_FILE: config, HIDDEN: 'horse-battery' };
    for (const form of [[], ['--json']]) {
      const { stdout, stderr, status } = await runCli(['doctor', ...form], { env });
      expect(status).toBe(2);
      expect(stdout).toContain('ERR_PROCESS_LINE');
      expect(`${stdout}${stderr}`).not.toMatch(/horse|battery/);
    }
  });

  it('does not wait for a pipe that it has read', async () => {
    for (const [flag, file] of [
      ['--private-key', `${PKI}ec-p256.key.pem`],
      ['--intermediates', `${PKI}intermediate.pem`],
      ['--certificate', `${PKI}bad-expired.crt.pem`],
    ] as const) {
      const pipe = join(folder, `pipe${flag}`);
      execFileSync('mkfifo', [pipe]);
      const writer = spawn('sh', ['-c', 'cat "$0" > "$1"', file, pipe]);
      const { stdout } = await runCli(['doctor', ...setUp(flag, pipe)], { timeout: 20_000 });
      expect(stdout).toContain('doctor: the set-up of these flags');
      writer.kill();
    }
  });

  it('leaves names and accounts out with --redact', async () => {
    const { stdout } = await runCli(['doctor', ...setUp('--role-session-name', 'alice', '--call', '--redact')]);
    expect(stdout).toContain('arn:aws:iam::<account>:role/<role>');
    expect(stdout).toContain('[ERR_ACCESS_DENIED]');
    expect(stdout).not.toMatch(/123456789012|Workload|CN=ec-p256|alice|1111-1111/);
  });

  it('reads the variables and the profile that every command reads, and says so', async () => {
    const env = { ROLES_ANYWHERE_SESSION_DURATION: '900', HOME: folder };
    const { stdout } = await runCli(['doctor', ...setUp()], { env });
    expect(stdout).toMatch(/\n {2}--session-duration +900 {2}\(ROLES_ANYWHERE_SESSION_DURATION\)\n/);
  });

  it('is in colour on a terminal, unless NO_COLOR is set', async () => {
    copyFileSync(`${PKI}ec-p256.crt.pem`, join(folder, 'crt.pem'));
    const args = ['--certificate', join(folder, 'crt.pem')];
    const look = async (isTerminal: boolean, env = {}): Promise<string> =>
      (await doctorText(args, { HOME: folder, ...env }, { isTerminal })).text;
    expect(await look(true)).toContain('\u001B[1;31merror:\u001B[0m');
    expect(await look(true, { NO_COLOR: '1' })).not.toContain('\u001B');
    expect(await look(false)).not.toContain('\u001B');
  });
});
