import { type KeyObject, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Certificate, readCertificate } from '../../src/x509/certificate.ts';
import { belongsTo, isPrivateKeyLabel, keyTypeOf, readPrivateKey } from '../../src/x509/keys.ts';
import { type PemBlock, readPem } from '../../src/x509/pem.ts';
import { openssl, pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');

function keyBlock(pem: string | Buffer): PemBlock {
  const block = readPem(Buffer.from(pem), 'key').find(({ label }) => isPrivateKeyLabel(label));
  if (block === undefined) throw new Error('no private key in the test material');
  return block;
}

const pkcs8 = ({ privateKey }: { privateKey: KeyObject }) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

describe('readPrivateKey', () => {
  it.each([
    ['rsa-2048.key.pem', 'RSA'],
    ['rsa-2048.pkcs1.pem', 'RSA'],
    ['ec-p256.key.pem', 'EC'],
    ['ec-p256.sec1.pem', 'EC'],
  ])('reads %s and wipes what it was read from', (name, keyType) => {
    const block = keyBlock(pkiText(name));
    expect(keyTypeOf(readPrivateKey(block, 'key'), 'key')).toBe(keyType);
    expect(block.der.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['Ed25519', () => pkcs8(generateKeyPairSync('ed25519')), 'Ed25519'],
    ['X25519', () => pkcs8(generateKeyPairSync('x25519')), 'X25519'],
    ['DSA', () => pkcs8(generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 })), 'DSA'],
    ['RSASSA-PSS', () => pkcs8(generateKeyPairSync('rsa-pss', { modulusLength: 1024 })), 'RSASSA-PSS'],
    ['EC on secp256k1', () => pkcs8(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), 'EC (secp256k1)'],
    [
      'ML-DSA',
      // PKCS#8 of ML-DSA-65 by its seed (RFC 9881); Node before 24.6 cannot read it and must still name it.
      () => {
        const der = Buffer.from(`3034020100300b060960864801650304031204228020${'11'.repeat(32)}`, 'hex');
        return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;
      },
      /^ml-dsa-65$/i,
    ],
  ])('refuses %s by its name', async (_name, make, shown) => {
    const error = await refusal(() => readPrivateKey(keyBlock(make()), '--private-key k'));
    expect(error.code).toBe('ERR_KEY_UNSUPPORTED');
    expect(error.message.replace('--private-key k holds a key of the type ', '')).toMatch(shown);
  });

  it.each([
    ['ENCRYPTED PRIVATE KEY', new Map(), 'ERR_KEY_ENCRYPTED'],
    ['RSA PRIVATE KEY', new Map([['Proc-Type', '4,ENCRYPTED']]), 'ERR_KEY_ENCRYPTED'],
    ['TSS2 PRIVATE KEY', new Map(), 'ERR_KEY_UNSUPPORTED'],
    ['OPENSSH PRIVATE KEY', new Map(), 'ERR_KEY_UNSUPPORTED'],
    ['DSA PRIVATE KEY', new Map(), 'ERR_KEY_UNSUPPORTED'],
    ['PRIVATE KEY', new Map(), 'ERR_KEY_MALFORMED'],
    ['EC PRIVATE KEY', new Map(), 'ERR_KEY_MALFORMED'],
  ])('refuses a block %s %o with %s', async (label, headers, code) => {
    const der = Uint8Array.of(1, 2, 3);
    expect(await refusalCode(() => readPrivateKey({ label, headers, der }, 'key'))).toBe(code);
    expect([...der]).toEqual([0, 0, 0]);
  });

  it('refuses a key cut at any byte, and shows nothing of it', async () => {
    const whole = keyBlock(pkiText('ec-p256.key.pem')).der;
    for (let length = 1; length < whole.length; length++) {
      const der = whole.slice(0, length);
      const error = await refusal(() => readPrivateKey({ label: 'PRIVATE KEY', headers: new Map(), der }, 'key'));
      expect(error.code).toBe('ERR_KEY_MALFORMED');
      expect(error.message).toBe('key holds a private key that cannot be read');
    }
  });
});

function certificate(pem: string | Buffer): Certificate {
  const [block] = readPem(Buffer.from(pem), 'x');
  return readCertificate(block?.der ?? new Uint8Array(), 'x');
}

describe('belongsTo', () => {
  it('tells the key of a certificate from another of its kind', () => {
    const leaf = certificate(pkiText('ec-p256.crt.pem'));
    expect(belongsTo(readPrivateKey(keyBlock(pkiText('ec-p256.key.pem')), 'x'), leaf)).toBe(true);
    expect(belongsTo(readPrivateKey(keyBlock(pkiText('serial-1.key.pem')), 'x'), leaf)).toBe(false);
    expect(belongsTo(readPrivateKey(keyBlock(pkiText('rsa-2048.key.pem')), 'x'), leaf)).toBe(false);
  });

  it.skipIf(!hasOpenssl)('knows a key by its point, compressed in the certificate and not in the key', () => {
    const key = pkiText('ec-p256.key.pem');
    const dir = mkdtempSync(join(tmpdir(), 'keys-'));
    const file = join(dir, 'compressed.pem');
    writeFileSync(file, openssl(['ec', '-conv_form', 'compressed'], key), { mode: 0o600 });
    const pem = openssl(['req', '-x509', '-key', file, '-subj', '/CN=compressed']);
    rmSync(dir, { recursive: true });
    const leaf = certificate(pem);
    expect(leaf.publicKey.length).toBeLessThan(certificate(pkiText('ec-p256.crt.pem')).publicKey.length);
    expect(belongsTo(readPrivateKey(keyBlock(key), 'x'), leaf)).toBe(true);
    expect(belongsTo(readPrivateKey(keyBlock(pkiText('serial-1.key.pem')), 'x'), leaf)).toBe(false);
  });
});
