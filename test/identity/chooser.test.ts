/** Which of several certificates, or of several with their keys, is taken: by their facts alone. */
import { describe, expect, it } from 'vitest';
import { type CertificateChoice, type ChooseOptions, openChooser } from '../../src/identity/choice.ts';
import { bestPair, choosePair } from '../../src/identity/pairs.ts';
import type { PrivateKey } from '../../src/identity/private-key.ts';
import type { IdentityWarning } from '../../src/identity/warnings.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { certificateFacts, commonName } from '../support/certificate-facts.ts';
import { sequence } from '../support/der.ts';
import { refusalOf } from '../support/refusal.ts';

const NOW = 5e11;
const until = (days: number, facts: Partial<Certificate> = {}): Certificate =>
  certificateFacts({ notAfter: new Date(NOW + days * 86_400_000), ...facts });
const WEB: CertificateChoice = { selector: 'Key=x509Subject,Value=CN=web' };

const choose = (choice: CertificateChoice, leaves: readonly Certificate[], options: Partial<ChooseOptions> = {}) =>
  openChooser(choice).choose(
    leaves.map((leaf) => ({ leaf })),
    { where: 'the folder', now: NOW, ...options },
  ).leaf;

describe('the certificate that is chosen', () => {
  it('is the one that the selector matches; any, without a selector', () => {
    const [web, other] = [until(1), until(1, { subject: commonName('other') })];
    expect([choose(WEB, [other, web]), choose(WEB, [web, other]), choose({}, [other])]).toEqual([web, web, other]);
    const chooser = openChooser(WEB);
    expect([chooser.matches(web), chooser.matches(other), openChooser({}).matches(other)]).toEqual([true, false, true]);
  });

  it('is one of its copies', () => {
    const one = until(1);
    expect(choose(WEB, [one, { ...one }])).toBe(one);
  });

  it("is no CA's and none that the service does not take, beside others", () => {
    const [web, ca, expired] = [until(1), until(9, { isAuthority: true }), until(-1)];
    const short = until(9, { keyUsage: 0x2000 });
    expect(choose(WEB, [ca, expired, short, web])).toBe(web);
    expect([choose(WEB, [ca]), choose(WEB, [expired]), choose(WEB, [ca, expired])]).toEqual([ca, expired, expired]);
  });

  it('of several is an error, unless the last to end is asked for', () => {
    const leaves = [until(2), until(3), until(1, { serialNumber: '255' })];
    expect(refusalOf(() => choose(WEB, leaves))).toMatchObject({
      code: 'ERR_CERTIFICATE_AMBIGUOUS',
      flag: '--cert-selector',
      message: '3 certificates in the folder match --cert-selector',
      hint: expect.stringMatching(/: "CN=web", serial number A, until 1985-11-08.*; .*; .*serial number FF/) as string,
    });
    for (const order of [leaves, leaves.toReversed()]) expect(choose({ ...WEB, latest: true }, order)).toBe(leaves[1]);
    expect(() => choose({ ...WEB, latest: false }, leaves)).toThrow('3 certificates');
  });

  it('of those that it was renewed from is the last to end, where that is asked for', () => {
    const [old, fresh] = [until(1), until(9)];
    const renewals = { renewals: true };
    expect([choose(WEB, [old, fresh], renewals), choose(WEB, [fresh, old], renewals)]).toEqual([fresh, fresh]);
    for (const facts of [{ issuer: commonName('other') }, { subject: commonName('other') }]) {
      const both = [old, until(9, facts)];
      for (const order of [both, both.toReversed()])
        expect(() => choose({}, order, renewals)).toThrow('2 certificates in the folder');
    }
    expect(() => choose(WEB, [old, fresh], { renewals: false })).toThrow('2 certificates');
  });

  it('is missing where none matches: those that are there are named, ten at most', () => {
    const none = { selector: 'Key=x509Serial,Value=ffff' };
    expect(refusalOf(() => choose(none, []))).toMatchObject({
      code: 'ERR_CERTIFICATE_NOT_FOUND',
      flag: '--cert-selector',
      message: 'no certificate in the folder matches --cert-selector',
      hint: 'no certificate is there',
    });
    const hintOf = (count: number): string =>
      refusalOf(() =>
        choose(
          none,
          Array.from({ length: count }, () => until(1)),
        ),
      ).hint ?? '';
    expect(hintOf(1)).toMatch(/^there are: "CN=web", serial number A, until [^;]*Z$/);
    expect(hintOf(10)).toMatch(/Z$/);
    expect(hintOf(11)).toMatch(/^(?:[^;]*; ){10}and 1 more$/);
    expect(hintOf(12)).toMatch(/^(?:[^;]*; ){10}and 2 more$/);
  });

  it('is named as the place where it is names it', () => {
    const chooser = openChooser({});
    const candidates = [1, 2].map((name) => ({ leaf: until(name), name: `number ${name}` }));
    const { hint } = refusalOf(() => chooser.choose(candidates, { where: 'x', now: NOW }));
    expect(hint?.endsWith(': number 2; number 1')).toBe(true);
  });
});

