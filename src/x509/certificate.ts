/**
 * The facts of a certificate, read from its exact DER (RFC 5280, section 4.1).
 * A scan of a few fields costs far less than node:crypto's X509Certificate, and
 * reads certificates whose key that class does not know.
 */
import { RolesAnywhereError } from '../platform/errors.ts';
import { type KeyAlgorithm, keyAlgorithm } from './algorithms.ts';
import {
  DerError,
  type DerValue,
  TAG,
  expectTag,
  readChildren,
  readDer,
  readInteger,
  readObjectIdentifier,
  readTime,
} from './der.ts';
import { EXTENSION, readExtensions, readIsAuthority, readKeyUsage } from './extensions.ts';

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
  /** What the issuer signed with. */
  readonly signature: SignatureAlgorithm;
  /** Whether basicConstraints says CA:TRUE. */
  readonly isAuthority: boolean;
  /** The bits of KEY_USAGE in extensions.ts; undefined without that extension. */
  readonly keyUsage: number | undefined;
  /** The DER inside each extension, by object identifier. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
}

export interface SignatureAlgorithm {
  readonly objectIdentifier: string;
  /** DER; RSASSA-PSS alone has any that matter. */
  readonly parameters: Uint8Array | undefined;
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
  const [serial, signature, issuer, validity, subject, publicKey, ...optional] = fields;
  const [notBefore, notAfter] = readChildren(expectTag(validity, TAG.sequence, 'the validity'));
  const publicKeyInfo = expectTag(publicKey, TAG.sequence, 'the public key');
  const [algorithm, bits] = readChildren(publicKeyInfo);
  expectTag(bits, TAG.bitString, 'the public key');
  const [identifier, parameters] = readChildren(expectTag(algorithm, TAG.sequence, 'the key algorithm'));
  const curve = parameters?.tag === TAG.objectIdentifier ? readObjectIdentifier(parameters) : '';
  const extensions = readExtensions(optional.find(({ tag }) => tag === TAG.context3));
  return {
    der,
    version,
    serialNumber: readInteger(expectTag(serial, TAG.integer, 'the serial number')).toString(),
    issuer: expectTag(issuer, TAG.sequence, 'the issuer').der,
    subject: expectTag(subject, TAG.sequence, 'the subject').der,
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    publicKey: publicKeyInfo.der,
    keyAlgorithm: keyAlgorithm(
      readObjectIdentifier(expectTag(identifier, TAG.objectIdentifier, 'the key algorithm')),
      curve,
    ),
    signature: readSignatureAlgorithm(signature),
    isAuthority: readIsAuthority(extensions.get(EXTENSION.basicConstraints)),
    keyUsage: readKeyUsage(extensions.get(EXTENSION.keyUsage)),
    extensions,
  };
}

/** The one in the signed part. The one beside it must be the same (RFC 5280, section 4.1.1.2) and is not looked at. */
function readSignatureAlgorithm(value: DerValue | undefined): SignatureAlgorithm {
  const [identifier, parameters] = readChildren(expectTag(value, TAG.sequence, 'the signature algorithm'));
  return {
    objectIdentifier: readObjectIdentifier(expectTag(identifier, TAG.objectIdentifier, 'the signature algorithm')),
    parameters: parameters?.der,
  };
}

/** Whether two byte strings are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
