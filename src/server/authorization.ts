/** The container endpoint's authorization token: made, and compared with what clients send. */
import { randomBytes, timingSafeEqual } from 'node:crypto';

/** Compares what clients send with one token. */
export interface Authorization {
  /** @param header of the Authorization header, verbatim: the SDKs put no scheme before it. Any wrong value of the right length takes the same time. */
  accepts(header: string): boolean;
  /** The token, to be written or printed. */
  readonly token: string;
}

/** A new token of 256 random bits: 43 characters, all of them safe in a header, a file and a shell. */
export function generateToken(): string {
  return randomBytes(32).toString('base64url');
}

export function createAuthorization(token: string): Authorization {
  const expected = Buffer.from(token, 'latin1');
  const scratch = Buffer.alloc(expected.length);
  return {
    token,
    accepts(header) {
      if (header.length !== expected.length) return false;
      scratch.write(header, 'latin1');
      return timingSafeEqual(scratch, expected);
    },
  };
}
