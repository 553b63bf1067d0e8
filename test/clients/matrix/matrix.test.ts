import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv } from '../../support/cli.ts';
import { requireTool } from '../../support/tools.ts';
import { startTestEmulator } from '../../support/vending.ts';
import { identityFlags, runLines, startServe } from '../serve-process.ts';
import type { ServeProcess } from '../serve-process.ts';
import { check } from './check.ts';
import { CLIENTS, isLong } from './clients.ts';
import { FILES, makeReady } from './install.ts';
import { EC2_ADDRESS, WAYS, canIsolate, startWorld } from './world.ts';
import type { Outcome, Way, World } from './world.ts';

/** Network namespaces are Linux's. */
const ISOLATED = requireTool('unshare') && requireTool('ip') && canIsolate();
if (!ISOLATED && process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1')
  throw new Error('no network namespace can be made, and ROLES_ANYWHERE_REQUIRE_TOOLS=1 requires every tool');
const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const READY = ISOLATED ? await makeReady(CLIENTS.filter((client) => LONG || !isLong(client))) : [];

let world: World;

function curl(...args: string[]): Promise<Outcome> {
  return world.run({ file: 'curl', args: ['-sS', '-w', '\n%{http_code}', ...args], ec2Address: true });
}

describe.runIf(READY.length > 0)('of the clients that are here', () => {
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const cells = READY.flatMap((client) =>
    WAYS.filter((way) => way in client.ways).map((way): [string, Way, typeof client] => [client.name, way, client]),
  );

  it.each(cells)(
    '%s gets credentials by %s, with what the page says and no less',
    async (_name, way, client) => {
      expect(await check(world, FILES, client, way)).toBeUndefined();
    },
    // It may be run twice, and each may wait as long as it likes.
    150_000,
  );

  it.runIf(READY.some(({ source }) => source.kind === 'npm'))(
    'the Common Runtime is let in that leaves out port and brackets',
    async () => {
      const outcome = await world.run({
        file: process.execPath,
        args: [join(FILES.npm, 'who-am-i-crt.mjs'), world.endpoint],
        env: { ...world.environment('container'), AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://[::1]:9911/credentials' },
      });
      expect(outcome).toMatchObject({ status: 0, proven: [expect.stringContaining(`/${world.role}/`) as string] });
    },
  );

  describe("at EC2's own address", () => {
    const token = ['-X', 'PUT', '-H', 'X-aws-ec2-metadata-token-ttl-seconds: 60'];

    it('there is IMDS, and nothing else', async () => {
      expect((await curl(...token, `http://${EC2_ADDRESS}/latest/api/token`)).stdout).toMatch(/^[\w-]{56}\n200$/);
      const container = await curl('-H', `Authorization: ${world.token}`, `http://${EC2_ADDRESS}/credentials`);
      expect(container.stdout).toMatch(/\n404$/);
    });

    it('a rebound name is refused as everywhere', async () => {
      const rebound = await curl(...token, '-H', 'Host: attacker.example', `http://${EC2_ADDRESS}/latest/api/token`);
      expect(rebound.stdout).toMatch(/HostNotAllowed.*\n403$/);
    });

    it('whoever comes from another address is refused: the machine answers its neighbours there too', async () => {
      // Stands for a neighbour's.
      await world.run({ file: 'ip', args: ['addr', 'add', '10.9.9.9/32', 'dev', 'lo'], ec2Address: true });
      const foreign = await curl(...token, '--interface', '10.9.9.9', `http://${EC2_ADDRESS}/latest/api/token`);
      expect(foreign.stdout).toMatch(/PeerNotAllowed.*\n403$/);
      const own = await curl(...token, '--interface', '127.0.0.1', `http://${EC2_ADDRESS}/latest/api/token`);
      expect(own.stdout).toMatch(/\n200$/);
    });
  });
});

describe.runIf(READY.some(({ source }) => source.kind === 'library'))('a Go program that holds an IMDS token', () => {
  it('goes on with it over a restart, where the runtime directory stays', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ra-restart-'));
    const emulator = await startTestEmulator();
    const start = (port: string): Promise<ServeProcess> =>
      startServe([...identityFlags(emulator), '--port', port], { env: { RUNTIME_DIRECTORY: folder } });
    let serve = await start('0');
    const endpoint = runLines(serve.lines())['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? '';
    const program = spawn(join(FILES.go, 'go-sdks'), ['sdk-v1-held'], {
      env: cleanEnv({ AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint }),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const answers = createInterface(program.stdout)[Symbol.asyncIterator]();
      expect(await answers.next()).toEqual({ done: false, value: 'us-east-1' });
      serve.kill('SIGTERM');
      await serve.exited;
      serve = await start(new URL(endpoint).port);
      program.stdin.write('\n');
      expect(await answers.next()).toEqual({ done: false, value: 'us-east-1' });
    } finally {
      program.stdin.end();
      serve.kill('SIGTERM');
      await serve.exited;
      await emulator.close();
      rmSync(folder, { recursive: true });
    }
  });
});
