/**
 * `npm run fuzz`: gives every reader of foreign input what nobody would write. What is a find, what the figures mean
 * and how one is repeated: docs/reliability.md.
 *
 * Usage: npm run fuzz -- [--seed SEED] [--inputs N] [--jobs N] [--input FILE] [--profile FOLDER] [--record] [--list] [TARGET ...]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import { BANNER, type Edges, instrument } from './harness/instrument.ts';
import { type Find, HEADER_BYTES, type Job, type Report, type Result, type Skipped } from './harness/job.ts';

const root = dirname(dirname(dirname(resolve(process.argv[1] ?? ''))));
process.chdir(root);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: process.env['FUZZ_SEED'] ?? String(randomInt(2 ** 32)) },
    inputs: { type: 'string', default: process.env['FUZZ_INPUTS'] ?? '1000000' },
    jobs: { type: 'string', default: process.env['FUZZ_JOBS'] ?? '2' },
    input: { type: 'string' },
    list: { type: 'boolean', default: false },
    profile: { type: 'string' },
    record: { type: 'boolean', default: false },
    targets: { type: 'string', default: 'test/fuzz/targets.ts' },
  },
});
const seconds = number('FUZZ_SECONDS', process.env['FUZZ_SECONDS'] ?? 'Infinity');
const inputs = number('--inputs', values.inputs);
const jobs = number('--jobs', values.jobs);
if (values.input !== undefined && positionals.length !== 1) throw usageError('--input takes the name of one target');

/** The heap of a target, and all that its process may come to take. */
const MAX_HEAP_MIB = 256;
const MAX_MIB = 640;
/** How long an input may take on the processor, and in all, before the process that runs it is ended. */
const HANG_CPU_MS = 1500;
const HANG_MS = 30_000;

/** What the runs of each target gave, as docs/reliability.md shows it. */
const RESULTS = 'test/fuzz/results.json';

