import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The standalone executable for this machine, which `npm run build:standalone` and the heavy suite make. */
export const STANDALONE =
  process.env['ROLES_ANYWHERE_PROGRAM'] ||
  fileURLToPath(new URL('../../dist/standalone/roles-anywhere-linux-x64', import.meta.url));

/** Whether it is there; throws instead of saying no when CI requires every tool. */
export function requireStandalone(): boolean {
  if (existsSync(STANDALONE)) return true;
  if (process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1')
    throw new Error(`${STANDALONE} is missing: npm run build:standalone -- linux-x64`);
  return false;
}
