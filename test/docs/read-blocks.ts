/** Reads the code blocks of the documents. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** Every document with blocks, by its path from the root. */
export const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export interface Block {
  readonly document: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** The line before. */
  readonly mark: string;
  /** What it needs that is not here, as its mark says. */
  readonly needs: string | undefined;
}

/** The blocks of a document. */
export function blocksOf(document: string): Block[] {
  const found: Block[] = [];
  const lines = readFileSync(join(ROOT, document), 'utf8').split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const fence = /^( *)(`{3,})(\S*)$/.exec(lines[index] ?? '');
    if (fence === null) continue;
    const [, indent = '', ticks = '', language = ''] = fence;
    const end = lines.indexOf(indent + ticks, index + 1);
    if (end < 0) throw new Error(`${document}:${index + 1}: a block without an end`);
    const mark = lines.slice(0, index).findLast((line) => line.trim() !== '') ?? '';
    found.push({
      document,
      line: index + 1,
      language,
      text: lines
        .slice(index + 1, end)
        .map((line) => line.slice(indent.length))
        .join('\n'),
      mark: mark.trim(),
      needs: /^ *<!-- needs: (\S.*) -->$/.exec(mark)?.[1],
    });
    index = end;
  }
  return found;
}
