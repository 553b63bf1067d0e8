/** The certificate and key that `serve` and the emulator show their clients: read and proved before anything else is done. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Contents } from '../identity/contents.ts';
import { isCertificate, pemOf, readPemFile } from '../identity/pem-file.ts';
import { notKey, wrongKind } from '../identity/unusual.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { TPM_KEY_LABEL, isEncryptedKey, isPrivateKeyLabel } from '../x509/keys.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads the material, and tries it: node:https would refuse it as late as when the ports open, with words of OpenSSL's.
 *
 * @returns the certificates, in the file's order, and the key, in PEM as OpenSSL reads it whole
 * @throws RolesAnywhereError of class `identity`
 */
export async function readTls(files: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  const certFile = await readPemFile('--tls-cert', files.cert);
  const keyFile = await readPemFile('--tls-key', files.key);
  const { cert, leaf } = readCertificates(certFile, keyFile);
  const { key, privateKey } = readKey(keyFile);
  const [certSource, keySource] = [certFile.material.source, keyFile.material.source];
  if (!leaf.checkPrivateKey(privateKey))
    throw new RolesAnywhereError('ERR_KEY_MISMATCH', `${keySource} is not the key of ${certSource}`, {
      hint: "give the key that the certificate was requested with; the server's own certificate is the first of its file",
    });
  try {
    createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new RolesAnywhereError('ERR_CERTIFICATE_MALFORMED', `${certSource} cannot be used for TLS: ${reason}`, {
      hint: 'give the certificate with its chain as --tls-cert and its key as --tls-key, both in PEM',
      cause,
    });
  }
  return { cert, key };
}

function readCertificates({ material, blocks }: Contents, keyFile: Contents): { cert: Buffer; leaf: X509Certificate } {
  const cert = Buffer.from(blocks.filter(isCertificate).map(pemOf).join(''));
  if (cert.length === 0) throw wrongKind(material, blocks, 'certificate', keyFile.blocks);
  try {
    return { cert, leaf: new X509Certificate(cert) };
  } catch (cause) {
    throw new RolesAnywhereError(
      'ERR_CERTIFICATE_MALFORMED',
      `${material.source} holds a certificate that cannot be read`,
      { hint: 'check it with `openssl x509 -noout -in FILE`', cause },
    );
  }
}

function readKey({ material, blocks }: Contents): { key: Buffer; privateKey: KeyObject } {
  const { source } = material;
  const block = blocks.find(({ label }) => isPrivateKeyLabel(label));
  if (block === undefined) {
    const { message, hint } = wrongKind(material, blocks, 'private key');
    throw new RolesAnywhereError('ERR_KEY_MISSING', message, { hint });
  }
  if (isEncryptedKey(block))
    throw new RolesAnywhereError('ERR_KEY_ENCRYPTED', `${source} holds a private key that is encrypted`, {
      hint: 'only plain keys are read here: decrypt it with `openssl pkey -in KEY -out PLAIN`, under `umask 077`',
    });
  if (block.label === TPM_KEY_LABEL || block.label.startsWith('OPENSSH'))
    throw notKey(
      [block],
      new RolesAnywhereError('ERR_KEY_UNSUPPORTED', `${source} holds a key that is not read here: ${block.label}`, {
        hint: 'give it in PKCS#8',
      }),
    );
  const key = Buffer.from(pemOf(block));
  try {
    return { key, privateKey: createPrivateKey(key) };
  } catch (cause) {
    throw new RolesAnywhereError('ERR_KEY_MALFORMED', `${source} holds a private key that cannot be read`, {
      hint: 'check it with `openssl pkey -noout -in FILE`',
      cause,
    });
  }
}
