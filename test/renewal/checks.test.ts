import { x509 } from '../../src/platform/x509-library.ts';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Authority,
  DAY_MS,
  HOUR_MS,
  generateKeys,
  issueAuthority,
  leafExtensions,
} from '../../certs-dev/authority.ts';
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

/** So many below the root, one under the other. */
async function authorities(count: number): Promise<Authority[]> {
  const path: Authority[] = [];
  for (let step = 0; step < count; step++) {
    const [subject, keys] = [`CN=Step ${step}`, await generateKeys('ec-p256')];
    path.push(await issueAuthority({ subject, keys, issuer: path.at(-1) ?? ca.root }));
  }
  return path;
}

/** A host where there was a URL. */
const ANOTHER_KIND = NAMES.map((name) => (name.type === 'url' ? { ...name, type: 'dns' as const } : name));

function refusal(message: RegExp, hint: RegExp): unknown {
  return expect.objectContaining({
    code: 'ERR_RENEWAL_CHECK',
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
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
    const intermediate = await issueAuthority({
      subject: 'CN=Renewal intermediate 2',
      keys: await generateKeys('ec-p256'),
      issuer: ca.root,
    });
    const taken = check(await answer({}, { ...next, root: ca.root, intermediate }));
    expect(taken.chain).toHaveLength(1);
  });

  it('may end when the old one ends', async () => {
    const { notAfter } = old.leaf;
    expect(check(await answer({ notAfter })).leaf.notAfter).toEqual(notAfter);
  });

  it('may have its names in another order', async () => {
    expect(check(await answer({ names: NAMES.toReversed() })).chain).toHaveLength(1);
  });

  it('may come with more of the chain than is known of the old one', async () => {
    expect(check(await answer(), { ...old, chain: [] }).chain).toHaveLength(1);
  });

  it('may come together with others, of the name of its issuer', async () => {
    const { intermediate } = await makeCa();
    const others = await answer();
    expect(check([der(intermediate.certificate), ...others]).chain).toHaveLength(1);
  });

  it('has a chain that does not grow with each new key of an intermediate, where it names no key', async () => {
    let before = old;
    for (let renewal = 0; renewal < 8; renewal++) {
      const subject = ca.intermediate.certificate.subject;
      const intermediate = await issueAuthority({ subject, keys: await generateKeys('ec-p256'), issuer: ca.root });
      const sent = await answer({ keyIdentifiers: false, lifeMs: DAY_MS + renewal * HOUR_MS }, { ...ca, intermediate });
      const { leaf, chain } = check(sent, before);
      expect(chain.map((one) => Buffer.from(one.der))).toEqual([Buffer.from(der(intermediate.certificate))]);
      before = { leaf, chain: chain.map((one) => one.der) };
    }
  });

  it('is left to the service where the key of its issuer is of a kind that this Node does not know', async () => {
    const [leaf = new Uint8Array(), intermediate = new Uint8Array()] = await answer();
    // ecPublicKey, 1.2.840.10045.2.1, in another's place.
    const strange = Buffer.from(intermediate);
    strange[strange.indexOf('2a8648ce3d0201', 0, 'hex') + 6] = 9;
    expect(check([leaf, strange], { ...old, chain: [] }).chain).toHaveLength(1);
  });

  it('may come from an authority that is a step further from the same root', async () => {
    const above = await issueAuthority({ subject: 'CN=Above', keys: await generateKeys('ec-p256'), issuer: ca.root });
    const below = await issueAuthority({ subject: 'CN=Below', keys: await generateKeys('ec-p256'), issuer: above });
    const [leaf = new Uint8Array()] = await answer({}, { ...ca, intermediate: below });
    expect(check([leaf, der(below.certificate), der(above.certificate)]).chain).toHaveLength(2);
  });

  it('may have as many intermediates as the service takes', async () => {
    const path = await authorities(5);
    const [leaf = new Uint8Array()] = await answer({}, { ...ca, intermediate: path.at(-1) ?? ca.root });
    expect(check([leaf, ...path.map(({ certificate }) => der(certificate))]).chain).toHaveLength(5);
  });

  const HINT = /template, profile or role of the CA/;
  const refused: readonly (readonly [string, Twist, RegExp, RegExp])[] = [
    ['another subject', { subject: 'CN=other,O=Example' }, /has another subject: .*other.* in place of .*web/, HINT],
    ['no subject', { subject: '' }, /the subject of the certificate is empty/, HINT],
    [
      'other alternative names',
      {
        names: [
          { type: 'dns', value: 'b.example' },
          { type: 'dns', value: 'a.example' },
        ],
      },
      /has other alternative names: \w+:a\.example, \w+:b\.example in place of \w/,
      HINT,
    ],
    ['no alternative names', { names: [] }, /other alternative names: none in place of/, HINT],
    ['a name of another kind', { names: ANOTHER_KIND }, /has other alternative names/, HINT],
    ['a shorter life', { lifeMs: HOUR_MS / 2 }, /ends sooner, at .* than the one in use/, /gives shorter lives/],
    [
      'an end that has come',
      { lifeMs: -HOUR_MS, notBefore: new Date(Date.now() - DAY_MS) },
      /would not be taken.*expired/,
      HINT,
    ],
    ['a beginning that is to come', { notBefore: new Date(Date.now() + HOUR_MS) }, /would not be taken/, HINT],
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
      HINT,
    ],
  ];
  it.each(refused)('is refused with %s', async (_name, twist, message, hint) => {
    const certificates = await answer(twist);
    expect(() => check(certificates)).toThrow(refusal(message, hint));
  });

  it('is refused with a subject where there was none', async () => {
    const nameless = { ...old.leaf, subject: Uint8Array.of(0x30, 0) };
    const certificates = await answer();
    expect(() => check(certificates, { ...old, leaf: nameless })).toThrow(refusal(/in place of none$/, HINT));
  });

  it('is refused with one alternative name where there was none', async () => {
    const identity = await loadIdentity(await writeIdentity(ca));
    const leaf = readCertificate(identity.certificate, 'the leaf');
    const nameless = { ...leaf, extensions: new Map([...leaf.extensions].filter(([oid]) => oid !== '2.5.29.17')) };
    const certificates = await answer();
    expect(() => check(certificates, { ...old, leaf: nameless })).toThrow(refusal(/in place of none/, HINT));
  });

  it('is refused with more intermediates than the service takes', async () => {
    const path = await authorities(6);
    const [leaf = new Uint8Array()] = await answer({}, { ...ca, intermediate: path.at(-1) ?? ca.root });
    expect(() => check([leaf, ...path.map(({ certificate }) => der(certificate))])).toThrow(
      refusal(/has a chain of 6 intermediates, and the service takes 5/, /above the trust anchor/),
    );
  });

  it('is refused for another key', async () => {
    const publicKey = new x509.PublicKey(
      await x509.PublicKey.create((await generateKeys('ec-p256')).publicKey).then(({ rawData }) => rawData),
    );
    const certificates = await answer({ publicKey });
    expect(() => check(certificates)).toThrow(refusal(/another key/, /key of the request/));
  });

  it('is refused from another authority', async () => {
    const certificates = await answer({}, other);
    expect(() => check(certificates)).toThrow(
      refusal(/from another authority: CN=Other intermediate in place of CN=Renewal intermediate/, /enrol anew/),
    );
  });

  it('is refused from another authority of which nothing more is known', async () => {
    const [leaf = new Uint8Array()] = await answer({}, other);
    expect(() => check([leaf], { ...old, chain: [] })).toThrow(refusal(/from another authority/, /enrol anew/));
  });

  it('is refused from an impostor of the same name', async () => {
    const impostor = await makeCa();
    const [leaf = new Uint8Array()] = await answer({}, impostor);
    expect(() => check([leaf])).toThrow(
      refusal(/was not signed by CN=Renewal intermediate, whose name it bears/, /not the authority that it says/),
    );
  });

  it('is refused when it is the old one', () => {
    expect(() => check([old.leaf.der])).toThrow(refusal(/in use already/, /renewed nothing/));
  });

  it('is refused when it cannot be read', () => {
    expect(() => check([Uint8Array.of(1, 2, 3)])).toThrow(
      expect.objectContaining({
        cause: expect.objectContaining({ message: expect.stringMatching(/what the CA sent/) }),
      }),
    );
    expect(() => check([Uint8Array.of(1, 2, 3)])).toThrow(
      refusal(/the certificate of the CA is not taken: it cannot be read/, /see what the CA answers/),
    );
  });

  it('has nothing to be compared with at the first enrolment', async () => {
    const certificates = await answer({ subject: 'CN=other', lifeMs: HOUR_MS / 2 });
    expect(
      checkRenewed(certificates, old.leaf.publicKey, undefined, { issuer: 'the CA', now: Date.now() }).chain,
    ).toHaveLength(1);
  });
});
