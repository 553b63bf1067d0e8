import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { commandLine, programWords } from '../../src/commands/init/program.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { CLI, PKI, runCli, runProgram } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { refusal, refusalOf } from '../support/refusal.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { runOnTerminal } from '../support/terminal.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());

let home: string;
let config: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'init home-'));
  mkdirSync(join(home, '.aws'), { mode: 0o700 });
  config = join(home, '.aws/config');
});
afterEach(() => rmSync(home, { recursive: true }));

const identity = [
  `--certificate=${PKI}ec-p256.crt.pem`,
  `--private-key=${PKI}ec-p256.key.pem`,
  `--intermediates=${PKI}intermediate.pem`,
];

function init(...args: string[]): Promise<CliResult> {
  return runCli(['init', ...identity, ...worldFlags(emulator), ...args], { env: { HOME: home } });
}

function remove(...args: string[]): Promise<CliResult> {
  return runCli(['init', '--remove', ...args], { env: { HOME: home } });
}

function command(...args: string[]): string[] {
  return [process.execPath, CLI, 'init', '--endpoint', emulator.url, ...args];
}

describe('init', () => {
  it('writes a profile that works, says where, and says so when it is there already', async () => {
    writeFileSync(config, '# mine\n[default]\noutput = json\n', { mode: 0o640 });
    const { status, stdout, stderr } = await init('--yes');
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${config}\n` });
    expect(stderr).toContain('the line gives credentials until');
    const written = readFileSync(config, 'utf8');
    expect(written).toMatch(/^# mine\n\[default\]\n# >>> [^]*\n# <<< .*\noutput = json\n$/);
    expect(statSync(config).mode & 0o777).toBe(0o640);
    const line = /^credential_process = (.*)$/m.exec(written)?.[1] ?? '';
    const run = await runProgram('/bin/sh', ['-c', line], { env: { HOME: home, PATH: '/usr/bin:/bin' } });
    expect(JSON.parse(run.stdout)).toMatchObject({ Version: 1 });
    const again = await init('--yes');
    expect(again).toMatchObject({ status: 0, stdout: `${config}\n` });
    expect(again.stderr).toContain('is like this already');
    expect(readFileSync(config, 'utf8')).toBe(written);
  });

  it('prints the profile with --print and the difference with --diff, and writes nothing', async () => {
    const printed = await init('--print', '--profile', 'work', '--session-duration', '900');
    expect(printed).toMatchObject({ status: 0, stderr: '' });
    expect(printed.stdout).toContain('\n[profile work]\nregion = us-east-1\ncredential_process = ');
    expect(printed.stdout).toContain(' credential-process --config-profile work\n');
    expect(printed.stdout).toContain('\nrolesanywhere_session_duration = 900\n');
    const { stdout } = await init('--diff', '--profile', 'work', '--session-duration', '900');
    const lines = printed.stdout.split('\n').slice(0, -1);
    expect(stdout).toBe(
      `--- ${config}\n+++ ${config}\n@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join('')}`,
    );
    expect(() => statSync(config)).toThrow('ENOENT');
  });

  it('takes out what it has written, and nothing else', async () => {
    const before = '[profile a]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n';
    writeFileSync(config, before);
    expect(await init('--yes')).toMatchObject({ status: 0 });
    expect(readFileSync(config, 'utf8')).not.toBe(before);
    const { stdout } = await remove('--diff');
    expect(stdout).toMatch(/^--- [^]*\n-\[default\]\n/);
    expect(stdout).not.toContain('AKIA');
    expect(await remove('--yes')).toMatchObject({ status: 0, stdout: `${config}\n` });
    expect(readFileSync(config, 'utf8')).toBe(before);
    const again = await remove('--yes');
    expect(again).toMatchObject({ status: 0, stdout: '' });
    expect(again.stderr).toContain('nothing that init has written');
  });

  it('honours AWS_CONFIG_FILE, and follows a link to the file', async () => {
    const [link, file] = [join(home, 'link'), join(home, 'real')];
    symlinkSync(file, link);
    const { status } = await runCli(['init', ...identity, ...worldFlags(emulator), '--yes'], {
      env: { HOME: home, AWS_CONFIG_FILE: link },
    });
    expect(status).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('[default]');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each([
    [
      'aws_access_key_id',
      'config',
      '[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = hidden\n',
    ],
    ['role_arn', 'config', '[default]\nrole_arn = arn:aws:iam::123456789012:role/A\nsource_profile = b\n'],
    ['sso_session', 'config', '[default]\nsso_session = corp\n'],
    ['credential_process', 'config', '[default]\ncredential_process = aws_signing_helper credential-process\n'],
    ['rolesanywhere_role_arn', 'config', '[default]\nrolesanywhere_role_arn = arn:aws:iam::123456789012:role/A\n'],
    [
      'aws_access_key_id',
      'credentials',
      '[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = hidden\n',
    ],
  ])('leaves a profile alone that has other credentials: %s in the %s file', async (key, file, text) => {
    const path = join(home, '.aws', file);
    writeFileSync(path, text, { mode: 0o600 });
    const { status, stdout, stderr } = await init('--yes');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('ERR_PROFILE_IN_USE');
    expect(stderr).toContain(`${key} in line 2 of ${path}`);
    expect(stderr).not.toContain('hidden');
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(await init('--yes', '--profile', 'other')).toMatchObject({ status: 0 });
  });

  it('writes nothing when the line gives no credentials', async () => {
    const { status, stdout, stderr } = await init('--yes', '--role-arn', 'arn:aws:iam::123456789012:role/None');
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('ERR_SOURCE_CREDENTIALS');
    expect(stderr).toContain('nothing was written');
    expect(stderr).toContain('ERR_ACCESS_DENIED');
    expect(() => statSync(config)).toThrow('ENOENT');
  });

  it('runs the line with the proxy of the environment, and says that others need it', async () => {
    const proxy = await scriptedServer((response) => response.writeHead(403).end());
    try {
      // Not by the proxy: this machine itself.
      const other = ['--allow-http', '--endpoint', 'http://rolesanywhere.example.com'];
      const flags = worldFlags(emulator).filter((_, at, all) => ![all[at], all[at - 1]].includes('--endpoint'));
      const refused = await runCli(['init', ...identity, ...flags, ...other, '--yes', '--max-attempts', '1'], {
        env: { HOME: home, HTTP_PROXY: proxy.url },
      });
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toContain('HOME, HTTP_PROXY alone');
      expect(proxy.requests.length).toBeGreaterThan(0);
      expect(() => statSync(config)).toThrow('ENOENT');
      const { status, stderr } = await runCli(['init', ...identity, ...worldFlags(emulator), '--yes'], {
        env: { HOME: home, HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' },
      });
      expect(status).toBe(0);
      expect(stderr).toContain('it was run with HTTP_PROXY, NO_PROXY: cron, services and IDEs');
    } finally {
      await proxy.close();
    }
  });

  it('leaves a file alone that the AWS CLI refuses, and says so of a folder that cannot be written', async () => {
    writeFileSync(config, 'no section\n');
    const { status, stderr } = await init('--yes');
    expect(status).toBe(2);
    expect(stderr).toContain('ERR_CONFIG_FILE');
    expect(stderr).toContain(`${config}, line 1`);
    expect(readFileSync(config, 'utf8')).toBe('no section\n');
    const { status: no, stderr: why } = await runCli(['init', ...identity, ...worldFlags(emulator), '--yes'], {
      env: { HOME: home, AWS_CONFIG_FILE: '/proc/none/config' },
    });
    expect(no).toBe(2);
    expect(why).toContain('ERR_CONFIG_FILE');
  });

  it('writes absolute paths, and lists as the configuration reads them', async () => {
    const certificates = ['--certificate', 'c.pem', '--pkcs12-password-file', 'pw', '--ca-bundle', './ca.pem'];
    const { stdout } = await runCli(
      [
        'init',
        '--print',
        ...certificates,
        ...worldFlags(emulator),
        '--assume-role-arn',
        'arn:aws:iam::123456789012:role/B,tag=a=x y',
      ],
      { cwd: home, env: { HOME: home } },
    );
    expect(stdout).toContain(`\nrolesanywhere_certificate = ${join(home, 'c.pem')}\n`);
    expect(stdout).toContain(`\nrolesanywhere_pkcs12_password_file = ${join(home, 'pw')}\n`);
    expect(stdout).toContain(`\nrolesanywhere_ca_bundle = ${join(home, 'ca.pem')}\n`);
    expect(stdout).toContain('\nrolesanywhere_assume_role_arn = "arn:aws:iam::123456789012:role/B,tag=a=x y"\n');
  });

  it.each([
    ['--pkcs8-password=hidden'],
    ['--certificate=pkcs11:token=a?pin-value=hidden'],
    ['--proxy=http://user:hidden@proxy.example:3128'],
    ['--certificate=-'],
  ])('writes no secret, and no standard input: %s', async (flag) => {
    const { status, stdout, stderr } = await runCli(['init', '--print', ...identity, ...worldFlags(emulator), flag]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('ERR_FLAG_CONFLICT');
    expect(stderr).not.toContain('hidden');
  });

  it('takes a selector in place of a certificate, and its file by its whole path', async () => {
    writeFileSync(join(home, 'selector.json'), '[{"Key":"x509Subject","Value":"CN=a"}]');
    const args = ['init', '--print', '--cert-selector', 'file://selector.json', ...worldFlags(emulator)];
    const { status, stdout } = await runCli(args, { cwd: home, env: { HOME: home } });
    expect(status).toBe(0);
    expect(stdout).toContain(`\nrolesanywhere_cert_selector = file://${join(home, 'selector.json')}\n`);
    expect(stdout).not.toContain('rolesanywhere_certificate');
  });

  it('refuses names that not every tool finds, and names all flags that are missing', async () => {
    expect((await init('--print', '--profile', 'a]b')).stderr).toContain('ERR_CONFIG_PROFILE');
    const { status, stderr } = await runCli(['init', '--print', '--role-arn', emulator.roleArns[0] ?? '']);
    expect(status).toBe(2);
    expect(stderr).toContain('missing flags: --certificate, --trust-anchor-arn, --profile-arn');
  });

  it('says what comes before the profile', async () => {
    const { stderr } = await runCli(['init', ...identity, ...worldFlags(emulator), '--yes'], {
      env: { HOME: home, AWS_ACCESS_KEY_ID: 'x', AWS_PROFILE: 'other' },
    });
    expect(stderr).toContain('AWS_ACCESS_KEY_ID is set');
    expect(stderr).toContain('chooses profile other');
  });

  it.runIf(requireTool('setsid'))('wants --yes where there is no terminal', async () => {
    const args = ['--wait', process.execPath, CLI, 'init', ...identity, ...worldFlags(emulator)];
    const { status, stderr } = await runProgram('setsid', args, { env: { HOME: home } });
    expect(status).toBe(2);
    expect(stderr).toContain('ERR_TERMINAL');
    expect(stderr).toContain('--yes');
  });
});

