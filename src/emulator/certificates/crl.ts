/** Certificate revocation lists (RFC 5280, section 5), and whether they name a certificate. */
// Tests: test/emulator/services/create-session/create-session.test.ts
import { verify } from 'node:crypto';
import * as asn1 from 'asn1js';
import { type Certificate, decodeBase64, hexSerial } from './certificate.ts';
import type { CrlRecord } from '../state/records.ts';
import { x509 } from '../../platform/x509-library.ts';

/** The parts of a list that the verification needs. */
export interface Crl {
  readonly issuer: string;
  /** The name of the issuer in DER. */
  readonly issuerDer: Buffer;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  /** Hexadecimal, as {@link hexSerial} writes them. */
  readonly serials: ReadonlySet<string>;
  /** Whether the key of `issuer` signed this list. */
  isSignedBy(issuer: Certificate): boolean;
}

/** Digests by the OID of the signature's algorithm: RFC 4055, section 5, and RFC 5758, section 3.2. */
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);

const read = new WeakMap<CrlRecord, Crl | undefined>();

/** Reads a list in PEM, or in DER and base64; undefined when it is not one. */
export function readCrl(text: string): Crl | undefined {
  const [, pem] = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----/.exec(text) ?? [];
  const der = decodeBase64((pem ?? text).replaceAll(/\s/g, ''));
  try {
    return der && describe(der);
  } catch {
    return undefined;
  }
}

/** Opens the decoded fields that the library keeps to its subclasses. */
class DecodedCrl extends x509.X509Crl {
  get fields() {
    return this.asn;
  }
}

function describe(der: Buffer): Crl {
  const decoded = new DecodedCrl(der);
  const { signatureAlgorithm, signature } = decoded.fields;
  const outer = asn1.fromBER(der);
  if (outer.offset !== der.length || !(outer.result instanceof asn1.Sequence)) throw new Error('it is not DER');
  const [signed] = outer.result.valueBlock.value;
  if (signed === undefined) throw new Error('it is empty');
  const message = Buffer.from(signed.valueBeforeDecodeView);
  return {
    issuer: decoded.issuer,
    issuerDer: Buffer.from(decoded.issuerName.toArrayBuffer()),
    thisUpdate: decoded.thisUpdate,
    nextUpdate: decoded.nextUpdate,
    serials: new Set(decoded.entries.map(({ serialNumber }) => canonical(serialNumber))),
    isSignedBy({ publicKey }) {
      const digest = DIGESTS.get(signatureAlgorithm.algorithm);
      if (publicKey === undefined || digest === undefined) return false;
      try {
        return verify(digest, message, publicKey, Buffer.from(signature));
      } catch {
        return false;
      }
    },
  };
}

function canonical(hex: string): string {
  return hexSerial({ serial: BigInt(`0x${hex}`) });
}

/**
 * The reason why a certificate counts as revoked, or undefined. A list counts when it is
 * enabled and signed by an issuer in the path; that it should have been
 * replaced by now does not void it, since the service keeps to what was
 * imported.
 *
 * @param path from the end entity to the anchor
 */
export function revocationProblem(path: readonly Certificate[], crls: readonly CrlRecord[]): string | undefined {
  for (const record of crls) {
    if (!record.enabled) continue;
    if (!read.has(record)) read.set(record, readCrl(record.crlData));
    const crl = read.get(record);
    if (crl === undefined) continue;
    for (const [index, certificate] of path.entries()) {
      const issuer = path[index + 1];
      if (issuer === undefined || !crl.issuerDer.equals(certificate.issuerDer)) continue;
      if (crl.serials.has(hexSerial(certificate)) && crl.isSignedBy(issuer))
        return `CRL ${record.name} has revoked "${certificate.subject}", serial number ${hexSerial(certificate)}`;
    }
  }
  return undefined;
}
