// The library's type declarations: emitted by tsc, then checked to stand alone.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const SPECIFIER = /\b(?:from|import)\s*\(?\s*(['"])(.+?)\1/g;

/**
 * Writes dist/types, leaves there only what the entries reach, and gives each entry a face for ES modules. The declarations
 * themselves count as CommonJS, by the nearest package.json, since TypeScript lets either kind of module import that kind.
 *
 * @param {Record<string, string>} entries the name in dist and the source of each
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
  for (const [name, source] of Object.entries(entries)) {
    const declaration = source.replace(/^src\//, '').replace(/\.ts$/, '');
    follow(join(types, `${declaration}.d.ts`), reached);
    writeFileSync(join(dist, `${name}.d.mts`), `export * from './types/${declaration}.js';\n`);
  }
  for (const entry of readdirSync(types, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !reached.has(file)) rmSync(file);
  }
  removeEmptyFolders(types);
  writeFileSync(join(types, 'package.json'), '{ "type": "commonjs" }\n');
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
