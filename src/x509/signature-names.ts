/** Names of signature algorithms, for people. */
// Tests: test/identity/certificate-text.test.ts
import type { Certificate } from './certificate.ts';
import { pssDigest } from './rules.ts';

/** RFC 3279, 4055, 5758, 8410, 9881, by object identifier. */
const SIGNATURES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.2': 'RSA with MD2',
  '1.2.840.113549.1.1.3': 'RSA with MD4',
  '1.2.840.113549.1.1.4': 'RSA with MD5',
  '1.3.14.3.2.3': 'RSA with MD5',
  '1.2.840.113549.1.1.5': 'RSA with SHA-1',
  '1.3.14.3.2.29': 'RSA with SHA-1',
  '1.2.840.113549.1.1.14': 'RSA with SHA-224',
  '1.2.840.113549.1.1.11': 'RSA with SHA-256',
  '1.2.840.113549.1.1.12': 'RSA with SHA-384',
  '1.2.840.113549.1.1.13': 'RSA with SHA-512',
  '1.2.840.113549.1.1.10': 'RSASSA-PSS',
  '1.2.840.10045.4.1': 'ECDSA with SHA-1',
  '1.2.840.10045.4.3.1': 'ECDSA with SHA-224',
  '1.2.840.10045.4.3.2': 'ECDSA with SHA-256',
  '1.2.840.10045.4.3.3': 'ECDSA with SHA-384',
  '1.2.840.10045.4.3.4': 'ECDSA with SHA-512',
  '1.2.840.10040.4.3': 'DSA with SHA-1',
  '2.16.840.1.101.3.4.3.1': 'DSA with SHA-224',
  '2.16.840.1.101.3.4.3.2': 'DSA with SHA-256',
  '2.16.840.1.101.3.4.3.17': 'ML-DSA-44',
  '2.16.840.1.101.3.4.3.18': 'ML-DSA-65',
  '2.16.840.1.101.3.4.3.19': 'ML-DSA-87',
  '1.3.101.112': 'Ed25519',
  '1.3.101.113': 'Ed448',
};

const DIGESTS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'MD5',
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.4': 'SHA-224',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
};

/** What a certificate is signed with, such as `ECDSA with SHA-256`. */
export function signatureName({ signature }: Pick<Certificate, 'signature'>): string {
  const { objectIdentifier } = signature;
  const name = SIGNATURES[objectIdentifier] ?? `the algorithm ${objectIdentifier}`;
  const digest = pssDigest(signature);
  return digest === undefined ? name : `${name} with ${DIGESTS[digest] ?? `the digest ${digest}`}`;
}
