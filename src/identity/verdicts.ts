/** The words for what checks.ts finds. Loaded when there is something to say. */
// Tests: test/identity/checks.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, sameBytes } from '../x509/certificate.ts';
import { DerError, TAG, expectTag, readChildren, readDer, readObjectIdentifier } from '../x509/der.ts';
import { EXTENSION, KEY_USAGE } from '../x509/extensions.ts';
import { nameText, readName } from '../x509/names.ts';
import { type CertificateRule, LEAST_RSA_BITS, brokenPeriod, rsaBits } from '../x509/rules.ts';
import { signatureName } from '../x509/signature-names.ts';
import type { Finding, IdentityWarning } from './warnings.ts';

const DAY_MS = 86_400_000;

/** What to do about each rule. */
const HINTS: Readonly<Record<CertificateRule, string>> = {
  ERR_CERTIFICATE_VERSION:
    'have it issued again with extensions: with `openssl x509 -req` that takes -extfile, or -copy_extensions',
  ERR_CERTIFICATE_EXPIRED: "renew the certificate; if it should be valid, check this machine's clock",
  ERR_CERTIFICATE_NOT_YET_VALID:
    "check this machine's clock; if it is right, wait or have the certificate issued again",
  ERR_CERTIFICATE_IS_CA:
    'give the end-entity certificate, not that of its CA; if it is that, have it issued again with CA:FALSE',
  ERR_CERTIFICATE_KEY_USAGE: 'have it issued again with keyUsage digitalSignature',
  ERR_CERTIFICATE_SIGNATURE_ALGORITHM: 'have it issued again by a CA that signs with SHA-256 or better',
  ERR_CERTIFICATE_SUBJECT_EMPTY:
    'have it issued again with a subject, such as a common name: alternative names do not replace it. Over ACME, ' +
    'the CA takes none from certbot: turn on `--force-cn` of a step-ca provisioner, or ask with lego, which sends one',
  ERR_CERTIFICATE_SERIAL_NUMBER: 'have it issued again: a serial number is positive (RFC 5280, section 4.1.2.2)',
  ERR_KEY_UNSUPPORTED: 'have one issued for another key: RSA, EC on P-256, P-384 or P-521, or ML-DSA',
};

/** The error for a broken rule. */
export function refusalOf(
  rule: CertificateRule,
  certificate: Certificate,
  source: string,
  now: number,
): RolesAnywhereError {
  const hint = `${HINTS[rule]} (--skip-checks sends it anyway)`;
  return new RolesAnywhereError(rule, `${source}: ${findingText({ code: rule, certificate }, now)}`, { hint });
}

/** The warning for anything that was found. */
export function warningOf(finding: Finding, source: string, now: number): IdentityWarning {
  const { code } = finding;
  const text = findingText(finding, now);
  return { code, message: code.startsWith('WARN_CHAIN') ? text : `${source}: ${text}` };
}

