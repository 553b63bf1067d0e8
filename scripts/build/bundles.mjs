// The bundles, all CommonJS, which starts faster: the first file, the program with the library and what they share, and the
// PKCS#11 helper.
import { chmodSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { rolldown } from 'rolldown';

/**
 * The first file, which answers `version` and from the cache by itself. Read in every run before anything else, and in the runs that it
 * answers the only one: each further kilobyte of it is felt there.
 */
const FRONT = 'src/front.ts';
const FRONT_BUDGET_BYTES = 9 * 1024;

/**
 * What the ordinary `credential-process` line imports dynamically on its way: these go into the hot file, with what they
 * import statically, since a file more costs more than parsing a few kilobytes. Everything else that is imported
 * dynamically becomes a chunk of its own.
 */
const HOT = ['src/cli.ts'];

/**
 * What the hot file may weigh. Node reads all of it in every run; 90 KB more of it took a tenth of a bare start, when that
 * was tried. Look at what came in before raising this.
 */
const HOT_BUDGET_BYTES = 92 * 1024;

/**
 * Less to read at each start, and to download. Classes keep their names, which errors show and ASN.1 readers tell theirs apart
 * by. Functions do not: all of them are 17 kB of the package, and a stack trace has the file and the column anyway.
 */
const MINIFY = {
  compress: true,
  mangle: { keepNames: { class: true, function: false } },
  codegen: { removeWhitespace: true },
};

const COMMONJS = {
  format: 'cjs',
  minify: MINIFY,
  strict: true,
  esModule: false,
  externalLiveBindings: false,
  // `import()` would start Node's ES module loader.
  dynamicImportInCjs: false,
  entryFileNames: '[name].cjs',
};

/** How packages in the command line are resolved. */
export const PACKAGES = {
  // Of a package with both, the ES modules: what is not used can be left out.
  mainFields: ['module', 'main'],
  alias: {
    '@peculiar/asn1-cms': join(import.meta.dirname, 'asn1-cms.mjs'),
    '@peculiar/asn1-pkcs9': join(import.meta.dirname, 'asn1-pkcs9.mjs'),
    'string-width': join(import.meta.dirname, 'string-width.mjs'),
    'strip-ansi': join(import.meta.dirname, 'strip-ansi.mjs'),
    'ip-address': join(import.meta.dirname, 'ip-address.cjs'),
    tsyringe: join(import.meta.dirname, 'tsyringe.mjs'),
    undici$: join(import.meta.dirname, 'undici.mjs'),
    yaml: join(import.meta.dirname, 'yaml.mjs'),
  },
};

/** Helpers that the bundler puts in. */
const RUNTIME = '\0rolldown/runtime.js';

/**
 * The command line and the library: `main.cjs`, the hot file, which the library takes its common parts from; a file in lib/
 * for each entry of the library; and chunks for what is loaded when it is needed, by either.
 *
 * @param {Record<string, string>} entries of the library: the name and the source of each
 * @returns {Promise<{ modules: string[], hotBytes: number, names: Record<string, string[]> }>} the modules whose code is in
 * the bundle, and what each entry exports
 */
export async function bundleProgram(root, dist, version, entries) {
  const hot = new Set(HOT.map((file) => join(root, file)));
  const names = {};
  const output = await bundle(
    {
      ...common(root, version),
      input: {
        main: join(root, 'src/cli.ts'),
        ...Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, join(root, file)])),
      },
      // The library's own exports are listed by its entries in dist; these files may export more, to each other.
      preserveEntrySignatures: 'allow-extension',
      resolve: PACKAGES,
      plugins: [lessOfPackages, smallParser, exportedNames(root, entries, names), bundledAgain],
    },
    {
      ...COMMONJS,
      dir: dist,
      entryFileNames: ({ name }) => (name === 'main' ? 'main.cjs' : `lib/${name}.cjs`),
      chunkFileNames: 'chunks/[name].cjs',
      codeSplitting: { groups: [{ name: 'main', test: (id) => hot.has(id) || id === RUNTIME }] },
    },
  );
  const hotFile = output.find(({ fileName }) => fileName === 'main.cjs');
  const hotBytes = Buffer.byteLength(hotFile.code);
  const foreign = usedModules([hotFile]).filter((id) => id.includes(`${sep}node_modules${sep}`));
  if (foreign.length > 0)
    throw new Error(`a package got into the hot file; import it dynamically:\n  ${foreign.join('\n  ')}`);
  if (hotBytes > HOT_BUDGET_BYTES)
    throw new Error(`the hot file has ${hotBytes} bytes; its budget is ${HOT_BUDGET_BYTES}`);
  return { modules: usedModules(output), hotBytes, names };
}

/**
 * The file that the program is called by. What it shares with the hot file is in both: a file that each of them loads would
 * cost more.
 *
 * @returns {Promise<{ modules: string[], frontBytes: number }>} the modules whose code is in the bundle
 */
export async function bundleFront(root, dist, version) {
  const toMain = {
    name: 'to-main',
    resolveId: (source) => (source === './cli.ts' ? { id: './main.cjs', external: true } : undefined),
  };
  const output = await bundle(
    { ...common(root, version), input: { cli: join(root, FRONT) }, plugins: [toMain] },
    { ...COMMONJS, dir: dist, codeSplitting: false, banner: '#!/usr/bin/env node' },
  );
  const [{ fileName, code }] = output;
  chmodSync(join(dist, fileName), 0o755);
  const frontBytes = Buffer.byteLength(code);
  if (frontBytes > FRONT_BUDGET_BYTES)
    throw new Error(`the first file has ${frontBytes} bytes; its budget is ${FRONT_BUDGET_BYTES}`);
  return { modules: usedModules(output), frontBytes };
}

