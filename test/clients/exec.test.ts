import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { CLI, cleanEnv, runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';
import { requireTool } from '../support/tools.ts';
import { identityFlags } from './serve-process.ts';

let emulator: Emulator;
let dir: string;

beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-exec-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function exec(command: readonly string[], env: Record<string, string> = {}, flags: string[] = []): Promise<CliResult> {
  return runCli(['exec', ...identityFlags(emulator), ...flags, '--', ...command], { env });
}

/** A program of Node's that prints its environment. */
const PRINT = [process.execPath, '-e', 'process.stdout.write(JSON.stringify(process.env))'];

async function environmentOf(env: Record<string, string> = {}, flags?: string[]): Promise<Record<string, string>> {
  const { status, stdout, stderr } = await exec(PRINT, env, flags);
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Record<string, string>;
}

describe('the environment of the child', () => {
  it('has the credentials, their end, the account and the region', async () => {
    const env = await environmentOf();
    expect(env['AWS_ACCESS_KEY_ID']).toMatch(/^ASIA\w{16}$/);
    expect(env['AWS_SECRET_ACCESS_KEY']).toMatch(/^\S{40}$/);
    expect(env['AWS_SESSION_TOKEN']).toMatch(/^\S+$/);
    expect(env['AWS_CREDENTIAL_EXPIRATION']).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(env['AWS_ACCOUNT_ID']).toBe('123456789012');
    expect([env['AWS_REGION'], env['AWS_DEFAULT_REGION']]).toEqual(['us-east-1', 'us-east-1']);
    expect(await environmentOf({}, ['--no-account-id'])).not.toHaveProperty('AWS_ACCOUNT_ID');
  });

  it('has nothing of its parent that would shadow them, and none of its secrets', async () => {
    const env = await environmentOf({
      AWS_PROFILE: 'other',
      AWS_SECURITY_TOKEN: 'old',
      AWS_WEB_IDENTITY_TOKEN_FILE: '/token',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1/',
      ROLES_ANYWHERE_PKCS8_PASSWORD: 'hidden',
      AWS_REGION: 'eu-west-3',
      AWS_CONFIG_FILE: join(dir, 'none'),
      KEPT: 'a "b" $c',
    });
    const names = Object.keys(env).filter((name) => name.startsWith('AWS_') || name.startsWith('ROLES_'));
    expect(names.toSorted()).toEqual([
      'AWS_ACCESS_KEY_ID',
      'AWS_ACCOUNT_ID',
      'AWS_CONFIG_FILE',
      'AWS_CREDENTIAL_EXPIRATION',
      'AWS_DEFAULT_REGION',
      'AWS_REGION',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_SESSION_TOKEN',
    ]);
    // Where it is to work, which need not be where the credentials are from.
    expect([env['AWS_REGION'], env['AWS_DEFAULT_REGION']]).toEqual(['eu-west-3', 'eu-west-3']);
    expect(env['KEPT']).toBe('a "b" $c');
  });

  it('comes from other credentials as well', async () => {
    const env = {
      AWS_ACCESS_KEY_ID: 'AKIAOTHER',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_REGION: 'us-east-1',
      AWS_PROFILE: 'x',
    };
    const { stdout } = await runCli(['exec', '--source', 'env', '--', ...PRINT], { env });
    const child = JSON.parse(stdout) as Record<string, string>;
    expect(child).toMatchObject({ AWS_ACCESS_KEY_ID: 'AKIAOTHER', AWS_SECRET_ACCESS_KEY: 'secret' });
    expect(child).not.toHaveProperty('AWS_PROFILE');
  });
});

describe('the words behind --', () => {
  it('reach the child as they are, flags of ours and blanks among them', async () => {
    const words = ['--debug', '--help', '--', '', '  --x', '$HOME', 'a b', '*', '&&', '--role-arn=x', '-h'];
    const { stdout } = await exec([
      process.execPath,
      '-e',
      'console.log(JSON.stringify(process.argv.slice(1)))',
      '--',
      ...words,
    ]);
    expect(JSON.parse(stdout)).toEqual(words);
  });

  it.each([
    [['aws', 's3', 'ls'], /the command to run stands behind --/],
    [['aws', '--', 's3'], /the command to run stands behind --/],
    [[], /no command to run is given/],
    [['--'], /no command to run is given/],
  ])('are asked for where they are not: %j', async (words, message) => {
    const { status, stderr } = await runCli(['exec', ...identityFlags(emulator), ...words]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it.runIf(requireTool('bash'))('may name what a shell substitutes for a process', async () => {
    const script = `exec "$0" "$@" -- cat <(echo one) <(echo two)`;
    const child = spawn('bash', ['-c', script, process.execPath, CLI, 'exec', ...identityFlags(emulator)], {
      env: cleanEnv(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    await once(child, 'close');
    expect(out).toBe('one\ntwo\n');
  });

  it("stdin and stdout are the child's", async () => {
    const child = spawn(process.execPath, [CLI, 'exec', ...identityFlags(emulator), '--', 'tr', 'a-z', 'A-Z'], {
      env: cleanEnv(),
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stdin.end('some text\n');
    await once(child, 'close');
    expect(out).toBe('SOME TEXT\n');
  });
});

describe('the exit status', () => {
  it.each([
    ['exit 0', 0],
    ['exit 1', 1],
    ['exit 42', 42],
    ['exit 255', 255],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
    ['kill -INT $$', 130],
    ['kill -SEGV $$', 139],
  ])("is the child's: %s gives %i", async (script, expected) => {
    const { status, stderr } = await exec(['sh', '-c', script]);
    expect([status, stderr]).toEqual([expected, '']);
  });

  it('is 127 for a command that is not there, and 126 for one that cannot be run', async () => {
    const plain = join(dir, 'plain');
    writeFileSync(plain, '#!/bin/sh\n');
    const lost = join(dir, 'lost');
    writeFileSync(lost, '#!/nonexistent/interpreter\n', { mode: 0o755 });
    chmodSync(lost, 0o755);
    mkdirSync(join(dir, 'folder'));
    for (const [file, expected, code] of [
      ['no-such-command-anywhere', 127, 'ERR_COMMAND_NOT_FOUND'],
      [join(dir, 'none'), 127, 'ERR_COMMAND_NOT_FOUND'],
      [plain, 126, 'ERR_COMMAND_NOT_EXECUTABLE'],
      [lost, 126, 'ERR_COMMAND_NOT_EXECUTABLE'],
      [join(dir, 'folder'), 126, 'ERR_COMMAND_NOT_EXECUTABLE'],
    ] as const) {
      const { status, stderr } = await exec([file]);
      expect([file, status, stderr]).toEqual([file, expected, expect.stringContaining(`[${code}]`)]);
    }
  });

  it('is ours when there are no credentials, and the child is not started', async () => {
    const started = join(dir, 'started');
    const { status } = await exec(['touch', started], {}, ['--role-arn', 'arn:aws:iam::123456789012:role/None']);
    expect([status, existsSync(started)]).toEqual([4, false]);
  });
});
