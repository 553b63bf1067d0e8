import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERROR_CLASSES, EXIT_STATUS } from '../../src/platform/errors.ts';

const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8');

/** Headings carry the exit status of the class that they are about. */
function classOf(code: string): string | undefined {
  const before = page.slice(0, page.indexOf(`\`${code}\``));
  const status = [...before.matchAll(/^## .*?\((\d+)\)/gm)].at(-1)?.[1];
  return Object.entries(EXIT_STATUS).find(([, value]) => String(value) === status)?.[0];
}

it.each(Object.keys(ERROR_CLASSES))('%s is explained', (code) => {
  expect(page.includes(`\`${code}\``)).toBe(true);
});

it('every code is under the heading of its class', () => {
  const own = Object.entries(ERROR_CLASSES).filter(([, name]) => name !== 'internal' && name !== 'interrupted');
  expect(own.filter(([code, name]) => classOf(code) !== name)).toEqual([]);
});

it('no code is explained that does not exist', () => {
  const named = [...page.matchAll(/`(ERR_[A-Z0-9_]+)`/g)].map(([, code]) => code);
  expect(named.filter((code) => code === undefined || !Object.hasOwn(ERROR_CLASSES, code))).toEqual([]);
});
