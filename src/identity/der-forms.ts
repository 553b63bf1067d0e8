/** What kind of DER some bytes are, by their first fields. Loaded for DER only. */
// Tests: test/identity/load.test.ts
import { TPM_KEY_LABEL } from '../x509/keys.ts';
import { DerError, TAG, readChildren, readDer, readInteger } from '../x509/der.ts';

const OCTET_STRING = 0x04;

/**
 * The first fields of each kind of DER, and the PEM label that stands for it:
 * RFC 5280, RFC 7292, RFC 5652, RFC 5958, RFC 8017 (A.1.2), RFC 5915. The number is what
 * an INTEGER in the first place may be at most.
 */
const BINARY_FORMS: readonly (readonly [label: string, tags: readonly number[], versions: readonly bigint[]])[] = [
  ['CERTIFICATE', [TAG.sequence, TAG.sequence, TAG.bitString], []],
  ['PKCS12', [TAG.integer, TAG.sequence], [3n]],
  ['PRIVATE KEY', [TAG.integer, TAG.sequence, OCTET_STRING], [0n, 1n]],
  ['ENCRYPTED PRIVATE KEY', [TAG.sequence, OCTET_STRING], []],
  ['RSA PRIVATE KEY', [TAG.integer, TAG.integer, TAG.integer, TAG.integer], [0n, 1n]], // version 1 has more than two primes
  ['EC PRIVATE KEY', [TAG.integer, OCTET_STRING], [1n]],
];

/** The PEM label for a certificate, key or container in DER; undefined for all else. */
export function binaryLabel(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== TAG.sequence) return undefined; // "0", which no PEM file begins with
  // Browsers write PKCS#12 in BER, with an indefinite length; Java programs, PKCS#7.
  if (bytes[1] === 0x80) return bytes[2] === TAG.objectIdentifier ? 'PKCS7' : 'PKCS12';
  try {
    const fields = readChildren(readDer(bytes));
    const [first] = fields;
    // PKCS#7 is an identifier and its content, a TPM's key has three fields more at the least.
    if (first?.tag === TAG.objectIdentifier)
      return fields.length >= 4 ? TPM_KEY_LABEL : fields[1]?.tag === TAG.context0 ? 'PKCS7' : undefined;
    const version = first?.tag === TAG.integer && first.content.length === 1 ? readInteger(first) : undefined;
    const form = BINARY_FORMS.find(
      ([, tags, versions]) =>
        tags.every((tag, index) => fields[index]?.tag === tag) &&
        (versions.length === 0 || (version !== undefined && versions.includes(version))),
    );
    return form?.[0];
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}
