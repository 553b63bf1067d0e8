import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { PROGRAM, runCli } from '../../support/cli.ts';
import { type MadeKey, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed, openMade, verifies } from '../../support/tpm/open.ts';
import { Proxy } from '../../support/tpm/proxy.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';
import { startTestEmulator, worldFlags } from '../../support/vending.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const SIGNATURES = LONG ? 1000 : 60;
const FAILURES = LONG ? 100 : 12;
const RUNS = LONG ? 100 : 8;

describe.skipIf(!hasSimulator())('a TPM without a resource manager', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let emulator: Emulator;
  let tpm: Simulator;
  let proxy: Proxy;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    const certificates = readFileSync(join(directory, 'root.pem'), 'utf8');
    emulator = await startTestEmulator({ trustAnchors: [{ certificates }] });
    tpm = await new Simulator('tcp', directory).start();
    proxy = await Proxy.start(join(tpm.directory, 'proxy.sock'), tpm.port);
  }, 240_000);
  afterAll(async () => {
    await proxy.close();
    await tpm.remove();
    await emulator.close();
  });

  const NAMES = ['o-owner-p256-pw', 'o-parent-p256', 'o-parentpw-p256-pw', 'h-ecc256-pw', 't-owner-ecc256'];
  const argsOf = ({ name, key }: MadeKey, device: string): string[] => [
    ...PROGRAM.slice(1),
    'credential-process',
    ...worldFlags(emulator),
    '--certificate',
    join(directory, `${name}.pem`),
    '--tpm-device',
    device,
    '--private-key',
    key.startsWith('handle:') ? key : join(directory, key),
  ];
  const envOf = ({ password, parentPassword }: MadeKey): Record<string, string> => ({
    ...tpm.env,
    ...(password === undefined ? {} : { ROLES_ANYWHERE_TPM_KEY_PASSWORD: password }),
    ...(parentPassword === undefined ? {} : { ROLES_ANYWHERE_TPM_PARENT_PASSWORD: parentPassword }),
  });

  it(`has nothing of this program in it after ${SIGNATURES} signatures`, async () => {
    const opened = await Promise.all(NAMES.map(async (name) => await openMade(tpm, directory, keyNamed(keys, name))));
    for (let round = 0; round < SIGNATURES; round++) {
      const index = round % NAMES.length;
      const message = randomBytes(64);
      const signature = await opened[index]?.signer.sign(message);
      expect(verifies(directory, keyNamed(keys, NAMES[index] ?? ''), message, signature ?? Buffer.alloc(0))).toBe(true);
    }
    expect(await tpm.leftovers()).toEqual([]);
  }, 300_000);

  it(`has nothing of it after ${FAILURES} failures inside sessions`, async () => {
    const made = keyNamed(keys, 'o-parentpw-p256-pw');
    const through = { tcti: proxy.path, env: tpm.env };
    const faults = [
      { command: 'Sign', code: 0x2d2 },
      { command: 'Load', code: 0x1df },
      { command: 'Sign', cut: 12 },
      { command: 'Load', cut: 0 },
      { command: 'FlushContext', code: 0x101 },
      { command: 'StartAuthSession', cut: 3 },
    ];
    let failed = 0;
    for (let round = 0; round < FAILURES; round++) {
      const key = await openMade(through, directory, made);
      proxy.fault = faults[round % faults.length];
      await key.signer.sign(randomBytes(64)).catch(() => (failed += 1));
      proxy.fault = undefined;
      // A TPM that refuses to flush leaves what it was to flush: that is not this program's to help.
      if (round % faults.length === 4) await tpm.flush();
    }
    expect(failed).toBe(FAILURES);
    expect(await tpm.leftovers()).toEqual([]);
    proxy.reset();
  }, 300_000);

  it.each(['SIGTERM', 'SIGINT'] as const)(
    `has nothing of it after ${RUNS} runs that a %s ends`,
    async (signal) => {
      const ends = new Set<unknown>();
      for (let run = 0; run < RUNS; run++) {
        const made = keyNamed(keys, NAMES[run % NAMES.length] ?? '');
        // Long enough to be hit in the middle, each time with another command.
        proxy.reset();
        proxy.fault = { delayMs: 60 };
        const child = spawn(PROGRAM[0], argsOf(made, proxy.path), {
          env: envOf(made),
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let said = '';
        child.stderr.on('data', (text: Buffer) => (said += text.toString()));
        const ended = new Promise<NodeJS.Signals | number | null>((resolve) => {
          child.once('close', (code, name) => resolve(name ?? code));
        });
        const commands = 1 + (run % 6);
        for (let waited = 0; waited < 4000 && proxy.exchanges.length < commands; waited++) await sleep(2);
        child.kill(signal);
        ends.add(await ended);
        expect(said).toBe('');
        proxy.reset();
        expect([run, await tpm.leftovers()]).toEqual([run, []]);
      }
      // A run that had what it wanted from the TPM may be faster than the signal.
      expect([...ends].filter((end) => end !== signal && end !== 0)).toEqual([]);
      expect(ends.has(signal)).toBe(true);
    },
    600_000,
  );

  it('keeps what a killed program left, and says how to get rid of it', async () => {
    const full = await new Simulator('tcp', directory).start();
    const slow = await Proxy.start(join(full.directory, 'slow.sock'), full.port);
    try {
      const made = keyNamed(keys, 'o-parent-p256');
      for (let killed = 0; killed < 3; killed++) {
        slow.reset();
        slow.fault = { command: 'Sign', delayMs: 60_000 };
        const child = spawn(PROGRAM[0], argsOf(made, slow.path), {
          env: { ...envOf(made), ...full.env },
          stdio: 'ignore',
        });
        for (let waited = 0; waited < 4000 && !slow.names.includes('Load'); waited++) await sleep(2);
        child.kill('SIGKILL');
        await new Promise((resolve) => child.once('close', resolve));
      }
      // The parent takes a slot of the three while a key is loaded under it.
      expect((await full.leftovers()).length).toBe(2);
      slow.reset();
      const next = await runCli(argsOf(made, full.tcti).slice(1), { env: { ...envOf(made), ...full.env } });
      expect([next.status, next.stderr]).toEqual([3, expect.stringContaining('ERR_TPM_OBJECT_MEMORY') as string]);
      expect(next.stderr).toContain('tpm2_flushcontext -t');
      await full.flush();
      expect((await runCli(argsOf(made, full.tcti).slice(1), { env: { ...envOf(made), ...full.env } })).status).toBe(0);
    } finally {
      await slow.close();
      await full.remove();
    }
  }, 120_000);
});
