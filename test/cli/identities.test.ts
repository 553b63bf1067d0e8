import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI, PROGRAM, runCli, runProgram, type CliResult } from '../support/cli.ts';
import {
  CONTAINER_CASES,
  type ContainerCase,
  KINDS,
  PASSWORD,
  makeContainers,
  placesOf,
} from '../support/containers.ts';
import { runOnTerminal } from '../support/terminal.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

const WRONG = 'not-the-password';
const NOBODY = ['--wait', ...PROGRAM];
const LOCKED = CONTAINER_CASES.filter(({ container }) => container.password !== undefined);

let emulator: Emulator;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-identities-'));
  [emulator] = await Promise.all([startTestEmulator(), makeContainers(dir, PASSWORD)]);
});
afterAll(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true, force: true });
});

function identityFlags(example: ContainerCase): string[] {
  const { certificate, privateKey, intermediates } = { privateKey: undefined, ...placesOf(example, dir) };
  return [
    '--certificate',
    certificate,
    '--intermediates',
    intermediates,
    ...(privateKey === undefined ? [] : ['--private-key', privateKey]),
  ];
}

/** Runs the built program away from any terminal. */
async function vend(
  example: ContainerCase,
  more: readonly string[],
  env: Record<string, string> = {},
): Promise<CliResult> {
  const line = ['credential-process', ...identityFlags(example), ...worldFlags(emulator), ...more];
  const result = await runProgram('setsid', [...NOBODY, ...line], { env });
  for (const secret of [PASSWORD, WRONG, 'PRIVATE KEY'])
    expect(`${result.stdout}${result.stderr}`.replaceAll('roles-anywhere-development', '')).not.toContain(secret);
  return result;
}

function passwordFlags({ container }: ContainerCase, password: string): string[] {
  return container.password === undefined ? [] : [`--${container.password}-password`, password];
}

const lacksTools = !requireTool('openssl') || !requireTool('setsid');

describe.skipIf(lacksTools).each(KINDS)('%s is accepted by the other side', (kind) => {
  const cases = CONTAINER_CASES.filter((example) => example.kind === kind);
  it.concurrent.each(cases)('in $container.name', async (example) => {
    const { status, stdout, stderr } = await vend(example, passwordFlags(example, PASSWORD));
    expect({ status, stderr: withoutWarnings(stderr) }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccessKeyId: expect.stringMatching(/^ASIA/) as string });
  });
});

describe.skipIf(lacksTools).each(KINDS)('%s says so with nothing on standard output', (kind) => {
  const cases = LOCKED.filter((example) => example.kind === kind);
  it.concurrent.each(cases)('when the password is wrong, in $container.name', async (example) => {
    const { status, stdout, stderr } = await vend(example, passwordFlags(example, WRONG));
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('[ERR_PASSWORD_INCORRECT]');
  });
  it.concurrent.each(cases)('when the password is missing and nobody is there, in $container.name', async (example) => {
    const { status, stdout, stderr } = await vend(example, []);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('[ERR_PASSWORD_REQUIRED]');
    expect(stderr).toContain(`--${example.container.password}-password-file`);
  });
});

/** Of keys that are short, and of files that others may read: not what is tested here. */
function withoutWarnings(stderr: string): string {
  return stderr.replaceAll(/^(?:roles-anywhere: )?warning: .*\n(?:hint: .*\n)?/gm, '');
}

const container = `${PKI}ec-p256.p12`;
const key = `${PKI}ec-p256.encrypted.pem`;

const sign = async (flags: readonly string[], env: Record<string, string> = {}) =>
  await runProgram('setsid', [...NOBODY, 'sign-string', '--format', 'text', ...flags], { env });

