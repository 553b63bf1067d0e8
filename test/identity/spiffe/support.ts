import { type KeyObject, createPublicKey } from 'node:crypto';

/** @param spki DER of a SubjectPublicKeyInfo */
export function publicKeyObject(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), type: 'spki', format: 'der' });
}
