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
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

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

/** The end and the nonce in characters: what a token is found by. The rest authenticates it, and is compared in constant time. */
const NAME_LENGTH = 24;

/** How many are remembered in each of two tables, at some 300 bytes each: more than a machine has programs that ask. */
const REMEMBERED = 512;

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

interface Remembered {
  readonly token: Buffer;
  readonly end: number;
}

export function createSessionTokens({
  random = randomBytes,
  key = random(SESSION_KEY_BYTES),
  monotonic = systemAge,
}: SessionTokensOptions = {}): SessionTokens {
  const mac = (signed: Buffer): Buffer => createHmac('sha256', key).update(signed).digest().subarray(0, MAC_BYTES);
  // Two tables by turns: leaving one out whole is cheaper than taking the oldest out of one.
  let recent = new Map<string, Remembered>();
  let older = recent;
  const remember = (name: string, known: Remembered): void => {
    if (recent.size >= REMEMBERED) {
      older = recent;
      recent = new Map();
    }
    recent.set(name, known);
  };
  const endOf = (token: string): number | undefined => {
    const name = token.slice(0, NAME_LENGTH);
    const kept = recent.get(name);
    const known = kept ?? older.get(name);
    if (known === undefined) return undefined;
    const bytes = Buffer.from(token);
    if (bytes.length !== TOKEN_LENGTH || !timingSafeEqual(bytes, known.token)) return undefined;
    if (kept === undefined) remember(name, known);
    return known.end;
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
      bytes.set(mac(bytes.subarray(0, SIGNED_BYTES)), SIGNED_BYTES);
      const token = bytes.toString('base64url');
      remember(token.slice(0, NAME_LENGTH), { token: Buffer.from(token), end });
      return token;
    },
    accepts(token) {
      if (token.length !== TOKEN_LENGTH) return false;
      const known = endOf(token);
      if (known !== undefined) return monotonic() < known;
      const bytes = Buffer.from(token, 'base64url');
      if (bytes.length !== TOKEN_BYTES) return false;
      const signed = bytes.subarray(0, SIGNED_BYTES);
      const end = signed.readUIntBE(0, END_BYTES);
      if (!timingSafeEqual(bytes.subarray(SIGNED_BYTES), mac(signed)) || monotonic() >= end) return false;
      remember(token.slice(0, NAME_LENGTH), { token: Buffer.from(token), end });
      return true;
    },
  };
}

/** Not the process's age, which begins anew with each. */
function systemAge(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
