/** Two builds in two places: the same bytes, and so the same archive. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
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

/** What npm writes below `node_modules` beside the packages. */
const BY_NPM = new Set(['.bin', '.package-lock.json']);

const work = mkdtempSync(join(tmpdir(), 'roles-anywhere-reproducible-'));
afterAll(() => rmSync(work, { recursive: true }));

/**
 * Puts the installed packages into `target`: the bill of materials names them by their place in the lockfile, so that a link to
 * the folder as a whole does not do. Files are linked where they can be, as that takes a tenth of the time.
 *
 * What npm did not put there stays behind: vitest and other tests write and remove files below `node_modules` meanwhile, and `cp`
 * ends in an error where one is gone before it is reached.
 */
function copyPackages(target: string): void {
  const packages = readdirSync(join(ROOT, 'node_modules'))
    .filter((entry) => !entry.startsWith('.') || BY_NPM.has(entry))
    .map((entry) => join(ROOT, 'node_modules', entry));
  mkdirSync(target);
  try {
    execFileSync('cp', ['-al', ...packages, target], { stdio: 'ignore' });
  } catch {
    // Another file system. What is there already would be refused as the same file.
    rmSync(target, { recursive: true });
    mkdirSync(target);
    execFileSync('cp', ['-a', ...packages, target], { stdio: 'pipe' });
  }
}

/** Builds and packs a copy; the hash of each file, and of the archive. */
function built(name: string, env: Record<string, string>): Record<string, string> {
  const root = join(work, name);
  for (const source of SOURCES) cpSync(join(ROOT, source), join(root, source), { recursive: true });
  copyPackages(join(root, 'node_modules'));
  const options = { cwd: root, env: { ...process.env, ...env }, stdio: 'pipe' } as const;
  execFileSync('sh', ['-c', 'node scripts/build.mjs && npm pack --ignore-scripts --pack-destination .'], options);
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
