/** The built emulator, killed while it works: what it answered is what it knows when it is back. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openJournal } from '../../src/emulator/state/journal.ts';
import { createState } from '../../src/emulator/state/state.ts';
import { certificatePem, makeAuthority, makeClient } from '../emulator/support/world.ts';
import { draft, send, signed } from '../emulator/support/signed-request.ts';
import { cleanEnv, PROGRAM } from '../support/cli.ts';

const HOUR_MS = 3_600_000;
const VALIDITY = { notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + 24 * HOUR_MS) };

let directory: string;
let running: ChildProcess | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'roles-anywhere-restart-'));
});
afterEach(async () => {
  await kill();
  rmSync(directory, { recursive: true });
});

async function start(): Promise<string> {
  const args = [
    ...PROGRAM.slice(1),
    'emulator',
    '--port',
    '0',
    '--world',
    join(directory, 'world.yaml'),
    '--state-dir',
    join(directory, 'state'),
  ];
  running = spawn(PROGRAM[0], args, { env: cleanEnv(), stdio: ['ignore', 'pipe', 'ignore'] });
  const { stdout } = running;
  if (stdout === null) throw new Error('it has no stdout');
  for await (const line of createInterface({ input: stdout })) return (JSON.parse(line) as { url: string }).url;
  throw new Error('it ended before it was ready');
}

async function kill(): Promise<void> {
  if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
  const ended = once(running, 'exit');
  running.kill('SIGKILL');
  await ended;
}

interface Vended {
  subjectArn: string;
  credentialSet: [{ credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string } }];
}

it('keeps every session that it answered with, when it is killed in the middle of others', async () => {
  const root = await makeAuthority('root', VALIDITY);
  writeFileSync(join(directory, 'root.pem'), certificatePem(root.certificate));
  writeFileSync(join(directory, 'world.yaml'), 'trustAnchors:\n  - certificateFile: root.pem\n');
  const clients = await Promise.all(
    Array.from({ length: 8 }, (_, index) => makeClient(root, { subject: `CN=client-${index}`, ...VALIDITY })),
  );
  const url = await start();
  const answered: Vended[] = [];
  let isKilled = false;
  const work = clients.map(async (client) => {
    while (!isKilled) {
      const request = signed(draft(client, url, { now: new Date() }), client);
      const reply = await send(url, request).catch(() => undefined);
      if (reply?.status === 201) answered.push(JSON.parse(reply.body) as Vended);
      if (answered.length >= 60 && !isKilled) {
        isKilled = true;
        await kill();
      }
    }
  });
  await Promise.all(work);

  const again = await start();
  for (const { credentialSet } of answered.slice(-10)) {
    const { accessKeyId, secretAccessKey, sessionToken } = credentialSet[0].credentials;
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const sts = new STSClient({ endpoint: again, region: 'us-east-1', credentials });
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    expect(Arn).toMatch(/assumed-role\/Workload\//);
  }
  await kill();
  const state = createState();
  await (await openJournal(join(directory, 'state'), state)).close();
  const known = new Set(state.list('subjects').map(({ arn }) => arn));
  expect(answered.filter(({ subjectArn }) => !known.has(subjectArn))).toEqual([]);
  expect(answered.length).toBeGreaterThanOrEqual(60);
});
