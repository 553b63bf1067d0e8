/**
 * IMDSv2 session tokens without a table. A token carries its own end and is
 * authenticated with a key, so that any number of them takes no memory, a
 * flood can push none out, and an expired one needs no sweeping. They end with
 * the key: session-key.ts keeps it where it may outlive the process, since
 * some clients report the 401 that follows instead of asking for a new one.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export const SESSION_KEY_BYTES = 32;

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
  /** Whether the token was made with this key and has not ended. */
  accepts(token: string): boolean;
}

export interface SessionTokensOptions {
  /** 32 bytes. Default: new ones, of this process alone. */
  key?: Buffer | undefined;
  /**
   * Milliseconds that never go back, in every process with this key. Default the system's, from its start on: a wall clock
   * that is set does not move a token's end.
   */
  monotonic?: (() => number) | undefined;
  /** Cryptographically strong random bytes. Default node:crypto's. */
  random?: ((size: number) => Buffer) | undefined;
}

export function createSessionTokens({
  random = randomBytes,
  key = random(SESSION_KEY_BYTES),
  monotonic = systemAge,
}: SessionTokensOptions = {}): SessionTokens {
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

/** Not the process's age, which begins anew with each. */
function systemAge(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
