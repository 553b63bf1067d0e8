// The bundles: the command line and the PKCS#11 helper (CommonJS, which starts faster), and the library (ES modules).
import { chmodSync } from 'node:fs';
import { join, sep } from 'node:path';
import { rolldown } from 'rolldown';

/**
 * The first file, which answers from the cache by itself. Read in every run before anything else, and in the runs that it
 * answers the only one: each further kilobyte of it is felt there.
 */
const FRONT = 'src/front.ts';
const FRONT_BUDGET_BYTES = 16 * 1024;

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
const HOT_BUDGET_BYTES = 136 * 1024;

/** Library entries: the name in dist, without the extension, and the source. */
export const LIBRARY = { index: 'src/index.ts', emulator: 'src/emulator/index.ts' };

/** Less to read at each start, and to download. The names of functions and classes stay, so that a stack trace says where. */
const MINIFY = { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } };

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

/** Helpers that the bundler puts in. */
const RUNTIME = '\0rolldown/runtime.js';

/** @returns {Promise<{ modules: string[], hotBytes: number }>} the modules whose code is in the bundle */
export async function bundleCli(root, dist, version) {
  const hot = new Set(HOT.map((file) => join(root, file)));
  const output = await bundle(
    {
      ...common(root, version),
      input: { main: join(root, 'src/cli.ts') },
      resolve: {
        // Of a package with both, the ES modules: what is not used can be left out.
        mainFields: ['module', 'main'],
        alias: {
          'string-width': join(import.meta.dirname, 'string-width.mjs'),
          'strip-ansi': join(import.meta.dirname, 'strip-ansi.mjs'),
        },
      },
      plugins: [sharedEmulator, shared],
    },
    {
      ...COMMONJS,
      dir: dist,
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
  return { modules: usedModules(output), hotBytes };
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

/** @returns {Promise<string[]>} the modules whose code is in the bundle */
export async function bundleLibrary(root, dist, version) {
  const output = await bundle(
    {
      ...common(root, version),
      input: Object.fromEntries(Object.entries(LIBRARY).map(([name, file]) => [name, join(root, file)])),
      resolve: { mainFields: ['module', 'main'], alias: { undici$: join(import.meta.dirname, 'undici.mjs') } },
      preserveEntrySignatures: 'strict',
      plugins: [lessOfUndici, shared, builtinsByName],
    },
    {
      dir: dist,
      format: 'esm',
      minify: MINIFY,
      entryFileNames: '[name].js',
      chunkFileNames: 'chunks/[name].js',
      minifyInternalExports: false,
    },
  );
  return usedModules(output);
}

/**
 * How the CommonJS packages in the library reach Node's modules. The bundler makes a `require` out of `import.meta.url`,
 * which is empty where the library is bundled once more into CommonJS, and which other bundlers give a meaning of their own.
 */
const builtinsByName = {
  name: 'builtins-by-name',
  renderChunk(code) {
    const made = /\(\(\) => createRequire\(import\.meta\.url\)\)\(\)/;
    if (!made.test(code)) return null;
    const own = code
      .replace(/^import \{ createRequire \} from "node:module";\n/m, '')
      .replace(made, '((name) => process.getBuiltinModule(name))');
    if (own.includes('createRequire')) throw new Error('the bundler makes `require` in a way that is not known here');
    return own;
  },
};

/**
 * Packages that the command line and the library both load: the file of each in dist/shared, which is CommonJS, since either
 * can load that, and what it takes of the package.
 */
const SHARED = {
  asn1js: { file: 'asn1js', source: "export * from 'asn1js';" },
  // By its own name: whoever imports the file finds the names of a module that is CommonJS by reading it, not by running it.
  socks: { file: 'socks', source: "import socks from 'socks'; export const SocksClient = socks.SocksClient;" },
  '@noble/post-quantum/ml-dsa.js': {
    file: 'ml-dsa',
    source: "export { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';",
  },
};

/** Has both bundles load the one copy of what they share. */
const shared = {
  name: 'shared-packages',
  resolveId: (id) => (Object.hasOwn(SHARED, id) ? { id: `shared:${SHARED[id].file}`, external: true } : null),
  renderChunk: (code, { fileName }) =>
    code.replaceAll(/(['"`])shared:([\w-]+)\1/g, `"${fileName.includes('/') ? '..' : '.'}/shared/$2.cjs"`),
};

/** The sources of {@link SHARED}. */
const sharedEntries = {
  name: 'shared-entries',
  resolveId: (id) => (id.startsWith('entry:') ? `\0${id}` : null),
  load: (id) => Object.values(SHARED).find(({ file }) => id === `\0entry:${file}`)?.source ?? null,
};

/** Has the command line load the emulator from the library's second entry, an ES module. */
const sharedEmulator = {
  name: 'shared-emulator',
  resolveId: (id) => (id.endsWith('/emulator/index.ts') ? { id: 'shared-emulator', external: true } : null),
  renderChunk(code) {
    if (!code.includes('shared-emulator')) return null;
    const own = code.replace(
      /Promise\.resolve\(\)\.then\(\(\) => [^;]*?require\("shared-emulator"\)[^;]*?\)(?=;)/,
      'import("../emulator.js")',
    );
    if (own.includes('shared-emulator'))
      throw new Error('the bundler imports the emulator in a way that is not known here');
    return own;
  },
};

/** @returns {Promise<string[]>} the modules whose code is in the files of dist/shared */
export async function bundleShared(root, dist, version) {
  const output = await bundle(
    {
      ...common(root, version),
      input: Object.fromEntries(Object.values(SHARED).map(({ file }) => [file, `entry:${file}`])),
      plugins: [sharedEntries],
      resolve: { mainFields: ['module', 'main'] },
      preserveEntrySignatures: 'strict',
    },
    { ...COMMONJS, dir: join(dist, 'shared'), chunkFileNames: '[name].cjs' },
  );
  return usedModules(output);
}

/**
 * What undici would load for bodies that are none of text, bytes and streams (the whole of fetch), for HTTP/2, and for
 * processors without SIMD, where src/http/pooled.ts does without undici.
 */
const lessOfUndici = {
  name: 'less-of-undici',
  load: {
    filter: { id: /undici\/lib\/(?:web\/fetch\/body|dispatcher\/client-h2|llhttp\/llhttp-wasm)\.js$/ },
    handler: (id) =>
      id.endsWith('llhttp-wasm.js')
        ? 'module.exports = require("./llhttp_simd-wasm.js");'
        : 'module.exports = () => { throw new Error("not in this bundle") };',
  },
};

function common(root, version) {
  return {
    cwd: root,
    platform: 'node',
    tsconfig: false,
    transform: { target: 'node20.19', define: { PACKAGE_VERSION: JSON.stringify(version) } },
    onLog(level, log, report) {
      if (log.code !== 'EMPTY_IMPORT_META' || !log.id?.includes('yargs'))
        report(level === 'warn' ? 'error' : level, log);
    },
  };
}

async function bundle(input, output) {
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
function usedModules(chunks) {
  return chunks.flatMap(({ modules }) =>
    Object.entries(modules)
      .filter(([, { renderedLength }]) => renderedLength > 0)
      .map(([id]) => id),
  );
}
