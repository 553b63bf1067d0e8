/**
 * ML-DSA (FIPS 204), verified by @noble/post-quantum on every Node: where
 * node:crypto has it, the clients sign with that, and one checks the other.
 */
// Tests: test/emulator/services/create-session/openssl.test.ts
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';

export interface MlDsaKey {
  /** The OID of the parameter set, for keys and signatures alike (RFC 9881, section 2). */
  readonly oid: string;
  /** Pure ML-DSA with an empty context. A malformed signature is a wrong one. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

const PARAMETER_SETS: ReadonlyMap<string, typeof ml_dsa44> = new Map([
  ['2.16.840.1.101.3.4.3.17', ml_dsa44],
  ['2.16.840.1.101.3.4.3.18', ml_dsa65],
  ['2.16.840.1.101.3.4.3.19', ml_dsa87],
]);

/**
 * The key of a SubjectPublicKeyInfo, by its algorithm and bits.
 *
 * @returns undefined for another algorithm, and for a key of the wrong length
 */
export function readMlDsaKey(oid: string, bits: Uint8Array): MlDsaKey | undefined {
  const algorithm = PARAMETER_SETS.get(oid);
  if (algorithm === undefined || bits.length !== algorithm.lengths.publicKey) return undefined;
  return {
    oid,
    verify(message, signature) {
      try {
        return algorithm.verify(signature, message, bits);
      } catch {
        return false;
      }
    },
  };
}
