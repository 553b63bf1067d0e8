/** Puts a new certificate where its key is: into a token, or an NV index of a TPM. */
// Tests: test/renewal/hardware.heavy.test.ts
import type { LoadDeps } from '../identity/load.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { Renewed } from './checks.ts';

/**
 * Replaces a certificate in hardware.
 *
 * @param place of `--certificate`: a PKCS#11 URI or `nv:INDEX`
 * @throws RolesAnywhereError of class `identity`, `ERR_RENEWAL_WRITE`
 */
export async function writeToHardware(place: string, old: Certificate, renewed: Renewed, deps: LoadDeps): Promise<void> {
  void [old, renewed, deps];
  throw new RolesAnywhereError('ERR_RENEWAL_WRITE', `${place.startsWith('nv:') ? place : 'the certificate in the token'} is not replaced`, {
    hint: 'keep the certificate in a file',
  });
}
