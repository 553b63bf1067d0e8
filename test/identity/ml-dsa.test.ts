import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ML_DSA_KINDS } from '../../certs-dev/ml-dsa.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { readMlDsaKey } from '../../src/identity/ml-dsa.ts';
import { mlDsaTypeOf } from '../../src/x509/keys.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { type PemBlock, readPem } from '../../src/x509/pem.ts';
import { newerNode } from '../support/newer-node.ts';
import { pkiPath, pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { verifyWithCertificate } from '../support/verify.ts';

const MESSAGE = Buffer.from('to be signed');
const FORMS = ['key', 'seed', 'expanded'] as const;
const CASES = ML_DSA_KINDS.flatMap((kind) => FORMS.map((form) => ({ kind, form })));

function keyBlock(name: string): PemBlock {
  const [block] = readPem(readFileSync(pkiPath(name)), name);
  if (block === undefined) throw new Error(`${name} holds no block`);
  return block;
}

const leafOf = (kind: string): Buffer => new X509Certificate(pkiText(`${kind}.crt.pem`)).raw;
const typeOf = (kind: string) => kind.toUpperCase() as 'ML-DSA-44';

describe.each(CASES)('$kind, $form', ({ kind, form }) => {
  it('is known by its algorithm, and wiped when it was read', () => {
    const block = keyBlock(`${kind}.${form}.pem`);
    expect(mlDsaTypeOf(block)).toBe(typeOf(kind));
    const key = readMlDsaKey(block, typeOf(kind), 'k');
    expect(key.signer.keyType).toBe(typeOf(kind));
    expect(block.der.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['by OpenSSL where it can', true],
    ['by @noble/post-quantum', false],
  ])('signs %s, and is the key of its certificate alone', async (_name, native) => {
    const key = readMlDsaKey(keyBlock(`${kind}.${form}.pem`), typeOf(kind), 'k', native);
    const leaf = leafOf(kind);
    expect(verifyWithCertificate(leaf, MESSAGE, await key.signer.sign(MESSAGE))).toBe(true);
    expect(verifyWithCertificate(leaf, Buffer.from('another'), await key.signer.sign(MESSAGE))).toBe(false);
    expect(key.belongsTo(readCertificate(leaf, 'c'))).toBe(true);
    expect(Buffer.from(key.publicKey())).toEqual(Buffer.from(readCertificate(leaf, 'c').publicKey));
    for (const other of ['ec-p256', ...ML_DSA_KINDS.filter((name) => name !== kind)])
      expect(key.belongsTo(readCertificate(leafOf(other), 'c'))).toBe(false);
  });
});

const signInForm = async (form: string) =>
  await readMlDsaKey(keyBlock(`ml-dsa-44.${form}.pem`), 'ML-DSA-44', 'k', false).signer.sign(MESSAGE);

describe('a key of @noble/post-quantum', () => {
  it('signs alike each time, as upstream does', async () => {
    const [first, ...others] = await Promise.all(['key', 'key', 'seed', 'expanded'].map(signInForm));
    for (const other of others) expect(other).toEqual(first);
  });

  it('cannot sign once it is forgotten', async () => {
    const key = readMlDsaKey(keyBlock('ml-dsa-44.key.pem'), 'ML-DSA-44', 'k', false);
    key.forget();
    key.forget();
    expect(await refusalCode(async () => await key.signer.sign(MESSAGE))).toBe('ERR_SIGN');
  });
});

it('a key of another ML-DSA certificate does not match', async () => {
  const spec = { certificate: pkiPath('ml-dsa-44.crt.pem'), privateKey: pkiPath('ml-dsa-65.key.pem') };
  const error = await refusal(async () => await loadIdentity(spec, { pause: async () => {} }));
  expect(error.code).toBe('ERR_KEY_MISMATCH');
});

const node = newerNode();
describe.skipIf(node === undefined)('OpenSSL, of another Node', () => {
  it('agrees on every key, certificate and signature', async () => {
    const issuer = new X509Certificate(pkiText('ml-dsa-intermediate.pem')).raw;
    const cases = await Promise.all(
      CASES.map(async ({ kind, form }) => {
        const block = keyBlock(`${kind}.${form}.pem`);
        const key = Buffer.from(block.der).toString('base64');
        const { signer } = readMlDsaKey(block, typeOf(kind), 'k', false);
        const signature = Buffer.from(await signer.sign(MESSAGE)).toString('base64');
        const [certificate, message] = [leafOf(kind), MESSAGE].map((bytes) => bytes.toString('base64'));
        return { key, certificate, issuer: issuer.toString('base64'), message, signature };
      }),
    );
    const program = fileURLToPath(new URL('native-ml-dsa.mjs', import.meta.url));
    const output = execFileSync(node ?? '', [program], { input: JSON.stringify(cases), env: {} });
    const answers = JSON.parse(output.toString()) as Record<string, string | boolean>[];
    expect(answers).toHaveLength(CASES.length);
    for (const [index, { kind }] of CASES.entries()) {
      const { signature, ...answer } = answers[index] ?? {};
      const publicKey = Buffer.from(readCertificate(leafOf(kind), 'c').publicKey).toString('base64');
      expect(answer).toEqual({ keyType: kind, isItsKey: true, isSigned: true, verified: true, publicKey });
      expect(verifyWithCertificate(leafOf(kind), MESSAGE, Buffer.from(String(signature), 'base64'))).toBe(true);
    }
  });
});
