/** Files that programs of the world have written, or their transport has changed, each with its right answer. */
// Of PKCS#12 with PBMAC1, see containers/pbmac1.test.ts.
import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadCertificates, loadIdentity, loadSigningKey } from '../../src/identity/load.ts';
import { KEY_USAGE } from '../../src/x509/extensions.ts';
import { fixture, fixturePath } from '../support/fixtures.ts';
import { refusal } from '../support/refusal.ts';

const MESSAGE = Buffer.from('to be signed');

describe('a keyUsage of four octets', () => {
  it.each([
    ['ku.pem', KEY_USAGE.digitalSignature],
    ['kuca.pem', KEY_USAGE.keyCertSign],
  ])('is read in %s', async (name, bit) => {
    const [certificate] = await loadCertificates(fixturePath(name));
    expect((certificate.keyUsage ?? 0) & bit).toBe(bit);
  });
});

describe('PKCS#8 of version 2 with its public key', () => {
  it.each(['ec-v2-pub.der', 'rsa-v2-pub.der'])('is read in %s, and signs', async (name) => {
    const { signer, publicKey } = await loadSigningKey(fixturePath(name));
    const key = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
    expect(verify('sha256', MESSAGE, key, await signer.sign(MESSAGE))).toBe(true);
  });

  it.each(['ec-v2-pub.der', 'rsa-v2-pub.der'])('is read in %s as PEM', async (name) => {
    const pem = `-----BEGIN PRIVATE KEY-----\n${fixture(name).toString('base64')}\n-----END PRIVATE KEY-----\n`;
    const { signer } = await loadSigningKey('env:KEY', { env: { KEY: pem } });
    expect(signer.keyType).toBe(name.startsWith('rsa') ? 'RSA' : 'EC');
  });

  it('is refused where it is damaged', async () => {
    const der = fixture('ec-v2-pub.der');
    der[4] = 1; // the version's value: untouched, so that the rest is looked at
    const pem = `-----BEGIN PRIVATE KEY-----\n${der.subarray(0, -3).toString('base64')}\n-----END PRIVATE KEY-----\n`;
    const error = await refusal(async () => await loadSigningKey('env:KEY', { env: { KEY: pem } }));
    expect(error.code).toBe('ERR_KEY_MALFORMED');
  });
});

describe('a key whose public part is not its own', () => {
  const ofFile = fixturePath('sec1-wrongpub.der');

  it('does not sign as the identity of the certificate that has it', async () => {
    const spec = { certificate: fixturePath('wp.pem'), privateKey: ofFile, skipChecks: true };
    const { signer } = await loadIdentity(spec);
    for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const) {
      const error = await refusal(async () => await signer.sign(MESSAGE, digest));
      expect(error.code).toBe('ERR_KEY_MISMATCH');
      expect(error.message).toContain(`--private-key ${ofFile}`);
    }
  });

  it('does not sign by itself', async () => {
    const { signer } = await loadSigningKey(ofFile);
    expect((await refusal(async () => await signer.sign(MESSAGE))).code).toBe('ERR_KEY_MISMATCH');
  });
});

describe('PEM without its line ends', () => {
  const whole = fixture('oneline.pem').toString().trim();
  it.each([
    ['esc.pem', fixture('esc.pem').toString()],
    ['oneline.pem', whole],
    ['one with nothing in the place of line ends', whole.replaceAll(/(?<!BEGIN|END) /g, '')],
    ['one with \\r\\n in their place', whole.replaceAll(/(?<!BEGIN|END) /g, String.raw`\r\n`)],
    ['one in quotes', JSON.stringify(whole)],
  ])('is named in %s, at every entrance', async (_name, text) => {
    const read = async (source: string) => {
      const error = await refusal(
        async () =>
          await loadCertificates(source, {
            env: { PEM: text },
            read: (flag, value) =>
              value === 'file'
                ? { flag, source: `${flag} file`, bytes: new Uint8Array(Buffer.from(text)), rereadable: true }
                : undefined,
          }),
      );
      expect(error.code).toBe('ERR_PEM_MALFORMED');
      expect(error.message).toBe(`--certificate ${source} is PEM without its line ends`);
      return error.hint;
    };
    expect(await read('env:PEM')).toContain('base64 -w0 FILE');
    expect(await read('file')).toContain("printf '%");
  });
});
