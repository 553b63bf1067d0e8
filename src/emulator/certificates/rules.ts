/**
 * The rules of Roles Anywhere for certificates: IAM Roles Anywhere User Guide,
 * "Trust model" (https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html).
 * Each rule gives the reason for refusing a certificate, or undefined.
 */
// Tests: test/emulator/services/create-session/create-session.test.ts
import type { Certificate } from './certificate.ts';

/** Signature algorithms with SHA-256 or better. RSASSA-PSS names its digest in parameters (RFC 4055, section 3.1). */
const STRONG_SIGNATURES = new Set([
  '1.2.840.113549.1.1.11', // sha256WithRSAEncryption
  '1.2.840.113549.1.1.12', // sha384WithRSAEncryption
  '1.2.840.113549.1.1.13', // sha512WithRSAEncryption
  '1.2.840.10045.4.3.2', // ecdsa-with-SHA256
  '1.2.840.10045.4.3.3', // ecdsa-with-SHA384
  '1.2.840.10045.4.3.4', // ecdsa-with-SHA512
  '2.16.840.1.101.3.4.3.17', // ML-DSA-44
  '2.16.840.1.101.3.4.3.18', // ML-DSA-65
  '2.16.840.1.101.3.4.3.19', // ML-DSA-87
]);

const RSASSA_PSS = '1.2.840.113549.1.1.10';
const STRONG_DIGESTS = new Set(['SHA-256', 'SHA-384', 'SHA-512']);

/** Extensions of RFC 5280, section 4.2, that may be critical. Any other must lead to a refusal when it is. */
const KNOWN_EXTENSIONS = new Set([
  '2.5.29.15', // keyUsage
  '2.5.29.17', // subjectAltName
  '2.5.29.19', // basicConstraints
  '2.5.29.30', // nameConstraints
  '2.5.29.31', // cRLDistributionPoints
  '2.5.29.32', // certificatePolicies
  '2.5.29.33', // policyMappings
  '2.5.29.36', // policyConstraints
  '2.5.29.37', // extKeyUsage
  '2.5.29.54', // inhibitAnyPolicy
]);

/** DER of a Name without any RDN. */
const EMPTY_NAME = Buffer.from([0x30, 0x00]);

/** Rules for the certificate of a session's subject. */
export function endEntityProblem(certificate: Certificate, now: Date): string | undefined {
  const problem = commonProblem(certificate);
  if (problem !== undefined) return problem;
  if (certificate.basicConstraints?.ca === true) return 'it is a CA certificate';
  if (certificate.keyUsage?.digitalSignature !== true) return 'its key usage does not include digitalSignature';
  if (certificate.subjectDer.equals(EMPTY_NAME)) return 'its subject is empty';
  return validityProblem(certificate, now);
}

/** Rules for a trust anchor and for what stands between it and the end entity, but for validity. */
export function authorityProblem(certificate: Certificate): string | undefined {
  const problem = commonProblem(certificate);
  if (problem !== undefined) return problem;
  if (certificate.basicConstraints?.ca !== true) return 'it is not a CA certificate';
  if (certificate.keyUsage?.keyCertSign !== true) return 'its key usage does not include keyCertSign';
  return undefined;
}

export function validityProblem({ notBefore, notAfter }: Certificate, now: Date): string | undefined {
  if (now < notBefore) return `it is not valid before ${notBefore.toISOString()}`;
  if (now > notAfter) return `it expired at ${notAfter.toISOString()}`;
  return undefined;
}

function commonProblem({ version, criticalExtensions, ...signature }: Certificate): string | undefined {
  if (version !== 3) return `it is of X.509 version ${version}, not 3`;
  if (!isStrong(signature))
    return `its signature algorithm ${signature.signatureAlgorithm} is not one with SHA-256 or better`;
  const unknown = criticalExtensions.find((oid) => !KNOWN_EXTENSIONS.has(oid));
  return unknown === undefined ? undefined : `its critical extension ${unknown} is not known`;
}

function isStrong({
  signatureAlgorithm,
  signatureDigest = '',
}: Pick<Certificate, 'signatureAlgorithm' | 'signatureDigest'>): boolean {
  return signatureAlgorithm === RSASSA_PSS
    ? STRONG_DIGESTS.has(signatureDigest)
    : STRONG_SIGNATURES.has(signatureAlgorithm);
}
