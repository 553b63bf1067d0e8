// Of src/identity/tpm/key-file.ts, public-area.ts, policy.ts, scheme.ts, wire.ts and nv.ts: what needs no TPM.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readKeyFile } from '../../../src/identity/tpm/key-file.ts';
import { withoutPadding } from '../../../src/identity/tpm/nv.ts';
import { parsePcrSelection } from '../../../src/identity/tpm/policy.ts';
import { type AsymmetricKey, readPublicArea } from '../../../src/identity/tpm/public-area.ts';
import { decodeReturnCode, describeReturnCode } from '../../../src/identity/tpm/return-codes.ts';
import { digestFor, schemeFor } from '../../../src/identity/tpm/scheme.ts';
import { Reader, TpmFormatError } from '../../../src/identity/tpm/wire.ts';
import { replacements, truncations } from '../../support/der.ts';
import { outcome } from '../../support/refusal.ts';
import { keyFileDer } from '../../support/tpm/keys.ts';

/** A P-256 signing key, userWithAuth and noDA. */
const AREA = Buffer.from(`0023000b00040472000000100010000300100020${'11'.repeat(32)}0020${'22'.repeat(32)}`, 'hex');
const publicPart = Buffer.concat([Buffer.from([0, AREA.length]), AREA]);
const privatePart = Buffer.concat([Buffer.from([0, 64]), randomBytes(64)]);
const parts = { parent: 0x81000001, publicPart, privatePart };

describe('a TSS2 PRIVATE KEY', () => {
  it('is read with all its fields', () => {
    const policy = [{ command: 0x17f, parameters: Buffer.from('ab', 'hex') }];
    const der = keyFileDer({ ...parts, emptyAuth: true, policy, description: 'a key', rsaParent: true });
    expect(readKeyFile(Uint8Array.from(der), 'k')).toMatchObject({
      source: 'k',
      emptyAuth: true,
      parent: 0x81000001,
      rsaParent: true,
      policy: [{ command: 0x17f, parameters: Uint8Array.of(0xab) }],
      privateArea: new Uint8Array(privatePart.subarray(2)),
    });
  });

  it.each([
    [undefined, false],
    [false, false],
    [true, true],
    [1, true],
    [0x80, true],
  ])('with emptyAuth %s says %s', (emptyAuth, says) => {
    expect(
      readKeyFile(keyFileDer({ ...parts, ...(emptyAuth === undefined ? {} : { emptyAuth }) }), 'k').emptyAuth,
    ).toBe(says);
  });

  it.each([0x40000001, 0x40000007, 0x4000000b, 0x4000000c, 0x81ffffff])('may have the parent %i', (parent) => {
    expect(readKeyFile(keyFileDer({ ...parts, parent }), 'k').parent).toBe(parent);
  });

  it.each([0, 0x40000009, 0x80000000, 0x82000000, 0x1_8100_0001])('may not have the parent %i', (parent) => {
    expect(outcome(() => readKeyFile(keyFileDer({ ...parts, parent }), 'k'))).toEqual({ code: 'ERR_TPM_PARENT' });
  });

  it('is refused when it was cut anywhere, and never by another error when it was changed', () => {
    const der = keyFileDer({ ...parts, emptyAuth: true, policy: [{ command: 0x17f, parameters: Buffer.alloc(4) }] });
    for (const cut of truncations(der))
      expect(outcome(() => readKeyFile(cut, 'k'))).toEqual({ code: 'ERR_KEY_MALFORMED' });
    for (const changed of replacements(der, [0x00, 0x01, 0x7f, 0x80, 0xff])) {
      const found = outcome(() => readKeyFile(changed, 'k'));
      // Some changes give another key file.
      expect('code' in found ? found.code : 'ERR_KEY_MALFORMED').toMatch(
        /^ERR_(?:KEY_MALFORMED|KEY_UNSUPPORTED|TPM_PARENT|TPM_KEY_\w+)$/,
      );
    }
    expect(outcome(() => readKeyFile(Buffer.concat([der, Buffer.alloc(1)]), 'k'))).toEqual({
      code: 'ERR_KEY_MALFORMED',
    });
  });

  it('is refused when its name is made with no hash that a TPM has', () => {
    const area = Buffer.from(AREA);
    area.writeUInt16BE(0x1111, 2);
    const named = { ...parts, publicPart: Buffer.concat([Buffer.from([0, area.length]), area]) };
    expect(outcome(() => readKeyFile(keyFileDer(named), 'k'))).toEqual({ code: 'ERR_KEY_MALFORMED' });
  });

  it('has a public area that is read strictly', () => {
    for (const cut of truncations(AREA)) expect(() => readPublicArea(cut)).toThrow(TpmFormatError);
    expect(() => readPublicArea(Buffer.concat([AREA, Buffer.alloc(1)]))).toThrow(TpmFormatError);
    expect(readPublicArea(AREA)).toMatchObject({
      type: 0x23,
      nameHash: 0x0b,
      key: { type: 'EC', curve: 3, scheme: { algorithm: 0x10 } },
    });
  });
});

const ec = (curve: number, hash?: number): AsymmetricKey => ({
  type: 'EC',
  curve,
  x: new Uint8Array(),
  y: new Uint8Array(),
  scheme: hash === undefined ? { algorithm: 0x10 } : { algorithm: 0x18, hash },
});
const rsa = (algorithm: number, hash?: number): AsymmetricKey => ({
  type: 'RSA',
  bits: 2048,
  modulus: new Uint8Array(),
  exponent: 65_537,
  scheme: { algorithm, hash },
});

