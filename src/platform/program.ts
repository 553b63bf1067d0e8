/** How this program was called. The standalone executable has another way to know: src/standalone/program.ts. */
// Tests: test/commands/link.test.ts
import { resolve } from 'node:path';

/** The path that the program was called by; npm's links and the one of `link` come through unresolved. */
export function programPath(): string {
  return resolve(process.argv[1] ?? 'roles-anywhere');
}
