import { x509 } from '../../src/platform/x509-library.ts';
import { beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, generateKeys, leafExtensions } from '../../certs-dev/authority.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { type Predecessor, checkRenewed } from '../../src/renewal/checks.ts';
import { contentsOf, makeCsr } from '../../src/renewal/csr.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { NAMES, type TestCa, type Twist, makeCa, sign, writeIdentity } from './support/ca.ts';

const der = ({ rawData }: x509.X509Certificate): Uint8Array => new Uint8Array(rawData);

let ca: TestCa;
let other: TestCa;
let old: Predecessor;
let csr: Uint8Array;

beforeAll(async () => {
  ca = await makeCa();
  other = await makeCa('Other');
  const identity = await loadIdentity(await writeIdentity(ca));
  const leaf = readCertificate(identity.certificate, 'the leaf');
  old = { leaf, chain: identity.chain };
  csr = await makeCsr(contentsOf(leaf), identity.signer, leaf.publicKey);
});

function check(certificates: readonly Uint8Array[], predecessor: Predecessor | undefined = old) {
  return checkRenewed(certificates, old.leaf.publicKey, predecessor, { issuer: 'the CA', now: Date.now() });
}

async function answer(twist: Twist = {}, by: TestCa = ca): Promise<Uint8Array[]> {
  return [await sign(by, csr, twist), by.intermediate.certificate, by.root.certificate].map(der);
}

describe('a new certificate', () => {
  it('is taken when all is as it was, and lives longer', async () => {
    const { leaf, chain } = check(await answer());
    expect(Buffer.from(leaf.subject)).toEqual(Buffer.from(old.leaf.subject));
    expect(chain.map((one) => Buffer.from(one.der))).toEqual([Buffer.from(der(ca.intermediate.certificate))]);
  });

  it('is found in any order', async () => {
    expect(check((await answer()).toReversed()).chain).toHaveLength(1);
  });

  it('takes the old chain where the CA sent none', async () => {
    const [leaf = new Uint8Array()] = await answer();
    expect(check([leaf]).chain).toHaveLength(1);
  });

  it('may come from another intermediate of the same root', async () => {
    const next = await makeCa();
    const { issueAuthority } = await import('../../certs-dev/authority.ts');
    const intermediate = await issueAuthority({
      subject: 'CN=Renewal intermediate 2',
      keys: await generateKeys('ec-p256'),
      issuer: ca.root,
    });
    const taken = check(await answer({}, { ...next, root: ca.root, intermediate }));
    expect(taken.chain).toHaveLength(1);
  });

  const refused: readonly (readonly [string, Twist, RegExp])[] = [
    ['another subject', { subject: 'CN=other,O=Example' }, /has another subject/],
    ['other alternative names', { names: [{ type: 'dns', value: 'other.example' }] }, /has other alternative names/],
    ['no alternative names', { names: [] }, /other alternative names: none/],
    ['a shorter life', { lifeMs: HOUR_MS / 2 }, /ends sooner/],
    [
      'an end that has come',
      { lifeMs: -HOUR_MS, notBefore: new Date(Date.now() - DAY_MS) },
      /would not be taken.*expired/,
    ],
    ['a beginning that is to come', { notBefore: new Date(Date.now() + HOUR_MS) }, /would not be taken/],
    [
      'no digitalSignature',
      {
        extensions: leafExtensions(NAMES).map((one) =>
          one instanceof x509.KeyUsagesExtension
            ? new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyEncipherment, true)
            : one,
        ),
      },
      /would not be taken/,
    ],
  ];
  it.each(refused)('is refused with %s', async (_name, twist, message) => {
    const certificates = await answer(twist);
    expect(() => check(certificates)).toThrow(
      expect.objectContaining({ code: 'ERR_RENEWAL_CHECK', message: expect.stringMatching(message) }),
    );
  });

  it('is refused for another key', async () => {
    const publicKey = new x509.PublicKey(
      await x509.PublicKey.create((await generateKeys('ec-p256')).publicKey).then(({ rawData }) => rawData),
    );
    const certificates = await answer({ publicKey });
    expect(() => check(certificates)).toThrow(/another key/);
  });

  it('is refused from another authority', async () => {
    const certificates = await answer({}, other);
    expect(() => check(certificates)).toThrow(/from another authority/);
  });

  it('is refused from an impostor of the same name', async () => {
    const impostor = await makeCa();
    const [leaf = new Uint8Array()] = await answer({}, impostor);
    expect(() => check([leaf])).toThrow(/was not signed by|from another authority/);
  });

  it('is refused when it is the old one', () => {
    expect(() => check([old.leaf.der])).toThrow(/in use already/);
  });

  it('is refused when it cannot be read', () => {
    expect(() => check([Uint8Array.of(1, 2, 3)])).toThrow(expect.objectContaining({ code: 'ERR_RENEWAL_CHECK' }));
  });

  it('has nothing to be compared with at the first enrolment', async () => {
    const certificates = await answer({ subject: 'CN=other', lifeMs: HOUR_MS / 2 });
    expect(
      checkRenewed(certificates, old.leaf.publicKey, undefined, { issuer: 'the CA', now: Date.now() }).chain,
    ).toHaveLength(1);
  });
});
