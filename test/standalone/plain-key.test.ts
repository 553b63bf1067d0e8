import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openPlainKey, readPlain } from '../../src/standalone/plain-key.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/pem.ts';
import { pkiText } from '../support/pki.ts';

const blockOf = (pem: string): Parameters<typeof readPlain>[0] => readPem(Buffer.from(pem), 'the key')[0]!;
const certificateOf = (kind: string): ReturnType<typeof readCertificate> =>
  readCertificate(blockOf(pkiText(`${kind}.crt.pem`)).der, 'the certificate');

/** A key of the development PKI in the forms that OpenSSL writes. */
function forms(kind: string): [string, string][] {
  const key = createPrivateKey(pkiText(`${kind}.key.pem`));
  const types = kind.startsWith('rsa') ? (['pkcs8', 'pkcs1'] as const) : (['pkcs8', 'sec1'] as const);
  return types.map((type) => [type, key.export({ format: 'pem', type }).toString()]);
}

const KINDS = ['ec-p256', 'ec-p384', 'ec-p521', 'rsa-2048', 'rsa-3072', 'rsa-4096'];
const CASES = KINDS.flatMap((kind) => forms(kind).map(([form, pem]) => ({ kind, form, pem })));

describe('a key that the executable opens by itself', () => {
  it.each(CASES)('signs as its certificate wants it, and leaves no copy: $kind in $form', async ({ kind, pem }) => {
    const block = blockOf(pem);
    expect(readPlain(block)).toBeDefined();
    const key = await openPlainKey(block, 'the key');
    expect(block.der.every((byte) => byte === 0)).toBe(true);
    expect(key.belongsTo(certificateOf(kind))).toBe(true);
    expect(key.belongsTo(certificateOf(kind === 'ec-p256' ? 'ec-p384' : 'ec-p256'))).toBe(false);
    expect(Buffer.from(key.publicKey())).toEqual(createPublicKey(pem).export({ format: 'der', type: 'spki' }));
    for (const digest of ['SHA256', 'SHA384'] as const)
      for (let count = 0; count < 20; count++) {
        const message = Buffer.from(`message ${count}`);
        const signature = await key.signer.sign(message, digest);
        expect(verify(digest, message, pem, signature)).toBe(true);
      }
  });

  it('does not sign with a private part that is not of its public one: ERR_KEY_MISMATCH', async () => {
    const [one, other] = [0, 1].map(() =>
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'der', type: 'sec1' }),
    );
    // The public point is what SEC 1 ends with.
    const mixed = Buffer.concat([one!.subarray(0, -65), other!.subarray(-65)]);
    const pem = `-----BEGIN EC PRIVATE KEY-----\n${mixed.toString('base64')}\n-----END EC PRIVATE KEY-----\n`;
    const outcome = openPlainKey(blockOf(pem), 'the key').then(async (key) => await key.signer.sign(Buffer.from('x')));
    await expect(outcome).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_KEY_M/) as string });
  });

  it.each([
    ['a curve that the service does not take', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
    ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey],
    ['a short RSA key', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
    [
      'an RSA key of another exponent',
      generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey,
    ],
  ])('is none of %s', (_what, key) => {
    expect(readPlain(blockOf(key.export({ format: 'pem', type: 'pkcs8' }).toString()))).toBeUndefined();
  });

  it.each(CASES)('is none that was changed, or cut off, in its structure: $kind in $form', ({ pem }) => {
    const { label, headers, der } = blockOf(pem);
    for (const length of [0, 1, 5, 20, der.length - 1])
      expect(readPlain({ label, headers, der: der.subarray(0, length) })).toBeUndefined();
    expect(readPlain({ label, headers, der: Buffer.concat([der, Buffer.of(0)]) })).toBeUndefined();
    expect(readPlain({ label: 'ENCRYPTED PRIVATE KEY', headers, der })).toBeUndefined();
    expect(readPlain({ label, headers: new Map([['Proc-Type', '4,ENCRYPTED']]), der })).toBeUndefined();
  });

  it('is garbage to the common code as well: ERR_KEY_MALFORMED', async () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n';
    await expect(openPlainKey(blockOf(pem), 'the key')).rejects.toMatchObject({ code: 'ERR_KEY_MALFORMED' });
  });
});