/**
 * The program that keeps a PKCS#11 module in a process of its own. One file, so that a user's bundle can ship a copy.
 *
 * @returns {Promise<string[]>} the modules whose code is in the bundle
 */
export async function bundleHelper(root, dist, version) {
  const output = await bundle(
    { ...common(root, version), input: { 'pkcs11-helper': join(root, 'src/identity/pkcs11/helper-main.ts') } },
    { ...COMMONJS, dir: dist, codeSplitting: false },
  );
  return usedModules(output);
}

/** Puts into `names` what each entry exports. */
function exportedNames(root, entries, names) {
  const sources = new Map(Object.entries(entries).map(([name, file]) => [join(root, file), name]));
  return {
    name: 'exported-names',
    moduleParsed({ id, exports }) {
      const name = sources.get(id);
      if (name !== undefined) names[name] = exports.toSorted();
    },
  };
}

/**
 * Lets the files be bundled once more, into ES modules too, where there are neither `require` nor `__filename`: Node's modules
 * are reached by name, and a file that has no name says so.
 */
const bundledAgain = {
  name: 'bundled-again',
  renderChunk(code) {
    return code
      .replaceAll(/\brequire\((["'`])(?:node:)?url\1\)\.pathToFileURL\(__filename\)\.href/g, OWN_URL)
      .replaceAll(/\brequire\((["'`])node:([\w/]+)\1\)/g, 'process.getBuiltinModule("node:$2")');
  },
};

const OWN_URL =
  '(typeof __filename === "string" ? process.getBuiltinModule("node:url").pathToFileURL(__filename).href : void 0)';

/** What is left out of a package: its files, and what is in their place. */
const LEFT_OUT = [
  // For bodies that are none of text, bytes and streams (the whole of fetch), and for HTTP/2.
  {
    files: /undici\/lib\/(?:web\/fetch\/body|dispatcher\/client-h2)\.js$/,
    code: 'module.exports = () => { throw new Error("not in this bundle") };',
  },
  // For processors without SIMD, where src/http/pooled.ts does without undici.
  { files: /undici\/lib\/llhttp\/llhttp-wasm\.js$/, code: 'module.exports = require("./llhttp_simd-wasm.js");' },
  // For tsyringe, which is not there either (tsyringe.mjs).
  { files: /reflect-metadata\/Reflect\.js$/, code: '' },
];

/** Leaves out parts of packages that nothing of ours reaches. */
export const lessOfPackages = {
  name: 'less-of-packages',
  load: {
    filter: { id: LEFT_OUT.map(({ files }) => files) },
    handler: (id) => LEFT_OUT.find(({ files }) => files.test(id)).code,
  },
  // yargs asks for the working directory as it loads, for a search that no help needs. It may have been removed.
  transform: {
    filter: { id: /yargs\/lib\/platform-shims\/esm\.mjs$/ },
    handler(code) {
      const without = code.replace('mainFilename || process.cwd()', 'mainFilename');
      if (without === code) throw new Error('yargs has changed: see whether its help wants a working directory');
      return without;
    },
  },
};

/**
 * Packs undici's HTTP parser, WebAssembly in base64, which is a third smaller and is unpacked when it is first used; and of the
 * constants beside it keeps the two tables that undici reads.
 */
const smallParser = {
  name: 'small-parser',
  load: {
    filter: { id: /undici\/lib\/llhttp\/(?:llhttp_simd-wasm|constants)\.js$/ },
    handler(id) {
      const loaded = createRequire(id)(id);
      if (id.endsWith('constants.js'))
        return `module.exports = ${JSON.stringify({ ERROR: loaded.ERROR, TYPE: loaded.TYPE })};`;
      const packed = brotliCompressSync(loaded, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: loaded.length } });
      return `const { brotliDecompressSync } = require('node:zlib');
        let parser;
        Object.defineProperty(module, 'exports', {
          get: () => (parser ??= brotliDecompressSync(Buffer.from('${packed.toString('base64')}', 'base64'))),
        });`;
    },
  },
};

export function common(root, version) {
  return {
    cwd: root,
    platform: 'node',
    tsconfig: false,
    transform: { target: 'node20.19', define: { PACKAGE_VERSION: JSON.stringify(version) } },
    // That plugins take their time on a busy machine is nothing to fail for.
    checks: { bundlerTimings: false },
    onLog(level, log, report) {
      if (log.code !== 'EMPTY_IMPORT_META' || !log.id?.includes('yargs'))
        report(level === 'warn' ? 'error' : level, log);
    },
  };
}

export async function bundle(input, output) {
  const build = await rolldown(input);
  try {
    // Documentation stays in the sources and the declarations; licence comments stay here too.
    const comments = { jsdoc: false, annotation: true, legal: true };
    return (await build.write({ ...output, comments })).output.filter(({ type }) => type === 'chunk');
  } finally {
    await build.close();
  }
}

/** Those that tree-shaking left something of. */
export function usedModules(chunks) {
  return chunks.flatMap(({ modules }) =>
    Object.entries(modules)
      .filter(([, { renderedLength }]) => renderedLength > 0)
      .map(([id]) => id),
  );
}
