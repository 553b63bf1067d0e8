// `npm run build:standalone [-- TARGET ...]`: one executable for each target in dist/standalone/, which needs no Node, with
// SHA256SUMS, a bill of materials and notices each, and an npm package each in dist/standalone/npm/. Without targets, all of
// them; with `--pack`, the packages' archives too. See docs/standalone.md.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { bundleConsole } from './build/console.mjs';
import { bundledPackages } from './build/packages.mjs';
import { bundleStandalone } from './build/standalone-bundle.mjs';
import { nativePart } from './build/standalone-koffi.mjs';
import { standaloneNotices, standaloneSbom } from './build/standalone-legal.mjs';
import { signedAdHoc, wrongPages } from './build/standalone-signature.mjs';
import { fetchRuntime, neutraliseRuntime } from './build/standalone-runtime.mjs';
import { executableOf, hostTarget, targetsNamed } from './build/standalone-targets.mjs';
import { npm, root } from './prepare.mjs';
import { readArguments } from './usage.mjs';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const place = join(root, 'dist/standalone');
const work = join(root, 'node_modules/.cache', `standalone.${process.pid}`);

const { values, positionals } = readArguments(
  import.meta.filename,
  { pack: { type: 'boolean', default: false } },
  true,
);

try {
  const { pack } = values;
  const targets = targetsNamed(positionals);
  mkdirSync(work, { recursive: true });
  mkdirSync(place, { recursive: true });
  const host = hostTarget();
  const compiler = fetchRuntime(host, join(work, 'compiler'));
  for (const target of targets) await build(target, compiler, pack);
  writeSums();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function build(target, compiler, pack) {
  const started = performance.now();
  const folder = join(work, target.name);
  const code = join(folder, 'code');
  const koffi = nativePart(root, target, join(folder, 'koffi'));
  const modules = await bundleStandalone(root, code, manifest.version, {
    KOFFI_SHA256: createHash('sha256').update(readFileSync(koffi.file)).digest('hex'),
  });
  copyFileSync(koffi.file, join(code, 'koffi.node'));
  const page = await bundleConsole(root, code);
  const runtime = join(folder, 'runtime');
  const deafTo = neutraliseRuntime(fetchRuntime(target, join(folder, 'published')), runtime);
  compile(compiler, target, code, runtime);
  if (target.runsOn.os[0] === 'darwin') sign(join(code, executableOf(target)));
  renameSync(join(code, executableOf(target)), join(place, executableOf(target)));
  const packages = bundledPackages(root, new Set([...modules, ...page.modules]));
  const legal = {
    [`${executableOf(target)}.cdx.json`]: standaloneSbom(root, manifest, packages, target, koffi),
    [`${executableOf(target)}.NOTICES.txt`]: standaloneNotices(packages, koffi),
  };
  for (const [name, text] of Object.entries(legal)) writeFileSync(join(place, name), text);
  makePackage(target, legal);
  if (pack) packPackage(target);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.error(`built ${executableOf(target)} in ${seconds} s: ${deafTo.length} variables of the runtime taken away`);
}

/** The compiler gets an environment and a folder of its own: what it reads there would go into the executable. */
function compile(compiler, target, code, runtime) {
  const args = [
    ['build', '--compile', `--target=${target.bun}`, `--compile-executable-path=${runtime}`],
    // Code that is ready to run: a third of the start otherwise goes into parsing.
    ['--bytecode', '--format=esm', '--splitting', '--keep-names', '--sourcemap=none'],
    // A one-shot is over before machine code of it pays: src/standalone/main.ts sets the usual for everything else.
    ['--compile-jit-policy=100'],
    // The directory that the executable is started in belongs to a stranger: nothing there is read.
    ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map((what) => `--no-compile-autoload-${what}`),
    ['--asset=koffi.node', '--asset=console', `--outfile=${executableOf(target)}`, 'main.js'],
  ].flat();
  try {
    execFileSync(compiler, args, {
      cwd: code,
      env: { PATH: process.env.PATH, HOME: code, TMPDIR: code, BUN_INSTALL: code, DO_NOT_TRACK: '1' },
      stdio: 'pipe',
    });
  } catch (error) {
    throw new Error(`the compiler failed for ${target.name}\n${error.stdout}${error.stderr}`, { cause: error });
  }
}

function sign(file) {
  const bytes = readFileSync(file);
  if (wrongPages(bytes) > 0) writeFileSync(file, signedAdHoc(bytes, manifest.name));
}

/** A package whose command is the executable itself: npm puts it on the PATH, and no Node runs when it is started. */
function makePackage(target, legal) {
  const folder = join(place, 'npm', `roles-anywhere-${target.name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const program = `roles-anywhere${executableOf(target).endsWith('.exe') ? '.exe' : ''}`;
  linkSync(join(place, executableOf(target)), join(folder, program));
  for (const [name, text] of Object.entries(legal))
    writeFileSync(join(folder, name.endsWith('.json') ? 'sbom.cdx.json' : 'THIRD-PARTY-NOTICES.txt'), text);
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  const { version, license } = manifest;
  writeFileSync(
    join(folder, 'README.md'),
    `# roles-anywhere-${target.name}\n\nThe program of the package \`roles-anywhere\` as one executable for ${target.name}, which needs no Node.\n`,
  );
  const description = `${manifest.description}: a standalone executable for ${target.name}`;
  const files = [program, 'LICENSE', 'README.md', 'THIRD-PARTY-NOTICES.txt', 'sbom.cdx.json'];
  const own = {
    name: `roles-anywhere-${target.name}`,
    version,
    description,
    license,
    bin: { 'roles-anywhere': program },
    files,
  };
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ ...own, ...target.runsOn, preferUnplugged: true }, undefined, 2)}\n`,
  );
}

function packPackage(target) {
  const folder = join(place, 'npm', `roles-anywhere-${target.name}`);
  const [command, args] = npm('pack', folder, '--loglevel=error', '--pack-destination', join(place, 'npm'));
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Of every executable there is, also of those that were built before. */
function writeSums() {
  const lines = readdirSync(place)
    .filter((name) => /^roles-anywhere-[\w-]+(\.exe)?$/.test(name))
    .toSorted()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(place, name)))
          .digest('hex')}  ${name}\n`,
    );
  if (lines.length > 0 || existsSync(join(place, 'SHA256SUMS')))
    writeFileSync(join(place, 'SHA256SUMS'), lines.join(''));
}
