import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');

/** Each test that the page names: its file, and words that are in it. */
const NAMED = [...page.matchAll(/`(test\/[\w./-]+\.ts)`: ([^|)\n]+?)(?: \||\))/g)].map(([, file = '', words = '']) => ({
  file,
  words,
}));

describe('docs/security.md', () => {
  it.each(NAMED)('$file has: $words', ({ file, words }) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(words);
  });

  it('names a test for each promise', () => {
    const [, promises = ''] = page.split('## Promises');
    const rows = promises.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:promise|---)/.test(line));
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => !/\| `test\/[\w./-]+\.ts`: \S.* \|$/.test(row))).toEqual([]);
  });
});
