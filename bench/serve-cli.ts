/** The built program in a process of its own, for the benchmarks of `serve`. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const PKI = 'certs-dev/out/';

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
  /** What it had printed on stdout by then. */
  readonly out: string;
}

/** Runs Node with `args`, and waits until `until` is on stdout. */
export async function start(args: readonly string[], until: string, node = process.execPath): Promise<Started> {
  const env = { PATH: process.env['PATH'], XDG_RUNTIME_DIR: runtimeDir };
  const child = spawn(node, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err = (err + chunk.toString()).slice(-2000)));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes(until)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}\n${err}`)));
  });
  return { child, pid: child.pid ?? 0, out };
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
  node?: string,
  switches: readonly string[] = [],
): Promise<Serving> {
  const started = await start(
    [cli, 'serve', ...switches, ...flagsOf({ port: '0', shell: 'sh', ...IDENTITY, ...flags })],
    'AWS_EC2_METADATA_SERVICE_ENDPOINT',
    node,
  );
  const port = Number(/CREDENTIALS_FULL_URI=\W?http:\/\/[^:]+:(\d+)/.exec(started.out)?.[1]);
  const files = readdirSync(runtimeDir, { recursive: true }).map(String);
  const file = files.find((name) => name.endsWith(`-${port}.token`)) ?? '';
  return { ...started, port, token: readFileSync(join(runtimeDir, file), 'utf8') };
}

/** Flags that take a value, as arguments. */
function flagsOf(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Resident memory, in MiB. */
export function rssMiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1024;
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
