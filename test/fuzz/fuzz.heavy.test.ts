// Of test/fuzz/: that the fuzzer finds what it is there for, and that a few seconds of each target find nothing.
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What must not be there: where every tool is required, no target is skipped. */
const SKIPPED = process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1' ? /skipped/ : /$./;

/** The line that names a find. */
const FIND = /^([\w-]+): (error|broken|secret|hang|memory|rejection|crash): .*$/gm;

interface Run {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function fuzz(seconds: string, ...args: string[]): Promise<Run> {
  const { FUZZ_SEED: _seed, FUZZ_INPUTS: _inputs, ...env } = process.env;
  return new Promise((done) => {
    execFile(
      process.execPath,
      ['scripts/run-ts.mjs', 'test/fuzz/main.ts', ...args],
      { cwd: ROOT, env: { ...env, FUZZ_SECONDS: seconds }, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => done({ status: error === null ? 0 : (error.code ?? 'killed'), stdout, stderr }),
    );
  });
}

/** The rows of the table, by target. */
function rowsOf({ stdout }: Run): ReadonlyMap<string, readonly string[]> {
  const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  return new Map(rows.slice(2).flatMap(([, target, ...cells]) => (target === undefined ? [] : [[target, cells]])));
}

describe('the fuzzer', () => {
  it('finds every kind of fault that is planted, and says how to run it again', async () => {
    const run = await fuzz('20', '--targets', 'test/fuzz/planted/targets.ts', '--seed', '1', '--inputs', '200');
    rmSync(`${ROOT}fuzz-finds`, { recursive: true, force: true });
    expect(run.status).toBe(1);
    const found = [...run.stderr.matchAll(FIND)];
    expect(Object.fromEntries(found.map(([, target, kind]) => [target, kind]))).toEqual({
      'type-error': 'error',
      broken: 'broken',
      difference: 'broken',
      secret: 'secret',
      rejection: 'rejection',
      endless: 'hang',
      slow: 'hang',
      memory: 'memory',
      exit: 'crash',
    });
    for (const fine of ['sound', 'sluggish']) expect([fine, rowsOf(run).get(fine)?.at(-2)]).toEqual([fine, '0']);
    expect(run.stderr).toContain('skipped: its tool is not there');
    expect(run.stderr).toMatch(/again with: npm run fuzz -- --input \S+ type-error/);
  }, 180_000);

  it('finds nothing in a few seconds of each target', async () => {
    // The same inputs each time, as far as the seconds go: `npm run fuzz` is there to find new ones.
    const run = await fuzz(process.env['FUZZ_SECONDS'] ?? '5', '--seed', '20261129');
    const found = [...run.stderr.matchAll(FIND)].map(([line]) => line.slice(0, 300));
    // Whole for whoever sees no more than the end of an output.
    if (run.status !== 0) console.error(run.stderr.slice(-8000));
    expect({ status: run.status, found }).toEqual({ status: 0, found: [] });
    expect(rowsOf(run).size).toBeGreaterThan(20);
    expect(run.stderr).not.toMatch(SKIPPED);
  }, 900_000);
});
