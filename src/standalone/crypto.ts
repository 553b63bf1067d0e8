/**
 * What common modules on the executable's hot path take of node:crypto, which takes half as long to load as the runtime to
 * start: takes its place in them (scripts/build/standalone-bundle.mjs), and loads it when it is used. SHA-256 is the
 * runtime's own.
 */
// Tests: test/standalone/loads.heavy.test.ts
import type * as NodeCrypto from 'node:crypto';
import { sha256Hasher } from './runtime.ts';

const native = (): typeof NodeCrypto => process.getBuiltinModule('node:crypto');

export const createPrivateKey: typeof NodeCrypto.createPrivateKey = (key) => native().createPrivateKey(key);
export const createPublicKey: typeof NodeCrypto.createPublicKey = (key) => native().createPublicKey(key);

export function createHash(algorithm: string): unknown {
  return algorithm === 'sha256' ? sha256Hasher() : native().createHash(algorithm);
}

/** A constructor that gives an object of Node's. */
export const X509Certificate = function (bytes: Uint8Array): object {
  return new (native().X509Certificate)(bytes);
};
