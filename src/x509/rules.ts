/**
 * What Roles Anywhere asks of an end-entity certificate: IAM Roles Anywhere
 * User Guide, "Trust model"
 * (https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html).
 * Facts only, for every run looks at them; the words are in identity/verdicts.ts.
 */
import type { Certificate, SignatureAlgorithm } from './certificate.ts';
import { DerError, TAG, readChildren, readDer, readObjectIdentifier } from './der.ts';
import { KEY_USAGE } from './extensions.ts';

/** A rule, by the code of the error for breaking it. */
export type CertificateRule =
  | 'ERR_CERTIFICATE_VERSION'
  | 'ERR_CERTIFICATE_EXPIRED'
  | 'ERR_CERTIFICATE_NOT_YET_VALID'
  | 'ERR_CERTIFICATE_IS_CA'
  | 'ERR_CERTIFICATE_KEY_USAGE'
  | 'ERR_CERTIFICATE_SIGNATURE_ALGORITHM'
  | 'ERR_CERTIFICATE_SUBJECT_EMPTY'
  | 'ERR_CERTIFICATE_SERIAL_NUMBER'
  | 'ERR_KEY_UNSUPPORTED';

/**
 * The rules that a certificate breaks, the most telling first.
 *
 * @param now milliseconds since the epoch
 */
export function brokenRules(certificate: Certificate, now: number): CertificateRule[] {
  const { version, isAuthority, keyUsage = 0, subject } = certificate;
  const broken: CertificateRule[] = [];
  if (certificate.keyAlgorithm.keyType === undefined) broken.push('ERR_KEY_UNSUPPORTED');
  // Version 1 has no extensions: what they lack says nothing then.
  if (version !== 3) broken.push('ERR_CERTIFICATE_VERSION');
  else {
    if (isAuthority) broken.push('ERR_CERTIFICATE_IS_CA');
    if ((keyUsage & KEY_USAGE.digitalSignature) === 0) broken.push('ERR_CERTIFICATE_KEY_USAGE');
  }
  if (hasWeakSignature(certificate)) broken.push('ERR_CERTIFICATE_SIGNATURE_ALGORITHM');
  if (subject.length <= EMPTY_NAME_OCTETS) broken.push('ERR_CERTIFICATE_SUBJECT_EMPTY');
  if (certificate.serialNumber.startsWith('-')) broken.push('ERR_CERTIFICATE_SERIAL_NUMBER');
  const period = brokenPeriod(certificate, now);
  if (period !== undefined) broken.push(period);
  return broken;
}

/** A SEQUENCE without content. */
const EMPTY_NAME_OCTETS = 2;

/** Whether `now` lies outside the validity of a certificate, both ends included (RFC 5280, section 4.1.2.5). */
export function brokenPeriod(
  { notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>,
  now: number,
): 'ERR_CERTIFICATE_EXPIRED' | 'ERR_CERTIFICATE_NOT_YET_VALID' | undefined {
  if (now > notAfter.getTime()) return 'ERR_CERTIFICATE_EXPIRED';
  return now < notBefore.getTime() ? 'ERR_CERTIFICATE_NOT_YET_VALID' : undefined;
}

/** Signature algorithms with a digest below SHA-256. Any that is not known here is left for the service to judge. */
const WEAK_SIGNATURES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.2', // MD2, MD4, MD5, SHA-1 and SHA-224 with RSA
  '1.2.840.113549.1.1.3',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.113549.1.1.14',
  '1.3.14.3.2.3',
  '1.3.14.3.2.29',
  '1.2.840.10045.4.1', // SHA-1 and SHA-224 with EC
  '1.2.840.10045.4.3.1',
  '1.2.840.10040.4.3', // SHA-1 and SHA-224 with DSA
  '2.16.840.1.101.3.4.3.1',
]);

const RSASSA_PSS = '1.2.840.113549.1.1.10';
const SHA1 = '1.3.14.3.2.26';
const WEAK_DIGESTS: ReadonlySet<string> = new Set([SHA1, '2.16.840.1.101.3.4.2.4', '1.2.840.113549.2.5']);

/** Whether a certificate is signed with a digest below SHA-256. */
export function hasWeakSignature({ signature }: Pick<Certificate, 'signature'>): boolean {
  const digest = pssDigest(signature);
  return digest === undefined ? WEAK_SIGNATURES.has(signature.objectIdentifier) : WEAK_DIGESTS.has(digest);
}

/** The digest that RSASSA-PSS parameters name (RFC 4055, section 3.1); undefined for every other algorithm. */
export function pssDigest({ objectIdentifier, parameters }: SignatureAlgorithm): string | undefined {
  if (objectIdentifier !== RSASSA_PSS) return undefined;
  try {
    const [first] = parameters === undefined ? [] : readChildren(readDer(parameters));
    const [algorithm] = first?.tag === TAG.context0 ? readChildren(first) : [];
    const [identifier] = algorithm === undefined ? [] : readChildren(algorithm);
    return identifier === undefined ? SHA1 : readObjectIdentifier(identifier);
  } catch (error) {
    if (error instanceof DerError) return SHA1; // as good as none
    throw error;
  }
}

/** The service's minimum is not documented. Below it a CA of today does not issue. */
export const LEAST_RSA_BITS = 2048;

/** The size of an RSA key in bits; undefined for other keys, and for one that cannot be read. */
export function rsaBits({
  publicKey,
  keyAlgorithm,
}: Pick<Certificate, 'publicKey' | 'keyAlgorithm'>): number | undefined {
  if (keyAlgorithm.name !== 'RSA') return undefined;
  try {
    const [, bits] = readChildren(readDer(publicKey));
    const [modulus] = bits === undefined ? [] : readChildren(readDer(bits.content.subarray(1)));
    const octets = modulus?.content.subarray(modulus.content[0] === 0 ? 1 : 0);
    return octets?.[0] === undefined ? undefined : octets.length * 8 - (Math.clz32(octets[0]) - 24);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}
