import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compatibilityPage } from '../../scripts/compatibility-page.ts';

describe('docs/compatibility.md', () => {
  it('is what `npm run docs` writes', () => {
    expect(readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8')).toBe(compatibilityPage());
  });
});
