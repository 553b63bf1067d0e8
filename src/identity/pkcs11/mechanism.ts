/** Which mechanism makes a signature, what it is given, and how its result becomes what X.509 wants. */
import { createHash } from 'node:crypto';
import type { Digest } from '../identity.ts';
import { CKM_ECDSA, CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS, CKM_SHA512_RSA_PKCS } from './constants.ts';

export interface SignRequest {
  mechanism: number;
  data: Uint8Array;
}

const COMBINED: Readonly<Record<Digest, number>> = {
  SHA256: CKM_SHA256_RSA_PKCS,
  SHA384: CKM_SHA384_RSA_PKCS,
  SHA512: CKM_SHA512_RSA_PKCS,
};

/** DER of a DigestInfo up to the digest (RFC 8017, section 9.2, note 1). */
const DIGEST_INFO: Readonly<Record<Digest, string>> = {
  SHA256: '3031300d060960864801650304020105000420',
  SHA384: '3041300d060960864801650304020205000430',
  SHA512: '3051300d060960864801650304020305000440',
};

/** A message longer than this is hashed here: tokens, and the memory for a call, have limits. */
const MAX_TOKEN_MESSAGE_BYTES = 4096;

/**
 * For RSA the combined mechanism on the message: some tokens, in FIPS mode,
 * allow no other. Where it is missing, the raw one on a DigestInfo.
 */
export function rsaRequest(
  message: Uint8Array,
  digest: Digest,
  hasMechanism: (mechanism: number) => boolean,
): SignRequest {
  const combined = COMBINED[digest];
  const canHash = message.length <= MAX_TOKEN_MESSAGE_BYTES || !hasMechanism(CKM_RSA_PKCS);
  if (hasMechanism(combined) && canHash) return { mechanism: combined, data: message };
  return {
    mechanism: CKM_RSA_PKCS,
    data: Buffer.concat([Buffer.from(DIGEST_INFO[digest], 'hex'), hash(message, digest)]),
  };
}

/** @param size bytes of the curve's order: a longer digest is cut to it (FIPS 186-5, section 6.4.1) */
export function ecRequest(message: Uint8Array, digest: Digest, size: number): SignRequest {
  return { mechanism: CKM_ECDSA, data: hash(message, digest).subarray(0, size) };
}

function hash(message: Uint8Array, digest: Digest): Uint8Array {
  return createHash(digest).update(message).digest();
}