/** A warning of certificates that are not sent. */
export function unrelatedWarning(leaf: Certificate, unrelated: readonly Certificate[]): IdentityWarning {
  const shown = unrelated
    .slice(0, MAX_SHOWN)
    .map((one) => `${subjectText(one)}${sameBytes(one.subject, leaf.issuer) ? ' (of another key)' : ''}`);
  const more = unrelated.length - shown.length;
  return {
    code: 'WARN_CHAIN_UNRELATED',
    message:
      `left out of the chain, as nothing leads to it from a certificate that ${issuerText(leaf)} issued: ` +
      `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
  };
}

const MAX_SHOWN = 5;

/** A warning of a key file that others can read. */
export function readableWarning(source: string, mode: number, foreign = false): IdentityWarning {
  const who = [!foreign && mode & 0o040 && 'its group', mode & 0o004 && 'everybody'].filter(Boolean).join(' and ');
  return {
    code: 'WARN_KEY_READABLE',
    message: `${source} holds a private key and can be read by ${who} (mode 0${mode.toString(8)}): chmod ${foreign ? 'o-r' : '600'}`,
  };
}

/** What was found, without saying in which file. */
export function findingText({ code, certificate }: Finding, now: number): string {
  return WORDS[code](certificate, now);
}

const WORDS: Readonly<Record<Finding['code'], (certificate: Certificate, now: number) => string>> = {
  ERR_CERTIFICATE_VERSION: ({ version }) =>
    `the certificate is of X.509 version ${version}, and the service takes version 3`,
  ERR_CERTIFICATE_EXPIRED: ({ notAfter }, now) =>
    `the certificate expired at ${isoSeconds(notAfter)} (notAfter), ${daysText(now - notAfter.getTime())} ago`,
  ERR_CERTIFICATE_NOT_YET_VALID: ({ notBefore }, now) =>
    `the certificate is not valid before ${isoSeconds(notBefore)} (notBefore), in ${daysText(notBefore.getTime() - now)}`,
  ERR_CERTIFICATE_IS_CA: () => "the certificate is a CA's (basicConstraints CA:TRUE)",
  ERR_CERTIFICATE_KEY_USAGE: ({ keyUsage }) =>
    keyUsage === undefined
      ? 'the certificate has no keyUsage, and the service asks for digitalSignature'
      : `the certificate's keyUsage does not include digitalSignature (it is ${usageNames(keyUsage).join(', ') || 'empty'})`,
  ERR_CERTIFICATE_SIGNATURE_ALGORITHM: (certificate) =>
    `the certificate's signatureAlgorithm is ${signatureName(certificate)}, and the service asks for SHA-256 or better`,
  ERR_CERTIFICATE_SUBJECT_EMPTY: () => 'the subject of the certificate is empty',
  ERR_CERTIFICATE_SERIAL_NUMBER: ({ serialNumber }) => `the certificate's serial number is negative (${serialNumber})`,
  ERR_KEY_UNSUPPORTED: (certificate) =>
    `the certificate's key is ${keyText(certificate)}, which the service does not take`,
  WARN_CERTIFICATE_EXPIRES_SOON: ({ notAfter }, now) =>
    `the certificate expires in ${daysText(notAfter.getTime() - now)} (${isoSeconds(notAfter)})`,
  WARN_KEY_SHORT: (certificate) =>
    `the RSA key has ${rsaBits(certificate)} bits: the service may refuse less than ${LEAST_RSA_BITS}`,
  WARN_CHAIN_VALIDITY: (certificate, now) =>
    brokenPeriod(certificate, now) === 'ERR_CERTIFICATE_EXPIRED'
      ? `the intermediate certificate ${subjectText(certificate)} expired at ${isoSeconds(certificate.notAfter)}`
      : `the intermediate certificate ${subjectText(certificate)} is not valid before ${isoSeconds(certificate.notBefore)}`,
  WARN_CHAIN_CERTIFICATE: (certificate) =>
    `the intermediate certificate ${subjectText(certificate)} ${chainProblem(certificate)}`,
};

function chainProblem(certificate: Certificate): string {
  const { isAuthority, keyUsage } = certificate;
  if (!isAuthority) return "is not a CA's (basicConstraints CA:TRUE)";
  if (keyUsage !== undefined && (keyUsage & KEY_USAGE.keyCertSign) === 0) return 'has a keyUsage without keyCertSign';
  return `is signed with ${signatureName(certificate)}`;
}

/** Curves by object identifier, under NIST's names or those of OpenSSL. */
const CURVES: Readonly<Record<string, string>> = {
  '1.2.840.10045.3.1.1': 'P-192',
  '1.2.840.10045.3.1.7': 'P-256',
  '1.3.132.0.10': 'secp256k1',
  '1.3.132.0.33': 'P-224',
  '1.3.132.0.34': 'P-384',
  '1.3.132.0.35': 'P-521',
  '1.3.36.3.3.2.8.1.1.7': 'brainpoolP256r1',
  '1.3.36.3.3.2.8.1.1.11': 'brainpoolP384r1',
  '1.3.36.3.3.2.8.1.1.13': 'brainpoolP512r1',
};

/**
 * A key's type and size or curve, from the DER: node:crypto does not know every type on every version.
 *
 * @throws DerError
 */
export function keyText(certificate: Pick<Certificate, 'publicKey' | 'keyAlgorithm'>): string {
  const { name } = certificate.keyAlgorithm;
  const bits = rsaBits(certificate);
  if (bits !== undefined) return `${name}, ${bits} bits`;
  if (name !== 'EC') return name;
  const [algorithm] = readChildren(readDer(certificate.publicKey));
  const [, curve] = readChildren(expectTag(algorithm, TAG.sequence, 'the key algorithm'));
  if (curve?.tag !== TAG.objectIdentifier) return `${name}, with a curve of its own`;
  const identifier = readObjectIdentifier(curve);
  return `${name}, ${CURVES[identifier] ?? `curve ${identifier}`}`;
}

/** Names of key usages, such as `digitalSignature`. */
export function usageNames(keyUsage: number): string[] {
  return Object.entries(KEY_USAGE).flatMap(([name, bit]) => ((keyUsage & bit) === 0 ? [] : [name]));
}

/** A certificate's subject in quotes; what can be said instead when it cannot be read. */
export function subjectText({ subject, extensions }: Certificate): string {
  const text = nameOf(subject);
  if (text !== '') return text;
  return extensions.has(EXTENSION.subjectAltName) ? 'without a subject' : 'without any name';
}

function issuerText({ issuer }: Certificate): string {
  return nameOf(issuer);
}

function nameOf(der: Uint8Array): string {
  try {
    const text = nameText(readName(der));
    return text === '' ? '' : `"${text}"`;
  } catch (error) {
    if (error instanceof DerError) return 'with a name that cannot be read';
    throw error;
  }
}

/** In whole days, or in hours or minutes when there is less than one. */
export function daysText(milliseconds: number): string {
  const [amount, unit] =
    milliseconds >= DAY_MS
      ? [Math.floor(milliseconds / DAY_MS), 'day']
      : milliseconds >= DAY_MS / 24
        ? [Math.floor(milliseconds / (DAY_MS / 24)), 'hour']
        : [Math.max(0, Math.floor(milliseconds / 60_000)), 'minute'];
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}

/** To the second, in UTC. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
