import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutants, reliabilityPage } from '../../scripts/reliability-page.ts';
import { KINDS } from '../faults/matrix.ts';
import { digestOf, mutantsOf } from '../mutation/harness/mutants.ts';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8');

describe('docs/reliability.md', () => {
  it('is what `npm run docs` writes', () => {
    expect(reliabilityPage(page)).toBe(page);
  });

  it.each(Object.values(KINDS))('$test is there', ({ test }) => {
    expect(readFileSync(join(ROOT, test), 'utf8')).toContain('expectedOf(');
  });
});

describe('the table of mutants', () => {
  const AREA = { 'an area': { 'a.ts': [] } };
  const SOURCE = 'export const f = 1;\n';
  const figures = {
    mutants: 9,
    killed: 4,
    timeout: 2,
    equivalent: 1,
    digest: digestOf(mutantsOf('a.ts', SOURCE)),
  };

  it('counts those that survive', () => {
    expect(mutants(AREA, { 'a.ts': figures }, () => SOURCE)).toContain('| an area | `a.ts` | 9 | 4 | 2 | 1 | 2 |');
  });

  it.each([
    [SOURCE, 'Each row is of the source as it is now.'],
    [`// A comment.\n${SOURCE}`, 'Each row is of the source as it is now.'],
    [SOURCE.replace('1', '2'), 'Changed since they were tried: `a.ts`.'],
  ])('says whether the source is the one that was tried: %j', (source, words) => {
    expect(mutants(AREA, { 'a.ts': figures }, () => source)).toContain(words);
  });

  it('is not made without the figures of a file', () => {
    expect(() => mutants(AREA, {}, () => SOURCE)).toThrow('npm run mutate -- --record a.ts');
  });
});
