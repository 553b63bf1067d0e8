/** Identities in the certificate store of a system. */
// Tests: test/cli/selector.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { CertificatePath } from '../checks.ts';
import type { CertificateChoice } from '../choice.ts';
import type { Identity } from '../identity.ts';

/** What is used of a specification: see load.ts. */
interface StoreSpec {
  readonly choice?: CertificateChoice | undefined;
}

/**
 * The identity that a choice means in the store of the system.
 *
 * @throws RolesAnywhereError `ERR_STORE_PLATFORM`
 */
export async function loadStoreIdentity(_spec: StoreSpec): Promise<CertificatePath & { readonly identity: Identity }> {
  throw noStore();
}

/**
 * Every certificate with a private key in the store of the system.
 *
 * @throws RolesAnywhereError `ERR_STORE_PLATFORM`
 */
export async function listStoreCertificates(_choice: CertificateChoice): Promise<readonly StoreCertificate[]> {
  throw noStore();
}

interface StoreCertificate {
  readonly certificate: Certificate;
}

function noStore(platform: NodeJS.Platform = process.platform): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_STORE_PLATFORM',
    `--cert-selector: on this system (${platform}) there is no certificate store that is read here`,
    {
      flag: '--cert-selector',
      hint: 'name what to choose from with --certificate: a folder, a file of several certificates, or a PKCS#11 URI',
    },
  );
}
