// The code of the standalone executables: the command line's own, with some modules in another's place.
import { join } from 'node:path';
import { PACKAGES, bundle, common, lessOfUndici, usedModules } from './bundles.mjs';

/** What the executable has its own way to do: the module of the package, and the one in its place. */
const INSTEAD = {
  'src/platform/program.ts': 'src/standalone/program.ts',
  'src/platform/require.ts': 'src/standalone/require.ts',
  'src/identity/plain-key.ts': 'src/standalone/plain-key.ts',
  'src/console/page-folder.ts': 'src/standalone/page-folder.ts',
};

/** The same for single modules that import another: who imports, and what is in the place of which. */
const INSTEAD_FOR = {
  'src/commands/connection.ts': { 'src/http/direct.ts': 'src/standalone/direct.ts' },
  ...Object.fromEntries(
    ['src/x509/keys.ts', 'src/x509/chain.ts', 'src/signing/canonical.ts'].map((file) => [
      file,
      { 'node:crypto': 'src/standalone/crypto.ts' },
    ]),
  ),
};

/**
 * What a run of `credential-process` with a PEM identity loads: one file, with what these modules import statically. The
 * runtime's own modules that it may import are few, since they take longer to load than all of this program's.
 */
const HOT = ['src/standalone/main.ts', 'src/cli.ts', 'src/http/ca-bundle.ts'];

/** What the hot file may import, and weigh before it is compiled: look at what came in before raising this. */
const MODULES_OF_HOT = new Set(['node:fs', 'node:path']);
const HOT_BUDGET_BYTES = 176 * 1024;

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
  const hot = new Set(HOT.map((file) => join(root, file)));
  const output = await bundle(
    {
      ...settings,
      onLog(level, log, report) {
        // What is hot comes with the rest of it.
        if (log.code !== 'INEFFECTIVE_DYNAMIC_IMPORT' || !HOT.some((file) => log.message.includes(`${file} is`)))
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
        lessOfUndici,
        requireWhenUsed,
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
      codeSplitting: { groups: [{ name: 'hot', test: (id) => hot.has(id) }] },
    },
  );
  const main = output.find(({ fileName }) => fileName === 'main.js');
  const hotBytes = Buffer.byteLength(main.code);
  if (hotBytes > HOT_BUDGET_BYTES)
    throw new Error(`the executable's hot file has ${hotBytes} bytes; its budget is ${HOT_BUDGET_BYTES}`);
  const foreign = [
    ...[...main.code.matchAll(/^import .*"([^"]+)";$/gm)].map(([, name]) => name),
    ...usedModules([main]),
  ].filter((id) => !MODULES_OF_HOT.has(id) && !id.startsWith(join(root, 'src/')) && !id.startsWith('\0'));
  if (foreign.length > 0)
    throw new Error(`this got into the executable's hot file; import it dynamically:\n  ${foreign.join('\n  ')}`);
  return usedModules(output);
}
