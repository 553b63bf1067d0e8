/** Opens what a password keeps shut. Loaded only when a file holds such a thing. */
// Tests: test/identity/containers/table.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { PemBlock } from '../../x509/pem.ts';
import { StructureError } from './asn1.ts';
import { type PasswordDeps, openWithPassword } from './password.ts';
import { readPkcs12 } from './pkcs12.ts';
import { readEncryptedPkcs8, readTraditionalKey } from './pkcs8.ts';

/**
 * Takes out what a PKCS#12 container holds.
 *
 * @param source how errors name the file
 * @returns blocks as a PEM file would have them: certificates, then keys; the caller's to wipe
 * @throws RolesAnywhereError `ERR_PKCS12_MALFORMED`, `ERR_ENCRYPTION_UNSUPPORTED`, `ERR_KDF_TOO_COSTLY`, and those of
 * {@link openWithPassword}
 */
export async function openContainer(der: Uint8Array, source: string, deps: PasswordDeps): Promise<PemBlock[]> {
  try {
    const container = readPkcs12(der, source);
    if (!container.locked) return await container.open(new Uint8Array());
    return await openWithPassword('pkcs12', source, deps, async (password) => await container.open(password));
  } catch (error) {
    if (!(error instanceof StructureError)) throw error;
    throw new RolesAnywhereError(
      'ERR_PKCS12_MALFORMED',
      `${source} is a PKCS#12 file that cannot be read: ${error.message}`,
      { hint: 'the file was cut or changed on its way: copy or export it again', cause: error },
    );
  }
}

/**
 * Decrypts a private key.
 *
 * @returns the same key as a block that is not encrypted; the caller's to wipe
 * @throws RolesAnywhereError `ERR_KEY_MALFORMED`, `ERR_ENCRYPTION_UNSUPPORTED`, `ERR_KDF_TOO_COSTLY`, and those of
 * {@link openWithPassword}
 */
export async function unlockKey(block: PemBlock, source: string, deps: PasswordDeps): Promise<PemBlock> {
  try {
    const key =
      block.label === 'ENCRYPTED PRIVATE KEY'
        ? readEncryptedPkcs8(block.der, source)
        : readTraditionalKey(block, source);
    return await openWithPassword('pkcs8', source, deps, async (password) => await key.open(password));
  } catch (error) {
    if (!(error instanceof StructureError)) throw error;
    throw new RolesAnywhereError(
      'ERR_KEY_MALFORMED',
      `${source} holds an encrypted private key that cannot be read: ${error.message}`,
      { hint: 'the file was cut or changed on its way: copy it again from its origin', cause: error },
    );
  }
}
