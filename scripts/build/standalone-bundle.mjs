// The code of the standalone executables: the command line's own, with some modules in another's place.
import { join } from 'node:path';
import { PACKAGES, bundle, common, lessOfUndici, usedModules } from './bundles.mjs';

/** What the executable has its own way to do: the module of the package, and the one in its place. */
const INSTEAD = {
  'src/platform/program.ts': 'src/standalone/program.ts',
  'src/platform/require.ts': 'src/standalone/require.ts',
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
  const output = await bundle(
    {
      ...settings,
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
        {
          name: 'instead',
          async resolveId(source, importer, options) {
            const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
            const other = resolved && instead.get(resolved.id);
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
    },
  );
  return usedModules(output);
}
