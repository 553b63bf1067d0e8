import { describe, expect, it } from 'vitest';
import { type Authority, generateKeys, issueAuthority, issueLeaf } from '../../certs-dev/authority.ts';
import { type Certificate, readCertificate } from '../../src/x509/certificate.ts';
import { orderChain, unrelatedTo } from '../../src/x509/chain.ts';
import { refusalCode } from '../support/refusal.ts';

/** `subject<issuer`, and after a slash what tells two certificates of equal names apart. */
function certificate(text: string): Certificate {
  const [, subject = '', issuer = ''] = /^(\w+)<(\w+)/.exec(text) ?? [];
  return {
    der: Buffer.from(text),
    version: 3,
    serialNumber: '1',
    subject: Buffer.from(subject),
    issuer: Buffer.from(issuer),
    notBefore: new Date(0),
    notAfter: new Date(0),
    publicKey: Buffer.from(''),
    keyAlgorithm: { name: 'EC', keyType: 'EC' },
    signature: { objectIdentifier: '1.2.840.10045.4.3.2', parameters: undefined },
    isAuthority: true,
    keyUsage: undefined,
    extensions: new Map(),
  };
}

const order = (leaf: string, bundle: string) =>
  orderChain(certificate(leaf), bundle.split(' ').filter(Boolean).map(certificate))
    .map(({ der }) => Buffer.from(der).toString())
    .join(' ');

describe('orderChain', () => {
  it.each([
    ['gives nothing for nothing', '', ''],
    ['keeps an order that is right', 'A<B B<C', 'A<B B<C'],
    ['repairs an order that is wrong', 'C<D B<C A<B', 'A<B B<C C<D'],
    ['leaves out the leaf', 'leaf<A A<B', 'A<B'],
    ['leaves out a self-signed root', 'A<root root<root', 'A<root'],
    ['leaves out a root that issued the leaf itself', 'A<A', ''],
    ['leaves out duplicates', 'A<B A<B B<C A<B', 'A<B B<C'],
    ['leaves out what leads nowhere', 'X<Y A<B Y<Z', 'A<B'],
    ['leaves out what lies behind a gap', 'A<B C<D', 'A<B'],
    ['leaves out another certificate of the same issuer', 'other<A A<B', 'A<B'],
    ['keeps both certificates of a name, in the order given', 'B<C A<B/new A<B/old', 'A<B/new A<B/old B<C'],
    ['keeps both ways of a cross-signature', 'A<B A<X X<Y B<C', 'A<B A<X B<C X<Y'],
    ['ends on names that go round', 'A<B B<A', 'A<B B<A'],
    ['takes five', 'A<B B<C C<D D<E E<F F<F', 'A<B B<C C<D D<E E<F'],
  ])('%s', (_name, bundle, chain) => {
    expect(order('leaf<A', bundle)).toBe(chain);
  });

  it('refuses more than five', async () => {
    expect(await refusalCode(() => order('leaf<A', 'A<B B<C C<D D<E E<F F<G'))).toBe('ERR_CHAIN_TOO_LONG');
  });
});

async function issue(issuer?: Authority): Promise<Authority> {
  const keys = await generateKeys('ec-p256');
  return await issueAuthority({ subject: issuer ? 'CN=A' : 'CN=root', keys, issuer, keyIdentifiers: false });
}

describe('two authorities of one name, and no key identifiers', () => {
  it('leaves out the one that did not sign, and tells of it', async () => {
    const root = await issue();
    const [before, after] = [await issue(root), await issue(root)];
    const { publicKey } = await generateKeys('ec-p256');
    const signed = await issueLeaf({ subject: 'CN=leaf', issuer: after, publicKey, keyIdentifiers: false });
    const [leaf, ...bundle] = [signed, before.certificate, after.certificate, root.certificate].map(({ rawData }) =>
      readCertificate(new Uint8Array(rawData), 'a certificate of the test'),
    );
    if (leaf === undefined) throw new Error('there is a leaf');
    const chain = orderChain(leaf, bundle);
    expect(chain).toEqual([bundle[1]]);
    expect(unrelatedTo(leaf, chain, bundle)).toEqual([bundle[0]]);
  });
});
