// Stands in for @peculiar/asn1-pkcs9 in the bundled @peculiar/x509: of a request's attributes we write the extensions that are
// wanted, and no password. The real one brings in PKCS#12 and the structures of signed messages.

/** RFC 2985, section 5.4.1. */
export const id_pkcs9_at_challengePassword = '1.2.840.113549.1.9.7';
/** RFC 2985, section 5.4.2. */
export const id_pkcs9_at_extensionRequest = '1.2.840.113549.1.9.14';

/** Not here. */
export function ChallengePassword() {
  throw new Error('the password of a request is not in this bundle');
}