const zeros = (count: number): string => '00'.repeat(count);

describe('what is signed', () => {
  it('is the digest, with zeros where a fixed hash is longer, so that the number is the same', () => {
    const digest = digestFor(ec(3), { algorithm: 0x18, hash: 0x0b }, Buffer.from('m'), 'SHA256');
    expect(digest.length).toBe(32);
    const hex = Buffer.from(digest).toString('hex');
    for (const [curve, hash, expected] of [
      [3, 0x0c, hex + zeros(16)],
      [3, 0x0d, hex + zeros(32)],
      [4, 0x0c, zeros(16) + hex],
      [4, 0x0d, zeros(16) + hex + zeros(16)],
      [5, 0x0d, zeros(32) + hex],
    ] as const)
      expect(
        Buffer.from(digestFor(ec(curve, hash), { algorithm: 0x18, hash }, Buffer.from('m'), 'SHA256')).toString('hex'),
      ).toBe(expected);
  });

  it.each([
    ['an EC key without a scheme', ec(3), { algorithm: 0x18, hash: 0x0b }],
    ['an RSA key without a scheme', rsa(0x10), { algorithm: 0x14, hash: 0x0b }],
    ['an RSA key for RSASSA', rsa(0x14, 0x0b), { algorithm: 0x14, hash: 0x0b }],
    ['an EC key for a longer hash', ec(4, 0x0c), { algorithm: 0x18, hash: 0x0c }],
  ])('%s has a scheme', (_name, key, scheme) => expect(schemeFor(key, 'SHA256', 'k')).toEqual(scheme));

  it.each([
    ['RSA-PSS', rsa(0x16, 0x0b)],
    ['RSASSA with another hash', rsa(0x14, 0x0c)],
    ['RSA encryption', rsa(0x17, 0x0b)],
    ['ECDSA with SHA-1', ec(3, 0x04)],
    ['ECDAA', { ...ec(3), scheme: { algorithm: 0x1a, hash: 0x0b } }],
  ])('%s has none that the service takes', (_name, key) => {
    expect(outcome(() => schemeFor(key, 'SHA256', 'k'))).toEqual({ code: 'ERR_TPM_SCHEME' });
  });
});

describe('PCRs', () => {
  it.each([
    ['sha256:0', '00000001000b03010000'],
    ['sha256:0,7', '00000001000b03810000'],
    ['sha384:23', '00000001000c03000080'],
    ['sha1:1+sha256:8,9', '00000002000403020000000b03000300'],
  ])('%s are selected', (value, hex) => expect(Buffer.from(parsePcrSelection(value)).toString('hex')).toBe(hex));

  it.each([
    '',
    'sha256',
    'sha256:',
    'sha256:24',
    'sha256:-1',
    'sha256:a',
    'md5:0',
    'sha256:0;7',
    'sha256:0+',
    '0,7',
    'constructor:0',
  ])('%j are none', (value) => {
    expect(outcome(() => parsePcrSelection(value))).toEqual({ code: 'ERR_TPM_POLICY' });
  });
});

describe('return codes', () => {
  it.each([
    [0x98e, 'TPM_RC_AUTH_FAIL of session 1 (0x98e)'],
    [0x9a2, 'TPM_RC_BAD_AUTH of session 1 (0x9a2)'],
    [0x921, 'TPM_RC_LOCKOUT (0x921)'],
    [0x18b, 'TPM_RC_HANDLE of handle 1 (0x18b)'],
    [0x2d2, 'TPM_RC_SCHEME of parameter 2 (0x2d2)'],
    [0x12f, 'TPM_RC_AUTH_UNAVAILABLE (0x12f)'],
    [0xb0902, 'TPM_RC_OBJECT_MEMORY (0xb0902)'],
    [0x1e, 'TPM_RC_BAD_TAG (0x1e)'],
  ])('%i is %s', (code, text) => expect(describeReturnCode(code)).toBe(text));

  it('are taken apart whatever they are', () => {
    for (let code = 1; code < 0x1000; code++) expect(decodeReturnCode(code).name).not.toBe('');
  });
});

const reader = (): Reader => new Reader(Uint8Array.of(0, 3, 1, 2), 'it');

describe('octets', () => {
  it('that are short, or too many, are errors', () => {
    expect(() => reader().u32()).not.toThrow();
    expect(() => reader().sized(8)).toThrow(TpmFormatError);
    expect(() => reader().sized(2)).toThrow(TpmFormatError);
    expect(() => reader().bytes(5)).toThrow(TpmFormatError);
    expect(() => reader().end()).toThrow(TpmFormatError);
    expect(() => reader().count(8)).toThrow(TpmFormatError);
  });

  it.each([
    ['3003020101ffff', '3003020101'],
    ['308180', '308180'],
    [`308180${'00'.repeat(130)}`, `308180${'00'.repeat(128)}`],
    [`30820100${'aa'.repeat(300)}`, `30820100${'aa'.repeat(256)}`],
    ['2d2d2d2d2d424547494e', '2d2d2d2d2d424547494e'],
    ['', ''],
    ['30', '30'],
    ['3085ffffffffff00', '3085ffffffffff00'],
  ])('%s of an index are cut to %s', (all, cut) => {
    expect(Buffer.from(withoutPadding(Buffer.from(all, 'hex'))).toString('hex')).toBe(cut);
  });
});
