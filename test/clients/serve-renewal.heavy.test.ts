/** A server that keeps its certificate renewed by step-ca, under clients that poll it. */
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { writePkcs12 } from '../../src/renewal/pkcs12.ts';
import { type StepCa, findStep, startStepCa } from '../renewal/support/step.ts';
import { ask } from '../server/support/server.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';
import { worldFlags } from '../support/vending.ts';
import { flagsOf, runLines, startServe } from './serve-process.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const RENEWALS = LONG ? 500 : 30;
const PASSWORD = 'of the container';
const RENEWED = '"message":"the certificate was renewed"';

const programs = await findStep();

describe.skipIf(programs === undefined).concurrent('serve --renew', () => {
  let ca: StepCa;

  beforeAll(async () => {
    if (programs !== undefined) ca = await startStepCa(programs, { life: '20s' });
  }, GO_INSTALL_TIMEOUT_MS);

  afterAll(async () => await ca.close());

  const forms: readonly { form: string; flags: readonly string[]; container?: true }[] = [
    { form: 'with the same key', flags: [] },
    { form: 'with a new key each time', flags: ['--new-key'] },
    { form: 'in PKCS#12, with a new key each time', flags: ['--new-key'], container: true },
  ];

  it.concurrent.each(forms)(
    `${RENEWALS} renewals $form: no request fails, and each CreateSession verifies`,
    { timeout: LONG ? 3_600_000 : 300_000 },
    async ({ flags, container }) => {
      const folder = mkdtempSync(join(tmpdir(), 'ra-serve-renewal-'));
      const [crt, key, audit] = [join(folder, 'web.crt'), join(folder, 'web.key'), join(folder, 'audit.log')];
      await ca.issue('web', { certificate: crt, key });
      let identity = flagsOf({ certificate: crt, 'private-key': key });
      if (container === true) {
        const { certificate, chain } = await loadIdentity({ certificate: crt, privateKey: key });
        const pkcs8 = createPrivateKey(readFileSync(key)).export({ type: 'pkcs8', format: 'der' });
        const file = join(folder, 'web.p12');
        writeFileSync(file, await writePkcs12(pkcs8, [certificate, ...chain], Buffer.from(PASSWORD)), { mode: 0o600 });
        identity = flagsOf({ certificate: file });
      }
      const emulator = await startEmulator({ trustAnchors: [{ certificates: readFileSync(ca.root, 'utf8') }] });
      const serve = await startServe(
        [
          ...identity,
          ...flagsOf({ port: '0', 'refresh-before': '1', 'metrics-listen': '0', 'audit-log': audit }),
          '--renew',
          ...flagsOf({ 'renew-from': `step-ca:${ca.url}`, 'renew-ca': ca.root, at: '99%' }),
          ...flags,
          ...worldFlags(emulator),
        ],
        { env: { ROLES_ANYWHERE_PKCS12_PASSWORD: PASSWORD } },
      );
      try {
        const env = runLines(serve.lines());
        const port = Number(new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port);
        const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
        const statuses = new Map<number, number>();
        const polling = new AbortController();
        const client = async (): Promise<void> => {
          while (!polling.signal.aborted) {
            const { status } = await ask({ port }, 'GET', '/credentials', { Authorization: token });
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
            await sleep(25);
          }
        };
        const clients = Promise.all([client(), client()]);
        const renewals = (): number => serve.log().split(RENEWED).length - 1;
        while (renewals() < RENEWALS) await sleep(100);
        polling.abort();
        await clients;
        const polls = [...statuses.values()].reduce((sum, count) => sum + count, 0);
        console.info(`${RENEWALS} renewals: ${polls} polls, ${polls - (statuses.get(200) ?? 0)} failed`);
        expect([...statuses.keys()]).toEqual([200]);
        expect(emulator.verdicts.filter(({ accepted }) => !accepted)).toEqual([]);
        // Each certificate was taken up, if only the last before the next session.
        expect(emulator.verdicts.length).toBeGreaterThan(RENEWALS / 4);
        expect(serve.log()).not.toContain('is not renewed');
        expect(serve.log()).not.toContain('BEGIN');

        const status = Number(/health and metrics are served.*?"port":(\d+)/.exec(serve.log())?.[1]);
        const { body } = await ask({ port: status }, 'GET', '/metrics');
        expect(Number(/renewals_total\{result="success"\} (\d+)/.exec(body)?.[1])).toBeGreaterThanOrEqual(RENEWALS);
        expect(body).toContain('roles_anywhere_renewals_total{result="failure"} 0');
        expect(body).toMatch(/roles_anywhere_renewal_last_success_timestamp_seconds \d{10}\n/);
        // The line of the last one may be on its way.
        const lines = readFileSync(audit, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as { event?: string });
        expect(lines.filter(({ event }) => event === 'certificate renewed').length).toBeGreaterThanOrEqual(
          RENEWALS - 1,
        );
      } finally {
        serve.kill('SIGKILL');
        await serve.exited;
        await emulator.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});

describe.skipIf(programs === undefined).concurrent('a CA that is away', () => {
  it(
    'costs no request while the session lasts, makes the server not ready near the end, and is made up for',
    { timeout: 240_000 },
    async () => {
      if (programs === undefined) return;
      const ca = await startStepCa(programs, { life: '20s' });
      const folder = mkdtempSync(join(tmpdir(), 'ra-serve-renewal-'));
      const [certificate, key] = [join(folder, 'web.crt'), join(folder, 'web.key')];
      // 100 seconds are left: 25 until it is due, and 50 in its last twentieth, when the CA comes back.
      await ca.issue('web', { certificate, key }, '--not-before=-15m', '--not-after=16m40s');
      await ca.stop();
      const emulator = await startEmulator({ trustAnchors: [{ certificates: readFileSync(ca.root, 'utf8') }] });
      const serve = await startServe([
        ...flagsOf({ certificate, 'private-key': key, port: '0', 'metrics-listen': '0' }),
        '--renew',
        ...flagsOf({ 'renew-from': `step-ca:${ca.url}`, 'renew-ca': ca.root, at: '75s' }),
        ...worldFlags(emulator),
      ]);
      try {
        const env = runLines(serve.lines());
        const port = Number(new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port);
        const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
        const status = Number(/health and metrics are served.*?"port":(\d+)/.exec(serve.log())?.[1]);
        const ready = async (): Promise<number> => (await ask({ port: status }, 'GET', '/readyz')).status;
        expect(await ready()).toBe(200);
        await serve.until('"level":"warn","message":"the certificate is not renewed');
        await serve.until('THE CERTIFICATE ENDS IN');
        expect(await ready()).toBe(503);
        expect((await ask({ port }, 'GET', '/credentials', { Authorization: token })).status).toBe(200);
        await ca.start();
        await serve.until(RENEWED);
        while ((await ready()) !== 200) await sleep(100);
      } finally {
        serve.kill('SIGTERM');
        await serve.exited;
        await ca.close();
        await emulator.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