describe.skipIf(!requireTool('python3'))('init at a terminal', () => {
  it('asks for what is missing, shows what it would write, and writes when that is confirmed', async () => {
    const { status, stdout } = await runOnTerminal(
      command(`--intermediates=${PKI}intermediate.pem`, '--tpm-device', '/dev/none', '--pkcs11-lib', '/none.so'),
      [
        ['certificate (a file or a URI): ', `${PKI}ec-p256.crt.pem\n`],
        ['private key', `${PKI}ec-p256.key.pem\n`],
        ['trust anchor: ', 'no arn\n'],
        ['trust anchor: ', `${emulator.trustAnchorArns[0]}\n`],
        ['profile: ', `${emulator.profileArns[0]}\n`],
        ['role: ', `${emulator.roleArns[0]}\n`],
        ['[y/N] ', 'y\n'],
      ],
      { HOME: home },
    );
    expect(status).toBe(0);
    expect(stdout).toContain('this is not the ARN of a trust anchor');
    expect(stdout).toContain('+[default]');
    expect(readFileSync(config, 'utf8')).toContain(`\nrolesanywhere_private_key = ${PKI}ec-p256.key.pem\n`);
  });

  it('writes nothing when it is not confirmed, or the input ends', async () => {
    for (const answer of ['n\n', '\u0004']) {
      const { status } = await runOnTerminal(command(...identity, ...worldFlags(emulator)), [['[y/N] ', answer]], {
        HOME: home,
      });
      expect(status).toBe(130);
      expect(() => statSync(config)).toThrow('ENOENT');
    }
  });
});

