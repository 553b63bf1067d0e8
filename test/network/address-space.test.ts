/** The built program and the library through a proxy, where the space of addresses is limited (RLIMIT_AS) or nothing may be compiled. */
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { spawnServe } from '../clients/serve-process.ts';
import { makeAuthority } from '../http/support/pki.ts';
import { CLI, IS_EXECUTABLE, PKI, PROGRAM, runProgram } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import type { ConnectProxy } from '../support/connect-proxy.ts';
import { newerNode } from '../support/newer-node.ts';
import { requireTool } from '../support/tools.ts';
import { credentialsIn, line, startTlsEmulator } from './support.ts';

const LIMITED = fileURLToPath(new URL('limited.mjs', import.meta.url));
const GIB = 1024 ** 3;
/** From what the program needs at least, over those where one instance of WebAssembly has room, to those where four do not. */
const LIMITS = [2, 4, 8, 12, 16, 20, 24];
const NODES: readonly (readonly [string, string])[] = [
  ['this Node', process.execPath],
  ...[newerNode()].flatMap((path) =>
    path === undefined || path === process.execPath ? [] : [['a newer Node', path] as const],
  ),
];

let dir: string;
let ca: string;
let root: string;
let emulator: Emulator;
let proxy: ConnectProxy;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-limits-'));
  const authority = await makeAuthority('Service');
  emulator = await startTlsEmulator(await authority.issue(['127.0.0.1', 'service.test']));
  proxy = await startConnectProxy({ leadTo: Number(new URL(emulator.tlsUrl ?? '').port) });
  root = authority.root;
  ca = join(dir, 'ca.pem');
  writeFileSync(ca, root);
});
afterAll(async () => {
  await proxy.close();
  await emulator.close();
  rmSync(dir, { recursive: true });
});

const through = (): string[] => ['--ca-bundle', ca, '--proxy', `http://127.0.0.1:${proxy.port}`];
const limited = (gib: number): string[] => ['prlimit', `--as=${gib * GIB}`];

const programOf = (node: string): readonly string[] => (IS_EXECUTABLE ? PROGRAM : [node, CLI]);

function run([file = '', ...args]: readonly string[]): Promise<CliResult> {
  return runProgram(file, args);
}

describe.runIf(requireTool('prlimit')).each(NODES)('under a limit on addresses, %s', (_name, node) => {
  it.each(LIMITS)('vends through a proxy with %d GiB', async (gib) => {
    const { status, stderr, stdout } = await run([
      ...limited(gib),
      ...programOf(node),
      ...line(emulator, 'https://service.test', through()),
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(credentialsIn(stdout)).toMatchObject({ Version: 1 });
  });

  it.each(LIMITS)('keeps an application alive that uses the library with %d GiB', async (gib) => {
    const options = {
      certificate: `${PKI}ec-p256.crt.pem`,
      privateKey: `${PKI}ec-p256.key.pem`,
      intermediates: readFileSync(`${PKI}intermediate.pem`, 'utf8'),
      trustAnchorArn: emulator.trustAnchorArns[0],
      profileArn: emulator.profileArns[0],
      roleArn: emulator.roleArns[0],
      endpoint: 'https://service.test',
      url: 'https://service.test/nothing',
      proxy: `http://127.0.0.1:${proxy.port}`,
      ca: root,
    };
    const { status, stdout, stderr } = await run([...limited(gib), node, LIMITED, JSON.stringify(options)]);
    expect({ status, stderr, stdout: stdout.trim() }).toEqual({
      status: 0,
      stderr: '',
      stdout: JSON.stringify({ vended: true, status: 404 }),
    });
  });

  it.each([2, 12])('serves through a proxy with %d GiB', async (gib) => {
    const args = line(emulator, 'https://service.test', through()).slice(1);
    const server = spawnServe([...args, '--port', '0'], { command: limited(gib), program: programOf(node) });
    await server.until('credentials');
    server.kill('SIGTERM');
    await server.exited;
    expect(server.log()).not.toMatch(/ERR_INTERNAL|RangeError|Out of memory/);
    expect(server.log()).toMatch(/credentials/);
  });
});

describe.skipIf(IS_EXECUTABLE)(
  'a Node that may not compile (--jitless, as memory that cannot be made executable asks for)',
  () => {
    it('vends through a proxy', async () => {
      const { status, stderr, stdout } = await run([
        process.execPath,
        '--jitless',
        CLI,
        ...line(emulator, 'https://service.test', through()),
      ]);
      // Node 20 says of itself that it has no WebAssembly then.
      const said = stderr.replace(/^Warning: disabling flag --expose_wasm.*\n/, '');
      expect({ status, said }).toEqual({ status: 0, said: '' });
      expect(credentialsIn(stdout)).toMatchObject({ Version: 1 });
    });
  },
);
