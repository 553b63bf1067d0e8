import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reliabilityPage } from '../../scripts/reliability-page.ts';
import { KINDS } from '../faults/matrix.ts';

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