describe.skipIf(!requireTool('setsid'))('where a password comes from', () => {
  const signed = expect.stringMatching(/^[0-9a-f]{100,}$/) as string;

  it.each([
    ['--private-key', key, 'pkcs8'],
    ['--certificate', container, 'pkcs12'],
  ])('for %s: a file and the environment', async (flag, path, kind) => {
    const file = join(dir, 'password');
    writeFileSync(file, `${PASSWORD}\n`, { mode: 0o600 });
    expect(await sign([flag, path, `--${kind}-password-file`, file])).toEqual({
      status: 0,
      stdout: signed,
      stderr: '',
    });
    const variable = `ROLES_ANYWHERE_${kind.toUpperCase()}_PASSWORD`;
    expect(await sign([flag, path], { [variable]: PASSWORD })).toEqual({ status: 0, stdout: signed, stderr: '' });
    const wrong = await sign([flag, path], { [variable]: WRONG });
    expect(wrong).toMatchObject({ status: 3, stdout: '' });
    expect(wrong.stderr).toContain(variable);
    expect(wrong.stderr).not.toContain(WRONG);
  });

  it.each([
    ['with a line feed', `${PASSWORD}\n`],
    ['without one', PASSWORD],
    ['late, and left open', `${PASSWORD}\n`, '(sleep 0.2; cat -; sleep 0.5)'],
  ])('standard input, %s', async (_name, input, feeder = 'cat -') => {
    const command = `input=$1; shift; printf %s "$input" | ${feeder} | "$@" --pkcs12-password-file -`;
    const words = [...PROGRAM, 'sign-string', '--format', 'text', '--certificate', container];
    const result = await runProgram('/bin/sh', ['-c', command, 'sh', input, ...words]);
    expect(result).toEqual({ status: 0, stdout: signed, stderr: '' });
  });

  it.each([
    [['--pkcs12-password', 'a', '--pkcs12-password-file', 'b'], 'ERR_FLAG_CONFLICT'],
    [['--pkcs8-password', 'a', '--pkcs8-password-file', 'b'], 'ERR_FLAG_CONFLICT'],
    [['--pkcs8-password-file', '-', '--pkcs12-password-file', '-'], 'ERR_FLAG_CONFLICT'],
  ])('%o is refused', async (flags, code) => {
    const { status, stdout, stderr } = await runCli(['sign-string', '--certificate', container, ...flags]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(code);
  });

  it('read-certificate-data reads a container with its password', async () => {
    const flags = ['read-certificate-data', '--certificate', container];
    const { stdout } = await runCli([...flags, '--pkcs12-password', PASSWORD]);
    const plain = await runCli(['read-certificate-data', '--certificate', `${PKI}ec-p256.crt.pem`]);
    expect(stdout).toBe(plain.stdout);
    const missing = await runProgram('setsid', [...NOBODY, ...flags]);
    expect(missing).toMatchObject({ status: 3, stdout: '' });
  });
});

describe.skipIf(!requireTool('python3') || !requireTool('setsid'))('a person at the terminal', () => {
  const QUESTION = 'password of --certificate';
  const AGAIN = 'wrong, try again: password of --certificate';
  const command = [...PROGRAM, 'sign-string', '--format', 'text', '--certificate', container];

  it.each([
    ['at once', [[QUESTION, `${PASSWORD}\r`]]],
    [
      'at the third time',
      [
        [QUESTION, `${WRONG}\r`],
        [AGAIN, `${WRONG}2\r`],
        [AGAIN, `${PASSWORD}\r`],
      ],
    ],
  ] as [string, [string, string][]][])(
    'types the password, right %s, and nothing of it is shown',
    async (_name, steps) => {
      const { status, stdout } = await runOnTerminal(command, steps);
      expect(status).toBe(0);
      expect(stdout).toMatch(/\n[0-9a-f]{100,}$/);
      expect(stdout).not.toContain(PASSWORD);
      expect(stdout).not.toContain(WRONG);
    },
  );

  it('is asked three times at most', async () => {
    const steps = [QUESTION, AGAIN, AGAIN, AGAIN].map((shown) => [shown, `${WRONG}\r`] as const);
    const { status, stdout } = await runOnTerminal(command, steps);
    expect(status).toBe(3);
    expect(stdout.split(QUESTION)).toHaveLength(4);
    expect(stdout).toContain('[ERR_PASSWORD_INCORRECT]');
    expect(stdout).not.toContain(WRONG);
  });

  it('leaves with Ctrl-C', async () => {
    const { status, stdout } = await runOnTerminal(command, [[QUESTION, 'abc\u0003']]);
    expect(status).toBe(130);
    expect(stdout).not.toContain('abc');
  });

  it('is asked although standard input and output belong to a program', async () => {
    const line = `echo no | "$0" "$@" > '${dir}/out'; printf 'status %s\\n' "$?"; cat '${dir}/out'`;
    const { stdout } = await runOnTerminal(['/bin/sh', '-c', line, ...command], [[QUESTION, `${PASSWORD}\r`]]);
    expect(stdout).toMatch(/status 0\n[0-9a-f]{100,}$/);
  });

  it('is not asked for what needs no password', async () => {
    const { stdout } = await runOnTerminal([...command.slice(0, -1), `${PKI}ec-p256.no-password.p12`], []);
    expect(stdout).toMatch(/^[0-9a-f]{100,}$/);
  });
});