function program(first: string): string {
  const path = join(home, 'program');
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  writeFileSync(path, `#!${first}\nconsole.log(JSON.stringify(${JSON.stringify(version)}))\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('the words that start the program', () => {
  it("are its path where that starts it, and Node's path before it elsewhere", async () => {
    const started = { node: process.execPath, platform: 'linux' } as const;
    const own = program(process.execPath);
    expect(await programWords({ ...started, program: own })).toEqual([own]);
    const other = program('/usr/bin/env node-that-is-nowhere');
    expect(await programWords({ ...started, program: other })).toEqual([process.execPath, other]);
    expect(await programWords({ ...started, program: own, platform: 'win32' })).toEqual([process.execPath, own]);
    const { code } = await refusal(() => programWords({ ...started, program: join(home, 'none') }));
    expect(code).toBe('ERR_UNSUPPORTED');
  });

  it('are written for shlex and for shells, and on Windows in double quotes', () => {
    expect(commandLine(['/a b/it\'s "x" $y', 'credential-process'], 'linux')).toBe(
      String.raw`'/a b/it'\''s "x" $y' credential-process`,
    );
    expect(commandLine([String.raw`C:\Program Files\node.exe`, String.raw`C:\ra\cli.cjs`], 'win32')).toBe(
      String.raw`"C:\Program Files\node.exe" C:\ra\cli.cjs`,
    );
    expect(refusalOf(() => commandLine([String.raw`C:\100% mine\ra`], 'win32')).code).toBe('ERR_UNSUPPORTED');
  });
});
