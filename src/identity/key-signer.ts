/** Signs with a private key that this process holds. */
// Tests: test/identity/load.test.ts
import { type KeyObject, sign, verify } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { KeyType } from '../x509/algorithms.ts';
import type { Digest, Signer } from './identity.ts';

/**
 * A signer over a plain RSA or EC key.
 *
 * @param keyType the key's own type, see keyTypeOf of x509/keys.ts
 * @param publicKey the one that its certificate is for: each signature is verified with it, since a file can hold a
 * public part that is not of its private one
 * @param source how errors name the file
 */
export function createKeySigner(key: KeyObject, keyType: KeyType, publicKey: KeyObject, source: string): Signer {
  return {
    keyType,
    sign: async (message: Uint8Array, digest: Digest = 'SHA256') =>
      await new Promise<Uint8Array>((resolve, reject) => {
        // node:crypto's defaults are what is wanted: PKCS #1 v1.5 for RSA, a DER sequence for EC.
        sign(digest, message, key, (error, signature) => {
          if (error === null) {
            if (verify(digest, message, publicKey, signature)) resolve(signature);
            else reject(notOwn(source));
          } else
            reject(
              new RolesAnywhereError('ERR_SIGN', `the private key cannot sign with ${digest}`, {
                hint: 'an RSA key must be longer than the digest: use one of 2048 bits or more',
                cause: error,
              }),
            );
        });
      }),
  };
}

function notOwn(source: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_KEY_MISMATCH',
    `the public key in ${source} is not that of its private key: a signature by the one does not fit the other`,
    { hint: 'the file was put together of two keys: give the key as it was made' },
  );
}
