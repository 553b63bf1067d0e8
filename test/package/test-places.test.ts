/** That the tests of each source are where one looks for them. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'));

/** The tests that a source names among its first lines. */
function namedIn(file: string): string[] {
  const head = readFileSync(join(root, 'src', file), 'utf8')
    .split('\n')
    .slice(0, 10)
    .join('\n');
  const [, names = ''] = /\bTests: (test\/[\w./-]+(?:, test\/[\w./-]+)*)/.exec(head) ?? [];
  return names === '' ? [] : names.split(', ').map((name) => name.replace(/\.$/, ''));
}

/** Whether there are statements in a file: one that holds types alone is checked by the compiler. */
function hasCode(file: string): boolean {
  return /^(?:export )?(?:default |async |abstract )*(?:const|let|function|class)\b|^export (?:\*|\{)|^[a-z][\w.]*\(/m.test(
    readFileSync(join(root, 'src', file), 'utf8'),
  );
}

describe('the tests of a source', () => {
  it('are in the same place below test/, or where its first lines say', () => {
    expect(sources.length).toBeGreaterThan(100);
    const lost = sources.filter((file) => {
      const own = `test/${file.replace(/\.ts$/, '.test.ts')}`;
      return hasCode(file) && !existsSync(join(root, own)) && namedIn(file).length === 0;
    });
    expect(lost).toEqual([]);
  });

  it('are there when a source says so', () => {
    const dangling = sources.flatMap((file) =>
      namedIn(file)
        .filter((name) => !existsSync(join(root, name)))
        .map((name) => `src/${file}: ${name}`),
    );
    expect(dangling).toEqual([]);
  });
});
