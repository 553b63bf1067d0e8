import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

const root = resolve(import.meta.dirname, '../..');

it.each<[string, string[], number, string]>([
  ['asked for', ['run-ts.mjs', 'test/fuzz/main.ts', '--help'], 0, 'npm run fuzz -- '],
  ['asked for', ['run-ts.mjs', 'test/mutation/main.ts', '--help'], 0, 'npm run mutate -- '],
  ['asked for', ['run-ts.mjs', 'test/soak/main.ts', '-h'], 0, 'npm run soak -- '],
  ['asked for', ['run-ts.mjs', 'bench/main.ts', '--help'], 0, 'npm run bench -- '],
  // It takes no arguments, and made the PKI anew.
  ['asked for', ['run-ts.mjs', 'certs-dev/main.ts', '--help'], 0, 'npm run certs'],
  ['asked for', ['build-standalone.mjs', '--help'], 0, 'npm run build:standalone'],
  ['said', ['run-ts.mjs', 'test/fuzz/main.ts', '--nonsense'], 2, 'npm run fuzz -- '],
  ['said', ['run-ts.mjs', 'test/fuzz/main.ts', '--inputs', 'many'], 2, 'npm run fuzz -- '],
  ['said', ['run-ts.mjs', 'test/mutation/main.ts', 'no-such-area'], 2, 'npm run mutate -- '],
  ['said', ['run-ts.mjs', 'test/soak/main.ts', '--clients', 'many'], 2, 'npm run soak -- '],
  ['said', ['run-ts.mjs', 'bench/main.ts', '--nonsense'], 2, 'npm run bench -- '],
  // It wrote the report.
  ['said', ['api-report.mjs', '--chek'], 2, 'node scripts/api-report.mjs [--check]'],
])('the usage is %s: %j', async (_how, [script = '', ...args], status, usage) => {
  const result = await runProgram(process.execPath, [join(root, 'scripts', script), ...args], { cwd: root });
  expect(result.status).toBe(status);
  const [said, silent] = status === 0 ? [result.stdout, result.stderr] : [result.stderr, result.stdout];
  expect(said).toContain(usage);
  expect(said).not.toMatch(/^ +at /m);
  expect(silent).toBe('');
});
