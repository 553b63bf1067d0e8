/** Puts a new certificate where its key is: into a token, or an NV index of a TPM. */
// Tests: test/renewal/hardware.heavy.test.ts
import { type LoadDeps, isPkcs11 } from '../identity/load.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { Renewed } from './checks.ts';
import type { IdentityFiles } from './form.ts';

/**
 * Replaces a certificate in hardware.
 *
 * @param files with a PKCS#11 URI or `nv:INDEX` as its certificate
 * @throws RolesAnywhereError of class `identity`; `ERR_RENEWAL_WRITE` where it does not fit, or was replaced by others
 */
export async function writeToHardware(
  files: IdentityFiles,
  old: Certificate,
  renewed: Renewed,
  deps: LoadDeps,
): Promise<void> {
  const { certificate: place, intermediates } = files;
  const { leaf, chain } = renewed;
  if (isPkcs11(place)) {
    const { replacePkcs11Certificate } = await import('../identity/pkcs11/index.ts');
    // A chain that is in a file stays there.
    const ders = [leaf, ...(intermediates === undefined ? chain : [])].map(({ der }) => der);
    return await replacePkcs11Certificate(place, old.der, ders, deps.token, deps.token);
  }
  const { readNvIndex, writeNvIndex } = await import('../identity/tpm/index.ts');
  const tpm = { ...deps, ...deps.tpm };
  const there = await readNvIndex(place, '--certificate', deps.tpm, tpm);
  // A chain behind it, in PEM, would have to be written with it.
  if (there[0] !== 0x30)
    throw new RolesAnywhereError('ERR_RENEWAL_WRITE', `${place} holds PEM, which is not written there`, {
      flag: '--certificate',
      hint: 'write the certificate to the index in DER, and give its chain with --intermediates',
    });
  await writeNvIndex(place, '--certificate', leaf.der, deps.tpm, tpm);
}
