import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { readIni } from '../../src/options/config/ini.ts';
import { cleanEnv, COMMAND_LINE, PKI, runCli, runProgram } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let emulator: Emulator;
let folder: string;
beforeAll(async () => {
  emulator = await startTestEmulator();
  folder = mkdtempSync(join(tmpdir(), 'export-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await emulator.close();
});

const identity = [
  `--certificate=${PKI}ec-p256.crt.pem`,
  `--private-key=${PKI}ec-p256.key.pem`,
  `--intermediates=${PKI}intermediate.pem`,
];

function exported(format: string | undefined, env: Record<string, string> = {}, ...more: string[]): Promise<CliResult> {
  const form = format === undefined ? [] : ['--format', format];
  return runCli(['export', ...identity, ...worldFlags(emulator), ...form, ...more], { env });
}

/** Credentials of a user's own, in the environment, with what no key of AWS has. Blanks no source may give. */
const AWKWARD = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: `a'b"c"$HOME%PATH%\\!d`,
  AWS_REGION: 'us-east-1',
};

/** Those of {@link AWKWARD}, or others, in a form. */
function fromSource(format: string, env: Record<string, string> = AWKWARD, ...more: string[]): Promise<CliResult> {
  return runCli(['export', '--source', 'env', '--format', format, ...more], { env });
}

const NAMES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_ACCOUNT_ID',
  'AWS_CREDENTIAL_EXPIRATION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
];

function names(environment: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('AWS_'))
    .toSorted();
}

