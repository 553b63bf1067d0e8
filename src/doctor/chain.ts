/** Whether the certificates that are sent lead to the trust anchor, signature by signature. */
// Tests: test/doctor/broken.heavy.test.ts
import { X509Certificate } from 'node:crypto';
import { isoSeconds, subjectText } from '../identity/verdicts.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { sameBytes } from '../x509/certificate.ts';
import type { Certificate } from '../x509/certificate.ts';
import { DerError } from '../x509/der.ts';
import { nameText, readName } from '../x509/names.ts';
import { lengthProblem, nameProblem } from '../x509/path-constraints.ts';
import { brokenPeriod } from '../x509/rules.ts';
import type { Notebook } from './notebook.ts';

export interface Path {
  readonly leaf: Certificate;
  /** In order, the issuer of the leaf first. */
  readonly chain: readonly Certificate[];
  /** All that was given to make the chain of. */
  readonly candidates: readonly Certificate[];
  /** The certificates of the trust anchor; undefined where they are not known here. */
  readonly anchors: readonly Certificate[] | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Checks each signature on the way, and where it ends. */
export function checkChain({ leaf, chain, candidates, anchors, now }: Path, notes: Notebook): void {
  for (const anchor of anchors ?? [])
    if (brokenPeriod(anchor, now) !== undefined)
      notes.fail(
        'chain',
        new RolesAnywhereError(
          'ERR_TRUST_ANCHOR',
          `the certificate of the trust anchor ${subjectText(anchor)} is valid from ${isoSeconds(anchor.notBefore)} to ${isoSeconds(anchor.notAfter)} only`,
          { hint: 'put the CA certificate of today into the trust anchor: aws rolesanywhere update-trust-anchor' },
        ),
      );
  const path: Certificate[] = [leaf];
  for (;;) {
    const last = path.at(-1) ?? leaf;
    const named = (one: Certificate): boolean => sameBytes(one.subject, last.issuer);
    const fits = (one: Certificate): boolean => named(one) && hasSigned(one, last);
    const anchor = anchors?.find(fits);
    if (anchor !== undefined) {
      checkConstraints(anchor, path, notes);
      notes.fact('chain', 'chain', `${through(path)}, and leads to the trust anchor`);
      return;
    }
    const next = chain.find((one) => fits(one) && !path.includes(one));
    if (next !== undefined) {
      checkConstraints(next, path, notes);
      path.push(next);
      continue;
    }
    // One that only looks alike may also differ in how its name is encoded.
    const looksAlike = (one: Certificate): boolean =>
      subjectText(one) === issuerText(last) && !sameBytes(one.der, last.der);
    const impostor = [...chain, ...candidates].some((one) => looksAlike(one) && !path.includes(one) && !fits(one));
    if (impostor || anchors?.some(looksAlike) === true)
      notes.fail(
        'chain',
        new RolesAnywhereError(
          'ERR_CHAIN_SIGNATURE',
          `the certificate ${subjectText(last)} is not signed by the key of ${impostor ? 'the intermediate certificate' : 'the trust anchor'} that bears its issuer's name, ${issuerText(last)}`,
          {
            hint: 'that CA was made anew with another key: take the certificate of the CA that issued it, or have it issued again',
          },
        ),
      );
    else if (anchors !== undefined)
      notes.fail(
        'chain',
        new RolesAnywhereError(
          'ERR_CHAIN_INCOMPLETE',
          `nothing that is sent leads to the trust anchor: the issuer of ${subjectText(last)}, ${issuerText(last)}, is missing`,
          {
            hint: 'give its certificate with --intermediates; if that CA is itself to be trusted, it is another trust anchor that is meant',
            flag: '--intermediates',
          },
        ),
      );
    else
      notes.fact(
        'chain',
        'chain',
        `${through(path)}, up to ${issuerText(last)}: that must be the trust anchor, or be issued by it`,
      );
    return;
  }
}

/** What a CA says of what is below it. What cannot be read there is for the service to judge. */
function checkConstraints(authority: Certificate, path: readonly Certificate[], notes: Notebook): void {
  try {
    const length = lengthProblem(authority, path);
    if (length !== undefined)
      notes.fail(
        'chain',
        new RolesAnywhereError(
          'ERR_CHAIN_PATH_LENGTH',
          `the certificate of the CA ${subjectText(authority)} allows ${length.limit} CAs below it (path length constraint), and ${length.found} ${length.found === 1 ? 'is' : 'are'} there`,
          {
            hint: `have the certificate issued by a CA that is at most ${length.limit + 1} below that one, or that one certified again without the limit`,
          },
        ),
      );
    const name = nameProblem(authority, path);
    if (name !== undefined)
      notes.fail(
        'chain',
        new RolesAnywhereError(
          'ERR_CHAIN_NAMES',
          `the name ${name.name} of ${subjectText(name.certificate)} is ${name.isExcluded ? 'excluded' : 'not permitted'} by the name constraints of the CA ${subjectText(authority)}`,
          { hint: 'have the certificate issued with a name that this CA may give, or by another CA' },
        ),
      );
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
  }
}

/** How many certificates a path has above the leaf, in words. */
function through({ length }: readonly Certificate[]): string {
  return length === 2 ? '1 intermediate certificate' : `${length - 1} intermediate certificates`;
}

/** The issuer of a certificate in quotes. */
export function issuerText({ issuer }: Pick<Certificate, 'issuer'>): string {
  try {
    return `"${nameText(readName(issuer))}"`;
  } catch (error) {
    if (error instanceof DerError) return 'a CA whose name cannot be read';
    throw error;
  }
}

/** True also where this Node knows the key or the algorithm of neither: the name must do then. */
function hasSigned(issuer: Certificate, certificate: Certificate): boolean {
  try {
    return new X509Certificate(certificate.der).verify(new X509Certificate(issuer.der).publicKey);
  } catch {
    return true;
  }
}
