/** Programs in processes of their own, for the benchmarks of `serve`: its own, AWS's helper's, and bare servers. */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PKI = 'certs-dev/out/';

/** An identity of the development PKI. */
const IDENTITY = {
  certificate: `${PKI}ec-p256.crt.pem`,
  'private-key': `${PKI}ec-p256.key.pem`,
  intermediates: `${PKI}intermediate.pem`,
};

/** Token files go there. */
const runtimeDir = mkdtempSync(join(tmpdir(), 'ra-bench-'));
process.on('exit', () => rmSync(runtimeDir, { recursive: true, force: true }));

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it had printed by then. */
  readonly out: string;
}

/** Runs a program, and waits until `until` is in what it prints, on either stream. */
export async function startProgram(program: string, args: readonly string[], until: string): Promise<Started> {
  const env = { PATH: process.env['PATH'], XDG_RUNTIME_DIR: runtimeDir };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        if (!out.includes(until)) out += chunk.toString();
        if (out.includes(until)) resolve();
      });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program} ${args.join(' ')} ended with ${code}\n${out}`)));
  });
  return { child, pid: child.pid ?? 0, out };
}

/** Runs Node. */
export async function start(args: readonly string[], until: string, node = process.execPath): Promise<Started> {
  return await startProgram(node, args, until);
}

/** What `emulator` prints of its world, as flags. */
export function worldFlags(emulator: Started): Record<string, string> {
  const json = emulator.out.slice(emulator.out.indexOf('{'), emulator.out.lastIndexOf('}') + 1);
  const world = JSON.parse(json) as Record<'url' | 'trustAnchorArn' | 'profileArn' | 'roleArn', string>;
  return {
    endpoint: world.url,
    'role-arn': world.roleArn,
    'trust-anchor-arn': world.trustAnchorArn,
    'profile-arn': world.profileArn,
  };
}

/** An emulator in a process of its own. */
export async function startEmulatorProgram(cli = 'dist/cli.cjs'): Promise<Started> {
  return await start([cli, 'emulator', '--trust-anchor', `${PKI}root.pem`, '--port', '0'], '}');
}

export interface Serving extends Started {
  readonly port: number;
  /** Of the container endpoint. */
  readonly token: string;
}

/** Starts `serve` on any free port, and waits until it has printed its lines. */
export async function startServe(
  cli: string,
  flags: Readonly<Record<string, string>>,
  node = process.execPath,
  switches: readonly string[] = [],
): Promise<Serving> {
  return await startServeOf(node, [cli], flags, switches);
}

/** The same of a program that is started by itself: the executable. */
export async function startServeOf(
  program: string,
  before: readonly string[],
  flags: Readonly<Record<string, string>>,
  switches: readonly string[] = [],
): Promise<Serving> {
  const started = await startProgram(
    program,
    [...before, 'serve', ...switches, ...flagsOf({ port: '0', shell: 'sh', ...IDENTITY, ...flags })],
    'AWS_EC2_METADATA_SERVICE_ENDPOINT',
  );
  const port = Number(/CREDENTIALS_FULL_URI=\W?http:\/\/[^:]+:(\d+)/.exec(started.out)?.[1]);
  const files = readdirSync(runtimeDir, { recursive: true }).map(String);
  const file = files.find((name) => name.endsWith(`-${port}.token`)) ?? '';
  return { ...started, port, token: readFileSync(join(runtimeDir, file), 'utf8') };
}

/** AWS's helper, which answers by IMDSv2 alone. It says nothing of its start, so it is asked until it answers. */
export async function startHelper(
  helper: string,
  flags: Readonly<Record<string, string>>,
): Promise<Started & { readonly port: number }> {
  const port = await freePort();
  const args = ['serve', ...flagsOf({ port: String(port), ...IDENTITY, ...flags })];
  const child = spawn(helper, args, { env: { PATH: process.env['PATH'] }, stdio: 'ignore' });
  for (let tries = 0; !(await answers(port)); tries++) {
    if (child.exitCode !== null || tries === 200) throw new Error(`${helper} serve does not answer`);
    await sleep(50);
  }
  return { child, pid: child.pid ?? 0, out: '', port };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.destroy());
    socket.once('error', () => resolve(false)).once('close', (hadError) => resolve(!hadError));
  });
}

/** Ends a program for good. */
export function end({ child }: Started): void {
  child.removeAllListeners('exit').kill('SIGKILL');
}

/** Flags that take a value, as arguments. */
function flagsOf(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);
}