describe('export', () => {
  it('sets the credentials of a session, by default for the shell of the user', async () => {
    const { status, stdout, stderr } = await exported(undefined, { SHELL: '/bin/bash' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const dump = `${stdout}exec "${process.execPath}" -p 'JSON.stringify(process.env)'`;
    const env = JSON.parse(execFileSync('sh', ['-c', dump], { encoding: 'utf8', env: {} })) as Record<string, string>;
    expect(names(env)).toEqual(NAMES);
    expect(env['AWS_ACCOUNT_ID']).toBe('123456789012');
    expect((await exported(undefined, { SHELL: '/usr/bin/fish' })).stdout).toMatch(/^set -gx AWS_ACCESS_KEY_ID /);
  });

  it.runIf(requireTool('aws'))(
    'gives what the AWS CLI proves itself with, in a shell whose profile and token were others',
    async () => {
      const script = join(folder, 'script.sh');
      writeFileSync(
        script,
        `eval "$(${COMMAND_LINE} export ${[...identity, ...worldFlags(emulator)].join(' ')} --format env)"\n` +
          `aws --endpoint-url ${emulator.url} --region us-east-1 sts get-caller-identity --query Arn --output text\n`,
      );
      const env = { AWS_PROFILE: 'none-such', AWS_SECURITY_TOKEN: 'old', AWS_SESSION_TOKEN: 'old' };
      const { stdout } = await runProgram('sh', [script], { env: { ...env, PATH: process.env['PATH'] ?? '' } });
      expect(stdout).toMatch(/^arn:aws:sts::123456789012:assumed-role\/Workload\//);
    },
  );

  it('removes what would lead to other credentials, where it is set', async () => {
    const { stdout } = await fromSource('env', { ...AWKWARD, AWS_PROFILE: 'other', AWS_SECURITY_TOKEN: 'x' });
    expect(stdout.split('\n').filter((line) => line.startsWith('unset'))).toEqual([
      'unset AWS_SECURITY_TOKEN',
      'unset AWS_PROFILE',
    ]);
    expect((await fromSource('env')).stdout).not.toContain('unset');
  });

  it('leaves the account out when it is told to', async () => {
    const { stdout } = await exported('json', {}, '--no-account-id');
    expect(names(JSON.parse(stdout) as Record<string, string>)).toEqual(
      NAMES.filter((name) => name !== 'AWS_ACCOUNT_ID'),
    );
  });

  it('prints what credential_process prints, of a key without a session, too', async () => {
    expect(Object.keys(JSON.parse((await exported('process')).stdout) as object)).toEqual([
      'Version',
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Expiration',
      'AccountId',
    ]);
    expect(JSON.parse((await fromSource('process')).stdout)).toEqual({
      Version: 1,
      AccessKeyId: AWKWARD.AWS_ACCESS_KEY_ID,
      SecretAccessKey: AWKWARD.AWS_SECRET_ACCESS_KEY,
    });
  });

  it.each(['dotenv', 'gitlab'])('writes a file of variables (%s)', async (format) => {
    const plain = { ...AWKWARD, AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfi==' };
    const { stdout } = await fromSource(format, plain);
    expect(parseEnv(stdout)).toEqual({
      AWS_ACCESS_KEY_ID: plain.AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: plain.AWS_SECRET_ACCESS_KEY,
    });
  });

  it('takes no value with a line end from a source, and does not show it', async () => {
    const { status, stdout, stderr } = await fromSource('env', { ...AWKWARD, AWS_SECRET_ACCESS_KEY: 'hidden\nvalue' });
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('ERR_SOURCE_CREDENTIALS');
    expect(stderr).not.toContain('hidden');
  });
});

describe('a profile of a credentials file', () => {
  it.runIf(requireModule('botocore'))('is read by botocore as it was', async () => {
    const { stdout } = await fromSource('ini', AWKWARD, '--profile', 'build box');
    const file = join(folder, 'credentials');
    writeFileSync(file, stdout);
    const script =
      'import botocore.session, json, sys\n' +
      "found = botocore.session.Session(profile='build box').get_credentials()\n" +
      'print(json.dumps([found.access_key, found.secret_key, found.token]))';
    const read = execFileSync('/usr/bin/python3', ['-c', script], {
      encoding: 'utf8',
      env: cleanEnv({ AWS_SHARED_CREDENTIALS_FILE: file }),
    });
    expect(JSON.parse(read)).toEqual([AWKWARD.AWS_ACCESS_KEY_ID, AWKWARD.AWS_SECRET_ACCESS_KEY, null]);
  });

  it('is the default one unless it has a name, and holds a whole session', async () => {
    const [section] = readIni((await exported('ini')).stdout, 'printed');
    expect(section?.header).toBe('default');
    expect([...(section?.keys.keys() ?? [])]).toEqual([
      'aws_access_key_id',
      'aws_secret_access_key',
      'aws_session_token',
      'aws_account_id',
    ]);
  });

  it('is refused under a name that cannot be one, and has a name in no other form', async () => {
    expect((await fromSource('ini', AWKWARD, '--profile', 'a]b')).stderr).toContain('ERR_CREDENTIALS_FILE');
    expect((await fromSource('env', AWKWARD, '--profile', 'a')).stderr).toContain('ERR_FLAG_CONFLICT');
  });
});

function job(file: string): Record<string, string> {
  return { GITHUB_ACTIONS: 'true', GITHUB_ENV: file };
}

describe('in a job of GitHub Actions', () => {
  it('every secret is in a mask on standard output, and in the file of variables, and nowhere else', async () => {
    const file = join(folder, 'github');
    writeFileSync(file, 'BEFORE=1\n');
    const { status, stdout, stderr } = await exported('github', job(file));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const written = readFileSync(file, 'utf8');
    expect(written.startsWith('BEFORE=1\n')).toBe(true);
    const values = new Map(
      [...written.matchAll(/^(\w+)<<(\S+)\n(.*)\n\2$/gm)].map(([, name = '', , value = '']) => [name, value]),
    );
    expect([...values.keys()].toSorted()).toEqual(NAMES);
    expect(stdout).toBe(
      ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']
        .map((name) => `::add-mask::${values.get(name)}\n`)
        .join(''),
    );
  });

  it('unset makes them empty for the steps that follow', async () => {
    const file = join(folder, 'github-unset');
    const { status, stdout } = await runCli(['unset', '--format', 'github'], { env: job(file) });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    const written = readFileSync(file, 'utf8');
    for (const name of NAMES) expect(written).toMatch(new RegExp(`^${name}<<(\\S+)\\n\\n\\1$`, 'm'));
  });

  it('elsewhere nothing is obtained or shown, and a file that cannot be written is named', async () => {
    for (const env of [{}, { GITHUB_ENV: join(folder, 'x') }, { GITHUB_ACTIONS: 'true' }]) {
      const { status, stdout, stderr } = await exported('github', env);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('ERR_USAGE');
    }
    const directory = join(folder, 'directory');
    mkdirSync(directory);
    chmodSync(directory, 0o700);
    const { status, stderr } = await exported('github', job(directory));
    expect(status).toBe(1);
    expect(stderr).toContain('ERR_OUTPUT');
    expect(stderr).toContain('EISDIR');
  });
});

describe('unset', () => {
  it('removes what export has set, and no more', async () => {
    const { stdout } = await runCli(['unset', '--format', 'env']);
    expect(stdout.split('\n').slice(0, -1).toSorted()).toEqual(NAMES.map((name) => `unset ${name}`));
  });

  it.runIf(requireTool('fish'))('does so in fish', async () => {
    const { stdout } = await runCli(['unset'], { env: { SHELL: '/usr/bin/fish' } });
    const left = execFileSync('fish', ['--no-config', '-c', `${stdout}env`], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', HOME: folder, AWS_ACCESS_KEY_ID: 'a', AWS_SESSION_TOKEN: 'b', AWS_REGION: 'c' },
    });
    expect(left.split('\n').filter((line) => line.startsWith('AWS_'))).toEqual(['AWS_REGION=c']);
  });

  it('refuses forms in which there is nothing to remove', async () => {
    const { status, stderr } = await runCli(['unset', '--format', 'process']);
    expect(status).toBe(2);
    expect(stderr).toContain('ERR_FLAG_VALUE');
  });
});
