/** Signatures of elliptic-curve keys in the form that X.509 wants. */
// Tests: test/identity/pkcs11/mechanism.test.ts

/**
 * The DER form of an ECDSA signature, a SEQUENCE of two INTEGERs (RFC 3279, section 2.2.3).
 *
 * @param raw r || s, each half of it, as tokens and WebCrypto give them
 */
export function ecdsaToDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const content = Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))]);
  return Buffer.concat([header(0x30, content.length), content]);
}

function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  // A set top bit would make it negative.
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([header(0x02, sign.length + digits.length), Uint8Array.from(sign), digits]);
}

/** Two integers of P-521 make a sequence longer than 127 bytes, and none is longer than 255. */
function header(tag: number, length: number): Uint8Array {
  return Uint8Array.from(length < 0x80 ? [tag, length] : [tag, 0x81, length]);
}
