import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { IS_EXECUTABLE, PROGRAM, runCli } from '../../support/cli.ts';
import { ALWAYS, type FaultyModule, P256, faultyToken } from '../../support/faulty-module.ts';
import { pkiPath } from '../../support/pki.ts';
import { PIN, type SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { runOnTerminal } from '../../support/terminal.ts';
import { requireTool } from '../../support/tools.ts';
import { startTestEmulator, worldFlags } from '../../support/vending.ts';

function uri(object = 'p256'): string {
  return `pkcs11:token=main;object=${object}?pin-value=${PIN}`;
}

describe.skipIf(!hasSoftHsm() || !requireTool('gcc'))('a command that runs once, with a module', () => {
  let hsm: SoftHsm;
  let faulty: FaultyModule;
  let emulator: Emulator;

  beforeAll(async () => {
    ({ hsm, faulty } = await faultyToken([P256, ALWAYS]));
    emulator = await startTestEmulator();
  }, 60_000);
  afterAll(async () => {
    await emulator.close();
    hsm.remove();
  });
  beforeEach(() => rmSync(join(hsm.directory, 'state'), { recursive: true, force: true }));
  afterEach(() => {
    faulty.behave();
    for (const pid of faulty.details('child')) process.kill(pid, 'SIGKILL');
    faulty.forget();
  });

  const args = (certificate = uri()) => [
    'credential-process',
    ...worldFlags(emulator),
    '--certificate',
    certificate,
    '--pkcs11-lib',
    faulty.path,
  ];
  const vend = (more: readonly string[] = [], env: Record<string, string> = {}) =>
    runCli([...args(), ...more], { env: { ...hsm.env, ...env } });
  const credentials = { Version: 1, AccessKeyId: expect.stringMatching(/^ASIA/) as string };

  describe('that prints', () => {
    // The executable's runtime ends without unloading libraries (docs/standalone.md).
    it.each(['list', 'initialize', 'login', 'sign', 'finalize', ...(IS_EXECUTABLE ? [] : ['unload'])])(
      'in %s, keeps the result for itself and shows the text on standard error',
      async (place) => {
        faulty.behave(`${place}=print`);
        const { status, stdout, stderr } = await vend();
        expect(status).toBe(0);
        expect(JSON.parse(stdout)).toMatchObject(credentials);
        expect(stderr).toContain(`${place} says hello`);
        expect(stderr).toContain(`${place} says it by stdio`);
      },
    );

    it('says nothing where only errors are wanted', async () => {
      faulty.behave('sign=print');
      expect(await vend(['--log-level', 'error'])).toMatchObject({ status: 0, stderr: '' });
    });

    it('leaves the output of other commands alone', async () => {
      faulty.behave('initialize=print login=print sign=print');
      const library = ['--pkcs11-lib', faulty.path];
      const signed = await runCli(['sign-string', '--certificate', uri(), '--format', 'json', ...library], {
        env: hsm.env,
      });
      expect(signed.stdout).toMatch(/^"[0-9a-f]+"$/);
      const read = await runCli(['read-certificate-data', '--certificate', uri(), ...library], { env: hsm.env });
      expect(JSON.parse(read.stdout)).toMatchObject({ keyType: 'EC' });
    });
  });

  it.each(['list', 'initialize', 'login', 'sign', 'finalize'])(
    'that leaves a child behind in %s keeps nobody waiting who reads the output',
    async (place) => {
      faulty.behave(`${place}=child`);
      // The promise is kept when both pipes have ended.
      const { status, stdout } = await vend();
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject(credentials);
      const [child = 0] = faulty.details('child');
      await vi.waitFor(() => expect(readFileSync(`/proc/${child}/comm`, 'utf8')).toBe('faulty-child\n'));
    },
  );

  describe('that ends its process', () => {
    const WAYS = ['segv', 'abort', 'exit', 'leave', 'quit'];

    it.each(['finalize', 'unload'].flatMap((place) => WAYS.map((way) => [place, way])))(
      'in %s by %s has no say in a run whose output is out',
      async (place, way) => {
        faulty.behave(`${place}=${way}`);
        const { status, stdout, stderr } = await vend();
        expect(status).toBe(0);
        // The executable's runtime says that a module called abort(), and unloads none (docs/standalone.md).
        expect(stderr).toMatch(IS_EXECUTABLE && place === 'finalize' && way === 'abort' ? /panic/ : /^$/);
        expect(JSON.parse(stdout)).toMatchObject(credentials);
      },
    );

    it.each(['list', 'initialize', 'login', 'sign'].flatMap((place) => WAYS.map((way) => [place, way])))(
      'in %s by %s is an error, never a success without output',
      async (place, way) => {
        faulty.behave(`${place}=${way}`);
        const { status, stdout, stderr } = await vend();
        expect([status, stdout]).toEqual([3, '']);
        expect(stderr).toMatch(/\[ERR_PKCS11_MODULE_CRASHED\]\nhint: /);
      },
    );
  });

  it('that hangs while it is put away does not hold the output up for good', async () => {
    faulty.behave('finalize=hang');
    const { status, stdout } = await vend();
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject(credentials);
  });

  it('sees the variables of the AWS SDKs, and none of this program', async () => {
    const env = { AWS_PROFILE: 'x', NODE_OPTIONS: '--no-warnings', ROLES_ANYWHERE_PKCS11_PIN: '98765', MY_MODULE: 'y' };
    faulty.behave('sign=environment');
    expect((await vend([], env)).status).toBe(0);
    const names = readFileSync(`${faulty.path}.environment`, 'latin1').split('\0');
    expect(names).toEqual(expect.arrayContaining(['AWS_PROFILE=x', 'MY_MODULE=y']));
    expect(names.filter((name) => /^(ROLES_ANYWHERE_|NODE_OPTIONS)/.test(name))).toEqual([]);
  });

  it.skipIf(!requireTool('python3'))(
    'that was asked for slowly when a person pressed Ctrl-C needs nobody afterwards',
    async () => {
      faulty.behave('login=hang');
      const child = spawn(PROGRAM[0], [...PROGRAM.slice(1), ...args()], { env: hsm.env, stdio: 'ignore' });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      while (faulty.count('C_Login') === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill('SIGINT');
      await ended;
      faulty.behave();
      expect(await vend()).toMatchObject({ status: 0, stderr: '' });
    },
  );

  it.skipIf(!requireTool('python3'))(
    'whose keys have a PIN of their own asks a person at the terminal for it',
    async () => {
      faulty.behave('context=other');
      const command = [...PROGRAM, ...args(uri('always')), '--reuse-pin'];
      const { status, stdout } = await runOnTerminal(
        command,
        [['PIN for a signature with the token "main"', '4321\r']],
        hsm.env,
      );
      expect(status).toBe(0);
      expect(stdout).toContain('"AccessKeyId":"ASIA');
    },
  );

  describe('a value that just misses being a URI', () => {
    const VALUES = [
      ` pkcs11:token=main?pin-value=31415926`,
      `'pkcs11:token=main?pin-value=31415926'`,
      `"pkcs11:token=main?pin-value=31415926"`,
      `pkcs11;token=main?pin-value=31415926`,
      `pkcs11%3Atoken=main?pin-value=31415926`,
      `PKCS 11:token=main?pin-value=31415926`,
      `token=main?pin-value=3141 5926`,
      `file:pkcs11:token=main?PIN-VALUE=31415926`,
    ];
    const COMMANDS = [
      (value: string) => ['credential-process', ...worldFlags(emulator), '--certificate', value],
      (value: string) => [
        'credential-process',
        ...worldFlags(emulator),
        '--certificate',
        pkiPath('ec-p256.crt.pem'),
        '--private-key',
        value,
      ],
      (value: string) => ['sign-string', '--private-key', value],
      (value: string) => ['read-certificate-data', '--certificate', value],
      (value: string) => ['sign-string', '--certificate', uri(), '--pkcs11-lib', value],
      (value: string) => ['sign-string', '--certificate', 'pkcs11:token=main', '--pkcs11-pin-file', value],
      (value: string) => ['credential-process', ...worldFlags(emulator), `--certificat=${value}`],
      (value: string) => [value],
    ];

    it.each(COMMANDS.flatMap((_command, at) => VALUES.map((value) => [at, value] as const)))(
      'is not shown with its PIN (command %i, %s)',
      async (at, value) => {
        const line = COMMANDS[at]?.(value) ?? [];
        const { status, stdout, stderr } = await runCli([...line, '--debug'], { env: hsm.env });
        expect([status === 0, stdout]).toEqual([false, '']);
        expect(stderr).not.toContain('3141');
        expect(at < 4 ? stderr : '[ERR_PKCS11_URI]').toContain('[ERR_PKCS11_URI]');
      },
    );

    it('may be a file all the same', async () => {
      const path = join(hsm.directory, 'key.pkcs11.pem');
      writeFileSync(path, readFileSync(pkiPath('ec-p256.key.pem')));
      expect((await runCli(['sign-string', '--private-key', path])).status).toBe(0);
    });
  });
});
