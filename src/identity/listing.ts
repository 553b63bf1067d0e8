/** Certificates that can be chosen from, with or without a key, for a list. */
// Tests: test/cli/selector.test.ts
import type { Certificate } from '../x509/certificate.ts';
import { type CertificateChoice, notFound, openChooser } from './choice.ts';
import { certificatesInFolder } from './folder.ts';
import { type LoadDeps, isDirectory, loadCertificates } from './load.ts';
import { listStoreCertificates } from './os-store/index.ts';
import type { StoreSettings } from './os-store/store.ts';

/** One of a list. */
export interface ListedCertificate {
  readonly certificate: Certificate;
  /** The file of the folder that it is in. */
  readonly file?: string | undefined;
}

/**
 * Every certificate that a choice matches: in a file, in the files of a folder, or in the store of the system.
 *
 * @param value as in IdentitySpec of load.ts
 * @throws RolesAnywhereError `ERR_SELECTOR`, `ERR_CERTIFICATE_NOT_FOUND`, and what reading throws
 */
export async function listCertificates(
  value: string | undefined,
  choice: CertificateChoice,
  store: StoreSettings,
  deps: LoadDeps,
): Promise<readonly ListedCertificate[]> {
  const chooser = openChooser(choice);
  const all = await allIn(value, store, deps);
  const found = all.filter(({ certificate }) => chooser.matches(certificate));
  if (found.length > 0) return found;
  const where = value === undefined ? 'the store' : `--certificate ${value}`;
  throw notFound(
    all.map(({ certificate }) => ({ leaf: certificate })),
    where,
  );
}

async function allIn(
  value: string | undefined,
  store: StoreSettings,
  deps: LoadDeps,
): Promise<readonly ListedCertificate[]> {
  if (value === undefined) return await listStoreCertificates(store, deps);
  if (isDirectory(value)) return await certificatesInFolder(value, deps);
  return (await loadCertificates(value, deps)).map((certificate) => ({ certificate }));
}
