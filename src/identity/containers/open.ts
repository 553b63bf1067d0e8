/** Containers by their kind. Loaded when a file holds one. */
// Tests: test/identity/containers/table.test.ts
import type { PemBlock } from '../../x509/pem.ts';
import type { PasswordDeps } from './password.ts';

/**
 * What a container holds, as a PEM file would have it; the caller's to wipe.
 *
 * @param block PKCS#12, or else PKCS#7
 * @throws RolesAnywhereError see openContainer of unlock.ts and readPkcs7 of pkcs7.ts
 */
export async function openBlock({ label, der }: PemBlock, source: string, deps: PasswordDeps): Promise<PemBlock[]> {
  if (label !== 'PKCS12') return (await import('./pkcs7.ts')).readPkcs7(der, source);
  const { openContainer } = await import('./unlock.ts');
  const blocks = await openContainer(der, source, deps);
  der.fill(0); // without encryption, it holds the key as it is
  return blocks;
}
