/** The first certificate: for a key that is there already, in a file, a token or a TPM, or for one that is made for it. */
// Tests: test/renewal/est.test.ts, test/renewal/step-ca.heavy.test.ts
import { existsSync } from 'node:fs';
import { type LoadDeps, isInHardware, loadIdentity, loadSigningKey } from '../identity/load.ts';
import type { SigningKey } from '../identity/load.ts';
import { readPassword } from '../identity/containers/password.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import { readCertificate } from '../x509/certificate.ts';
import { checkRenewed } from './checks.ts';
import { type CsrContents, certificatePem, makeCsr } from './csr.ts';
import { type IdentityFiles, pkcs8 } from './form.ts';
import type { Issuer } from './issuer.ts';
import { type KeyKind, type NewKey, makeKey } from './key.ts';
import { writePkcs12 } from './pkcs12.ts';
import { createFile } from './replace.ts';

export interface EnrolmentOptions {
  readonly identity: IdentityFiles;
  readonly issuer: Issuer;
  readonly contents: CsrContents;
  readonly keyKind: KeyKind;
  readonly loading: LoadDeps;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Gets a first certificate, and writes it and, where it was made for it, the key: the key first, so that a run that was cut
 * short goes on with it.
 *
 * @throws RolesAnywhereError what the issuer throws; `ERR_RENEWAL_CHECK`, `ERR_RENEWAL_WRITE`
 */
export async function enroll(options: EnrolmentOptions): Promise<Certificate> {
  const { identity: files, issuer, contents, loading, now } = options;
  const { certificate, privateKey } = files;
  if (isInHardware(certificate))
    throw new RolesAnywhereError('ERR_UNSUPPORTED', '--enroll writes the first certificate to a file', {
      flag: '--certificate',
      hint: 'name a file, and move the certificate into the token or the TPM with its own tools',
    });
  const isThere = privateKey !== undefined && (isInHardware(privateKey) || existsSync(privateKey));
  const made = isThere ? undefined : await makeKey(options.keyKind);
  const key: SigningKey | NewKey = made ?? (await loadSigningKey(privateKey ?? '', loading));
  try {
    if (made !== undefined && privateKey !== undefined)
      await createFile(privateKey, Buffer.from(made.key.export({ type: 'pkcs8', format: 'pem' })), 0o600);
    const csr = await makeCsr(contents, key.signer, key.publicKey);
    const issued = await issuer.issue({ csr, current: undefined, newKey: true });
    const { leaf, chain } = checkRenewed(issued.certificates, key.publicKey, undefined, {
      issuer: issuer.name,
      now: now(),
    });
    const ders = [leaf, ...chain].map(({ der }) => der);
    const pem = ders.map((der) => certificatePem(der)).join('');
    if (made === undefined || privateKey !== undefined) await createFile(certificate, Buffer.from(pem), 0o644);
    else if (/\.(?:p12|pfx)$/i.test(certificate)) {
      const source = loading.passwords?.pkcs12;
      const password = source === undefined ? new Uint8Array() : await readPassword(source, loading.typed);
      await createFile(certificate, await writePkcs12(pkcs8(made.key), ders, password), 0o600);
    } else {
      const text = made.key.export({ type: 'pkcs8', format: 'pem' }).toString();
      await createFile(certificate, Buffer.from(pem + text), 0o600);
    }
  } finally {
    if ('close' in key) await key.close();
  }
  const identity = await loadIdentity(files, loading);
  await identity.close();
  return readCertificate(identity.certificate, `--certificate ${certificate}`);
}
