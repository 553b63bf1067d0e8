/** certbot and lego, of Debian, with step-ca as their ACME server: `serve` follows what they write. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { flagsOf, runLines, startServe } from '../clients/serve-process.ts';
import { ask } from '../server/support/server.ts';
import { cleanEnv } from '../support/cli.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';
import { requireTool } from '../support/tools.ts';
import { worldFlags } from '../support/vending.ts';
import { type StepCa, findStep, startStepCa } from './support/step.ts';

const programs = await findStep();
const ROUNDS = 5;

/** step-ca asks at port 80 whether the name is theirs. */
const portIsFree = await new Promise<boolean>((done) => {
  const server = createServer();
  server.once('error', () => done(false));
  server.listen(80, '127.0.0.1', () => server.close(() => done(true)));
});

interface Client {
  readonly client: string;
  readonly get: (folder: string, ca: StepCa) => readonly string[];
  readonly again: (folder: string, ca: StepCa) => readonly string[];
  readonly certificate: string;
  readonly key: string;
}

const CLIENTS: readonly Client[] = [
  {
    client: 'certbot',
    get: (folder, ca) => [
      'certonly',
      '--standalone',
      '--non-interactive',
      '--agree-tos',
      '--register-unsafely-without-email',
      '--server',
      `${ca.url}/acme/acme/directory`,
      '-d',
      'localhost',
      '--cert-name',
      'web',
      '--http-01-address',
      '127.0.0.1',
      '--config-dir',
      folder,
      '--work-dir',
      join(folder, 'work'),
      '--logs-dir',
      join(folder, 'logs'),
    ],
    again: (folder) => [
      'renew',
      '--force-renewal',
      '--no-random-sleep-on-renew',
      '--non-interactive',
      '--config-dir',
      folder,
      '--work-dir',
      join(folder, 'work'),
      '--logs-dir',
      join(folder, 'logs'),
    ],
    certificate: 'live/web/fullchain.pem',
    key: 'live/web/privkey.pem',
  },
  {
    client: 'lego',
    get: (folder, ca) => [
      '--server',
      `${ca.url}/acme/acme/directory`,
      '--email',
      'web@example.com',
      '--accept-tos',
      '--path',
      folder,
      '--domains',
      'localhost',
      '--http',
      '--http.port',
      '127.0.0.1:80',
      'run',
    ],
    again: (folder, ca) => [
      '--server',
      `${ca.url}/acme/acme/directory`,
      '--email',
      'web@example.com',
      '--accept-tos',
      '--path',
      folder,
      '--domains',
      'localhost',
      '--http',
      '--http.port',
      '127.0.0.1:80',
      'renew',
      '--days',
      '99999',
      '--no-random-sleep',
    ],
    certificate: 'certificates/localhost.crt',
    key: 'certificates/localhost.key',
  },
];

describe.skipIf(programs === undefined || !portIsFree)('files of ACME clients', () => {
  let ca: StepCa;

  beforeAll(async () => {
    if (programs !== undefined) ca = await startStepCa(programs, { acme: true });
  }, GO_INSTALL_TIMEOUT_MS);

  afterAll(async () => await ca.close());

  for (const { client, get, again, certificate, key } of CLIENTS)
    it.skipIf(!requireTool(client))(
      `of ${client} are followed by serve through ${ROUNDS} renewals`,
      { timeout: 180_000 },
      async () => {
        const folder = mkdtempSync(join(tmpdir(), `ra-${client}-`));
        const run = async (args: readonly string[]): Promise<void> => {
          const env = cleanEnv({ REQUESTS_CA_BUNDLE: ca.root, LEGO_CA_CERTIFICATES: ca.root, HOME: folder });
          await promisify(execFile)(client, [...args], { env });
        };
        await run(get(folder, ca));
        const emulator = await startEmulator({ trustAnchors: [{ certificates: readFileSync(ca.root, 'utf8') }] });
        const serve = await startServe([
          ...flagsOf({ certificate: join(folder, certificate), 'private-key': join(folder, key), port: '0' }),
          ...flagsOf({ 'refresh-before': '1' }),
          ...worldFlags(emulator),
        ]);
        try {
          const env = runLines(serve.lines());
          const port = Number(new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port);
          const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
          const statuses = new Set<number>();
          const polling = new AbortController();
          const poll = (async (): Promise<void> => {
            while (!polling.signal.aborted) {
              statuses.add((await ask({ port }, 'GET', '/credentials', { Authorization: token })).status);
              await sleep(25);
            }
          })();
          const taken = (): number => serve.log().split('"message":"a new certificate is in use"').length - 1;
          for (let round = 1; round <= ROUNDS; round++) {
            await run(again(folder, ca));
            await expect.poll(taken, { timeout: 20_000 }).toBe(round);
          }
          polling.abort();
          await poll;
          expect(statuses).toEqual(new Set([200]));
          expect(emulator.verdicts.filter(({ accepted }) => !accepted)).toEqual([]);
        } finally {
          serve.kill('SIGKILL');
          await serve.exited;
          await emulator.close();
          rmSync(folder, { recursive: true, force: true });
        }
      },
    );
});
