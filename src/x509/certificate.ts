/**
 * The facts of a certificate, read from its exact DER (RFC 5280, section 4.1).
 * A scan of a few fields costs far less than node:crypto's X509Certificate, and
 * reads certificates whose key that class does not know.
 */
import { RolesAnywhereError } from '../errors.ts';
import { type KeyAlgorithm, keyAlgorithm } from './algorithms.ts';
import { DerError, TAG, expectTag, readChildren, readDer, readInteger, readObjectIdentifier, readTime } from './der.ts';

export interface Certificate {
  /** The whole certificate, byte for byte. */
  readonly der: Uint8Array;
  /** 1, 2 or 3. */
  readonly version: number;
  /** Decimal, without leading zeros; with a minus sign when it is negative, which RFC 5280 forbids. */
  readonly serialNumber: string;
  /** DER of the names: equal bytes are how chains are put in order. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly keyAlgorithm: KeyAlgorithm;
}

/**
 * Reads one certificate.
 *
 * @param source how errors name the file, for example `--certificate leaf.pem`
 * @throws RolesAnywhereError `ERR_CERTIFICATE_MALFORMED`
 */
export function readCertificate(der: Uint8Array, source: string): Certificate {
  try {
    return scan(der);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new RolesAnywhereError(
      'ERR_CERTIFICATE_MALFORMED',
      `${source} holds a certificate that cannot be read: ${error.message}`,
      { hint: 'the file was cut or changed on its way: copy it again from its origin', cause: error },
    );
  }
}

function scan(der: Uint8Array): Certificate {
  const [signedPart] = readChildren(expectTag(readDer(der), TAG.sequence, 'the certificate'));
  const fields = readChildren(expectTag(signedPart, TAG.sequence, 'the signed part'));
  let version = 1;
  if (fields[0]?.tag === TAG.context0) {
    const [number] = readChildren(fields[0]);
    version = Number(readInteger(expectTag(number, TAG.integer, 'the version'))) + 1;
    fields.shift();
  }
  const [serial, , issuer, validity, subject, publicKey] = fields;
  const [notBefore, notAfter] = readChildren(expectTag(validity, TAG.sequence, 'the validity'));
  const publicKeyInfo = expectTag(publicKey, TAG.sequence, 'the public key');
  const [algorithm, bits] = readChildren(publicKeyInfo);
  expectTag(bits, TAG.bitString, 'the public key');
  const [identifier] = readChildren(expectTag(algorithm, TAG.sequence, 'the key algorithm'));
  return {
    der,
    version,
    serialNumber: readInteger(expectTag(serial, TAG.integer, 'the serial number')).toString(),
    issuer: expectTag(issuer, TAG.sequence, 'the issuer').der,
    subject: expectTag(subject, TAG.sequence, 'the subject').der,
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    publicKey: publicKeyInfo.der,
    keyAlgorithm: keyAlgorithm(readObjectIdentifier(expectTag(identifier, TAG.objectIdentifier, 'the key algorithm'))),
  };
}

/** Whether two byte strings are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
