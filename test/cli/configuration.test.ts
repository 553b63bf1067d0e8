import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PKI, runCli } from '../support/cli.ts';

let work: string;
let config: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-configuration-'));
  config = join(work, 'config');
});
afterAll(() => rmSync(work, { recursive: true }));

function write(text: string, mode = 0o600): void {
  rmSync(config, { force: true });
  writeFileSync(config, text, { mode });
}

const READ = ['read-certificate-data', '--config-profile', 'p'];

describe('the program', () => {
  it('runs with what a profile says, and what the environment says before it', async () => {
    write(`[profile p]\nrolesanywhere_certificate = ${PKI}rsa-2048.crt.pem\nrolesanywhere_format = text\n`);
    const env = { AWS_CONFIG_FILE: config };
    expect(await runCli(READ, { env })).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/rsa/i) as string,
    });
    const ec = { ...env, ROLES_ANYWHERE_CERTIFICATE: `${PKI}ec-p256.crt.pem`, ROLES_ANYWHERE_FORMAT: 'json' };
    const { stdout } = await runCli(READ, { env: ec });
    expect(JSON.parse(stdout)).toMatchObject({ keyType: 'EC' });
  });

  it('reads ~/.aws/config when AWS_CONFIG_FILE names no other', async () => {
    mkdirSync(join(work, '.aws'));
    writeFileSync(join(work, '.aws', 'config'), `[default]\nrolesanywhere_certificate = ${PKI}ec-p256.crt.pem\n`);
    const result = await runCli(['read-certificate-data', '--config-profile=default'], { env: { HOME: work } });
    expect(result).toMatchObject({ status: 0, stderr: '' });
  });

  it('says of a value that fails where it is from', async () => {
    write('[profile p]\nrolesanywhere_certificate = /nonexistent/c.pem\n');
    const { status, stderr } = await runCli(READ, { env: { AWS_CONFIG_FILE: config } });
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringContaining(
        `--certificate (rolesanywhere_certificate in line 2 of ${config}, profile p)`,
      ) as string,
    });
  });

  it('takes --debug and --log-format from outside for errors too', async () => {
    const env = {
      ROLES_ANYWHERE_DEBUG: '1',
      ROLES_ANYWHERE_LOG_FORMAT: 'json',
      ROLES_ANYWHERE_CERTIFICATE: '/nonexistent/c',
    };
    const { stderr } = await runCli(['read-certificate-data'], { env });
    expect(JSON.parse(stderr)).toMatchObject({ code: 'ERR_FILE_NOT_FOUND' });
  });

  it('shows the configuration without running the command', async () => {
    write('[profile p]\nrolesanywhere_pkcs12_password = S3cr3t!\n', 0o644);
    chmodSync(config, 0o644);
    const { status, stdout, stderr } = await runCli([...READ, '--print-config'], { env: { AWS_CONFIG_FILE: config } });
    expect(status).toBe(0);
    expect(stdout).toContain(
      `--pkcs12-password    <redacted>  (rolesanywhere_pkcs12_password in line 2 of ${config}, profile p)\n`,
    );
    expect(stderr).toMatch(/^warning: .*config holds rolesanywhere_pkcs12_password, .*chmod 600/);
    expect(stdout + stderr).not.toContain('S3cr3t!');
  });

  it.each<[string, () => void, RegExp]>([
    ['is not there', () => rmSync(config, { force: true }), /cannot be read \(ENOENT\)/],
    [
      'is a folder',
      () => {
        rmSync(config, { force: true });
        mkdirSync(config);
      },
      /is a directory/,
    ],
    ['is too large', () => write(`[profile p]\n#${'x'.repeat(1 << 20)}\n`), /is larger than 1 MiB/],
    [
      'is not UTF-8',
      () => {
        rmSync(config, { force: true });
        writeFileSync(config, Buffer.from([0x5b, 0xff, 0x5d]));
      },
      /is not UTF-8 \[/,
    ],
    [
      'is UTF-16',
      () => {
        rmSync(config, { force: true });
        writeFileSync(config, Buffer.from('\ufeff[profile p]\n', 'utf16le'));
      },
      /is not UTF-8, but UTF-16 \[[^]*save it as UTF-8/,
    ],
    [
      'is reached by a link that leads nowhere',
      () => {
        rmSync(config, { force: true });
        symlinkSync(join(work, 'nowhere'), config);
      },
      /cannot be read \(ENOENT\)/,
    ],
  ])('refuses a config file that %s', async (_, prepare, message) => {
    rmSync(config, { force: true, recursive: true });
    prepare();
    const { status, stdout, stderr } = await runCli(READ, { env: { AWS_CONFIG_FILE: config } });
    rmSync(config, { force: true, recursive: true });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toContain('[ERR_CONFIG_FILE]');
  });
});
