import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { doctorPage } from '../../scripts/make-docs.ts';
import { AREAS, FINDING_CODES } from '../../src/doctor/codes.ts';

const page = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8');

describe('docs/doctor.md', () => {
  it('ends with the table that `npm run docs` writes', () => {
    expect(doctorPage(page)).toBe(page);
  });

  it.each(Object.keys(FINDING_CODES))('explains %s', (code) => {
    expect(page).toContain(`| \`${code}\` |`);
  });

  it('names every area', () => {
    expect(AREAS.filter((area) => !page.includes(`**${area}**`))).toEqual([]);
  });
});
