/**
 * What all the benchmarks share: whole processes, interleaved so that what else the machine does falls on all of them alike;
 * samples with their spread; tables and JSON.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

/** One thing to measure. */
export interface Variant {
  readonly name: string;
  /** What is run; default Node. */
  readonly program?: string | undefined;
  readonly args: readonly string[];
  /** Besides the bare environment that all have. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** The names of those that it is compared to, as far as they are there. Default: the first one. */
  readonly over?: readonly string[] | undefined;
}

/** Samples of one quantity. */
export interface Spread {
  readonly median: number;
  /** First and third. */
  readonly quartiles: readonly [number, number];
}

/** What a run costs besides time. */
export interface Resources {
  /** Processor time of a run, in milliseconds. */
  readonly userMs: Spread;
  readonly systemMs: Spread;
  /** Peak of its resident memory. */
  readonly peakMiB: Spread;
}

export interface Result {
  readonly name: string;
  /** From spawn to exit, in milliseconds. */
  readonly wallMs: Spread;
  /** Wall time over the median of each of those that it is compared to. */
  readonly over: Readonly<Record<string, Spread>>;
  /** Where there is Python. */
  readonly resources?: Resources | undefined;
}

export interface Results {
  readonly node: string;
  readonly runs: number;
  readonly variants: readonly Result[];
}

/** NODE_EXTRA_CA_CERTS alone makes bare Node 20 three times slower: nothing of the shell's environment is passed on. */
export const CLEAN_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', LANG: 'C.UTF-8' };
const WARM_UP_ROUNDS = 2;

/** @throws Error when a run does not exit with 0: a failure is fast, and no measurement */
export async function measure(node: string, variants: readonly Variant[], runs: number): Promise<Results> {
  const times = variants.map((): number[] => []);
  for (let round = -WARM_UP_ROUNDS; round < runs; round += 1) {
    for (const index of shuffled(variants.length)) {
      const elapsed = await timeOnce(node, variants[index]!);
      if (round >= 0) times[index]!.push(elapsed);
    }
  }
  const medianOf = (name: string): number =>
    median(times[variants.findIndex((variant) => variant.name === name)] ?? []);
  return {
    node: versionOf(node),
    runs,
    variants: variants.map(({ name, over = [variants[0]?.name ?? ''] }, index) => ({
      name,
      wallMs: spreadOf(times[index]!),
      over: Object.fromEntries(
        over
          .filter((other) => variants.some((variant) => variant.name === other))
          .map((other) => [other, spreadOf(times[index]!.map((ms) => ms / medianOf(other)))]),
      ),
    })),
  };
}

/** The same with what the processes need of processor and memory, of runs of their own. */
export async function measureAll(node: string, variants: readonly Variant[], runs: number): Promise<Results> {
  const { variants: timed, ...rest } = await measure(node, variants, runs);
  const resources = await resourcesOf(node, variants, runs);
  return {
    ...rest,
    variants: timed.map(({ name, wallMs, over }, index) => ({ name, wallMs, over, resources: resources?.[index] })),
  };
}

/** Node gives no word of what a child needed, Python does; undefined where there is none. */
async function resourcesOf(node: string, variants: readonly Variant[], runs: number): Promise<Resources[] | undefined> {
  const commands = variants.map(({ program = node, args, env }) => ({
    command: [program, ...args],
    env: { ...CLEAN_ENV, ...env },
  }));
  const child = spawn('python3', ['bench/resources.py'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const isThere = await new Promise<boolean>((resolve) => {
    child.once('spawn', () => resolve(true)).once('error', () => resolve(false));
  });
  if (!isThere) {
    console.log('processor time and peak memory are left out: they need python3');
    return undefined;
  }
  child.stdin.end(JSON.stringify({ runs, commands }));
  const [out, [status]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>]);
  if (status !== 0) throw new Error(`resources.py ended with ${status}`);
  const found = JSON.parse(out) as { user: number[]; system: number[]; peakKiB: number[] }[];
  return found.map(({ user, system, peakKiB }) => ({
    userMs: spreadOf(user.map((seconds) => seconds * 1000)),
    systemMs: spreadOf(system.map((seconds) => seconds * 1000)),
    peakMiB: spreadOf(peakKiB.map((kib) => kib / 1024)),
  }));
}

/** The version of a Node, such as 24.11.0. */
export function versionOf(node: string): string {
  return execFileSync(node, ['-p', 'process.versions.node'], { env: CLEAN_ENV, encoding: 'utf8' }).trim();
}

async function timeOnce(node: string, { name, program = node, args, env }: Variant): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, { env: { ...CLEAN_ENV, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  const [status] = (await once(child, 'exit')) as [number | null];
  const elapsed = performance.now() - started;
  if (status !== 0) throw new Error(`${name} ended with status ${status}\n${errors}`);
  return elapsed;
}

/** The numbers from 0, in random order. */
export function shuffled(length: number): number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

/** By linear interpolation. */
function quantile(samples: readonly number[], fraction: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = samples.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

export function spreadOf(samples: readonly number[]): Spread {
  return { median: median(samples), quartiles: [quantile(samples, 0.25), quantile(samples, 0.75)] };
}

/** Of pairs of neighbouring rounds, in which the machine was as fast for both: one over the other. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): Spread {
  return spreadOf(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

/** `0.94 (0.90 to 0.97)`: the median, and the middle half. */
export function show({ median: middle, quartiles }: Spread, digits = 2): string {
  return `${middle.toFixed(digits)} (${quartiles.map((value) => value.toFixed(digits)).join(' to ')})`;
}

/** Lines of text with columns, the first of them to the left. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const padded = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(padded).join('  ').trimEnd()).join('\n');
}

/** The file of `--json`, where it was asked for. */
export function writeJson(file: string | undefined, results: unknown): void {
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** Resident memory of a process, in MiB. */
export function rssMiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1024;
}

/** User and system time of a process so far, in milliseconds (proc(5): clock ticks of 10 ms). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Keeps a process on one core, where the system has `taskset` (util-linux) and two cores. */
export function pin(pid: number, core: number): boolean {
  return spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)]).status === 0;
}
