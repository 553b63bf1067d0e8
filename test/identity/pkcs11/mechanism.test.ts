import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ecRequest, rsaRequest } from '../../../src/identity/pkcs11/mechanism.ts';
import { ecdsaToDer } from '../../../src/x509/ecdsa.ts';

const DIGESTS = ['SHA256', 'SHA384', 'SHA512'] as const;
const message = randomBytes(200);

describe('ecdsaToDer', () => {
  it.each(['P-256', 'P-384', 'P-521'])(
    'makes signatures of %s that verify, whatever their leading bytes',
    (namedCurve) => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
      for (let index = 0; index < 64; index += 1) {
        const raw = sign('SHA256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
        expect(verify('SHA256', message, publicKey, ecdsaToDer(raw))).toBe(true);
      }
    },
  );

  it.each([
    ['small numbers', '0000000100000000', '3006020101020100'],
    ['numbers with a set top bit', '80000000ff000000', '300e02050080000000020500ff000000'],
    ['numbers with zeros before a set top bit', '000000800000007f', '30070202008002017f'],
  ])('writes %s as the shortest positive INTEGER', (_name, raw, der) => {
    expect(Buffer.from(ecdsaToDer(Buffer.from(raw, 'hex'))).toString('hex')).toBe(der);
  });
});

describe('rsaRequest', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

  it.each(DIGESTS)('without a combined mechanism makes the DigestInfo that PKCS#1 wants for %s', (digest) => {
    const { mechanism, data } = rsaRequest(message, digest, (candidate) => candidate === 1);
    expect(mechanism).toBe(1);
    const signature = privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, data);
    expect(verify(digest, message, createPublicKey(privateKey), signature)).toBe(true);
  });

  it.each([
    ['SHA256', 0x40],
    ['SHA384', 0x41],
    ['SHA512', 0x42],
  ] as const)('gives the token the message where it hashes %s itself', (digest, mechanism) => {
    expect(rsaRequest(message, digest, () => true)).toEqual({ mechanism, data: message });
  });

  it('hashes a long message here, unless the token cannot do without', () => {
    const long = Buffer.alloc(5000);
    expect(rsaRequest(long, 'SHA256', () => true).data).toHaveLength(51);
    expect(rsaRequest(long, 'SHA256', (mechanism) => mechanism !== 1).data).toBe(long);
  });
});

it('ecRequest cuts a digest to the size of the curve', () => {
  expect(ecRequest(message, 'SHA512', 32).data).toHaveLength(32);
  expect(ecRequest(message, 'SHA512', 66).data).toHaveLength(64);
});
