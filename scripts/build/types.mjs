// The library's type declarations: emitted by tsc, then checked to stand alone.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const SPECIFIER = /\b(?:from|import)\s*\(?\s*(['"])(.+?)\1/g;

/**
 * Writes dist/types and leaves there only what the entries reach.
 *
 * @throws Error when the sources do not compile, or a reachable declaration names a package, which consumers do not have
 */
export function emitTypes(root, dist, entries) {
  const types = join(dist, 'types');
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', types], {
      stdio: 'pipe',
    });
  } catch (error) {
    throw new Error(`the declarations do not compile\n${error.stdout}`, { cause: error });
  }
  const reached = new Set();
  for (const entry of entries) follow(join(types, entry.replace(/^src\//, '').replace(/\.ts$/, '.d.ts')), reached);
  for (const entry of readdirSync(types, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !reached.has(file)) rmSync(file);
  }
  removeEmptyFolders(types);
  // The same for programs that are CommonJS: TypeScript tells the two apart by the nearest package.json.
  const forRequire = join(dist, 'types-cjs');
  cpSync(types, forRequire, { recursive: true });
  writeFileSync(join(forRequire, 'package.json'), '{ "type": "commonjs" }\n');
}

/** @param path the files that lead to this one from an entry, for the error */
function follow(file, reached, path = []) {
  if (reached.has(file)) return;
  reached.add(file);
  const trail = [...path, file];
  // tsc leaves the sources' extension in declarations.
  const text = readFileSync(file, 'utf8').replaceAll(/(['"])(\.{1,2}\/.+?)\.ts\1/g, '$1$2.js$1');
  writeFileSync(file, text);
  for (const [, , specifier] of text.matchAll(SPECIFIER)) {
    if (specifier.startsWith('node:')) continue;
    if (!specifier.startsWith('.'))
      throw new Error(`public types must stand alone, and name the package ${specifier} by\n  ${trail.join('\n  ')}`);
    const target = resolve(dirname(file), specifier.replace(/\.js$/, '.d.ts'));
    if (!existsSync(target)) throw new Error(`${file} names ${specifier}, which is not there`);
    follow(target, reached, trail);
  }
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name));
  if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}
