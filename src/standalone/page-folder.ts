/** Takes the place of src/console/page-folder.ts in the standalone executable: the page is inside, and no folder of the machine. */
// Tests: test/standalone/console.heavy.test.ts
import { join } from 'node:path';

export function pageFolder(): string {
  return join(import.meta.dirname, 'console');
}
