/** Two builds in two places: the same bytes, and so the same archive. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUILT = ['dist', 'THIRD-PARTY-NOTICES.txt', 'sbom.cdx.json'];
/** What a build reads. */
const SOURCES = [
  ['src', 'scripts', 'docs', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'],
  ['LICENSE', 'README.md', 'CHANGELOG.md'],
].flat();

const work = mkdtempSync(join(tmpdir(), 'roles-anywhere-reproducible-'));
afterAll(() => rmSync(work, { recursive: true }));

/** Builds and packs a copy; the hash of each file, and of the archive. */
function built(name: string, env: Record<string, string>): Record<string, string> {
  const root = join(work, name);
  for (const source of SOURCES) cpSync(join(ROOT, source), join(root, source), { recursive: true });
  // The bill of materials names packages by their place in the lockfile, so that they have to be below. Links are made where
  // they can be, as that takes a tenth of the time.
  const modules = `{ cp -al '${ROOT}node_modules' . 2>/dev/null || cp -a '${ROOT}node_modules' .; } && rm -rf node_modules/.cache`;
  const commands = `${modules} && node scripts/build.mjs && npm pack --ignore-scripts --pack-destination .`;
  const options = { cwd: root, env: { ...process.env, ...env }, stdio: 'pipe' } as const;
  execFileSync('sh', ['-c', commands], options);
  const files = BUILT.flatMap((path) =>
    statSync(join(root, path)).isDirectory()
      ? readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }).map((file) => join(path, file))
      : [path],
  );
  const archives = readdirSync(root).filter((file) => file.endsWith('.tgz'));
  const all = [...files, ...archives].filter((file) => statSync(join(root, file)).isFile()).toSorted();
  return Object.fromEntries(
    all.map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(join(root, file)))
        .digest('hex'),
    ]),
  );
}

describe('the build', () => {
  it('gives the same files and the same archive in another folder, time zone and locale', () => {
    const one = built('one', { TZ: 'UTC', LC_ALL: 'C' });
    const other = built('another-folder/deeper', { TZ: 'Pacific/Chatham', LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: '0' });
    expect(Object.keys(one).filter((file) => file.endsWith('.tgz'))).toHaveLength(1);
    expect(Object.keys(one).length).toBeGreaterThan(50);
    expect(other).toEqual(one);
  }, 300_000);
});