/** A key that says whether it was forgotten. */
function key() {
  const state = { forgotten: 0 };
  const privateKey: PrivateKey = {
    signer: { keyType: 'EC', sign: () => Promise.reject(new Error('not of this test')) },
    publicKey: () => sequence(),
    belongsTo: () => true,
    forget: () => void (state.forgotten += 1),
  };
  return { key: privateKey, state };
}

const pair = (leaf: Certificate) => ({ leaf, ...key() });

describe('the pair that is taken', () => {
  it('is, of those that the service takes, the one that ends last, and the first of equals', () => {
    const [short, long, same] = [pair(until(1)), pair(until(9)), pair(until(9))];
    const unusable = pair(until(90, { keyUsage: 0 }));
    const taken = (...pairs: readonly ReturnType<typeof pair>[]) => bestPair(pairs, 'the file', NOW).pair;
    expect(taken(short, long, same, unusable)).toBe(long);
    expect([taken(unusable, short), taken(same, long, short)]).toEqual([short, same]);
    expect(taken(long, short)).toBe(long);
  });

  it('is told', () => {
    const best = bestPair([pair(until(1)), pair(until(2, { serialNumber: '77' }))], 'the file', NOW);
    expect(best.warning).toEqual({
      code: 'WARN_SEVERAL_PAIRS',
      message:
        'the file holds 2 certificates with their keys: took "CN=web", serial number 77, until 1985-11-07T00:53:20Z ' +
        '(of those that the service takes, it ends last)',
    });
    const none = bestPair([pair(until(-2)), pair(until(-1))], 'the file', NOW);
    expect(none.pair.leaf.notAfter.getTime()).toBe(NOW - 86_400_000);
    expect(none.warning.message).toMatch(/ \(none of which the service takes\)$/);
  });

  it('leaves the keys of the others forgotten, and its own not', () => {
    const pairs = [pair(until(1)), pair(until(9)), pair(until(2))];
    const warnings: IdentityWarning[] = [];
    const deps = { now: () => NOW, warn: (warning: IdentityWarning) => void warnings.push(warning) };
    expect(choosePair(pairs, 'the file', undefined, deps)).toBe(pairs[1]);
    expect(pairs.map(({ state }) => state.forgotten)).toEqual([1, 0, 1]);
    expect(warnings).toMatchObject([{ code: 'WARN_SEVERAL_PAIRS' }]);
  });

  it('is the one of a choice, of which nothing is to be told', () => {
    const pairs = [pair(until(1, { subject: commonName('other') })), pair(until(9))];
    const warnings: IdentityWarning[] = [];
    const deps = { now: () => NOW, warn: (warning: IdentityWarning) => void warnings.push(warning) };
    const choice = { selector: 'Key=x509Subject,Value=CN=other' };
    expect(choosePair(pairs, 'the file', choice, deps)).toBe(pairs[0]);
    expect([pairs.map(({ state }) => state.forgotten), warnings]).toEqual([[0, 1], []]);
  });

  it('is none, and every key forgotten, where the choice is none', () => {
    const pairs = [pair(until(1)), pair(until(9))];
    const error = refusalOf(() => choosePair(pairs, 'the file', WEB, { now: () => NOW }));
    expect(error).toMatchObject({
      code: 'ERR_CERTIFICATE_AMBIGUOUS',
      message: '2 certificates in the file match --cert-selector',
    });
    expect(pairs.map(({ state }) => state.forgotten)).toEqual([1, 1]);
  });

  it('is judged by the clock, and told to nobody where nobody listens', () => {
    const [past, present] = [
      pair(certificateFacts({ notAfter: new Date(Date.now() - 1000) })),
      pair(certificateFacts({ notAfter: new Date(Date.now() + 60_000) })),
    ];
    const future = pair(certificateFacts({ notBefore: new Date(Date.now() + 60_000), notAfter: new Date(9e12) }));
    expect(choosePair([past, future, present], 'the file', undefined, {})).toBe(present);
  });
});