const scratch = mkdtempSync(join(quickFolder(), 'roles-anywhere-fuzz-'));
const built = join(root, 'node_modules/.cache', `fuzz.${process.pid}`);
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
  rmSync(built, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

const edges: Edges = { count: 0, words: [] };
const names = await build();
if (values.list) console.log(names.join('\n'));
else process.exitCode = await fuzz();

async function fuzz(): Promise<number> {
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw usageError(`no target ${unknown.join(', ')}; there are ${names.join(', ')}`);
  const words: Record<number, (string | number)[]> = {};
  for (const [edge, word] of edges.words) (words[edge] ??= []).push(word);
  console.error(`seed ${values.seed}: --seed ${values.seed} repeats this run; ${edges.count} edges in the sources`);

  const waiting = positionals.length > 0 ? positionals.slice() : names.slice();
  const rows: (readonly string[])[] = [];
  let found = 0;
  const work = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { input, seed } = values;
      const job: Job = {
        target: name,
        seed,
        inputs,
        seconds,
        input: input === undefined ? undefined : resolve(input),
        file: join(scratch, name),
        edges: edges.count,
        words,
        maxMib: MAX_MIB,
      };
      let report = await runTarget(job);
      const hung = 'skipped' in report ? undefined : report.finds.find(({ kind }) => kind === 'hang');
      if (hung !== undefined) {
        // A machine that stands still for a while charges it to whoever ran. The same seed comes to the same input again.
        console.error(`${name}: ${hung.text}: once more from the start`);
        report = await runTarget(job);
      }
      if ('skipped' in report) {
        console.error(`${name}: skipped: ${report.skipped}`);
        continue;
      }
      rows.push([
        name,
        report.inputs.toLocaleString('en'),
        Math.round(report.inputs / Math.max(report.seconds, 0.001)).toLocaleString('en'),
        report.cpuSeconds.toFixed(1),
        report.edges.toLocaleString('en'),
        report.corpus.toLocaleString('en'),
        report.slowestMs.toFixed(1),
        report.peakMib.toFixed(0),
        String(report.finds.length),
      ]);
      if (values.record) record(name, report);
      for (const find of report.finds) {
        found++;
        show(name, find);
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const order = new Map(names.map((name, index) => [name, index]));
  rows.sort(([a = ''], [b = '']) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  console.log(
    table(['target', 'inputs', 'inputs/s', 'processor s', 'edges', 'corpus', 'slowest ms', 'peak MiB', 'finds'], rows),
  );
  console.error(found === 0 ? 'nothing was found' : `${found} found`);
  return found === 0 ? 0 : 1;
}

/**
 * Writes the figures of a run down for docs/reliability.md: those of another seed are added to what is there, and one of the
 * same stands in the place of what was shorter.
 */
function record(target: string, report: Report): void {
  const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, Result>;
  const known = results[target];
  const isAgain = known?.seeds.includes(values.seed) === true;
  if (isAgain && report.finds.length === 0 && report.inputs < known.inputs) return;
  const before = isAgain ? undefined : known;
  results[target] = {
    seeds: [...(before?.seeds ?? []), values.seed],
    inputs: (before?.inputs ?? 0) + report.inputs,
    cpuSeconds: Math.round(((before?.cpuSeconds ?? 0) + report.cpuSeconds) * 10) / 10,
    edges: Math.max(before?.edges ?? 0, report.edges),
    slowestMs: Math.max(before?.slowestMs ?? 0, Math.round(report.slowestMs * 10) / 10),
    peakMib: Math.max(before?.peakMib ?? 0, Math.round(report.peakMib)),
    finds: (before?.finds ?? 0) + report.finds.length,
  };
  const sorted = Object.fromEntries(
    names.flatMap((name) => (results[name] === undefined ? [] : [[name, results[name]]])),
  );
  writeFileSync(RESULTS, `${JSON.stringify(sorted, null, 2)}\n`);
}

/** Bundles the targets with counters in the sources, and says what the targets are called. */
async function build(): Promise<string[]> {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const targets = resolve(values.targets);
  const bundle = await rolldown({
    input: { worker: 'test/fuzz/harness/worker.ts', targets },
    platform: 'node',
    external: /^[^./]/,
    plugins: [
      { name: 'targets', resolveId: (source) => (source === '../targets.ts' ? targets : null) },
      instrument(join(root, 'src'), edges),
    ],
    transform: { define: { PACKAGE_VERSION: JSON.stringify(version) } },
    logLevel: 'silent',
  });
  mkdirSync(built, { recursive: true });
  await bundle.write({
    dir: built,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
    banner: BANNER,
  });
  await bundle.close();
  const { TARGETS } = (await import(join(built, 'targets.mjs'))) as { TARGETS: Readonly<Record<string, unknown>> };
  return Object.keys(TARGETS);
}

/** Runs a target in a process of its own and watches over it. */
function runTarget(job: Job): Promise<Report | Skipped> {
  writeFileSync(job.file, '');
  const began = performance.now();
  const child = fork(join(built, 'worker.mjs'), {
    execArgv: [
      `--max-old-space-size=${MAX_HEAP_MIB}`,
      ...(values.profile === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${join(resolve(values.profile), job.target)}`]),
    ],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: { PATH: process.env['PATH'], HOME: scratch, TMPDIR: scratch, TZ: 'UTC' },
  });
  running.add(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)));
  let [report, killed, last, since, cpuSince]: [
    Report | Skipped | undefined,
    string | undefined,
    number,
    number,
    number,
  ] = [undefined, undefined, -1, began, 0];
  child.on('message', (message: Report | Skipped) => (report = message));
  const watch = setInterval(() => {
    const { run } = currentInput(job.file);
    const [now, cpu] = [performance.now(), cpuTime(child.pid)];
    if (run !== last) [last, since, cpuSince] = [run, now, cpu];
    else if (run > 0 && (cpu - cpuSince > HANG_CPU_MS || now - since > HANG_MS)) {
      killed = `no end after ${((now - since) / 1000).toFixed(1)} s`;
      child.kill('SIGKILL');
    }
  }, 250);
  child.send(job);
  return new Promise((done) => {
    child.on('close', (status, signal) => {
      clearInterval(watch);
      running.delete(child);
      if (report !== undefined) {
        done(report);
        return;
      }
      const { count, input } = currentInput(job.file);
      const kind = killed !== undefined ? 'hang' : 'crash';
      const text = killed ?? `the process ended (status ${status}, signal ${signal}): ${said}`;
      const took = (performance.now() - began) / 1000;
      const find: Find = { kind, text, input: input.toString('base64') };
      done({
        inputs: count,
        seconds: took,
        cpuSeconds: took,
        edges: 0,
        corpus: 0,
        slowestMs: 0,
        peakMib: 0,
        finds: [find],
      });
    });
  });
}

/** The input that a process is at, or was at when it ended; and the number of the run, for one may be run more than once. */
function currentInput(file: string): { readonly count: number; readonly run: number; readonly input: Buffer } {
  const bytes = readFileSync(file);
  if (bytes.length < HEADER_BYTES) return { count: 0, run: 0, input: Buffer.of() };
  const length = bytes.readUInt32LE(4);
  return {
    count: bytes.readUInt32LE(0),
    run: bytes.readUInt32LE(8),
    input: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length),
  };
}

/** What a process has had of the processor, in milliseconds; the wall's time where the system does not say. */
function cpuTime(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return performance.now();
  }
}

/** Keeps a find where it can be run again from. */
function show(target: string, { kind, text, input }: Find): void {
  const bytes = Buffer.from(input, 'base64');
  const folder = join(root, 'fuzz-finds');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${target}-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`);
  writeFileSync(file, bytes);
  console.error(`\n${target}: ${kind}: ${text}\nagain with: npm run fuzz -- --input ${file} ${target}\n`);
}

/** Where files cost least: each input is written before it is run, and many targets read files. */
function quickFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw usageError(`${name} takes a number above 0`);
  return value;
}

/** scripts/run-ts.mjs shows the usage below it. */
function usageError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_USAGE' });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const marks = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [head, marks, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
