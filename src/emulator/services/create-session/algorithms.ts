/** The algorithms of SigV4-X509: IAM Roles Anywhere User Guide, "Signing process". */
// Tests: test/emulator/services/create-session/signature.test.ts
import { type KeyObject, verify } from 'node:crypto';
import type { Certificate } from '../../certificates/certificate.ts';

interface Algorithm {
  /** The reason why a key cannot be used with it, or undefined. */
  keyProblem(key: KeyObject): string | undefined;
  verify(key: KeyObject, message: Buffer, signature: Buffer): boolean;
}

/** OpenSSL's names of P-256, P-384 and P-521. */
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

const ML_DSA = 'AWS4-X509-MLDSA';

/** The algorithms by their names in the Authorization header. ML-DSA is apart: not every Node has a KeyObject for it. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  [
    'AWS4-X509-RSA-SHA256',
    {
      keyProblem: ({ asymmetricKeyType: type }) => (type === 'rsa' ? undefined : `the key is of type ${type}, not rsa`),
      verify: (key, message, signature) => verify('sha256', message, key, signature),
    },
  ],
  [
    'AWS4-X509-ECDSA-SHA256',
    {
      keyProblem({ asymmetricKeyType: type, asymmetricKeyDetails: details }) {
        if (type !== 'ec') return `the key is of type ${type}, not ec`;
        return CURVES.has(details?.namedCurve ?? '') ? undefined : `curve ${details?.namedCurve} is not supported`;
      },
      verify: (key, message, signature) => verify('sha256', message, { key, dsaEncoding: 'der' }, signature),
    },
  ],
]);

/** The reason why a certificate's key cannot have signed with this algorithm, or undefined. */
export function algorithmProblem(name: string, { publicKey, mlDsaKey }: Certificate): string | undefined {
  if (name === ML_DSA) return mlDsaKey === undefined ? 'the key is not of type ML-DSA' : undefined;
  if (mlDsaKey !== undefined) return `the key is of type ML-DSA, and the algorithm ${name}`;
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined) return `the algorithm ${name} does not exist`;
  return publicKey === undefined
    ? "the certificate's key is of a type that cannot be read"
    : algorithm.keyProblem(publicKey);
}

/** Whether the certificate's key made the signature. A malformed one is a wrong one. */
export function verifySignature(
  name: string,
  { publicKey, mlDsaKey }: Certificate,
  message: Buffer,
  signature: Buffer,
): boolean {
  if (name === ML_DSA) return mlDsaKey?.verify(message, signature) === true;
  try {
    return publicKey !== undefined && ALGORITHMS.get(name)?.verify(publicKey, message, signature) === true;
  } catch {
    return false;
  }
}
