/** RC2 in CBC mode (RFC 2268), which OpenSSL 3 keeps out of Node: what old PKCS#12 files encrypt certificates with. */
// Tests: test/identity/containers/primitives.test.ts

const BLOCK = 8;

/** RFC 2268, section 2: digits of pi. */
const PI_TABLE = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2' +
    '179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82' +
    '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7' +
    '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec' +
    'c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9' +
    '0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
);

/** Rotations of a mixing round's four words. */
const ROTATIONS = [1, 2, 3, 5] as const;

/**
 * Decrypts and leaves the padding on.
 *
 * @param key its length in bits is also the effective one
 * @param data a multiple of 8 octets
 */
export function decryptRc2Cbc(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  const words = expandKey(key);
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += BLOCK) {
    decryptBlock(words, data.subarray(at, at + BLOCK), out.subarray(at, at + BLOCK));
    const previous = at === 0 ? iv : data.subarray(at - BLOCK, at);
    for (let i = 0; i < BLOCK; i++) out[at + i] = (out[at + i] ?? 0) ^ (previous[i] ?? 0);
  }
  words.fill(0);
  return out;
}

function pi(index: number): number {
  return PI_TABLE[index & 0xff] ?? 0;
}

/** Section 2. */
function expandKey(key: Uint8Array): Uint16Array {
  const bytes = new Uint8Array(128);
  bytes.set(key);
  const at = (index: number): number => bytes[index] ?? 0;
  for (let i = key.length; i < 128; i++) bytes[i] = pi(at(i - 1) + at(i - key.length));
  bytes[128 - key.length] = pi(at(128 - key.length));
  for (let i = 127 - key.length; i >= 0; i--) bytes[i] = pi(at(i + 1) ^ at(i + key.length));
  const words = new Uint16Array(64);
  for (let i = 0; i < 64; i++) words[i] = at(2 * i) | (at(2 * i + 1) << 8);
  bytes.fill(0);
  return words;
}

/** Section 4: sixteen rounds backwards, mashing twice in between. */
function decryptBlock(words: Uint16Array, from: Uint8Array, to: Uint8Array): void {
  const r = new Uint16Array(4);
  for (let i = 0; i < 4; i++) r[i] = (from[2 * i] ?? 0) | ((from[2 * i + 1] ?? 0) << 8);
  const word = (index: number): number => r[index & 3] ?? 0;
  let next = 63;
  for (let round = 15; round >= 0; round--) {
    for (let i = 3; i >= 0; i--) {
      const rotation = ROTATIONS[i] ?? 0;
      const turned = (word(i) >>> rotation) | (word(i) << (16 - rotation));
      r[i] = turned - (words[next--] ?? 0) - (word(i + 3) & word(i + 2)) - (~word(i + 3) & word(i + 1));
    }
    if (round === 11 || round === 5) for (let i = 3; i >= 0; i--) r[i] = word(i) - (words[word(i + 3) & 63] ?? 0);
  }
  for (let i = 0; i < 4; i++) {
    to[2 * i] = word(i) & 0xff;
    to[2 * i + 1] = word(i) >>> 8;
  }
}
