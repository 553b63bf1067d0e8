/** Packages that are looked for at run time, from wherever this code lies: installed, or in somebody's bundle. */
// Tests: test/package/bundlers.heavy.test.ts
import { join } from 'node:path';

/**
 * A `require` for what no bundler should try to follow. Beside this file; where a bundler made CommonJS of it and
 * `import.meta` is empty, beside the program that was started; else in the working directory.
 */
export function requireBeside(url: string | undefined = import.meta.url): NodeJS.Require {
  const { createRequire } = process.getBuiltinModule('node:module');
  return createRequire(url ?? process.argv[1] ?? join(process.cwd(), 'index.js'));
}
