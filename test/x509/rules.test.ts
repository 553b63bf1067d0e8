import { describe, expect, it } from 'vitest';
import type { Certificate } from '../../src/x509/certificate.ts';
import {
  LEAST_RSA_BITS,
  brokenPeriod,
  brokenRules,
  hasWeakSignature,
  pssDigest,
  rsaBits,
} from '../../src/x509/rules.ts';
import { certificateFacts, commonName } from '../support/certificate-facts.ts';
import { tlv as der } from '../support/der.ts';

const NOW = 5e11;

describe('the rules of the service', () => {
  it('are kept by a good certificate', () => {
    expect(brokenRules(certificateFacts(), NOW)).toEqual([]);
    expect(brokenRules(certificateFacts({ keyUsage: 0xffff, serialNumber: '0' }), NOW)).toEqual([]);
  });

  it.each<[string, Partial<Certificate>, string]>([
    ['a key that cannot be used', { keyAlgorithm: { name: 'Ed25519' } }, 'ERR_KEY_UNSUPPORTED'],
    ['version 1', { version: 1, keyUsage: undefined }, 'ERR_CERTIFICATE_VERSION'],
    ['version 2, of an authority', { version: 2, isAuthority: true }, 'ERR_CERTIFICATE_VERSION'],
    ['an authority', { isAuthority: true }, 'ERR_CERTIFICATE_IS_CA'],
    ['no key usage', { keyUsage: undefined }, 'ERR_CERTIFICATE_KEY_USAGE'],
    ['other key usages', { keyUsage: 0x7fff }, 'ERR_CERTIFICATE_KEY_USAGE'],
    [
      'a weak signature',
      { signature: { objectIdentifier: '1.2.840.10045.4.1', parameters: undefined } },
      'ERR_CERTIFICATE_SIGNATURE_ALGORITHM',
    ],
    ['an empty subject', { subject: der(0x30) }, 'ERR_CERTIFICATE_SUBJECT_EMPTY'],
    ['a negative serial number', { serialNumber: '-1' }, 'ERR_CERTIFICATE_SERIAL_NUMBER'],
    ['an end that is past', { notAfter: new Date(NOW - 1) }, 'ERR_CERTIFICATE_EXPIRED'],
    ['a beginning that is to come', { notBefore: new Date(NOW + 1) }, 'ERR_CERTIFICATE_NOT_YET_VALID'],
  ])('are broken by %s', (_what, facts, rule) => {
    expect(brokenRules(certificateFacts(facts), NOW)).toEqual([rule]);
  });

  it('are told in this order, where several are broken', () => {
    const facts = {
      keyAlgorithm: { name: 'DSA' },
      isAuthority: true,
      keyUsage: 0,
      signature: { objectIdentifier: '1.2.840.10040.4.3', parameters: undefined },
      subject: der(0x30),
      serialNumber: '-5',
      notAfter: new Date(0),
    };
    expect(brokenRules(certificateFacts(facts), NOW)).toEqual([
      'ERR_KEY_UNSUPPORTED',
      'ERR_CERTIFICATE_IS_CA',
      'ERR_CERTIFICATE_KEY_USAGE',
      'ERR_CERTIFICATE_SIGNATURE_ALGORITHM',
      'ERR_CERTIFICATE_SUBJECT_EMPTY',
      'ERR_CERTIFICATE_SERIAL_NUMBER',
      'ERR_CERTIFICATE_EXPIRED',
    ]);
  });

  it('take a subject with anything in it for one', () => {
    expect(brokenRules(certificateFacts({ subject: der(0x30, [0]) }), NOW)).toEqual([]);
    expect(brokenRules(certificateFacts({ subject: commonName('') }), NOW)).toEqual([]);
  });
});

describe('the validity', () => {
  const validity = { notBefore: new Date(1000), notAfter: new Date(2000) };
  it.each([
    [999, 'ERR_CERTIFICATE_NOT_YET_VALID'],
    [1000, undefined],
    [2000, undefined],
    [2001, 'ERR_CERTIFICATE_EXPIRED'],
  ])('includes both its ends: %i', (now, rule) => {
    expect(brokenPeriod(validity, now)).toBe(rule);
  });
});

const PSS = '1.2.840.113549.1.1.10';
const OID = {
  md5: '06082a864886f70d0205',
  sha1: '06052b0e03021a',
  sha224: '0609608648016503040204',
  sha256: '0609608648016503040201',
};
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
/** RSASSA-PSS parameters (RFC 4055, section 3.1) with this digest. */
const pss = (digest: string): Uint8Array => der(0x30, der(0xa0, der(0x30, hex(digest), [0x05, 0])));

const isWeak = (objectIdentifier: string, parameters?: Uint8Array): boolean =>
  hasWeakSignature({ signature: { objectIdentifier, parameters } });

