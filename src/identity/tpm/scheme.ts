/** Which scheme a key signs by, and what it is given so that the signature is one over the message's own digest. */
// Tests: test/identity/tpm/key-file.test.ts
import { createHash } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Digest } from '../identity.ts';
import { CURVES, HASHES, TPM_ALG, algorithmName } from './constants.ts';
import type { AsymmetricKey, Scheme } from './public-area.ts';

const DIGEST_ALGORITHMS: Readonly<Record<Digest, number>> = {
  SHA256: TPM_ALG.sha256,
  SHA384: TPM_ALG.sha384,
  SHA512: TPM_ALG.sha512,
};

/** TPM_ALG of a digest. */
export function digestAlgorithm(digest: Digest): number {
  return DIGEST_ALGORITHMS[digest];
}

/**
 * The scheme for RSASSA-PKCS1-v1_5 or ECDSA over `digest`, for a key that may have a scheme of its own.
 *
 * @param source how errors name the key
 * @throws RolesAnywhereError `ERR_TPM_SCHEME` when the key makes other signatures only
 */
export function schemeFor(key: AsymmetricKey, digest: Digest, source: string): Scheme {
  const wanted = { algorithm: key.type === 'RSA' ? TPM_ALG.rsassa : TPM_ALG.ecdsa, hash: DIGEST_ALGORITHMS[digest] };
  const { algorithm, hash } = key.scheme;
  if (algorithm === TPM_ALG.null) return wanted;
  if (algorithm !== wanted.algorithm || hash === undefined)
    throw fixed(algorithmName(algorithm), wanted.algorithm, source);
  if (hash === wanted.hash) return wanted;
  // PKCS #1 puts the hash's name into the signature. ECDSA has no such thing: see digestFor.
  if (key.type === 'RSA') throw fixed(`RSASSA with ${algorithmName(hash)}`, wanted.algorithm, source);
  if ((HASHES.get(hash)?.bytes ?? 0) < (HASHES.get(wanted.hash)?.bytes ?? 0))
    throw fixed(`ECDSA with ${algorithmName(hash)}`, wanted.algorithm, source);
  return { algorithm, hash };
}

function fixed(what: string, wanted: number, source: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_TPM_SCHEME',
    `${source}: the key is made for ${what} only, which the service does not take`,
    {
      hint: `make a key without a scheme of its own, or for ${algorithmName(wanted)} with SHA256`,
    },
  );
}

/**
 * The octets to sign: the message's digest, as long as the hash that the scheme names.
 *
 * ECDSA takes as many of the digest's first bits as the curve's order has (FIPS 186-5, section 6.4.1). So zeros go where
 * they do not change the number that is signed: in front as far as the curve takes them, and behind.
 */
export function digestFor(key: AsymmetricKey, scheme: Scheme, message: Uint8Array, digest: Digest): Uint8Array {
  const own = createHash(digest).update(message).digest();
  const size = HASHES.get(scheme.hash ?? 0)?.bytes ?? own.length;
  if (size === own.length || key.type === 'RSA') return own;
  const taken = Math.min(size, CURVES.find(({ id }) => id === key.curve)?.bytes ?? size);
  const bytes = new Uint8Array(size);
  bytes.set(own, Math.max(0, taken - own.length));
  return bytes;
}
