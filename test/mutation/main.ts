/**
 * `npm run mutate`: changes the code that decides in one place at a time, and asks its tests to notice. What the
 * figures mean: docs/reliability.md.
 *
 * Usage: npm run mutate -- [--list] [--record] [--lines FROM-TO] [--resume FILE] [AREA | FILE ...]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import type { Figures, Job, Outcome, Report } from './harness/job.ts';
import { type Mutant, digestOf, mutantsOf } from './harness/mutants.ts';
import { type Equivalent, isListed } from './harness/equivalents.ts';
import { AREAS } from './modules.ts';

const root = dirname(dirname(dirname(resolve(process.argv[1] ?? ''))));
process.chdir(root);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    lines: { type: 'string' },
    resume: { type: 'string' },
    equivalents: { type: 'string', default: 'test/mutation/equivalents.json' },
    tests: { type: 'string', multiple: true },
    patience: { type: 'string', default: '30000' },
  },
});

/** How long a mutant may take beside what the tests take with the source as it is: an endless loop ends here. */
const PATIENCE_MS = Number(values.patience);

const RESULTS = 'test/mutation/results.json';
const built = join(root, 'node_modules/.cache', `mutate.${process.pid}`);
let running: ChildProcess | undefined;
process.on('exit', () => {
  end(running);
  rmSync(built, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** What was killed in earlier runs, by a hash of the mutant, and how: tests are written one after the other. */
const killed = new Map<string, Outcome>(
  values.resume !== undefined && existsSync(values.resume)
    ? (JSON.parse(readFileSync(values.resume, 'utf8')) as [string, Outcome][])
    : [],
);

const equivalents = JSON.parse(readFileSync(values.equivalents, 'utf8')) as Equivalent[];
const jobs = chosen();
if (values.list) for (const [file] of jobs) console.log(`${mutantsIn(file).length} ${file}`);
else process.exitCode = await mutate();

function chosen(): (readonly [file: string, tests: readonly string[]])[] {
  if (values.tests !== undefined) return positionals.map((file) => [file, values.tests ?? []]);
  const all = Object.entries(AREAS).flatMap(([area, files]) =>
    Object.entries(files).map(([file, tests]) => ({ area, file, tests })),
  );
  const unknown = positionals.filter((word) => !all.some(({ area, file }) => word === area || word === file));
  if (unknown.length > 0)
    throw Object.assign(new Error(`no area or file ${unknown.join(', ')}`), { code: 'ERR_USAGE' });
  return all
    .filter(({ area, file }) => positionals.length === 0 || positionals.includes(area) || positionals.includes(file))
    .map(({ file, tests }) => [file, tests]);
}

function mutantsIn(file: string): Mutant[] {
  return mutantsOf(file, readFileSync(file, 'utf8'));
}

async function mutate(): Promise<number> {
  await build();
  let faults = 0;
  for (const [file, tests] of jobs) {
    const mutants = mutantsIn(file);
    // oxlint-disable-next-line no-await-in-loop -- the machine is busy with one
    const reports = await tried(file, tests, mutants);
    const figures = { mutants: mutants.length, killed: 0, timeout: 0, equivalent: 0, digest: digestOf(mutants) };
    for (const { mutant, outcome } of reports) {
      const of = mutants[mutant];
      if (of === undefined) continue;
      const listed = equivalents.some((equivalent) => isListed(equivalent, file, of));
      if (outcome !== 'survived') killed.set(nameOf(of), outcome);
      if (outcome !== 'survived') figures[outcome] += 1;
      else if (listed) figures.equivalent += 1;
      if ((outcome === 'survived') === listed) continue;
      faults += 1;
      console.log(
        `${listed ? 'LISTED, BUT KILLED' : 'SURVIVED'} ${file}:${of.line}  ${of.from} -> ${of.to}  | ${of.code}`,
      );
    }
    for (const stale of equivalents) {
      if (stale.file !== file || mutants.some((of) => isListed(stale, file, of))) continue;
      faults += 1;
      console.log(`LISTED, BUT NO MUTANT ${file}  ${stale.from} -> ${stale.to}  | ${stale.code}`);
    }
    console.log(`${file}: ${JSON.stringify(figures)}`);
    if (values.record) record(file, figures);
    if (values.resume !== undefined) writeFileSync(values.resume, JSON.stringify([...killed]));
  }
  return faults === 0 ? 0 : 1;
}

function nameOf({ source }: Mutant): string {
  return createHash('sha256').update(source).digest('base64url').slice(0, 22);
}

function record(file: string, figures: Figures): void {
  const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Record<string, Figures>;
  results[file] = figures;
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
}

/** Gives each mutant to the tests; a process that says nothing for too long is ended, and another goes on behind it. */
async function tried(file: string, tests: readonly string[], mutants: readonly Mutant[]): Promise<Report[]> {
  const [from = 0, to = Infinity] = (values.lines ?? '').split('-').filter(Boolean).map(Number);
  const all = mutants
    .map((_, index) => index)
    .filter((index) => {
      const line = mutants[index]?.line ?? 0;
      return line >= from && line <= to;
    });
  const before = all.flatMap((mutant): Report[] => {
    const of = mutants[mutant];
    const outcome = of && killed.get(nameOf(of));
    return outcome === undefined ? [] : [{ mutant, outcome, ms: 0, why: 'as in an earlier run', passed: 0 }];
  });
  const reports: Report[] = [...before];
  let left = [-1, ...all.filter((index) => !before.some(({ mutant }) => mutant === index))];
  let patience = PATIENCE_MS * 4;
  let passing = 0;
  let ended: number | undefined;
  while (left.length > 0) {
    // oxlint-disable-next-line no-await-in-loop -- one process behind the other
    const fate = await run({ root, file, tests, mutants: left, passing }, patience, (report) => {
      if (report.mutant < 0 && report.outcome !== 'survived')
        throw new Error(`the tests of ${file} fail as it is: ${report.why}`);
      if (report.mutant < 0) {
        patience = PATIENCE_MS + report.ms * 2;
        passing = report.passed;
      }
      reports.push(report);
      left = left.filter((mutant) => mutant !== report.mutant);
    });
    const [next, ...rest] = left;
    if (next === undefined) break;
    if (next < 0) throw new Error(`the tests of ${file} did not end, as it is: ${fate}`);
    // A process may end for reasons of its own: a mutant that ends a second one as well is what ends it.
    if (fate !== 'hung' && ended !== next) {
      ended = next;
      continue;
    }
    const outcome = fate === 'hung' ? 'timeout' : 'killed';
    reports.push({ mutant: next, outcome, ms: patience, why: `the process of the tests ended: ${fate}`, passed: 0 });
    left = rest;
  }
  return reports;
}

/**
 * Runs a worker until it is done or says nothing for `patience` milliseconds.
 *
 * @returns `done`, `hung`, or how the worker ended otherwise, with what it said
 */
function run(job: Job, patience: number, told: (report: Report) => void): Promise<string> {
  return new Promise((resolvePromise, reject) => {
    const worker = fork(join(built, 'worker.mjs'), [JSON.stringify(job)], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    });
    running = worker;
    let said = '';
    let hung = false;
    worker.stderr?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)));
    const expire = (): void => {
      hung = true;
      end(worker);
    };
    let timer = setTimeout(expire, patience);
    worker.on('message', (message) => {
      clearTimeout(timer);
      timer = setTimeout(expire, patience);
      try {
        told(message as Report);
      } catch (error) {
        end(worker);
        reject(error);
      }
    });
    // What else the worker has started ends with it.
    worker.once('exit', (code, signal) => {
      clearTimeout(timer);
      end(worker);
      running = undefined;
      resolvePromise(hung ? 'hung' : code === 0 ? 'done' : `with ${code ?? signal}: ${said}`);
    });
  });
}

/** Ends a worker and what it has started. */
function end(worker: ChildProcess | undefined): void {
  if (worker?.pid === undefined) return;
  try {
    process.kill(-worker.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

async function build(): Promise<void> {
  mkdirSync(built, { recursive: true });
  const bundle = await rolldown({
    input: join(root, 'test/mutation/harness/worker.ts'),
    platform: 'node',
    external: /^[^./]/,
    logLevel: 'warn',
  });
  await bundle.write({ dir: built, format: 'esm', entryFileNames: 'worker.mjs' });
  await bundle.close();
}
