/** Which of several certificates is used, wherever they are: in a token, a file, a folder, or a system's store. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, sameBytes } from '../x509/certificate.ts';
import { brokenRules } from '../x509/rules.ts';
import { isSelected, loadSelector } from './selector.ts';
import { isoSeconds, subjectText } from './verdicts.ts';

/** What is said of which certificate is meant; at least one of the two. */
export interface CertificateChoice {
  /** `--cert-selector`, as it is written: see selector.ts. Default: any certificate. */
  readonly selector?: string | undefined;
  /** `--use-latest-expiring-certificate`: of several that match, the one that ends last. Default false: several are an error. */
  readonly latest?: boolean | undefined;
}

/** One of those that can be chosen. */
export interface Candidate {
  readonly leaf: Certificate;
  /** How a list names it. Default: by its subject, serial number and end. */
  readonly name?: string | undefined;
}

export interface ChooseOptions {
  /** Where they are, for messages. */
  readonly where: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether certificates of one subject and issuer are one that was renewed: the one that ends last is taken. Default false. */
  readonly renewals?: boolean | undefined;
}

/** A choice whose selector was read. */
export interface Chooser {
  /** Whether the selector matches. */
  matches(certificate: Certificate): boolean;
  /**
   * The one certificate that is meant. Copies are one; a CA's is passed over beside others, and so is one that the service
   * does not take, such as one that is not valid now.
   *
   * @throws RolesAnywhereError `ERR_CERTIFICATE_NOT_FOUND`, `ERR_CERTIFICATE_AMBIGUOUS`
   */
  choose<T extends Candidate>(candidates: readonly T[], options: ChooseOptions): T;
}

/**
 * Reads the selector of a choice.
 *
 * @throws RolesAnywhereError `ERR_SELECTOR`
 */
export function openChooser({ selector: text, latest }: CertificateChoice): Chooser {
  const selector = text === undefined ? {} : loadSelector(text);
  const matches = (certificate: Certificate): boolean => isSelected(certificate, selector);
  return {
    matches,
    choose(candidates, { where, now, renewals }) {
      const matching = unique(candidates.filter(({ leaf }) => matches(leaf)));
      const usable = preferred(
        preferred(matching, ({ leaf }) => !leaf.isAuthority),
        ({ leaf }) => brokenRules(leaf, now).length === 0,
      ).toSorted((a, b) => b.leaf.notAfter.getTime() - a.leaf.notAfter.getTime());
      const [first] = usable;
      if (first === undefined) throw notFound(candidates, where);
      const isOne =
        latest === true || usable.length === 1 || (renewals === true && usable.every((one) => isRenewal(one, first)));
      if (isOne) return first;
      throw ambiguous(usable, where);
    },
  };
}

/** Without copies. */
function unique<T extends Candidate>(candidates: readonly T[]): T[] {
  return candidates.filter(
    ({ leaf }, index) => candidates.findIndex((other) => sameBytes(other.leaf.der, leaf.der)) === index,
  );
}

/** Those that `isBetter` holds for; all, where it holds for none. */
function preferred<T>(candidates: readonly T[], isBetter: (candidate: T) => boolean): readonly T[] {
  const better = candidates.filter(isBetter);
  return better.length > 0 ? better : candidates;
}

function isRenewal({ leaf: one }: Candidate, { leaf: other }: Candidate): boolean {
  return sameBytes(one.subject, other.subject) && sameBytes(one.issuer, other.issuer);
}

/** Most certificates that a message names. */
const MAX_LISTED = 10;

function listed(candidates: readonly Candidate[]): string {
  const shown = candidates
    .slice(0, MAX_LISTED)
    .map(
      ({ leaf, name }) =>
        name ??
        `${subjectText(leaf)}, serial number ${BigInt(leaf.serialNumber).toString(16).toUpperCase()}, until ${isoSeconds(leaf.notAfter)}`,
    );
  const more = candidates.length - shown.length;
  return `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/**
 * @param candidates those that the selector could have matched
 * @param hint default: the candidates
 */
export function notFound(candidates: readonly Candidate[], where: string, hint?: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_CERTIFICATE_NOT_FOUND', `no certificate in ${where} matches --cert-selector`, {
    flag: '--cert-selector',
    hint: hint ?? (candidates.length === 0 ? 'no certificate is there' : `there are: ${listed(candidates)}`),
  });
}

function ambiguous(candidates: readonly Candidate[], where: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_CERTIFICATE_AMBIGUOUS',
    `${candidates.length} certificates in ${where} match --cert-selector`,
    {
      flag: '--cert-selector',
      hint: `select one by its Key=x509Serial, or add --use-latest-expiring-certificate: ${listed(candidates)}`,
    },
  );
}