const digestOf = (objectIdentifier: string, parameters?: Uint8Array): string | undefined =>
  pssDigest({ objectIdentifier, parameters });

describe('a signature', () => {
  it.each([
    ['MD2 with RSA', '1.2.840.113549.1.1.2'],
    ['MD4 with RSA', '1.2.840.113549.1.1.3'],
    ['MD5 with RSA', '1.2.840.113549.1.1.4'],
    ['SHA-1 with RSA', '1.2.840.113549.1.1.5'],
    ['SHA-224 with RSA', '1.2.840.113549.1.1.14'],
    ['MD5 with RSA, of OIW', '1.3.14.3.2.3'],
    ['SHA-1 with RSA, of OIW', '1.3.14.3.2.29'],
    ['SHA-1 with ECDSA', '1.2.840.10045.4.1'],
    ['SHA-224 with ECDSA', '1.2.840.10045.4.3.1'],
    ['SHA-1 with DSA', '1.2.840.10040.4.3'],
    ['SHA-224 with DSA', '2.16.840.1.101.3.4.3.1'],
  ])('of %s is weak', (_name, identifier) => {
    expect(isWeak(identifier)).toBe(true);
  });

  it.each(['1.2.840.113549.1.1.11', '1.2.840.10045.4.3.2', '1.3.101.112', '2.16.840.1.101.3.4.3.18', '1.2.3', ''])(
    'of %s is not, or not known to be',
    (identifier) => {
      expect(isWeak(identifier)).toBe(false);
    },
  );

  it('of RSASSA-PSS is as weak as its digest, which is SHA-1 unless another is named', () => {
    const weak = [OID.md5, OID.sha1, OID.sha224].map((digest) => isWeak(PSS, pss(digest)));
    expect([...weak, isWeak(PSS, pss(OID.sha256))]).toEqual([true, true, true, false]);
    // Without parameters, without a digest, and with another parameter alone.
    const salt = der(0x30, der(0xa2, [0x02, 1, 32]));
    expect([isWeak(PSS), isWeak(PSS, der(0x30)), isWeak(PSS, salt)]).toEqual([true, true, true]);
    expect(isWeak(PSS, der(0x30, der(0xa0, der(0x30))))).toBe(true);
    expect([isWeak(PSS, new Uint8Array([0x30])), isWeak(PSS, der(0x30, der(0xa0)))]).toEqual([true, true]);
  });

  it('has a digest of its own with RSASSA-PSS alone', () => {
    expect(digestOf(PSS, pss(OID.sha256))).toBe('2.16.840.1.101.3.4.2.1');
    expect([digestOf(PSS), digestOf(PSS, new Uint8Array([0x30]))]).toEqual(['1.3.14.3.2.26', '1.3.14.3.2.26']);
    expect(digestOf('1.2.840.113549.1.1.11', pss(OID.sha256))).toBeUndefined();
  });
});

const ofModulus = (...modulus: readonly number[]): Uint8Array =>
  der(0x03, [0], der(0x30, der(0x02, modulus), der(0x02, [3])));

describe('the size of an RSA key', () => {
  const RSA = { name: 'RSA', keyType: 'RSA' } as const;
  const bitsOf = (bits: Uint8Array, keyAlgorithm: Certificate['keyAlgorithm'] = RSA): number | undefined =>
    rsaBits({ publicKey: der(0x30, der(0x30), bits), keyAlgorithm });

  it('is that of its modulus', () => {
    const zeros = Array.from({ length: 255 }, () => 0);
    expect(bitsOf(ofModulus(0, 0x80, ...zeros))).toBe(2048);
    expect(bitsOf(ofModulus(0, 0xff, ...zeros))).toBe(2048);
    expect(bitsOf(ofModulus(0x40, ...zeros))).toBe(2047);
    expect(bitsOf(ofModulus(0x01, ...zeros))).toBe(2041);
    expect(bitsOf(ofModulus(0, 0x80, 0, 0))).toBe(24);
    expect(bitsOf(ofModulus(3))).toBe(2);
    expect(LEAST_RSA_BITS).toBe(2048);
  });

  it('is not known of other keys, and of what cannot be read', () => {
    expect(bitsOf(ofModulus(0, 0x80), { name: 'EC', keyType: 'EC' })).toBeUndefined();
    for (const bits of [new Uint8Array(), der(0x03), der(0x03, [0]), der(0x03, [0, 0x30]), der(0x03, [0], der(0x30))])
      expect(bitsOf(bits)).toBeUndefined();
    expect([bitsOf(ofModulus()), bitsOf(ofModulus(0))]).toEqual([undefined, undefined]);
    expect(rsaBits({ publicKey: new Uint8Array([0x30]), keyAlgorithm: RSA })).toBeUndefined();
  });
});
