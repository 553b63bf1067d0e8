/** What a new certificate must be before it takes the place of a good one. */
// Tests: test/renewal/checks.test.ts
import { X509Certificate } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, readCertificate, sameBytes } from '../x509/certificate.ts';
import { MAX_CHAIN_LENGTH, orderChain } from '../x509/chain.ts';
import { EXTENSION } from '../x509/extensions.ts';
import { nameText, readAlternativeNames, readName } from '../x509/names.ts';
import { brokenRules } from '../x509/rules.ts';
import { findingText } from '../identity/verdicts.ts';
import { sameKey } from './csr.ts';

/** A certificate that was taken. */
export interface Renewed {
  readonly leaf: Certificate;
  /** The issuer of the leaf first. */
  readonly chain: readonly Certificate[];
}

/** What is known of the certificate that is to be replaced. */
export interface Predecessor {
  readonly leaf: Certificate;
  /** Exact DER. */
  readonly chain: readonly Uint8Array[];
}

/**
 * Finds the new certificate among those that a CA sent, and checks it: for the key that was asked for, by an issuer that
 * has to do with the old one's, for the same names, valid now, ending no sooner, and what Roles Anywhere takes.
 *
 * @param publicKey DER of the SubjectPublicKeyInfo that was asked for
 * @param old undefined at the first enrolment, when there is nothing to compare with
 * @param issuer how messages name who sent it
 * @param now milliseconds since the epoch
 * @throws RolesAnywhereError `ERR_RENEWAL_CHECK`
 */
export function checkRenewed(
  certificates: readonly Uint8Array[],
  publicKey: Uint8Array,
  old: Predecessor | undefined,
  { issuer, now }: { readonly issuer: string; readonly now: number },
): Renewed {
  const found = certificates.map((der) => read(der, issuer));
  const leaf = found.find((one) => !one.isAuthority && sameKey(one.publicKey, publicKey));
  if (leaf === undefined)
    throw refusal(
      issuer,
      'is for another key than was asked for',
      'a CA issues for the key of the request: see what it answers',
    );
  const [worst] = brokenRules(leaf, now);
  if (worst !== undefined)
    throw refusal(
      issuer,
      `would not be taken by Roles Anywhere: ${findingText({ code: worst, certificate: leaf }, now)}`,
      'correct the template, profile or role of the CA that it is issued by; see docs/troubleshooting.md for the rule',
    );
  const known = [...found, ...(old?.chain ?? []).map((der) => read(der, issuer))];
  const chain = chainOf(leaf, known, issuer);
  if (old !== undefined) {
    checkSuccession(leaf, old.leaf, issuer);
    checkOrigin({ leaf, chain }, old, issuer);
  }
  checkSignatures([leaf, ...chain], known, issuer);
  return { leaf, chain };
}

function read(der: Uint8Array, issuer: string): Certificate {
  try {
    return readCertificate(der, `what ${issuer} sent`);
  } catch (cause) {
    throw refusal(issuer, 'cannot be read', 'see what the CA answers', cause);
  }
}

function chainOf(leaf: Certificate, candidates: readonly Certificate[], issuer: string): Certificate[] {
  const chain = orderChain(leaf, candidates, Infinity);
  if (chain.length > MAX_CHAIN_LENGTH)
    throw refusal(
      issuer,
      `has a chain of ${chain.length} intermediates, and the service takes ${MAX_CHAIN_LENGTH}`,
      'have the CA leave out what lies above the trust anchor',
    );
  return chain;
}

/** The same holder, and no shorter a life. */
function checkSuccession(leaf: Certificate, old: Certificate, issuer: string): void {
  if (sameBytes(leaf.der, old.der))
    throw refusal(
      issuer,
      'is the one that is in use already',
      'the CA, or the command, renewed nothing: see what it says',
    );
  // By what they say: a CA may write the same name in another type of string.
  if (subject(leaf) !== subject(old))
    throw refusal(
      issuer,
      `has another subject: ${subject(leaf)} in place of ${subject(old)}`,
      'correct the template, profile or role of the CA; for another subject, enrol anew with --enroll',
    );
  const [names, before] = [namesOf(leaf), namesOf(old)];
  if (names !== before)
    throw refusal(
      issuer,
      `has other alternative names: ${names || 'none'} in place of ${before || 'none'}`,
      'correct the template, profile or role of the CA; for other names, enrol anew with --enroll',
    );
  if (leaf.notAfter.getTime() < old.notAfter.getTime())
    throw refusal(
      issuer,
      `ends sooner, at ${leaf.notAfter.toISOString()}, than the one in use, at ${old.notAfter.toISOString()}`,
      'the CA gives shorter lives than before, or is about to end itself: see its settings',
    );
}

/** An authority that goes by the name of the old one's issuer, or is under the same one as that. */
function checkOrigin({ leaf, chain }: Renewed, old: Predecessor, issuer: string): void {
  const before = orderChain(
    old.leaf,
    old.chain.map((der) => read(der, issuer)),
    Infinity,
  );
  if (sameBytes(leaf.issuer, old.leaf.issuer)) return;
  if (sameBytes(topOf(leaf, chain), topOf(old.leaf, before))) return;
  throw refusal(
    issuer,
    `is from another authority: ${nameText(readName(leaf.issuer))} in place of ${nameText(readName(old.leaf.issuer))}`,
    'if the CA itself was replaced, and is a trust anchor of yours now, enrol anew with --enroll',
  );
}

/** The name of the authority that a path leads up to. */
function topOf(leaf: Certificate, chain: readonly Certificate[]): Uint8Array {
  return (chain.at(-1) ?? leaf).issuer;
}

/** Each by the key of an authority of the name that it bears, where one is known. Algorithms that this Node does not know are for the service to judge. */
function checkSignatures(path: readonly Certificate[], known: readonly Certificate[], issuer: string): void {
  for (const certificate of path) {
    const issuers = known.filter((other) => sameBytes(other.subject, certificate.issuer));
    if (issuers.length === 0 || issuers.some((other) => signed(other, certificate))) continue;
    throw refusal(
      issuer,
      `was not signed by ${nameText(readName(certificate.issuer))}, whose name it bears as its issuer`,
      'see what the CA answers: it is not the authority that it says it is',
    );
  }
}

function signed(issuer: Certificate, certificate: Certificate): boolean {
  try {
    return new X509Certificate(certificate.der).verify(new X509Certificate(issuer.der).publicKey);
  } catch {
    return true;
  }
}

function namesOf({ extensions }: Certificate): string {
  return readAlternativeNames(extensions.get(EXTENSION.subjectAltName))
    .map(({ kind, text }) => `${kind}:${text}`)
    .toSorted()
    .join(', ');
}

function subject(certificate: Certificate): string {
  return nameText(readName(certificate.subject)) || 'none';
}

function refusal(issuer: string, what: string, hint: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_RENEWAL_CHECK', `the certificate of ${issuer} is not taken: it ${what}`, {
    hint,
    cause,
  });
}
