/** Signs with a private key that this process holds. */
// Tests: test/identity/load.test.ts
import { type KeyObject, sign } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { KeyType } from '../x509/algorithms.ts';
import type { Digest, Signer } from './identity.ts';

/**
 * A signer over a plain RSA or EC key.
 *
 * @param keyType the key's own type, see keyTypeOf of x509/keys.ts
 */
export function createKeySigner(key: KeyObject, keyType: KeyType): Signer {
  return {
    keyType,
    sign: async (message: Uint8Array, digest: Digest = 'SHA256') =>
      await new Promise<Uint8Array>((resolve, reject) => {
        // node:crypto's defaults are what is wanted: PKCS #1 v1.5 for RSA, a DER sequence for EC.
        sign(digest, message, key, (error, signature) => {
          if (error === null) resolve(signature);
          else
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
