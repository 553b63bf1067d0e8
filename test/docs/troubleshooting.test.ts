import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SECTIONS } from '../../scripts/troubleshooting.ts';
import { troubleshootingPage } from '../../scripts/troubleshooting-page.ts';
import { ERROR_CLASSES, EXIT_STATUS } from '../../src/platform/errors.ts';

const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8');

/** Headings carry the exit status of the class that they are about. */
function classOf(code: string): string | undefined {
  const before = page.slice(0, page.indexOf(`\`${code}\``));
  const status = [...before.matchAll(/^## .*?\((\d+)\)/gm)].at(-1)?.[1];
  return Object.entries(EXIT_STATUS).find(([, value]) => String(value) === status)?.[0];
}

describe('docs/troubleshooting.md', () => {
  it('is what `npm run docs` writes', () => {
    expect(page).toBe(troubleshootingPage());
  });

  it.each(Object.entries(ERROR_CLASSES))('explains %s under the heading of its class', (code, kind) => {
    expect(page).toContain(`\`${code}\``);
    expect(classOf(code)).toBe(kind);
  });

  it('explains no code that does not exist', () => {
    const named = [...page.matchAll(/`(ERR_[A-Z0-9_]+)`/g)].map(([, code]) => code);
    expect(named.filter((code) => code === undefined || !Object.hasOwn(ERROR_CLASSES, code))).toEqual([]);
  });

  it('explains a code in one row, or in one for each of the answers of the service', () => {
    const rows = SECTIONS.flatMap(({ rows: all }) => all);
    const alike = rows.flatMap(({ codes, says }) => codes.map((code) => `${code} ${says ?? ''}`));
    expect(alike.filter((name, index) => alike.indexOf(name) !== index)).toEqual([]);
    expect(rows.filter(({ cause, remedy }) => cause === '' || remedy === '' || /[|\n]/.test(cause + remedy))).toEqual(
      [],
    );
  });
});
