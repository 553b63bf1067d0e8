/** From a block that holds an RSA or EC key as it is to the key. The standalone executable has another way: src/standalone/plain-key.ts. */
// Tests: test/identity/load.test.ts
import { readPrivateKey } from '../x509/keys.ts';
import type { PemBlock } from '../x509/pem.ts';
import { type PrivateKey, nativeKey } from './private-key.ts';

/**
 * Makes an RSA or EC key of a block, and wipes the block's bytes.
 *
 * @param source how errors name the file, for example `--private-key key.pem`
 * @throws RolesAnywhereError `ERR_KEY_UNSUPPORTED`, `ERR_KEY_MALFORMED`
 */
export async function openPlainKey(block: PemBlock, source: string): Promise<PrivateKey> {
  return nativeKey(readPrivateKey(block, source), source);
}
