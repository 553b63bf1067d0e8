/** Names of the key algorithms that certificates and PKCS#8 keys are found with. */
// Tests: test/x509/certificate.test.ts

/** The kind of a certificate's key; it decides the signing algorithm. */
export type KeyType = 'RSA' | 'EC' | MlDsaType;

/** The parameter sets of FIPS 204. */
export type MlDsaType = 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87';

/** What an algorithm is called here, and the key type that it is, where that can be used. */
export interface KeyAlgorithm {
  /** Of the algorithm alone: an EC key on any curve is `EC`. */
  readonly name: string;
  readonly keyType?: KeyType | undefined;
}

const EC = '1.2.840.10045.2.1';

/** RFC 3279, 4055, 8410, 9881, by object identifier. */
const KEY_ALGORITHMS: Readonly<Record<string, KeyAlgorithm>> = {
  '1.2.840.113549.1.1.1': { name: 'RSA', keyType: 'RSA' },
  [EC]: { name: 'EC', keyType: 'EC' },
  '2.16.840.1.101.3.4.3.17': { name: 'ML-DSA-44', keyType: 'ML-DSA-44' },
  '2.16.840.1.101.3.4.3.18': { name: 'ML-DSA-65', keyType: 'ML-DSA-65' },
  '2.16.840.1.101.3.4.3.19': { name: 'ML-DSA-87', keyType: 'ML-DSA-87' },
  '1.2.840.113549.1.1.10': { name: 'RSASSA-PSS' },
  '1.2.840.10040.4.1': { name: 'DSA' },
  '1.3.101.110': { name: 'X25519' },
  '1.3.101.111': { name: 'X448' },
  '1.3.101.112': { name: 'Ed25519' },
  '1.3.101.113': { name: 'Ed448' },
};

/** P-256, P-384 and P-521 (RFC 5480, section 2.1.1.1), the curves that the service is known to take. */
const CURVES: ReadonlySet<string> = new Set(['1.2.840.10045.3.1.7', '1.3.132.0.34', '1.3.132.0.35']);

/**
 * The algorithm with this object identifier; one without a name here goes by its identifier.
 *
 * @param curve that of a certificate's EC key, empty where it has no name; left out where it does not matter
 */
export function keyAlgorithm(objectIdentifier: string, curve?: string): KeyAlgorithm {
  if (objectIdentifier === EC && curve !== undefined && !CURVES.has(curve)) return { name: 'EC' };
  return KEY_ALGORITHMS[objectIdentifier] ?? { name: `key algorithm ${objectIdentifier}` };
}
