/** Looks at an identity as the service will, before anything is sent. */
import { type Certificate, sameBytes } from '../x509/certificate.ts';
import { KEY_USAGE } from '../x509/extensions.ts';
import { LEAST_RSA_BITS, brokenPeriod, brokenRules, hasWeakSignature, rsaBits } from '../x509/rules.ts';
import type { Finding, Warn } from './warnings.ts';

const DAY_MS = 86_400_000;
/** A certificate ends soon when less than a tenth of its life is left, and less than a week. */
const EXPIRES_SOON_MS = 7 * DAY_MS;

/** What is checked. */
export interface CertificatePath {
  readonly leaf: Certificate;
  readonly chain: readonly Certificate[];
}

export interface CheckOptions {
  /** How errors name the certificate, for example `--certificate leaf.pem`. */
  source: string;
  /** Milliseconds since the epoch. */
  now: number;
  /** Broken rules are warnings, not errors. */
  skipChecks: boolean;
  warn: Warn;
}

/**
 * Checks a certificate and its chain against what the service asks of them.
 *
 * @returns where checks are skipped, the most telling rule that the certificate breaks, in words
 * @throws RolesAnywhereError `ERR_CERTIFICATE_...` for the most telling rule that the certificate breaks
 */
export async function checkIdentity(
  { leaf, chain }: CertificatePath,
  { source, now, skipChecks, warn }: CheckOptions,
): Promise<string | undefined> {
  const broken = brokenRules(leaf, now);
  const odd = oddities(leaf, chain, now);
  if (broken.length === 0 && odd.length === 0) return undefined;
  const { findingText, refusalOf, warningOf } = await import('./verdicts.ts');
  const [worst] = broken;
  if (worst !== undefined && !skipChecks) throw refusalOf(worst, leaf, source, now);
  const findings = [...broken.map((code): Finding => ({ code, certificate: leaf })), ...odd];
  for (const finding of findings) warn(warningOf(finding, source, now));
  return worst === undefined ? undefined : findingText({ code: worst, certificate: leaf }, now);
}

/** What may be wrong, and is for the service to judge. */
export function oddities(leaf: Certificate, chain: readonly Certificate[], now: number): Finding[] {
  const found: Finding[] = [];
  const left = leaf.notAfter.getTime() - now;
  const soon = Math.min(EXPIRES_SOON_MS, (leaf.notAfter.getTime() - leaf.notBefore.getTime()) / 10);
  if (left >= 0 && left < soon) found.push({ code: 'WARN_CERTIFICATE_EXPIRES_SOON', certificate: leaf });
  if ((rsaBits(leaf) ?? LEAST_RSA_BITS) < LEAST_RSA_BITS) found.push({ code: 'WARN_KEY_SHORT', certificate: leaf });
  for (const certificate of chain) {
    const { isAuthority, keyUsage = KEY_USAGE.keyCertSign } = certificate;
    if (!isAuthority || (keyUsage & KEY_USAGE.keyCertSign) === 0 || hasWeakSignature(certificate))
      found.push({ code: 'WARN_CHAIN_CERTIFICATE', certificate });
    // One that was renewed may lie beside its successor.
    const isReplaced = chain.some(
      (other) => sameBytes(other.subject, certificate.subject) && brokenPeriod(other, now) === undefined,
    );
    if (!isReplaced) found.push({ code: 'WARN_CHAIN_VALIDITY', certificate });
  }
  return found;
}
