// The bundles: the command line and the PKCS#11 helper (CommonJS, which starts faster), and the library (ES modules).
import { chmodSync } from 'node:fs';
import { join, sep } from 'node:path';
import { rolldown } from 'rolldown';

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

const COMMONJS = {
  format: 'cjs',
  // Less to read at each start; names and lines stay, so that a stack trace says where.
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: false } },
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
    'string-width': join(import.meta.dirname, 'string-width.mjs'),
    'strip-ansi': join(import.meta.dirname, 'strip-ansi.mjs'),
  },
};

/** Helpers that the bundler puts in. */
const RUNTIME = '\0rolldown/runtime.js';

/** @returns {Promise<{ modules: string[], hotBytes: number }>} the modules whose code is in the bundle */
export async function bundleCli(root, dist, version) {
  const hot = new Set(HOT.map((file) => join(root, file)));
  const output = await bundle(
    {
      ...common(root, version),
      input: { cli: join(root, 'src/cli.ts') },
      resolve: PACKAGES,
    },
    {
      ...COMMONJS,
      dir: dist,
      chunkFileNames: 'chunks/[name].cjs',
      banner: (chunk) => (chunk.fileName === 'cli.cjs' ? '#!/usr/bin/env node' : ''),
      codeSplitting: { groups: [{ name: 'cli', test: (id) => hot.has(id) || id === RUNTIME }] },
    },
  );
  const hotFile = output.find(({ fileName }) => fileName === 'cli.cjs');
  chmodSync(join(dist, hotFile.fileName), 0o755);
  const hotBytes = Buffer.byteLength(hotFile.code);
  const foreign = usedModules([hotFile]).filter((id) => id.includes(`${sep}node_modules${sep}`));
  if (foreign.length > 0)
    throw new Error(`a package got into the hot file; import it dynamically:\n  ${foreign.join('\n  ')}`);
  if (hotBytes > HOT_BUDGET_BYTES)
    throw new Error(`the hot file has ${hotBytes} bytes; its budget is ${HOT_BUDGET_BYTES}`);
  return { modules: usedModules(output), hotBytes };
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
      resolve: { mainFields: ['module', 'main'] },
      preserveEntrySignatures: 'strict',
      plugins: [builtinsByName],
    },
    {
      dir: dist,
      format: 'esm',
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

export function common(root, version) {
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
