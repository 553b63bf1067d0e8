/** The certificate and key that `serve` shows its clients: read and proved before a session is asked for. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readMaterialFile } from '../../identity/material.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

const BOTH_HINT = 'give the certificate with its chain as --tls-cert and its key as --tls-key, both in PEM';
const SWAPPED_HINT = 'the certificate is --tls-cert and its key --tls-key: they may be swapped';

/**
 * Reads the material, and tries it: node:https would refuse it as late as when the ports open, with words of OpenSSL's.
 *
 * @throws RolesAnywhereError of class `identity`
 */
export function readTls(files: TlsFiles): { cert: Buffer; key: Buffer } {
  const cert = read('--tls-cert', files.cert);
  const key = read('--tls-key', files.key);
  const leaf = readCertificate(cert.bytes, cert.source);
  const privateKey = readKey(key.bytes, key.source);
  if (!leaf.checkPrivateKey(privateKey))
    throw new RolesAnywhereError('ERR_KEY_MISMATCH', `${key.source} is not the key of ${cert.source}`, {
      hint: "give the key that the certificate was requested with; the server's own certificate is the first of its file",
    });
  try {
    createSecureContext({ cert: cert.bytes, key: key.bytes, minVersion: 'TLSv1.2' });
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new RolesAnywhereError('ERR_CERTIFICATE_MALFORMED', `${cert.source} cannot be used for TLS: ${reason}`, {
      hint: BOTH_HINT,
      cause,
    });
  }
  return { cert: cert.bytes, key: key.bytes };
}

interface TlsFile {
  readonly source: string;
  readonly bytes: Buffer;
}

function read(flag: '--tls-cert' | '--tls-key', path: string): TlsFile {
  const { source, bytes } = readMaterialFile(flag, path);
  return { source, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

function readCertificate(pem: Buffer, source: string): X509Certificate {
  const labels = labelsOf(pem, source);
  if (!labels.some((label) => label.endsWith('CERTIFICATE')))
    throw new RolesAnywhereError('ERR_PEM_LABEL', `${source} holds no certificate`, { hint: SWAPPED_HINT });
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new RolesAnywhereError('ERR_CERTIFICATE_MALFORMED', `${source} holds a certificate that cannot be read`, {
      hint: 'check it with `openssl x509 -noout -in FILE`',
      cause,
    });
  }
}

function readKey(pem: Buffer, source: string): KeyObject {
  const labels = labelsOf(pem, source);
  if (!labels.some((label) => label.endsWith('PRIVATE KEY')))
    throw new RolesAnywhereError('ERR_KEY_MISSING', `${source} holds no private key`, { hint: SWAPPED_HINT });
  // As OpenSSL writes keys of both forms: PKCS#8, and PEM's own encryption (RFC 1421).
  if (labels.includes('ENCRYPTED PRIVATE KEY') || pem.includes('4,ENCRYPTED'))
    throw new RolesAnywhereError('ERR_KEY_ENCRYPTED', `${source} holds a private key that is encrypted`, {
      hint: 'only plain keys are read here: decrypt it with `openssl pkey -in KEY -out PLAIN`, under `umask 077`',
    });
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new RolesAnywhereError('ERR_KEY_MALFORMED', `${source} holds a private key that cannot be read`, {
      hint: 'check it with `openssl pkey -noout -in FILE`',
      cause,
    });
  }
}

function labelsOf(pem: Buffer, source: string): string[] {
  const labels = [...pem.toString('latin1').matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, label = '']) => label);
  if (labels.length > 0) return labels;
  throw new RolesAnywhereError('ERR_FORMAT_UNKNOWN', `${source} is not PEM`, { hint: BOTH_HINT });
}
