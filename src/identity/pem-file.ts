/** Files of certificates and keys for OpenSSL and the emulator: read as an identity's are, and passed on as every reader wants PEM. */
// Tests: test/commands/tls-files.test.ts, test/commands/emulator.test.ts
import type { PemBlock } from '../x509/pem.ts';
import { type Contents, readContents } from './contents.ts';
import { type MaterialFlag, readMaterialFile } from './material.ts';

/**
 * Takes a file apart that is in PEM, or one certificate or key in DER.
 *
 * @throws RolesAnywhereError as {@link readMaterialFile} and {@link readContents} do
 */
export async function readPemFile(flag: MaterialFlag, path: string): Promise<Contents> {
  return await readContents(readMaterialFile(flag, path));
}

/** Whether a block is a certificate, under one of the labels that OpenSSL reads alike. */
export function isCertificate({ label }: PemBlock): boolean {
  return /^(?:X509 |TRUSTED )?CERTIFICATE$/.test(label);
}

/** A block in PEM: without what stood around it, with the lines that OpenSSL wants. */
export function pemOf({ label, der }: Pick<PemBlock, 'label' | 'der'>): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
