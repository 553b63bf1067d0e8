import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Equivalent, isListed } from './harness/equivalents.ts';
import { mutantsOf } from './harness/mutants.ts';
import { AREAS } from './modules.ts';

const ROOT = join(import.meta.dirname, '../..');
const PLANTED = 'test/mutation/planted/decide.ts';

function mutate(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['scripts/run-ts.mjs', 'test/mutation/main.ts', ...args],
    // A vitest that finds itself within another would take its settings.
    { cwd: ROOT, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: process.env['HOME'] } },
  );
  return { status, output: stdout + stderr };
}

describe('npm run mutate', () => {
  it('tells what its tests notice from what they do not, and says which entry of the list is wrong', () => {
    const tests = PLANTED.replace('.ts', '.check.ts');
    const equivalents = PLANTED.replace('decide.ts', 'equivalents.json');
    const { status, output } = mutate('--equivalents', equivalents, '--tests', tests, '--patience', '8000', PLANTED);
    expect(status).toBe(1);
    const lines = output.trim().split('\n');
    expect(
      lines.filter((line) => line.startsWith('SURVIVED')).map((line) => /\d+ {2}.*?(?= {2}\|)/.exec(line)?.[0]),
    ).toEqual(['16  >= -> >', '16  18 -> 19', '16  18 -> 17']);
    expect(lines.filter((line) => line.startsWith('LISTED'))).toEqual([
      `LISTED, BUT KILLED ${PLANTED}:9  += -> -=  | taken += 1;`,
      `LISTED, BUT NO MUTANT ${PLANTED}  a -> b  | return a;`,
    ]);
    const figures = JSON.parse(lines.at(-1)?.slice(PLANTED.length + 1) ?? '') as Record<string, number>;
    // Endless: a step that goes up, no step, and steps of nothing.
    expect(figures['timeout']).toBe(3);
    expect(figures['equivalent']).toBe(1);
    // One of them by the end of the process.
    expect(figures['killed']).toBe((figures['mutants'] ?? 0) - 7);
  }, 120_000);

  it('finds no survivor in the string to sign', () => {
    const { status, output } = mutate('src/signing/string-to-sign.ts');
    expect(output).not.toContain('SURVIVED');
    expect(status).toBe(0);
  }, 240_000);
});

describe('the list of equivalent mutants', () => {
  const list = JSON.parse(readFileSync(join(ROOT, 'test/mutation/equivalents.json'), 'utf8')) as Equivalent[];
  const files = Object.values(AREAS).flatMap((area) => Object.keys(area));

  it.each(files)('names mutants of %s that there are', (file) => {
    const mutants = mutantsOf(file, readFileSync(join(ROOT, file), 'utf8'));
    const stale = list.filter(
      (entry) => entry.file === file && !mutants.some((mutant) => isListed(entry, file, mutant)),
    );
    expect(stale).toEqual([]);
  });

  it('says why, of files that are mutated', () => {
    expect(list.filter(({ file, why }) => !files.includes(file) || !why.endsWith('.'))).toEqual([]);
  });
});
