import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadIdentity } from '../../src/identity/load.ts';
import { joseSignature } from '../../src/renewal/issuers/jose.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { PKI } from '../support/cli.ts';

const message = Buffer.from('eyJhbGciOi.eyJpc3MiOi');

describe('a signature of JWS', () => {
  it.each([
    ['rsa-2048', 'RS256', 'sha256'],
    ['ec-p256', 'ES256', 'sha256'],
    ['ec-p384', 'ES384', 'sha384'],
    ['ec-p521', 'ES512', 'sha512'],
  ])('by %s is %s, and verifies time after time', async (kind, algorithm, digest) => {
    const identity = await loadIdentity({ certificate: `${PKI}${kind}.crt.pem`, privateKey: `${PKI}${kind}.key.pem` });
    const { publicKey } = readCertificate(identity.certificate, 'the leaf');
    const sign = joseSignature(identity.signer, publicKey);
    expect(sign.algorithm).toBe(algorithm);
    const key = createPublicKey(readFileSync(`${PKI}${kind}.crt.pem`));
    // Halves of a signature begin with zeros now and then.
    for (let round = 0; round < 40; round++)
      expect(verify(digest, message, { key, dsaEncoding: 'ieee-p1363' }, await sign(message))).toBe(true);
  });

  it('is not made with ML-DSA', async () => {
    const identity = await loadIdentity({
      certificate: `${PKI}ml-dsa-44.crt.pem`,
      privateKey: `${PKI}ml-dsa-44.key.pem`,
    });
    const { publicKey } = readCertificate(identity.certificate, 'the leaf');
    expect(() => joseSignature(identity.signer, publicKey)).toThrow(
      expect.objectContaining({ code: 'ERR_KEY_UNSUPPORTED' }),
    );
  });
});
