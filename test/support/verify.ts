import { X509Certificate, verify } from 'node:crypto';
import { readMlDsaKey } from '../../src/emulator/certificates/ml-dsa.ts';
import { readCertificate } from '../../src/x509/certificate.ts';

const OIDS: Readonly<Record<string, string>> = {
  'ML-DSA-44': '2.16.840.1.101.3.4.3.17',
  'ML-DSA-65': '2.16.840.1.101.3.4.3.18',
  'ML-DSA-87': '2.16.840.1.101.3.4.3.19',
};

/** Bytes before the key in a SubjectPublicKeyInfo of ML-DSA: headers, algorithm, and the count of unused bits. */
const MLDSA_PREFIX = 22;

/** Whether the key of a certificate (DER) made this signature, with SHA-256 where the kind of key takes a digest. */
export function verifyWithCertificate(der: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { keyAlgorithm, publicKey } = readCertificate(der, 'the certificate');
  const oid = OIDS[keyAlgorithm.name];
  if (oid === undefined) return verify('SHA256', message, new X509Certificate(der).publicKey, signature);
  return readMlDsaKey(oid, publicKey.subarray(MLDSA_PREFIX))?.verify(message, signature) === true;
}
