import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Material, MaterialFlag, ReadMaterial } from '../../src/identity/material.ts';
import { type IdentitySpec, loadCertificates, loadIdentity, loadSigningKey } from '../../src/identity/load.ts';
import { KEY_KINDS } from '../../certs-dev/authority.ts';
import { openssl, pkiPath, pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');
const MESSAGE = Buffer.from('to be signed');
const [LEAF, KEY, OTHER_KEY] = ['ec-p256.crt.pem', 'ec-p256.key.pem', 'serial-1.key.pem'].map(pkiText) as [
  string,
  string,
  string,
];
const [INTERMEDIATE, ROOT] = ['intermediate.pem', 'root.pem'].map(pkiText) as [string, string];

/** Files in memory. What was handed out stays visible, to see that it was wiped. */
function files(texts: Record<string, string | Uint8Array>, rereadable = true) {
  const handedOut: Material[] = [];
  const read: ReadMaterial = (flag: MaterialFlag, name: string) => {
    const text = texts[name] ?? '';
    const bytes = typeof text === 'string' ? new Uint8Array(Buffer.from(text)) : Uint8Array.from(text);
    const material = { flag, source: `${flag} ${name}`, bytes, rereadable };
    handedOut.push(material);
    return material;
  };
  return { read, handedOut };
}

type Texts = { certificate: string | Uint8Array; privateKey?: string; intermediates?: string };

/** Loads from texts; the default pause would only make the tests slow. */
async function load(texts: Texts) {
  const spec: IdentitySpec = { certificate: 'certificate' };
  if (texts.privateKey !== undefined) spec.privateKey = 'privateKey';
  if (texts.intermediates !== undefined) spec.intermediates = 'intermediates';
  return await loadIdentity(spec, { read: files(texts).read, pause: async () => {} });
}

const derOf = (pem: string) => new X509Certificate(pem).raw;

const FORMS = KEY_KINDS.flatMap((kind) => [
  [kind, 'PKCS#8', `${kind}.crt.pem`, `${kind}.key.pem`],
  kind.startsWith('rsa')
    ? [kind, 'PKCS#1', `${kind}.crt.pem`, `${kind}.pkcs1.pem`]
    : [kind, 'SEC1', `${kind}.crt.pem`, `${kind}.sec1.pem`],
  [kind, 'combined', `${kind}.combined.pem`, undefined],
  [kind, 'text and PKCS#8', `${kind}.text.pem`, `${kind}.key.pem`],
]) as [string, string, string, string | undefined][];

describe('loadIdentity', () => {
  it.each(FORMS)('loads %s, %s', async (kind, _form, certificate, privateKey) => {
    const identity = await loadIdentity({
      certificate: pkiPath(certificate),
      privateKey: privateKey && pkiPath(privateKey),
      intermediates: pkiPath(`${kind}.chain.pem`),
    });
    const leaf = new X509Certificate(pkiText(`${kind}.crt.pem`));
    expect(Buffer.from(identity.certificate)).toEqual(leaf.raw);
    expect(identity.serialNumber).toBe(BigInt(`0x${leaf.serialNumber}`).toString());
    expect(identity.chain.map((der) => Buffer.from(der))).toEqual([derOf(INTERMEDIATE)]);
    expect(identity.signer.keyType).toBe(kind.startsWith('rsa') ? 'RSA' : 'EC');
    for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const)
      expect(verify(digest, MESSAGE, leaf.publicKey, await identity.signer.sign(MESSAGE, digest))).toBe(true);
    expect(verify('SHA256', MESSAGE, leaf.publicKey, await identity.signer.sign(MESSAGE))).toBe(true);
    await identity.close();
    await identity.close();
  });

  const leafDer = derOf(LEAF);
  const intermediateDer = derOf(INTERMEDIATE);
  it.each([
    ['a leaf with its chain behind it', { certificate: LEAF + INTERMEDIATE, privateKey: KEY }, 1],
    ['a leaf behind its chain', { certificate: INTERMEDIATE + LEAF, privateKey: KEY }, 1],
    ['leaf, chain, root and key in one', { certificate: ROOT + INTERMEDIATE + LEAF + KEY }, 1],
    ['a key before its certificate', { certificate: KEY + LEAF }, 0],
    ['a key file that holds its certificate as well', { certificate: LEAF, privateKey: LEAF + KEY }, 0],
    ['the right one of two keys', { certificate: LEAF, privateKey: OTHER_KEY + KEY }, 0],
    [
      'the same intermediate twice',
      { certificate: LEAF + INTERMEDIATE, privateKey: KEY, intermediates: INTERMEDIATE },
      1,
    ],
    [
      'a bundle with leaf and root',
      { certificate: LEAF, privateKey: KEY, intermediates: ROOT + LEAF + INTERMEDIATE },
      1,
    ],
    ['a certificate in DER', { certificate: new Uint8Array(leafDer), privateKey: KEY }, 0],
    [
      'curve parameters before an EC key',
      {
        certificate: LEAF,
        privateKey: `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${KEY}`,
      },
      0,
    ],
  ])('takes %s', async (_name, texts, chainLength) => {
    const identity = await load(texts);
    expect(Buffer.from(identity.certificate)).toEqual(leafDer);
    expect(identity.chain.map((der) => Buffer.from(der))).toEqual(chainLength === 1 ? [intermediateDer] : []);
    const signature = await identity.signer.sign(MESSAGE);
    expect(verify('SHA256', MESSAGE, new X509Certificate(leafDer).publicKey, signature)).toBe(true);
  });

  const csr = '-----BEGIN CERTIFICATE REQUEST-----\nAAEC\n-----END CERTIFICATE REQUEST-----\n';
  const publicKey = createPublicKey(KEY).export({ type: 'spki', format: 'pem' }).toString();
  const damaged = '-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n';
  it.each([
    ['garbage as certificate', 'ERR_FORMAT_UNKNOWN', { certificate: 'garbage', privateKey: KEY }],
    ['garbage as key', 'ERR_FORMAT_UNKNOWN', { certificate: LEAF, privateKey: '\0\u0001\u0002' }],
    ['a certificate that is cut off', 'ERR_PEM_TRUNCATED', { certificate: LEAF.slice(0, 400), privateKey: KEY }],
    ['a key that is cut off', 'ERR_PEM_TRUNCATED', { certificate: LEAF, privateKey: KEY.slice(0, 100) }],
    ['a certificate that is bad base64', 'ERR_PEM_MALFORMED', { certificate: LEAF.replace('M', '*'), privateKey: KEY }],
    ['a certificate that is bad DER', 'ERR_CERTIFICATE_MALFORMED', { certificate: damaged, privateKey: KEY }],
    [
      'an intermediate that is bad DER',
      'ERR_CERTIFICATE_MALFORMED',
      { certificate: LEAF, privateKey: KEY, intermediates: damaged },
    ],
    ['a key as certificate', 'ERR_PEM_LABEL', { certificate: KEY, privateKey: KEY }],
    ['a certificate as key', 'ERR_PEM_LABEL', { certificate: LEAF, privateKey: LEAF }],
    ['a request as certificate', 'ERR_PEM_LABEL', { certificate: csr, privateKey: KEY }],
    ['a public key as key', 'ERR_PEM_LABEL', { certificate: LEAF, privateKey: publicKey }],
    ['a key as intermediates', 'ERR_PEM_LABEL', { certificate: LEAF, privateKey: KEY, intermediates: KEY }],
    ['the key of another certificate', 'ERR_KEY_MISMATCH', { certificate: LEAF, privateKey: OTHER_KEY }],
    [
      'the key of another kind of certificate',
      'ERR_KEY_MISMATCH',
      { certificate: LEAF, privateKey: pkiText('rsa-2048.key.pem') },
    ],
    ['one file with a key of another certificate', 'ERR_KEY_MISMATCH', { certificate: LEAF + OTHER_KEY }],
    ['no key', 'ERR_KEY_MISSING', { certificate: LEAF }],
    [
      'a plain key under the label of an encrypted one',
      'ERR_KEY_MALFORMED',
      { certificate: LEAF, privateKey: KEY.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE') },
    ],
    [
      'a TPM key that is none',
      'ERR_KEY_MALFORMED',
      { certificate: LEAF, privateKey: KEY.replaceAll('PRIVATE', 'TSS2 PRIVATE') },
    ],
  ])('refuses %s', async (_name, code, texts) => {
    const error = await refusal(async () => await load(texts));
    expect(error.code).toBe(code);
    expect(error.class).toBe(code === 'ERR_UNSUPPORTED' ? 'usage' : 'identity');
    expect(error.message).toMatch(/--(certificate|private-key|intermediates)\b/);
    expect(error.hint).toBeTruthy();
  });

  it('says what to do about a request in place of a certificate', async () => {
    const error = await refusal(async () => await load({ certificate: csr, privateKey: KEY }));
    expect(error.message).toBe('--certificate certificate holds no certificate, but CERTIFICATE REQUEST');
    expect(error.hint).toContain('CA');
  });

  it.each<[string, RegExp, Texts]>([
    ['swapped files', /seem swapped: .*--certificate and .*--private-key$/, { certificate: KEY, privateKey: LEAF }],
    ['a key for both', /^name the certificate with --certificate and/, { certificate: KEY, privateKey: KEY }],
    ['both as the key alone', /^the file of --private-key holds a cert/, { certificate: KEY, privateKey: LEAF + KEY }],
    ['a key alone', /^name the certificate with --certificate and/, { certificate: KEY }],
    ['a key as chain', /file of the certificates/, { certificate: LEAF, privateKey: KEY, intermediates: KEY }],
    ['leaf and chain swapped', /--inter/, { certificate: INTERMEDIATE, privateKey: KEY, intermediates: LEAF }],
    ['a foreign key', /requested with/, { certificate: LEAF, privateKey: OTHER_KEY, intermediates: INTERMEDIATE }],
  ])('says of %s what to do', async (_what, hint, texts) => {
    const error = await refusal(async () => await load(texts));
    expect(error.hint).toMatch(hint);
  });

  it.each([
    [{ certificate: 'handle:0x81000001', privateKey: 'k' }, '--certificate'],
    [{ certificate: 'c', privateKey: 'k', intermediates: 'handle:0x81000001' }, '--intermediates'],
    [{ certificate: 'c', privateKey: 'k', intermediates: 'pkcs11:' }, '--intermediates'],
    [{ certificate: 'c', privateKey: 'nv:0x1500001' }, '--private-key'],
    [{ certificate: 'pkcs11:token=t', privateKey: 'handle:0x81000001' }, '--private-key'],
  ])('refuses %o without reading anything', async (spec, flag) => {
    const { read, handedOut } = files({});
    const error = await refusal(async () => await loadIdentity(spec, { read }));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', message: expect.stringContaining(flag) as string });
    expect(handedOut).toEqual([]);
  });

  it.skipIf(!hasOpenssl)('refuses a chain of six', async () => {
    const { issueAuthority, issueLeaf, generateKeys, certificatePem, privateKeyPem } =
      await import('../../certs-dev/authority.ts');
    const keys = await generateKeys('ec-p256');
    let issuer = await issueAuthority({ subject: 'CN=top', keys });
    let bundle = '';
    for (let depth = 0; depth < 6; depth++) {
      issuer = await issueAuthority({ subject: `CN=${depth}`, keys, issuer });
      bundle += certificatePem(issuer.certificate);
    }
    const certificate = certificatePem(await issueLeaf({ subject: 'CN=leaf', issuer, publicKey: keys.publicKey }));
    const privateKey = privateKeyPem(keys);
    expect(await refusalCode(async () => await load({ certificate, privateKey, intermediates: bundle }))).toBe(
      'ERR_CHAIN_TOO_LONG',
    );
  });
});

describe('a rotation between two reads', () => {
  const spec = { certificate: 'c', privateKey: 'k' };

  it('is met by reading all files once more', async () => {
    const texts = { c: LEAF, k: OTHER_KEY };
    const { read, handedOut } = files(texts);
    const pauses: string[] = [];
    const identity = await loadIdentity(spec, {
      read,
      pause: async () => {
        pauses.push('one');
        texts.k = KEY;
      },
    });
    expect(Buffer.from(identity.certificate)).toEqual(derOf(LEAF));
    expect(handedOut.map(({ flag }) => flag)).toEqual([
      '--certificate',
      '--private-key',
      '--certificate',
      '--private-key',
    ]);
    expect(pauses).toEqual(['one']);
  });

  it('is an error when the files still do not match', async () => {
    const { read, handedOut } = files({ c: LEAF, k: OTHER_KEY });
    expect(await refusalCode(async () => await loadIdentity(spec, { read, pause: async () => {} }))).toBe(
      'ERR_KEY_MISMATCH',
    );
    expect(handedOut).toHaveLength(4);
  });

  it('is not looked for in pipes, which cannot be read twice', async () => {
    const { read, handedOut } = files({ c: LEAF, k: OTHER_KEY }, false);
    expect(await refusalCode(async () => await loadIdentity(spec, { read }))).toBe('ERR_KEY_MISMATCH');
    expect(handedOut).toHaveLength(2);
  });

  it('is waited for by itself', async () => {
    const { read, handedOut } = files({ c: LEAF, k: OTHER_KEY });
    expect(await refusalCode(async () => await loadIdentity(spec, { read }))).toBe('ERR_KEY_MISMATCH');
    expect(handedOut).toHaveLength(4);
  });
});

describe('what was read', () => {
  it.each([
    ['after loading', { c: LEAF, k: KEY }, undefined],
    ['after a mismatch', { c: LEAF, k: OTHER_KEY }, 'ERR_KEY_MISMATCH'],
    ['after a broken key', { c: LEAF, k: KEY.slice(0, -30) }, 'ERR_PEM_TRUNCATED'],
    ['after a broken certificate', { c: LEAF.slice(0, -30), k: KEY }, 'ERR_PEM_TRUNCATED'],
  ])('is wiped %s', async (_name, texts, code) => {
    const { read, handedOut } = files(texts);
    const loading = loadIdentity({ certificate: 'c', privateKey: 'k' }, { read, pause: async () => {} });
    expect(code === undefined ? (await loading).signer.keyType : await refusalCode(async () => await loading)).toBe(
      code ?? 'EC',
    );
    expect(handedOut.length).toBeGreaterThan(0);
    for (const { bytes } of handedOut) expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe('loadSigningKey', () => {
  it('loads a key without a certificate', async () => {
    const { signer, publicKey } = await loadSigningKey(pkiPath('rsa-2048.pkcs1.pem'));
    const key = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
    expect(verify('SHA256', MESSAGE, key, await signer.sign(MESSAGE))).toBe(true);
  });

  it('refuses a certificate', async () => {
    expect(await refusalCode(async () => await loadSigningKey(pkiPath('rsa-2048.crt.pem')))).toBe('ERR_PEM_LABEL');
  });
});

describe('loadCertificates', () => {
  it('says of a private key that it is none', async () => {
    const error = await refusal(async () => await loadCertificates(pkiPath('ec-p256.key.pem')));
    expect(error.hint).toBe('a private key has no place there: name the file of the certificates with --certificate');
  });

  it('gives the certificates and reads no key', async () => {
    const broken = '-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n';
    const { read } = files({ c: broken + LEAF + INTERMEDIATE });
    expect(Buffer.from((await loadCertificates('c', { read }))[0].der)).toEqual(derOf(LEAF));
  });
});

describe('a key that is too short for its digest', () => {
  it.skipIf(!hasOpenssl)('is an error of signing', async () => {
    const pem = openssl(['genrsa', '512']).toString();
    const { read } = files({ k: pem });
    const { signer } = await loadSigningKey('k', { read });
    expect(await refusalCode(async () => await signer.sign(MESSAGE, 'SHA512'))).toBe('ERR_SIGN');
  });
});
