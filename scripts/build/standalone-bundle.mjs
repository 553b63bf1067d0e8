// The code of the standalone executables: the command line's own, with some modules in another's place.
import { join } from 'node:path';
import { PACKAGES, bundle, common, lessOfPackages, usedModules } from './bundles.mjs';

/** What the executable has its own way to do: the module of the package, and the one in its place. */
const INSTEAD = {
  'src/platform/program.ts': 'src/standalone/program.ts',
  'src/platform/require.ts': 'src/standalone/require.ts',
  'src/identity/plain-key.ts': 'src/standalone/plain-key.ts',
  'src/console/page-folder.ts': 'src/standalone/page-folder.ts',
};

/** The same for single modules that import another: who imports, and what is in the place of which. */
const INSTEAD_FOR = {
  'src/identity/contents.ts': { 'src/identity/ml-dsa.ts': 'src/standalone/ml-dsa.ts' },
  'src/commands/connection.ts': { 'src/http/direct.ts': 'src/standalone/direct.ts' },
  ...Object.fromEntries(
    ['src/x509/keys.ts', 'src/x509/chain.ts', 'src/signing/canonical.ts'].map((file) => [
      file,
      { 'node:crypto': 'src/standalone/crypto.ts' },
    ]),
  ),
};

/**
 * What a run of `credential-process` with a PEM identity loads: three files, each with what these modules import statically.
 * The first is enough for `version`, the second for an answer from the cache. The runtime's own modules that they may import
 * are few, since they take longer to load than all of this program's.
 */
const HOT = {
  main: { modules: ['src/standalone/main.ts'], bytes: 4 * 1024, imports: [] },
  begin: {
    modules: ['src/begin.ts'],
    bytes: 20 * 1024,
    imports: ['node:fs', 'node:path', './main.js', './rolldown-runtime.js'],
  },
  hot: {
    modules: ['src/cli.ts', 'src/http/ca-bundle.ts'],
    bytes: 160 * 1024,
    imports: ['node:fs', 'node:path', './main.js', './begin.js', './rolldown-runtime.js'],
  },
};

const IMPORT_OF_REQUIRE = 'import { createRequire } from "node:module";\n';

/** The bundler's own `require`, of which every run would load node:module, and few have a use. */
const requireWhenUsed = {
  name: 'require-when-used',
  renderChunk(code) {
    const own = '(() => createRequire(import.meta.url))()';
    if (!code.includes(own)) return undefined;
    const once = code.replace(
      own,
      '(name) => process.getBuiltinModule("node:module").createRequire(import.meta.url)(name)',
    );
    // Others in the same file may have a use for it.
    return once.split(/\bcreateRequire\b/).length > 3 ? once : once.replace(IMPORT_OF_REQUIRE, '');
  },
};

/** The bundler's helpers, which the first file does not use, but is made to load for the others' sake. */
const withoutHelpers = {
  name: 'without-helpers',
  renderChunk: (code, { name }) =>
    name === 'main' ? code.replace('import "./rolldown-runtime.js";\n', '') : undefined,
};

/**
 * Writes ES modules for the compiler: `main.js` and its chunks.
 *
 * @param {Record<string, string>} constants put in by name
 * @returns {Promise<string[]>} the modules whose code is in the bundle
 */
export async function bundleStandalone(root, folder, version, constants) {
  const settings = common(root, version);
  const instead = new Map(Object.entries(INSTEAD).map(([of, by]) => [join(root, of), join(root, by)]));
  const placed = (file) => (file.startsWith('src/') ? join(root, file) : file);
  const insteadFor = new Map(
    Object.entries(INSTEAD_FOR).map(([importer, pairs]) => [
      join(root, importer),
      new Map(Object.entries(pairs).map(([of, by]) => [placed(of), join(root, by)])),
    ]),
  );
  const groups = Object.entries(HOT).map(([name, { modules }], at) => {
    const own = new Set(modules.map((file) => join(root, file)));
    return { name, test: (id) => own.has(id), priority: Object.keys(HOT).length - at };
  });
  const output = await bundle(
    {
      ...settings,
      onLog(level, log, report) {
        // What is hot comes with the rest of it.
        if (
          log.code !== 'INEFFECTIVE_DYNAMIC_IMPORT' ||
          !HOT.hot.modules.some((file) => log.message.includes(`${file} is`))
        )
          settings.onLog(level, log, report);
      },
      transform: {
        ...settings.transform,
        define: {
          ...settings.transform.define,
          ...Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, JSON.stringify(value)])),
        },
      },
      input: { main: join(root, 'src/standalone/main.ts') },
      resolve: PACKAGES,
      plugins: [
        lessOfPackages,
        requireWhenUsed,
        withoutHelpers,
        {
          name: 'instead',
          async resolveId(source, importer, options) {
            const own = insteadFor.get(importer);
            if (own?.has(source)) return own.get(source);
            const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
            const other = resolved && (own?.get(resolved.id) ?? instead.get(resolved.id));
            return other === undefined || other === importer ? resolved : other;
          },
        },
      ],
    },
    {
      dir: folder,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: '[name].js',
      minifyInternalExports: false,
      codeSplitting: { groups },
    },
  );
  for (const [name, budget] of Object.entries(HOT)) checkHot(root, output, `${name}.js`, budget);
  return usedModules(output);
}

function checkHot(root, output, fileName, { bytes, imports }) {
  const file = output.find((chunk) => chunk.fileName === fileName);
  const length = Buffer.byteLength(file.code);
  if (length > bytes) throw new Error(`the executable's ${fileName} has ${length} bytes; its budget is ${bytes}`);
  const foreign = [
    ...[...file.code.matchAll(/^import .*"([^"]+)";$/gm)].map(([, name]) => name),
    ...usedModules([file]),
  ].filter((id) => !imports.includes(id) && !id.startsWith(join(root, 'src/')) && !id.startsWith('\0'));
  if (foreign.length > 0)
    throw new Error(`this got into the executable's ${fileName}; import it dynamically:\n  ${foreign.join('\n  ')}`);
}
