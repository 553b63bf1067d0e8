/**
 * IMDSv2 session tokens that need no table. A token carries its own end and is
 * authenticated with a key, so that any number of them takes no memory, a
 * flood can push none out, and an expired one needs no sweeping. They end with
 * the key: session-key.ts keeps it where it may outlive the process, since
 * some clients report the 401 that follows instead of asking for a new one.
 *
 * Those that were given out or taken lately are remembered with their ends,
 * because authenticating one takes as long as a third of its request. Who is
 * forgotten is authenticated again.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

export const SESSION_KEY_BYTES = 32;

/** The most that a client may ask for: six hours (EC2 User Guide, "Use IMDSv2"). */
export const MAX_TTL_SECONDS = 21_600;

// end (6 bytes, milliseconds) || nonce (12) || HMAC-SHA-256 of both, cut to 24: 56 characters, as EC2's have
const END_BYTES = 6;
const NONCE_BYTES = 12;
const SIGNED_BYTES = END_BYTES + NONCE_BYTES;
const MAC_BYTES = 24;
const TOKEN_BYTES = SIGNED_BYTES + MAC_BYTES;
const TOKEN_LENGTH = 56;

// of SHA-256
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** How many are remembered, at some 150 bytes each: more than a machine has programs that ask. */
const REMEMBERED = 1024;

/** Random bytes are fetched for so many tokens at once. */
const NONCES = 64;

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
  const mac = hmacSha256(key);
  // Two tables by turns: leaving one out whole is cheaper than taking the oldest out of one.
  let recent = new Map<string, number>();
  let older = recent;
  const remember = (token: string, end: number): void => {
    if (recent.size >= REMEMBERED / 2) {
      older = recent;
      recent = new Map();
    }
    recent.set(token, end);
  };
  const remembered = (token: string): number | undefined => {
    const end = recent.get(token);
    if (end !== undefined) return end;
    const before = older.get(token);
    if (before !== undefined) remember(token, before);
    return before;
  };
  let nonces: Buffer = Buffer.alloc(0);
  const nonce = (): Buffer => {
    if (nonces.length === 0) nonces = random(NONCES * NONCE_BYTES);
    const taken = nonces.subarray(0, NONCE_BYTES);
    nonces = nonces.subarray(NONCE_BYTES);
    return taken;
  };
  return {
    issue(ttlSeconds) {
      const end = Math.ceil(monotonic()) + ttlSeconds * 1000;
      const bytes = Buffer.alloc(TOKEN_BYTES);
      bytes.writeUIntBE(end, 0, END_BYTES);
      bytes.set(nonce(), END_BYTES);
      bytes.set(mac(bytes.subarray(0, SIGNED_BYTES)).subarray(0, MAC_BYTES), SIGNED_BYTES);
      const token = bytes.toString('base64url');
      remember(token, end);
      return token;
    },
    accepts(token) {
      if (token.length !== TOKEN_LENGTH) return false;
      // What is looked up are characters that nobody can guess one by one: the table finds a token by a hash of all of them.
      const known = remembered(token);
      if (known !== undefined) return monotonic() < known;
      const bytes = Buffer.from(token, 'base64url');
      if (bytes.length !== TOKEN_BYTES) return false;
      const signed = bytes.subarray(0, SIGNED_BYTES);
      const end = signed.readUIntBE(0, END_BYTES);
      if (!timingSafeEqual(bytes.subarray(SIGNED_BYTES), mac(signed).subarray(0, MAC_BYTES)) || monotonic() >= end)
        return false;
      remember(token, end);
      return true;
    },
  };
}

/**
 * HMAC-SHA-256 (RFC 2104) of {@link SIGNED_BYTES} by a key of at most a block, out of two calls: an object of node:crypto for
 * each token would cost more than its two hashes, and stay until it is collected.
 */
function hmacSha256(key: Buffer): (signed: Buffer) => Buffer {
  const inner = Buffer.alloc(BLOCK_BYTES + SIGNED_BYTES, 0x36);
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, 0x5c);
  for (const [at, byte] of key.entries()) {
    inner.writeUInt8(0x36 ^ byte, at);
    outer.writeUInt8(0x5c ^ byte, at);
  }
  return (signed) => {
    inner.set(signed, BLOCK_BYTES);
    outer.set(hash('sha256', inner, 'buffer'), BLOCK_BYTES);
    return hash('sha256', outer, 'buffer');
  };
}

/** Not the process's age, which begins anew with each. */
function systemAge(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
