/** The key derivation of PKCS#12's own schemes (RFC 7292, appendix B.2). */
// Tests: test/identity/containers/primitives.test.ts
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { iterateHash } from './iterated-hash.ts';

/** What derived bytes are for (appendix B.3). */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const;

export interface DerivationSettings {
  /** An OpenSSL name with 64 or 128 octets to a block. */
  readonly digest: 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** Iterations between two breaths for the event loop: some 10 ms. */
const STRIDE = 20_000;

const DIGEST_OCTETS = { sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 } as const;

export function digestLength(digest: DerivationSettings['digest']): number {
  return DIGEST_OCTETS[digest];
}

/** How many rounds of iterations it takes to derive `length` octets. */
export function derivationRounds(digest: DerivationSettings['digest'], length: number): number {
  return Math.ceil(length / digestLength(digest));
}

/**
 * Derives `length` octets.
 *
 * @param password a BMPString with its terminator ({@link bmpPassword}); empty for an absent one
 */
export async function derivePkcs12(
  password: Uint8Array,
  purpose: (typeof PURPOSE)[keyof typeof PURPOSE],
  { digest, salt, iterations }: DerivationSettings,
  length: number,
): Promise<Uint8Array> {
  const block = digest === 'sha384' || digest === 'sha512' ? 128 : 64;
  const diversifier = new Uint8Array(block).fill(purpose);
  const input = Buffer.concat([repeatToBlocks(salt, block), repeatToBlocks(password, block)]);
  const out = new Uint8Array(length);
  for (let done = 0; done < length;) {
    let hash: Uint8Array = createHash(digest).update(diversifier).update(input).digest();
    for (let left = iterations - 1; left > 0; left -= STRIDE) {
      if (left !== iterations - 1) await setImmediate();
      hash = iterateHash(digest, hash, Math.min(left, STRIDE));
    }
    out.set(hash.subarray(0, length - done), done);
    done += hash.length;
    if (done < length) advance(input, repeatToBlocks(hash, block).subarray(0, block));
    hash.fill(0);
  }
  input.fill(0);
  return out;
}

/** Copies of `bytes` up to a multiple of the block; nothing for nothing. */
function repeatToBlocks(bytes: Uint8Array, block: number): Uint8Array {
  return bytes.length === 0 ? bytes : Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes);
}

/** Adds `step` + 1 to every block of `input`, each a big-endian number. */
function advance(input: Uint8Array, step: Uint8Array): void {
  for (let start = 0; start < input.length; start += step.length) {
    let carry = 1;
    for (let i = step.length - 1; i >= 0; i--) {
      carry += (input[start + i] ?? 0) + (step[i] ?? 0);
      input[start + i] = carry & 0xff;
      carry >>>= 8;
    }
  }
}

/**
 * A password as a BMPString with its terminator (appendix B.1): UTF-16,
 * big-endian. Bytes that are not UTF-8 are taken as Latin-1, as OpenSSL does.
 */
export function bmpPassword(password: Uint8Array): Uint8Array {
  const text = Buffer.from(password).toString(isUtf8(password) ? 'utf8' : 'latin1');
  return Buffer.concat([Buffer.from(text, 'utf16le').swap16(), Buffer.alloc(2)]);
}
