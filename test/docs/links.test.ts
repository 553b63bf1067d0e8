/** The links of the documents: what they lead to is there, by its path and its heading. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './read-blocks.ts';

const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Without fenced blocks and code spans, in which brackets are no links. */
const proseOf = (page: string): string =>
  readFileSync(join(ROOT, page), 'utf8')
    .replaceAll(/^( *)(`{3,}).*\n[^]*?\n\1\2$/gm, '')
    .replaceAll(/`[^`\n]*`/g, (code) => 'x'.repeat(code.length));

/** The anchors of a page, made as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^( *)(`{3,}).*\n[^]*?\n\1\2$/gm, '');
  const found = new Set<string>();
  for (const [, heading = ''] of text.matchAll(/^#{1,6} (.*)$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    let unique = slug;
    for (let count = 1; found.has(unique); count += 1) unique = `${slug}-${count}`;
    found.add(unique);
  }
  return found;
}

interface Link {
  readonly page: string;
  readonly target: string;
}

const LINKS = PAGES.flatMap((page): Link[] =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ page, target })),
);
const isOutside = ({ target }: Link): boolean => /^https?:/.test(target);

describe('a link of the documents', () => {
  it.each(PAGES)('of %s leads to what is there', (page) => {
    const broken = LINKS.filter((link) => link.page === page && !isOutside(link)).filter(({ target }) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && !(file.endsWith('.md') && anchorsOf(file).has(anchor));
    });
    expect(broken).toEqual([]);
  });

  it('that leads outside is of https', () => {
    expect(LINKS.filter(isOutside).filter(({ target }) => !target.startsWith('https://'))).toEqual([]);
  });

  it('is found in numbers', () => {
    expect(LINKS.length).toBeGreaterThan(100);
  });
});

describe('the documents', () => {
  it.each(readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md')))(
    'are reached from the README: %s',
    (name) => {
      expect(LINKS.filter(({ page }) => page === 'README.md').map(({ target }) => target.split('#')[0])).toContain(
        `docs/${name}`,
      );
    },
  );

  it('show every picture that is kept', () => {
    const shown = new Set(LINKS.map(({ page, target }) => normalize(join(dirname(page), target))));
    const kept = readdirSync(join(ROOT, 'docs/images')).map((name) => `docs/images/${name}`);
    expect(kept.filter((picture) => !shown.has(picture))).toEqual([]);
  });

  it('name files of the project that are there', () => {
    const named = PAGES.filter((page) => page !== 'CHANGELOG.md').flatMap((page) =>
      [...readFileSync(join(ROOT, page), 'utf8').matchAll(/`((?:src|test|scripts|bench|docs)\/[\w./-]+)`/g)].map(
        ([, path = '']) => ({ page, path }),
      ),
    );
    expect(named.filter(({ path }) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(named.some(({ path }) => statSync(join(ROOT, path)).isFile())).toBe(true);
  });
});
