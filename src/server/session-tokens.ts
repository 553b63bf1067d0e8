/**
 * IMDSv2 session tokens without a table. A token carries its own end and is
 * authenticated with a key that lives as long as the process, so that any
 * number of them takes no memory, a flood can push none out, and an expired
 * one needs no sweeping. A restart ends them all; clients then get a 401 and
 * ask for a new one, as they would on EC2.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { processAge } from '../platform/clock.ts';

/** The most that a client may ask for: six hours (EC2 User Guide, "Use IMDSv2"). */
export const MAX_TTL_SECONDS = 21_600;

// end (6 bytes, milliseconds) || nonce (12) || HMAC-SHA-256 of both, cut to 24: 56 characters, as EC2's have
const END_BYTES = 6;
const SIGNED_BYTES = 18;
const TOKEN_BYTES = 42;
const TOKEN_LENGTH = 56;

export interface SessionTokens {
  /** @param ttlSeconds 1 to {@link MAX_TTL_SECONDS}, checked by the caller */
  issue(ttlSeconds: number): string;
  /** Whether the token is one of this process's and has not ended. */
  accepts(token: string): boolean;
}

export interface SessionTokensOptions {
  /** Milliseconds that never go back. Default the process's age: a wall clock that is set does not move a token's end. */
  monotonic?: (() => number) | undefined;
  /** Cryptographically strong random bytes. Default node:crypto's. */
  random?: ((size: number) => Buffer) | undefined;
}

export function createSessionTokens({
  monotonic = processAge,
  random = randomBytes,
}: SessionTokensOptions = {}): SessionTokens {
  const key = random(32);
  const mac = (signed: Buffer): Buffer =>
    createHmac('sha256', key)
      .update(signed)
      .digest()
      .subarray(0, TOKEN_BYTES - SIGNED_BYTES);
  return {
    issue(ttlSeconds) {
      const signed = Buffer.concat([Buffer.alloc(END_BYTES), random(SIGNED_BYTES - END_BYTES)]);
      signed.writeUIntBE(Math.ceil(monotonic()) + ttlSeconds * 1000, 0, END_BYTES);
      return Buffer.concat([signed, mac(signed)]).toString('base64url');
    },
    accepts(token) {
      if (token.length !== TOKEN_LENGTH) return false;
      const bytes = Buffer.from(token, 'base64url');
      if (bytes.length !== TOKEN_BYTES) return false;
      const signed = bytes.subarray(0, SIGNED_BYTES);
      return (
        timingSafeEqual(bytes.subarray(SIGNED_BYTES), mac(signed)) && monotonic() < signed.readUIntBE(0, END_BYTES)
      );
    },
  };
}
