/** What is checked of an identity before anything is sent, by the facts of its certificates alone. */
import { describe, expect, it } from 'vitest';
import { checkIdentity, oddities } from '../../src/identity/checks.ts';
import type { IdentityWarning } from '../../src/identity/warnings.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { certificateFacts, commonName } from '../support/certificate-facts.ts';
import { integer, sequence, tlv } from '../support/der.ts';
import { refusal } from '../support/refusal.ts';

const DAY_MS = 86_400_000;
const NOW = 1000 * DAY_MS;

function lasting(fromDays: number, toMs: number, facts: Partial<Certificate> = {}): Certificate {
  return certificateFacts({ notBefore: new Date(NOW + fromDays * DAY_MS), notAfter: new Date(NOW + toMs), ...facts });
}
const good = lasting(-100, 100 * DAY_MS);
const ca = (facts: Partial<Certificate> = {}): Certificate =>
  lasting(-100, 100 * DAY_MS, { isAuthority: true, keyUsage: 0x0400, subject: commonName('ca'), ...facts });

function rsa(bits: number): Partial<Certificate> {
  const key = sequence(integer(1n << BigInt(bits - 1)), integer(3));
  return { keyAlgorithm: { name: 'RSA', keyType: 'RSA' }, publicKey: sequence(sequence(), tlv(0x03, [0], key)) };
}

const WEAK = { signature: { objectIdentifier: '1.2.840.10045.4.1', parameters: undefined } };

const odd = (leaf: Certificate, ...chain: readonly Certificate[]): string[] =>
  oddities(leaf, chain, NOW).map(({ code }) => code);

describe('what is odd', () => {
  it('is nothing of a good certificate and its chain', () => {
    expect(odd(good, ca(), ca({ subject: commonName('another') }))).toEqual([]);
  });

  it.each([
    // A week of a life of two hundred days; a tenth of one of ten.
    [-193, 7 * DAY_MS, []],
    [-193, 7 * DAY_MS - 1, ['WARN_CERTIFICATE_EXPIRES_SOON']],
    [-9, DAY_MS, []],
    [-9, DAY_MS - 1, ['WARN_CERTIFICATE_EXPIRES_SOON']],
    [-9, 0, ['WARN_CERTIFICATE_EXPIRES_SOON']],
    [-9, -1, []],
  ])('is a certificate that ends soon: from day %i to %i ms', (from, to, codes) => {
    expect(odd(lasting(from, to))).toEqual(codes);
  });

  it.each([
    [2047, ['WARN_KEY_SHORT']],
    [2048, []],
    [4096, []],
  ])('is an RSA key of %i bits: %j', (bits, codes) => {
    expect(odd(lasting(-100, 100 * DAY_MS, rsa(bits)))).toEqual(codes);
  });

  it.each<[string, Partial<Certificate>, boolean]>([
    ["not a CA's", { isAuthority: false }, true],
    ['not for certificates', { keyUsage: 0xfbff }, true],
    ['without a key usage', { keyUsage: undefined }, false],
    ['with a weak signature', WEAK, true],
    ['for certificates and more', { keyUsage: 0xffff }, false],
  ])('is an intermediate that is %s', (_what, facts, isOdd) => {
    const intermediate = ca(facts);
    const found = oddities(good, [ca(), intermediate], NOW);
    expect(found).toEqual(isOdd ? [{ code: 'WARN_CHAIN_CERTIFICATE', certificate: intermediate }] : []);
  });

  it('is an intermediate that is not valid, unless its successor is there', () => {
    const old = ca({ notAfter: new Date(NOW - 1) });
    expect(oddities(good, [old], NOW)).toEqual([{ code: 'WARN_CHAIN_VALIDITY', certificate: old }]);
    expect(odd(good, old, ca())).toEqual([]);
    expect(odd(good, old, ca({ subject: commonName('another') }))).toEqual(['WARN_CHAIN_VALIDITY']);
    expect(odd(good, old, ca({ notBefore: new Date(NOW + 1) }))).toEqual([
      'WARN_CHAIN_VALIDITY',
      'WARN_CHAIN_VALIDITY',
    ]);
  });
});

async function check(leaf: Certificate, skipChecks: boolean, ...chain: readonly Certificate[]) {
  const warnings: IdentityWarning[] = [];
  const warn = (warning: IdentityWarning): void => void warnings.push(warning);
  const told = await checkIdentity({ leaf, chain }, { source: 'the file', now: NOW, skipChecks, warn });
  return { told, codes: warnings.map(({ code }) => code), messages: warnings.map(({ message }) => message) };
}

describe('the check of an identity', () => {
  const expired = lasting(-100, -1, { keyUsage: 0 });

  it('says nothing of a good one', async () => {
    expect(await check(good, false, ca())).toEqual({ told: undefined, codes: [], messages: [] });
  });

  it('refuses one for the most telling rule that it breaks, and warns of all where checks are skipped', async () => {
    expect(await refusal(() => check(expired, false))).toMatchObject({ code: 'ERR_CERTIFICATE_KEY_USAGE' });
    const { told, codes } = await check(expired, true, ca(WEAK));
    expect(codes).toEqual(['ERR_CERTIFICATE_KEY_USAGE', 'ERR_CERTIFICATE_EXPIRED', 'WARN_CHAIN_CERTIFICATE']);
    expect(told).toMatch(/^the certificate's keyUsage does not include digitalSignature/);
  });

  it('refuses one that breaks one rule, and has nothing odd', async () => {
    const leaf = lasting(-100, 100 * DAY_MS, { isAuthority: true });
    const error = await refusal(() => check(leaf, false));
    expect(error).toMatchObject({
      code: 'ERR_CERTIFICATE_IS_CA',
      message: "the file: the certificate is a CA's (basicConstraints CA:TRUE)",
    });
    expect((await check(leaf, true)).codes).toEqual(['ERR_CERTIFICATE_IS_CA']);
  });

  it('warns of what is odd, whether checks are skipped or not', async () => {
    for (const skipChecks of [false, true]) {
      const { told, codes, messages } = await check(good, skipChecks, ca(WEAK));
      expect([told, codes]).toEqual([undefined, ['WARN_CHAIN_CERTIFICATE']]);
      expect(messages[0]).toMatch(/^the intermediate certificate "CN=ca" is signed with /);
    }
    const { messages } = await check(lasting(-9, 1), false);
    expect(messages[0]).toMatch(/^the file: the certificate expires in /);
  });
});
