/** A private key that this process holds, whether node:crypto or a library works with it. */
// Tests: test/identity/load.test.ts
import { type KeyObject, createPublicKey } from 'node:crypto';
import type { Certificate } from '../x509/certificate.ts';
import { belongsTo, keyTypeOf } from '../x509/keys.ts';
import type { Signer } from './identity.ts';
import { createKeySigner } from './key-signer.ts';

export interface PrivateKey {
  readonly signer: Signer;
  /** DER of its SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7). */
  publicKey(): Uint8Array;
  /** Whether it is the key of `certificate`. */
  belongsTo(certificate: Certificate): boolean;
  /** Overwrites what can be overwritten; it cannot sign afterwards. Safe to call twice. */
  forget(): void;
}

/**
 * An RSA or EC key.
 *
 * @param source how errors name the file
 * @throws RolesAnywhereError `ERR_KEY_UNSUPPORTED`
 */
export function nativeKey(key: KeyObject, source: string): PrivateKey {
  const publicKey = createPublicKey(key);
  return {
    signer: createKeySigner(key, keyTypeOf(key, source), publicKey, source),
    publicKey: () => publicKey.export({ type: 'spki', format: 'der' }),
    belongsTo: (certificate) => belongsTo(key, certificate, publicKey),
    forget() {}, // its bytes are OpenSSL's, which wipes them when the object goes
  };
}
