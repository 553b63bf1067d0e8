import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KeyFacts, PublicPart } from '../../../src/identity/pkcs11/port.ts';
import { curveBytes, fits, publicKeyOf } from '../../../src/identity/pkcs11/public-key.ts';

const [CKK_RSA, CKK_EC] = [0, 3];
const CURVES = [
  ['prime256v1', 32, '06082a8648ce3d030107'],
  ['secp384r1', 48, '06052b81040022'],
  ['secp521r1', 66, '06052b81040023'],
] as const;

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).publicKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;

function key(type: number, publicPart: PublicPart): KeyFacts {
  return { handle: 1n, label: '', id: new Uint8Array(), type, alwaysAuthenticate: false, publicPart };
}

function numbersOf(publicKey: KeyObject): Record<'n' | 'e' | 'x' | 'y', Buffer> {
  const { n = '', e = '', x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return { n: bytes(n), e: bytes(e), x: bytes(x), y: bytes(y) };
}

/** 04 || X || Y. */
function pointOf(publicKey: KeyObject): Buffer {
  const { x, y } = numbersOf(publicKey);
  return Buffer.concat([Buffer.from([4]), x, y]);
}

/** In an OCTET STRING, as PKCS#11 has it. */
function wrapped(point: Uint8Array): Buffer {
  const length = point.length < 128 ? [point.length] : [0x81, point.length];
  return Buffer.concat([Buffer.from([4, ...length]), point]);
}

const ofRsa = (publicKey: KeyObject): PublicPart => {
  const { n, e } = numbersOf(publicKey);
  return { modulus: n, exponent: e };
};

describe('a key of RSA', () => {
  const { n, e } = numbersOf(rsa);

  it('is that of the certificate by its modulus, with zeros in front or without', () => {
    expect(fits(key(CKK_RSA, ofRsa(rsa)), rsa)).toBe('yes');
    expect(fits(key(CKK_RSA, { modulus: Buffer.concat([Buffer.alloc(2), n]) }), rsa)).toBe('yes');
    expect(fits(key(CKK_RSA, ofRsa(otherRsa)), rsa)).toBe('no');
    expect(fits(key(CKK_RSA, { modulus: n.subarray(1) }), rsa)).toBe('no');
    for (const nothing of [new Uint8Array(), new Uint8Array(2)]) {
      expect(fits(key(CKK_RSA, { modulus: nothing }), rsa)).toBe('no');
      expect(publicKeyOf(key(CKK_RSA, { modulus: nothing, exponent: e }))).toBeUndefined();
      expect(publicKeyOf(key(CKK_RSA, { modulus: n, exponent: nothing }))).toBeUndefined();
    }
  });

  it('may be it where the token shows no modulus, and is not where it is of another kind', () => {
    expect(fits(key(CKK_RSA, {}), rsa)).toBe('unknown');
    expect([fits(key(CKK_EC, {}), rsa), fits(key(CKK_RSA, {}), ec('prime256v1'))]).toEqual(['no', 'no']);
    expect([fits(key(1, {}), rsa), fits(key(2, {}), ec('prime256v1'))]).toEqual(['no', 'no']);
  });

  it('has a public key where the token shows all of it', () => {
    expect(publicKeyOf(key(CKK_RSA, ofRsa(rsa)))?.equals(rsa)).toBe(true);
    const padded = { modulus: Buffer.concat([Buffer.alloc(1), n]), exponent: Buffer.concat([Buffer.alloc(1), e]) };
    expect(publicKeyOf(key(CKK_RSA, padded))?.equals(rsa)).toBe(true);
    expect([publicKeyOf(key(CKK_RSA, { modulus: n })), publicKeyOf(key(CKK_RSA, { exponent: e }))]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe.each(CURVES)('a key of %s', (name, size, oid) => {
  const publicKey = ec(name);
  const point = pointOf(publicKey);
  const parameters = Buffer.from(oid, 'hex');

  it('is that of the certificate by its point, in an OCTET STRING or without', () => {
    for (const form of [point, wrapped(point)]) {
      expect(fits(key(CKK_EC, { point: form }), publicKey)).toBe('yes');
      expect(publicKeyOf(key(CKK_EC, { point: form, parameters }))?.equals(publicKey)).toBe(true);
    }
    expect(fits(key(CKK_EC, { point: pointOf(ec(name)) }), publicKey)).toBe('no');
    expect(fits(key(CKK_EC, {}), publicKey)).toBe('unknown');
  });

  it('is not when one coordinate differs, nor in another form', () => {
    for (const at of [1, size, size + 1, 2 * size]) {
      const changed = Buffer.from(point);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(fits(key(CKK_EC, { point: changed }), publicKey)).toBe('no');
    }
    const compressed = Buffer.concat([Buffer.from([2]), point.subarray(1, size + 1)]);
    const hybrid = Buffer.concat([Buffer.from([6]), point.subarray(1)]);
    const longer = Buffer.concat([Buffer.from([0]), point]);
    const forms = [compressed, hybrid, longer, wrapped(wrapped(point)), point.subarray(1), new Uint8Array()];
    for (const form of forms) {
      expect(fits(key(CKK_EC, { point: form }), publicKey)).toBe('no');
      expect(publicKeyOf(key(CKK_EC, { point: form, parameters }))).toBeUndefined();
    }
  });

  it('has no public key of another curve, without one, or off it', () => {
    const others = CURVES.filter(([other]) => other !== name).map(([, , bytes]) => Buffer.from(bytes, 'hex'));
    const secp256k1 = Buffer.from('06052b8104000a', 'hex');
    for (const other of [...others, secp256k1, undefined])
      expect(publicKeyOf(key(CKK_EC, { point, parameters: other }))).toBeUndefined();
    expect(publicKeyOf(key(CKK_EC, { parameters }))).toBeUndefined();
    const off = Buffer.from(point);
    off[2 * size] = (off[2 * size] ?? 0) ^ 1;
    expect(publicKeyOf(key(CKK_EC, { point: off, parameters }))).toBeUndefined();
  });

  it('has an order of so many bytes: %i', () => {
    expect(curveBytes(publicKey)).toBe(size);
  });
});

const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');

it('other keys have none that is used here', () => {
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 1024 }).publicKey;
  expect([rsa, pss, ec('secp256k1')].map((one) => curveBytes(one))).toEqual([undefined, undefined, undefined]);
});
