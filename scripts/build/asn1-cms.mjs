// Stands in for @peculiar/asn1-cms in the bundled @peculiar/x509, where it reads and writes bags of certificates (PKCS#7): ours
// are read in src/identity/containers/. The real one brings in the structures of signed and encrypted messages.

/** RFC 5652, section 4. */
export const id_data = '1.2.840.113549.1.7.1';
/** RFC 5652, section 5.1. */
export const id_signedData = '1.2.840.113549.1.7.2';

function missing() {
  throw new Error('PKCS#7 is not in this bundle');
}

export {
  missing as CMSVersion,
  missing as CertificateChoices,
  missing as CertificateSet,
  missing as ContentInfo,
  missing as EncapsulatedContent,
  missing as SignedData,
};
