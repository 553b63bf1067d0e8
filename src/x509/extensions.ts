/** The extensions of a certificate (RFC 5280, section 4.2): those that decide whether it can be used. */
import { DerError, type DerValue, TAG, expectTag, readChildren, readDer, readObjectIdentifier } from './der.ts';

/** Object identifiers of the extensions that are read here or elsewhere. */
export const EXTENSION = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** Key usages (RFC 5280, section 4.2.1.3), as bits of the number that {@link readKeyUsage} gives. */
export const KEY_USAGE = {
  digitalSignature: 0x8000,
  contentCommitment: 0x4000,
  keyEncipherment: 0x2000,
  dataEncipherment: 0x1000,
  keyAgreement: 0x0800,
  keyCertSign: 0x0400,
  cRLSign: 0x0200,
  encipherOnly: 0x0100,
  decipherOnly: 0x0080,
} as const;

/**
 * What is inside each extension, by object identifier.
 *
 * @param wrapper field `[3]` of the signed part, if there is one
 * @throws DerError also when an extension occurs twice
 */
export function readExtensions(wrapper: DerValue | undefined): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  if (wrapper === undefined) return found;
  const [list] = readChildren(wrapper);
  for (const extension of readChildren(expectTag(list, TAG.sequence, 'the list of extensions'))) {
    const [identifier, ...rest] = readChildren(expectTag(extension, TAG.sequence, 'an extension'));
    const name = readObjectIdentifier(expectTag(identifier, TAG.objectIdentifier, 'the name of an extension'));
    if (rest.length > 1) expectTag(rest.shift(), TAG.boolean, 'the critical mark of an extension');
    if (found.has(name)) throw new DerError(`the extension ${name} occurs twice`);
    found.set(name, expectTag(rest[0], TAG.octetString, 'an extension').content);
  }
  return found;
}

/** Whether a certificate with these basicConstraints is a CA's. */
export function readIsAuthority(basicConstraints: Uint8Array | undefined): boolean {
  if (basicConstraints === undefined) return false;
  const [first] = readChildren(expectTag(readDer(basicConstraints), TAG.sequence, 'basicConstraints'));
  // DER has one byte for TRUE; some tools write another, which everyone reads as TRUE.
  return first?.tag === TAG.boolean && first.content.some((octet) => octet !== 0);
}

/** The bits of {@link KEY_USAGE}; undefined without the extension. */
export function readKeyUsage(keyUsage: Uint8Array | undefined): number | undefined {
  if (keyUsage === undefined) return undefined;
  const { content } = expectTag(readDer(keyUsage), TAG.bitString, 'keyUsage');
  // Microsoft's CAs write four octets; nobody has given the others a meaning.
  const [unused, first = 0, second = 0] = content;
  if (unused === undefined || unused > 7) throw new DerError('keyUsage is not well-formed');
  return (first << 8) | second;
}

/** The key identifier that a certificate gives for its own key. One that cannot be read counts as none. */
export function ownKeyIdentifier(extensions: ReadonlyMap<string, Uint8Array>): Uint8Array | undefined {
  return leniently(extensions.get(EXTENSION.subjectKeyIdentifier), (value) =>
    value.tag === TAG.octetString ? value.content : undefined,
  );
}

/** The key identifier that a certificate gives for its issuer's key. One that cannot be read counts as none. */
export function issuerKeyIdentifier(extensions: ReadonlyMap<string, Uint8Array>): Uint8Array | undefined {
  // AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING OPTIONAL, ...
  return leniently(
    extensions.get(EXTENSION.authorityKeyIdentifier),
    (value) => readChildren(value).find(({ tag }) => tag === 0x80)?.content,
  );
}

function leniently(
  extension: Uint8Array | undefined,
  read: (value: DerValue) => Uint8Array | undefined,
): Uint8Array | undefined {
  if (extension === undefined) return undefined;
  try {
    return read(readDer(extension));
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}
