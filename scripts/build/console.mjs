// The page of the web console: a script, a style sheet, an icon and the document, all of them small and from here alone.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

/** What the whole page may weigh when it is compressed. */
const BUDGET_BYTES = 60 * 1024;

/**
 * Makes dist/console.
 *
 * @returns {Promise<{ modules: string[], bytes: number }>} the modules whose code is in the page, and its size, compressed
 */
export async function bundleConsole(root, dist) {
  const source = join(root, 'src/console/page');
  const folder = join(dist, 'console');
  mkdirSync(folder, { recursive: true });
  const build = await rolldown({
    cwd: root,
    input: { app: join(source, 'main.tsx') },
    platform: 'browser',
    tsconfig: false,
    transform: { target: 'es2022', jsx: { runtime: 'automatic', importSource: 'preact' } },
    resolve: { mainFields: ['module', 'main'] },
    onLog(level, log, report) {
      report(level === 'warn' ? 'error' : level, log);
    },
  });
  let modules;
  try {
    const { output } = await build.write({
      dir: folder,
      format: 'esm',
      entryFileNames: '[name].js',
      minify: true,
      codeSplitting: false,
      comments: { jsdoc: false, annotation: false, legal: true },
    });
    modules = output.flatMap((chunk) =>
      Object.entries(chunk.modules ?? {})
        .filter(([, { renderedLength }]) => renderedLength > 0)
        .map(([id]) => id),
    );
  } finally {
    await build.close();
  }
  const style = readFileSync(join(source, 'app.css'), 'utf8');
  // Of the chart's own style sheet, that its layers lie on each other.
  const chart = readFileSync(join(root, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8');
  writeFileSync(join(folder, 'app.css'), `${chart.trim()}\n${style.replaceAll(/^\s+/gm, '')}`);
  for (const name of ['index.html', 'icon.svg']) copyFileSync(join(source, name), join(folder, name));
  const bytes = ['index.html', 'icon.svg', 'app.css', 'app.js']
    .map((name) => gzipSync(readFileSync(join(folder, name)), { level: 9 }).length)
    .reduce((sum, size) => sum + size, 0);
  if (bytes > BUDGET_BYTES)
    throw new Error(`the console's page has ${bytes} bytes compressed; its budget is ${BUDGET_BYTES}`);
  return { modules, bytes };
}
