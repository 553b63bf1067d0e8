/** PKCS#7 and CMS with certificates alone (RFC 5652, section 5; RFC 7030, section 4.1.3). Loaded for such files only. */
// Tests: test/identity/containers/pkcs7.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { PemBlock } from '../../x509/pem.ts';
import {
  type Asn1Value,
  StructureError,
  count,
  encoded,
  explicit,
  identifier,
  isSequence,
  isTagged,
  members,
  readBer,
  sequence,
  tagged,
} from './asn1.ts';

/** RFC 5652, sections 4 to 10, and RFC 5083. */
const KINDS: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.7.1': 'bare data',
  '1.2.840.113549.1.7.3': 'encrypted for a recipient',
  '1.2.840.113549.1.7.4': 'signed and encrypted',
  '1.2.840.113549.1.7.5': 'a digest',
  '1.2.840.113549.1.7.6': 'encrypted',
  '1.2.840.113549.1.9.16.1.23': 'encrypted for a recipient',
};
const SIGNED_DATA = '1.2.840.113549.1.7.2';

/**
 * Takes the certificates out, each with its exact bytes. Signatures and revocation lists are passed over: what leads to
 * a leaf is for the chain to say.
 *
 * @param source how errors name the file
 * @throws RolesAnywhereError `ERR_PKCS7_MALFORMED`, `ERR_PEM_LABEL` when it holds none
 */
export function readPkcs7(der: Uint8Array, source: string): PemBlock[] {
  try {
    const [first, ...others] = certificates(readBer(der, 'the structure'));
    if (first !== undefined)
      return [first, ...others].map((value) => ({
        label: 'CERTIFICATE',
        headers: new Map(),
        der: Uint8Array.from(encoded(value)),
      }));
  } catch (error) {
    if (!(error instanceof StructureError)) throw error;
    throw new RolesAnywhereError(
      'ERR_PKCS7_MALFORMED',
      `${source} is a PKCS#7 file that cannot be read: ${error.message}`,
      {
        hint: 'see what it holds with `openssl pkcs7 -print_certs -in FILE` (for DER, with -inform DER)',
        cause: error,
      },
    );
  }
  throw new RolesAnywhereError('ERR_PEM_LABEL', `${source} is PKCS#7 that holds no certificate`, {
    hint: 'export it again with its certificates, or ask the CA for the certificate in PEM',
  });
}

/** Those of X.509; attribute certificates and what else a choice of `CertificateSet` is are left out. */
function certificates(value: Asn1Value): Asn1Value[] {
  const [kind, content] = sequence(value, 'its outermost part');
  const type = identifier(kind, 'its type');
  if (type !== SIGNED_DATA) throw new StructureError(`it is ${KINDS[type] ?? `of the type ${type}`}, not certificates`);
  const [version, digestAlgorithms, signed, ...rest] = sequence(explicit(content, 0, 'its content'), 'its content');
  count(version, 'its version');
  members(digestAlgorithms, 'its list of digest algorithms');
  identifier(sequence(signed, 'what it signs')[0], 'the type of what it signs');
  members(rest.at(-1), 'its list of signers');
  const [set] = rest;
  if (!isTagged(set, 0)) return [];
  return tagged(set, 0, 'its certificates').filter(isSequence);
}
