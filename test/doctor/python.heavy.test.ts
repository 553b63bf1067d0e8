/** The reading of a `credential_process` line, against those that it stands for: Python's shlex, and a shell. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, constantFrom, sample } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceInShell, splitLikePython } from '../../src/doctor/words.ts';
import { requireTool } from '../support/tools.ts';

const PYTHON = `
import json, shlex, sys
def read(line):
    try:
        return shlex.split(line)
    except ValueError:
        return None
print(json.dumps([read(line) for line in json.load(sys.stdin)]))
`;

const lines = (alphabet: string): string[] =>
  sample(
    array(constantFrom(...alphabet.split('')), { maxLength: 16 }).map((characters) => characters.join('')),
    { numRuns: 4000, seed: 24 },
  );

describe.runIf(requireTool('python3'))('splitLikePython', () => {
  it('reads 4000 lines as shlex does', () => {
    const all = lines(`ab \t'"\\#$~;|=`);
    const input = JSON.stringify(all);
    const read = JSON.parse(
      execFileSync('python3', ['-c', PYTHON], { input, encoding: 'utf8', maxBuffer: 1 << 24 }),
    ) as (string[] | null)[];
    const own = all.map((line) => {
      const reading = splitLikePython(line);
      return 'words' in reading ? reading.words : null;
    });
    expect(all.filter((_, index) => JSON.stringify(own[index]) !== JSON.stringify(read[index]))).toEqual([]);
  });
});

describe('differenceInShell', () => {
  it('finds none only where a shell has the same words', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ra-words-'));
    try {
      // Nothing that could write or run: the shell itself only has to take the line apart.
      const alike = lines(`ab '"\\#$~*{,}`)
        .filter((line) => 'words' in splitLikePython(line) && differenceInShell(line) === undefined)
        .slice(0, 1500);
      expect(alike.length).toBeGreaterThan(300);
      const script = alike.map((line) => `set -- ${line}\nfor w; do printf '<%s>' "$w"; done; echo`).join('\n');
      const shown = execFileSync('/bin/sh', ['-c', script], {
        cwd: folder,
        env: { HOME: '/home/x' },
        encoding: 'utf8',
      });
      const own = alike.map((line) => {
        const reading = splitLikePython(line);
        return 'words' in reading ? reading.words.map((word) => `<${word}>`).join('') : '';
      });
      expect(shown.split('\n').slice(0, -1)).toEqual(own);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
