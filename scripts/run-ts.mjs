// Runs a TypeScript file of this checkout on any supported Node: bundles it (packages stay external) and imports the result.
// Usage: node scripts/run-ts.mjs FILE [ARG ...]. With --help, or arguments that FILE refuses, the comment at the head of FILE is shown.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { endWithUsage, isUsageError } from './usage.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node scripts/run-ts.mjs FILE [ARG ...]');
  process.exit(2);
}
const asksForHelp = args.some((arg) => arg === '--help' || arg === '-h');
// What reads its arguments may know of more to say.
if (asksForHelp && !readFileSync(file, 'utf8').includes('parseArgs(')) endWithUsage(file);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const dir = join(root, 'node_modules', '.cache', 'run-ts', `${file.replaceAll(/[^\w.]/g, '_')}.${process.pid}`);
mkdirSync(dir, { recursive: true });
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const bundle = await rolldown({
  input: resolve(file),
  platform: 'node',
  external: /^[^./]/,
  transform: { define: { PACKAGE_VERSION: JSON.stringify(version) } },
  logLevel: 'warn',
  plugins: [
    {
      name: 'place',
      // Tests find files by the place of their own sources, which is not that of the bundle.
      transform(code, id) {
        if (!id.startsWith(join(root, 'test')) || !code.includes('import.meta.url')) return null;
        const place = JSON.stringify(pathToFileURL(id).href);
        return { code: code.replaceAll('import.meta.url', () => place), moduleType: 'ts' };
      },
    },
  ],
});
await bundle.write({ dir, format: 'esm', entryFileNames: 'main.mjs', chunkFileNames: '[name]-[hash].mjs' });
await bundle.close();
process.argv.splice(1, process.argv.length - 1, resolve(file), ...args);
try {
  await import(pathToFileURL(join(dir, 'main.mjs')).href);
} catch (error) {
  if (!isUsageError(error)) throw error;
  endWithUsage(resolve(import.meta.dirname, '..', file), asksForHelp ? undefined : error);
}
