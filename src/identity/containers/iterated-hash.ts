/**
 * A hash of a hash of a hash: what PKCS#12's key derivation spends its time
 * on. A digest fits one block, so here it is the bare compression functions of
 * FIPS 180-4, twice as fast as a call to node:crypto's `hash` for each at 600,000 turns, which GnuTLS writes. At 2,048
 * it is half as fast, of some milliseconds.
 */
// Tests: test/identity/containers/primitives.test.ts
import { createHash } from 'node:crypto';

/** Hashes `digest` `times` over. */
export function iterateHash(name: string, digest: Uint8Array, times: number): Uint8Array {
  if (name === 'sha1') return iterate(digest, times, SHA1_START, compressSha1);
  if (name === 'sha256') return iterate(digest, times, SHA256_START, compressSha256);
  let last = digest;
  for (let i = 0; i < times; i++) last = createHash(name).update(last).digest();
  return last;
}

type Compress = (state: Int32Array, words: Int32Array) => void;

const SHA1_START = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
const SHA256_START = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

function iterate(digest: Uint8Array, times: number, start: Int32Array, compress: Compress): Uint8Array {
  const state = new Int32Array(start.length);
  const words = new Int32Array(80);
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
  for (let i = 0; i < state.length; i++) state[i] = view.getInt32(4 * i);
  for (let i = 0; i < times; i++) {
    // The message is the last digest, and its padding: a bit, zeros, and its length in bits (section 5.1.1).
    words.set(state);
    words[state.length] = 0x80000000;
    words.fill(0, state.length + 1, 15);
    words[15] = 32 * state.length;
    state.set(start);
    compress(state, words);
  }
  const out = new Uint8Array(4 * state.length);
  state.forEach((word, index) => new DataView(out.buffer).setInt32(4 * index, word));
  state.fill(0);
  words.fill(0);
  return out;
}

/** Section 6.1.2. */
function compressSha1(state: Int32Array, w: Int32Array): void {
  let a = at(state, 0);
  let b = at(state, 1);
  let c = at(state, 2);
  let d = at(state, 3);
  let e = at(state, 4);
  for (let t = 16; t < 80; t++) w[t] = rotateLeft(at(w, t - 3) ^ at(w, t - 8) ^ at(w, t - 14) ^ at(w, t - 16), 1);
  for (let t = 0; t < 80; t++) {
    let mixed: number;
    if (t < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
    else if (t < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (t < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else mixed = (b ^ c ^ d) + 0xca62c1d6;
    const next = (rotateLeft(a, 5) + mixed + e + at(w, t)) | 0;
    e = d;
    d = c;
    c = rotateLeft(b, 30);
    b = a;
    a = next;
  }
  add(state, 0, a);
  add(state, 1, b);
  add(state, 2, c);
  add(state, 3, d);
  add(state, 4, e);
}

/** Section 6.2.2. */
function compressSha256(state: Int32Array, w: Int32Array): void {
  let a = at(state, 0);
  let b = at(state, 1);
  let c = at(state, 2);
  let d = at(state, 3);
  let e = at(state, 4);
  let f = at(state, 5);
  let g = at(state, 6);
  let h = at(state, 7);
  for (let t = 16; t < 64; t++) {
    const x = at(w, t - 2);
    const y = at(w, t - 15);
    const s1 = rotateLeft(x, 15) ^ rotateLeft(x, 13) ^ (x >>> 10);
    const s0 = rotateLeft(y, 25) ^ rotateLeft(y, 14) ^ (y >>> 3);
    w[t] = s1 + at(w, t - 7) + s0 + at(w, t - 16);
  }
  for (let t = 0; t < 64; t++) {
    const s1 = rotateLeft(e, 26) ^ rotateLeft(e, 21) ^ rotateLeft(e, 7);
    const first = (h + s1 + ((e & f) ^ (~e & g)) + at(SHA256_CONSTANTS, t) + at(w, t)) | 0;
    const s0 = rotateLeft(a, 30) ^ rotateLeft(a, 19) ^ rotateLeft(a, 10);
    const second = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  add(state, 0, a);
  add(state, 1, b);
  add(state, 2, c);
  add(state, 3, d);
  add(state, 4, e);
  add(state, 5, f);
  add(state, 6, g);
  add(state, 7, h);
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function at(words: Int32Array, index: number): number {
  return words[index] ?? 0;
}

function add(state: Int32Array, index: number, word: number): void {
  state[index] = at(state, index) + word;
}

/** Section 4.2.2: the fractional parts of the cube roots of the first 64 primes, in 32 bits each. */
const SHA256_CONSTANTS = Int32Array.from(firstPrimes(64), (prime) => Math.floor((Math.cbrt(prime) % 1) * 2 ** 32));

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate++)
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  return primes;
}
