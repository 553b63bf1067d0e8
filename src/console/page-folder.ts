/** Where the files of the console's page are. In the standalone executable src/standalone/page-folder.ts says so. */
// Tests: test/console/console.heavy.test.ts
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This code is in dist/chunks, or in src/console where tests run it. */
export function pageFolder(): string {
  const here = dirname(import.meta.url.startsWith('file:') ? fileURLToPath(import.meta.url) : import.meta.url);
  return join(here, here.endsWith('chunks') ? '../console' : '../../dist/console');
}
