import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { type CacheHome, cacheHome, cachedLine, sessionsOf } from '../support/cache.ts';
import { hasAnotherMachine, runOnAnotherMachine } from '../support/another-machine.ts';
import { type CliResult, cleanEnv, PROGRAM, runCli, runProgram } from '../support/cli.ts';
import { pkiPath } from '../support/pki.ts';
import { PIN, SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../support/softhsm.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

const PROCESSES = 100;
const KILLS = process.env['ROLES_ANYWHERE_LONG'] === '1' ? 400 : 50;

let emulator: Emulator;
let home: CacheHome;
beforeEach(async () => {
  emulator = await startTestEmulator();
  home = cacheHome();
});
afterEach(async () => {
  await emulator.close();
  home.remove();
});

function run(args: readonly string[]): Promise<CliResult> {
  return runCli(args, { env: home.env, timeout: 300_000 });
}

function runAll(line: readonly string[], count = PROCESSES): Promise<CliResult[]> {
  return Promise.all(Array.from({ length: count }, () => run(line)));
}

/** The access keys that runs printed, all of which must have been all right. */
function keysOf(results: readonly CliResult[]): Set<string> {
  for (const { status, stderr } of results) expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return new Set(results.map(({ stdout }) => (JSON.parse(stdout) as { AccessKeyId: string }).AccessKeyId));
}

/** One that does not ask twice, because a machine with a hundred runs at one time is slow to answer. */
function patientLine(): string[] {
  return cachedLine(emulator, '--timeout', '240');
}

/** Starts one that takes the lock and waits for the answer of the service. */
async function leader(line: readonly string[]): Promise<ReturnType<typeof spawn>> {
  const child = spawn(PROGRAM[0], [...PROGRAM.slice(1), ...line], { env: cleanEnv(home.env), stdio: 'ignore' });
  await until(() => existsSync(home.folder) && readdirSync(home.folder).some((name) => name.endsWith('.lock')));
  return child;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Nothing is left but what is kept. */
function leftovers(): string[] {
  return home.files().filter((name) => !name.endsWith('.json'));
}

describe(`${PROCESSES} runs at one time with nothing kept`, () => {
  it('cost one session, and all print it', async () => {
    expect(keysOf(await runAll(patientLine())).size).toBe(1);
    expect(sessionsOf(emulator)).toEqual({ given: 1, refused: 0 });
    expect(leftovers()).toEqual([]);
  }, 300_000);

  it('cost one when the one that asks is killed', async () => {
    emulator.inject({ path: '/sessions', delayMs: 60_000, cut: 'before' });
    const line = patientLine();
    const first = await leader(line);
    await until(() => emulator.verdicts.length === 1);
    const all = runAll(line);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    first.kill('SIGKILL');
    expect(keysOf(await all).size).toBe(1);
    // The killed one's was given and not received.
    expect(sessionsOf(emulator)).toEqual({ given: 2, refused: 0 });
    expect(leftovers()).toEqual([]);
  }, 300_000);

  it('cost one when the one that asks stands still, and is overtaken', async () => {
    emulator.inject({ path: '/sessions', delayMs: 2000 });
    const line = patientLine();
    const first = await leader(line);
    first.kill('SIGSTOP');
    const results = await runAll(line);
    expect(keysOf(results).size).toBe(1);
    const { given } = sessionsOf(emulator);
    first.kill('SIGCONT');
    const [status] = (await once(first, 'exit')) as [number];
    expect(status).toBe(0);
    // One for those who overtook it, and at most one for itself.
    expect(given).toBeLessThanOrEqual(2);
    expect(leftovers()).toEqual([]);
  }, 300_000);

  it('cost one when the first is refused: the next asks', async () => {
    emulator.inject({ path: '/sessions', status: 403, code: 'AccessDeniedException', delayMs: 1000 });
    const results = await runAll(patientLine());
    const refused = results.filter(({ status }) => status !== 0);
    expect(refused.map(({ status }) => status)).toEqual([4]);
    expect(keysOf(results.filter(({ status }) => status === 0)).size).toBe(1);
    expect(sessionsOf(emulator)).toEqual({ given: 1, refused: 1 });
    expect(leftovers()).toEqual([]);
  }, 300_000);

  it('cost one when the line was waited for and the folder is emptied meanwhile', async () => {
    const line = patientLine();
    keysOf(await runAll(line, 3));
    for (const name of readdirSync(home.folder)) unlinkSync(join(home.folder, name));
    expect(keysOf(await runAll(line, 20)).size).toBe(1);
    expect(sessionsOf(emulator).given).toBe(2);
  }, 300_000);
});

describe('a service that gives no answer', () => {
  it('holds each run for no longer than its --timeout, others waited for or not', async () => {
    emulator.inject({ path: '/sessions', delayMs: 60_000, times: Infinity });
    const line = cachedLine(emulator, '--timeout', '4');
    const results = await runAll(line, 5);
    for (const { status, stderr } of results)
      expect({ status, code: /ERR_\w+/.exec(stderr)?.[0] }).toEqual({ status: 5, code: 'ERR_TIMEOUT' });
  }, 120_000);
});

describe(`${KILLS} kills at random moments`, () => {
  it('leave nothing that a later run cannot use or replace, and no secret in the open', async () => {
    const line = cachedLine(emulator, '--session-duration', '900', '--cache-min-remaining', '60');
    for (let turn = 0; turn < KILLS; turn++) {
      if (turn % 2 === 0 && existsSync(home.folder))
        for (const name of home.files('session')) unlinkSync(join(home.folder, name));
      const child = spawn(PROGRAM[0], [...PROGRAM.slice(1), ...line], { env: cleanEnv(home.env), stdio: 'ignore' });
      const timer = setTimeout(() => child.kill('SIGKILL'), 30 + Math.random() * 90);
      await once(child, 'exit');
      clearTimeout(timer);
      for (const name of existsSync(home.folder) ? home.files('session') : [])
        expect(() => JSON.parse(readFileSync(join(home.folder, name), 'utf8')) as unknown).not.toThrow();
    }
    const [result] = await runAll(line, 1);
    expect({ status: result?.status, stderr: result?.stderr }).toEqual({ status: 0, stderr: '' });
    expect(keysOf(await runAll(line, 3)).size).toBe(1);
  }, 600_000);
});

describe.skipIf(!hasSoftHsm())('certificates in tokens, told apart behind the PIN of their URIs', () => {
  it('are each given their own session, kept or not', async () => {
    const [hsm, other] = [new SoftHsm(), new SoftHsm()];
    try {
      for (const [own, pair] of [
        [hsm, { pki: 'ec-p256', id: '01', label: 'one' }],
        [hsm, { pki: 'rsa-2048', id: '02', label: 'two' }],
        [other, { pki: 'ec-p384', id: '01', label: 'one' }],
      ] as const) {
        if (pair.id === '01') await own.token('main');
        await own.pair('main', pair);
      }
      const line = (object: string) => [
        ['credential-process', '--cache', ...worldFlags(emulator), '--pkcs11-lib', SOFTHSM_MODULE],
        ['--certificate', `pkcs11:token=main;pin-value=${PIN};object=${object}`],
        ['--intermediates', pkiPath('intermediate.pem')],
      ];
      const keyOf = async (object: string, { env }: SoftHsm, more = {}, cwd = process.cwd()): Promise<unknown> => {
        const { status, stdout } = await runCli(line(object).flat(), { env: { ...env, ...home.env, ...more }, cwd });
        expect(status).toBe(0);
        return (JSON.parse(stdout) as { AccessKeyId: string }).AccessKeyId;
      };
      const first = [await keyOf('one', hsm), await keyOf('two', hsm), await keyOf('one', other)];
      expect(new Set(first).size).toBe(3);
      expect([await keyOf('one', hsm), await keyOf('two', hsm), await keyOf('one', other)]).toEqual(first);
      // Where a module has no variable, it has its settings in the home directory.
      expect(first).not.toContain(await keyOf('one', hsm, { HOME: hsm.directory }));
      // By a relative path each folder has a module's settings of its own.
      const here = { SOFTHSM2_CONF: basename(hsm.env['SOFTHSM2_CONF'] ?? '') };
      const inFolder = async (own: SoftHsm): Promise<unknown> => await keyOf('one', own, here, own.directory);
      const relative = [await inFolder(hsm), await inFolder(other)];
      expect(new Set(relative).size).toBe(2);
      expect([await inFolder(hsm), await inFolder(other)]).toEqual(relative);
      for (const name of home.files()) expect(readFileSync(join(home.folder, name), 'utf8')).not.toContain(`=${PIN}`);
    } finally {
      hsm.remove();
      other.remove();
    }
  }, 60_000);

  it.runIf(hasAnotherMachine())(
    'are another one on each of two machines with one home directory',
    async () => {
      const hsm = new SoftHsm();
      try {
        await hsm.token('main');
        await hsm.pair('main', { pki: 'ec-p256', id: '01', label: 'one' });
        const line = [
          ['credential-process', '--cache', ...worldFlags(emulator), '--pkcs11-lib', SOFTHSM_MODULE],
          ['--certificate', `pkcs11:token=main;object=one?pin-value=${PIN}`],
          ['--intermediates', pkiPath('intermediate.pem')],
        ].flat();
        const options = { env: { ...hsm.env, ...home.env } };
        const [here, there] = [await runCli(line, options), await runOnAnotherMachine(hsm.directory, line, options)];
        expect([here.status, there.status]).toEqual([0, 0]);
        expect(there.stdout).not.toBe(here.stdout);
        expect(await runOnAnotherMachine(hsm.directory, line, options)).toEqual(there);
      } finally {
        hsm.remove();
      }
    },
    60_000,
  );
});

/** The lines that a run printed, each once. */
function linesOf({ stdout }: CliResult): string[] {
  return [...new Set(stdout.trim().split('\n'))];
}

describe.runIf(hasAnotherMachine())('the library’s option cache', () => {
  it('knows a certificate in a token or a TPM by another name on another machine, and one in a file by the same', async () => {
    const script = `import { fromRolesAnywhere } from ${JSON.stringify(pathToFileURL('dist/index.js').href)};
      for (const certificate of ['pkcs11:token=t;object=o', 'nv:0x1c00002', ${JSON.stringify(pkiPath('ec-p256.crt.pem'))}]) {
        const cache = {
          get: async (key) => {
            console.log(key);
            credentials.close();
          },
          set: async () => undefined,
        };
        const credentials = fromRolesAnywhere({ ...JSON.parse(process.argv[1]), certificate, cache });
        await credentials().catch(() => undefined);
      }
      process.exit();`;
    const [anchor, profile, role] = [emulator.trustAnchorArns, emulator.profileArns, emulator.roleArns].map(
      ([arn]) => arn,
    );
    const arns = { trustAnchorArn: anchor, profileArn: profile, roleArn: role, endpoint: emulator.url };
    const args = ['--input-type=module', '-e', script, JSON.stringify(arns)];
    const options = { env: { ...home.env, TPM2TOOLS_TCTI: 'device:/dev/null' } };
    const here = linesOf(await runProgram(process.execPath, args, options));
    const there = linesOf(await runOnAnotherMachine(home.dir, args, options, [process.execPath]));
    expect(here).toHaveLength(3);
    expect(there.map((name) => here.includes(name))).toEqual([false, false, true]);
  });
});
