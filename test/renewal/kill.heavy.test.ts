/** A renewal is killed (SIGKILL) at every kind of moment: a reader must find a whole, valid pair, and the next renewal succeed. */
import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IdentitySpec, loadIdentity } from '../../src/identity/load.ts';
import { writePkcs12 } from '../../src/renewal/pkcs12.ts';
import { CLI, cleanEnv } from '../support/cli.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';
import { type StepCa, findStep, startStepCa } from './support/step.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
/** In each of the three forms. */
const KILLS = LONG ? 100 : 17;

const PRELOAD = fileURLToPath(new URL('support/kill-at.cjs', import.meta.url));
const PASSWORD = 'of the container';
const programs = await findStep();

describe.skipIf(programs === undefined)(`${3 * KILLS} kills`, () => {
  let ca: StepCa;

  beforeAll(async () => {
    if (programs !== undefined) ca = await startStepCa(programs);
  }, GO_INSTALL_TIMEOUT_MS);

  afterAll(async () => await ca.close());

  const forms: readonly { form: string; flags: readonly string[]; container?: true }[] = [
    { form: 'a certificate alone', flags: [] },
    { form: 'certificate and a new key, in two files', flags: ['--new-key'] },
    { form: 'PKCS#12 with a new key', flags: ['--new-key'], container: true },
  ];

  it.each(forms)(
    '$form: a reader finds a whole pair after each, and the next renewal succeeds',
    { timeout: 900_000 },
    async ({ flags, container }) => {
      const folder = mkdtempSync(join(tmpdir(), 'ra-kill-'));
      const [certificate, key] = [join(folder, 'web.crt'), join(folder, 'web.key')];
      await ca.issue('web', { certificate, key });
      let spec: IdentitySpec & { certificate: string } = { certificate, privateKey: key };
      if (container === true) {
        const { certificate: leaf, chain } = await loadIdentity(spec);
        spec = { certificate: join(folder, 'web.p12') };
        const pkcs8 = createPrivateKey(readFileSync(key)).export({ type: 'pkcs8', format: 'der' });
        writeFileSync(spec.certificate, await writePkcs12(pkcs8, [leaf, ...chain], Buffer.from(PASSWORD)), {
          mode: 0o600,
        });
      }
      const passwords = { pkcs12: { password: PASSWORD, from: 'the test' } };
      const counts = join(folder, 'calls');
      const run = async (killAt: number, afterMs?: number): Promise<number | null> => {
        const child = spawn(
          process.execPath,
          ['--require', PRELOAD, CLI, 'renew', '--force', '--certificate', spec.certificate]
            .concat(spec.privateKey === undefined ? [] : ['--private-key', spec.privateKey])
            .concat(['--renew-from', `step-ca:${ca.url}`, '--renew-ca', ca.root, ...flags]),
          {
            env: cleanEnv({ KILL_AT: String(killAt), KILL_COUNT: counts, ROLES_ANYWHERE_PKCS12_PASSWORD: PASSWORD }),
            stdio: 'ignore',
          },
        );
        const exited = once(child, 'exit') as Promise<[number | null]>;
        if (afterMs !== undefined) void sleep(afterMs).then(() => child.kill('SIGKILL'));
        return (await exited)[0];
      };
      const began = performance.now();
      expect(await run(0)).toBe(0);
      const wholeMs = performance.now() - began;
      const calls = 2 * Number(readFileSync(counts, 'utf8'));
      expect(calls).toBeGreaterThan(20);

      // A reader beside it, for as long as it goes on.
      const serials = new Set<string>();
      const reading = new AbortController();
      let reads = 0;
      const reader = (async (): Promise<void> => {
        while (!reading.signal.aborted) {
          const identity = await loadIdentity(spec, { passwords });
          serials.add(identity.serialNumber);
          await identity.close();
          reads += 1;
          await sleep(20);
        }
      })();
      let killed = 0;
      const whole: (number | null)[] = [];
      for (let round = 0; round < KILLS; round++) {
        // One in three by the clock, the others at each call in turn.
        const byTime = round % 3 === 0;
        const status = byTime
          ? await run(0, Math.random() * wholeMs)
          : await run(1 + Math.floor((round / KILLS) * calls) + (round % 2));
        if (status === null) killed += 1;
        // Now and then one comes through.
        if (round % 5 === 4) whole.push(await run(0));
        const identity = await loadIdentity(spec, { passwords });
        await identity.close();
      }
      reading.abort();
      await reader;
      expect(killed).toBeGreaterThan(KILLS / 2);
      expect(new Set(whole)).toEqual(new Set([0]));
      expect(reads).toBeGreaterThan(KILLS);
      const { serialNumber: before } = await loadIdentity(spec, { passwords });
      expect(await run(0)).toBe(0);
      expect((await loadIdentity(spec, { passwords })).serialNumber).not.toBe(before);
      expect(serials.size).toBeGreaterThan(1);
      // No key lies about but those in use, and the ones before.
      expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      expect(readdirSync(folder).filter((name) => name.includes('.pair-')).length).toBeLessThanOrEqual(2);
      rmSync(folder, { recursive: true });
    },
  );
});
