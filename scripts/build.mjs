// `npm run build`: dist/ (command line, library, types, man pages), THIRD-PARTY-NOTICES.txt and sbom.cdx.json. The result is the same
// for the same sources and lockfile. It is made aside and moved into place, so that a program that runs meanwhile keeps
// its files, and a failure leaves the last good build.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { bundleFront, bundleHelper, bundleProgram } from './build/bundles.mjs';
import { bundleConsole } from './build/console.mjs';
import { bundledPackages, notices, sbom } from './build/packages.mjs';
import { emitTypes } from './build/types.mjs';
import { root } from './prepare.mjs';

/** Library entries: the name in dist, without the extension, and the source. */
const LIBRARY = { index: 'src/index.ts', emulator: 'src/emulator/index.ts' };

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const fresh = join(root, 'node_modules/.cache', `dist.${process.pid}`);
mkdirSync(fresh, { recursive: true });
try {
  const started = performance.now();
  const front = await bundleFront(root, fresh, manifest.version);
  const program = await bundleProgram(root, fresh, manifest.version, LIBRARY);
  const helper = await bundleHelper(root, fresh, manifest.version);
  const page = await bundleConsole(root, fresh);
  for (const [name, names] of Object.entries(program.names)) writeEntry(name, names);
  emitTypes(root, fresh, LIBRARY);
  // For editors that check a world file as it is written.
  copyFileSync(join(root, 'src/emulator/world/schema.json'), join(fresh, 'emulator-world.schema.json'));
  makeManPages();
  const packages = bundledPackages(root, new Set([...front.modules, ...program.modules, ...helper, ...page.modules]));
  replaceDist();
  writeFileSync(join(root, 'THIRD-PARTY-NOTICES.txt'), notices(packages));
  writeFileSync(join(root, 'sbom.cdx.json'), sbom(root, manifest, packages));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const sizes = `first file ${front.frontBytes} bytes, hot file ${program.hotBytes} bytes`;
  console.error(
    `built dist in ${seconds} s: ${sizes}, ${packages.length} packages bundled, console ${page.bytes} bytes compressed`,
  );
} catch (error) {
  // The bundler colours its messages for a terminal, also where there is none.
  console.error(`error: ${process.stderr.isTTY ? error.message : stripVTControlCharacters(error.message)}`);
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

/** A library entry for either kind of module. Both list the names, which is how importers of CommonJS find them. */
function writeEntry(name, names) {
  const lines = names.map((exported) => `exports.${exported} = entry.${exported};\n`);
  writeFileSync(
    join(fresh, `${name}.cjs`),
    `'use strict';\nconst entry = require('./lib/${name}.cjs');\n${lines.join('')}`,
  );
  writeFileSync(join(fresh, `${name}.js`), `export { ${names.join(', ')} } from './${name}.cjs';\n`);
}

/** They are made of the table of flags, which is TypeScript. */
function makeManPages() {
  const args = ['scripts/run-ts.mjs', 'scripts/man-pages.ts', join(fresh, 'man'), manifest.version];
  execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
}

function replaceDist() {
  const dist = join(root, 'dist');
  const old = `${fresh}.old`;
  // Executables are made by `npm run build:standalone`.
  const standalone = join(dist, 'standalone');
  if (existsSync(standalone)) renameSync(standalone, join(fresh, 'standalone'));
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}
