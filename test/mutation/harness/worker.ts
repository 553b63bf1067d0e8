/**
 * One vitest that stays alive, and gives its tests one mutant of a file after another, as the file is loaded: nothing
 * is written.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVitest } from 'vitest/node';
import type { Job, Report } from './job.ts';
import { mutantsOf } from './mutants.ts';

const TEST_MS = 20_000;

const { root, file, tests, mutants: asked, passing } = JSON.parse(process.argv[2] ?? '') as Job;
const path = join(root, file);
const source = readFileSync(path, 'utf8');
const mutants = mutantsOf(file, source);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
let current = source;
let loaded = false;

const vitest = await createVitest(
  'test',
  {
    config: false,
    root,
    watch: false,
    bail: 1,
    reporters: [{}],
    silent: true,
    testTimeout: TEST_MS,
    hookTimeout: TEST_MS,
    maxWorkers: 2,
    pool: 'threads',
    exclude: [],
    include: [...tests],
  },
  {
    define: { PACKAGE_VERSION: JSON.stringify(version) },
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        transform(_code, id) {
          if (id.split('?')[0] !== path) return null;
          loaded = true;
          return { code: current, map: null };
        },
      },
    ],
  },
);
const specifications = await vitest.globTestSpecifications([...tests]);
if (specifications.length < tests.length) throw new Error(`not all of ${tests.join(', ')} are there`);

/** How many tests pass with the source as it is: learnt from the first run, where no process before this one did. */
let all = passing;
for (const mutant of asked) {
  current = mutants[mutant]?.source ?? source;
  const before = Date.now();
  // A run in which a test was left out, as can happen behind one that was ended early, says nothing.
  for (let times = 1; ; times++) {
    // oxlint-disable-next-line no-await-in-loop -- one at a time
    const { passed, failures } = await run();
    if (failures.length === 0 && passed < all && times < 3) continue;
    if (mutant < 0) all = passed;
    const why = failures.join('\n');
    const outcome = failures.length === 0 ? 'survived' : /timed out in \d+ms/.test(why) ? 'timeout' : 'killed';
    const ms = Date.now() - before;
    process.send?.({ mutant, outcome, ms, why: why.split('\n')[0] ?? '', passed } satisfies Report);
    break;
  }
}
await vitest.close();
process.exit(0);

/** Runs the tests with what is now the file's source. */
async function run(): Promise<{ passed: number; failures: string[] }> {
  loaded = false;
  vitest.invalidateFile(path);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications, false);
  if (!loaded) throw new Error(`no test of ${tests.join(', ')} loads ${file}`);
  vitest.state.clearErrors();
  const modules = testModules.map((module) => [...module.children.allTests()]);
  const suites = testModules.flatMap((module) => [...module.children.allSuites()]);
  const failures = [
    ...[...testModules, ...suites].flatMap((task) => task.errors().map(({ message }) => message)),
    ...modules
      .flat()
      .flatMap((test) => (test.result().errors ?? []).map((error) => `${test.fullName}: ${error.message}`)),
    ...unhandledErrors.map((error) => (error as { message?: string }).message ?? 'an error of its own kind'),
  ];
  return { passed: modules.flat().filter((test) => test.result().state === 'passed').length, failures };
}
