/** Where the helper program is: in an installed package, or next to a user's own bundle. */
// Tests: test/identity/pkcs11/bridge.test.ts
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { requireBeside } from '../../platform/require.ts';

export interface HelperPathOptions {
  /** A copy of this package's `dist/pkcs11-helper.cjs`, for programs that are bundled into one file. */
  helperPath?: string | undefined;
  resolve?: ((specifier: string) => string) | undefined;
  /** Where this code is; undefined where a bundler made CommonJS of it. */
  from?: string | undefined;
}

/**
 * The program that Node is to run.
 *
 * @throws RolesAnywhereError `ERR_PKCS11_HELPER`
 */
export function findHelper({
  helperPath,
  resolve = requireBeside().resolve,
  from = import.meta.url,
}: HelperPathOptions = {}): string {
  if (helperPath !== undefined) {
    if (existsSync(helperPath)) return helperPath;
    throw new RolesAnywhereError('ERR_PKCS11_HELPER', `there is no PKCS#11 helper program at ${helperPath}`, {
      hint: 'helperPath names a copy of dist/pkcs11-helper.cjs of this package',
    });
  }
  try {
    // The package finds itself by its own name, and so does a bundle next to a node_modules that has it.
    return resolve('roles-anywhere/pkcs11-helper');
  } catch (cause) {
    // A copy of the folder dist has no name: there, this code is in dist or in dist/chunks.
    const found = besides(from).find((file) => existsSync(file));
    if (found !== undefined) return found;
    throw new RolesAnywhereError('ERR_PKCS11_HELPER', 'the PKCS#11 helper program cannot be found', {
      hint: 'in a bundled program, ship a copy of dist/pkcs11-helper.cjs and give its place as helperPath',
      cause,
    });
  }
}

function besides(from: string | undefined): string[] {
  if (from?.startsWith('file:') !== true) return [];
  return ['pkcs11-helper.cjs', '../pkcs11-helper.cjs'].map((file) => fileURLToPath(new URL(file, from)));
}
