/** PKCS#8 of version 2 (RFC 5958, section 2). Loaded for such keys only. */
// Tests: test/identity/load.test.ts
import { DerError, TAG, expectTag, readChildren, readDer } from '../../x509/der.ts';
import type { PemBlock } from '../../x509/pem.ts';

const OCTET_STRING = 0x04;

/**
 * The same key in version 1, without its attributes and its public key, which follow from the private one. The block's
 * bytes are wiped. Nothing is left of what is not well-formed: reading that says so.
 */
export function asVersion1({ label, headers, der }: PemBlock): PemBlock {
  try {
    const [, algorithm, key] = readChildren(expectTag(readDer(der), TAG.sequence, 'the key'));
    const content = Buffer.concat([
      Buffer.from([TAG.integer, 1, 0]),
      expectTag(algorithm, TAG.sequence, 'the algorithm').der,
      expectTag(key, OCTET_STRING, 'the key').der,
    ]);
    const written = Buffer.concat([header(content.length), content]);
    content.fill(0);
    return { label, headers, der: written };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return { label, headers, der: Uint8Array.of() };
  } finally {
    der.fill(0);
  }
}

/** Of a SEQUENCE, with as many octets of length as DER wants. */
function header(length: number): Buffer {
  if (length < 0x80) return Buffer.from([TAG.sequence, length]);
  const hex = length.toString(16);
  const octets = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([TAG.sequence, 0x80 | octets.length]), octets]);
}
