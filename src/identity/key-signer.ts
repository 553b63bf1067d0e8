/** Signs with a private key that this process holds. */
// Tests: test/identity/load.test.ts
import { type KeyObject, sign, verify } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { KeyType } from '../x509/algorithms.ts';
import type { Signer } from './identity.ts';

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
    async sign(message, digest = 'SHA256') {
      const signature = await new Promise<Uint8Array>((resolve, reject) => {
        // node:crypto's defaults are what is wanted: PKCS #1 v1.5 for RSA, a DER sequence for EC.
        sign(digest, message, key, (error, made) => {
          if (error === null) resolve(made);
          else
            reject(
              new RolesAnywhereError('ERR_SIGN', `the private key cannot sign with ${digest}`, {
                hint: 'an RSA key must be longer than the digest: use one of 2048 bits or more',
                cause: error,
              }),
            );
        });
      });
      if (verify(digest, message, publicKey, signature)) return signature;
      throw (await import('./unusual.ts')).notOwn(source);
    },
  };
}
