/** X.509 certificates (RFC 5280), read with @peculiar/x509: this project's own parser is not to judge itself. */
// Tests: test/emulator/services/create-session/create-session.test.ts
import { type KeyObject, X509Certificate as NodeCertificate } from 'node:crypto';
import { type GeneralName, readGeneralNames } from './general-names.ts';
import { type AlternativeNames, alternativeNames } from './names.ts';
import { type MlDsaKey, readMlDsaKey } from './ml-dsa.ts';
import { x509 } from '../../platform/x509-library.ts';

/** The parts of a certificate that the verification needs. */
export interface Certificate {
  readonly der: Buffer;
  /** 3 for all that have extensions. */
  readonly version: number;
  readonly serial: bigint;
  /** Names for people, in RFC 4514 form. */
  readonly subject: string;
  readonly issuer: string;
  /** Names for comparison, in DER. */
  readonly subjectDer: Buffer;
  readonly issuerDer: Buffer;
  /** The first common name of the subject. */
  readonly commonName: string | undefined;
  /** The names of the subject alternative name extension. */
  readonly alternativeNames: AlternativeNames;
  /** All of them, of every type. */
  readonly generalNames: readonly GeneralName[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** OID of the algorithm that the issuer signed with. */
  readonly signatureAlgorithm: string;
  /** Such as `SHA-256`; undefined when it is a part of the algorithm, or not known. */
  readonly signatureDigest: string | undefined;
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined;
  readonly keyUsage: { readonly digitalSignature: boolean; readonly keyCertSign: boolean } | undefined;
  readonly criticalExtensions: readonly string[];
  /** The values of all extensions, by OID. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
  /** Undefined: a key that node:crypto of this Node version cannot read. */
  readonly publicKey: KeyObject | undefined;
  /** The same key, if it is of a kind that node:crypto need not know. */
  readonly mlDsaKey: MlDsaKey | undefined;
  /** Whether the key of `issuer` signed this certificate. */
  isSignedBy(issuer: Certificate): boolean;
}

/** Opens the decoded fields that the library keeps to its subclasses: it hands out neither the version nor an exact serial. */
class DecodedCertificate extends x509.X509Certificate {
  get fields() {
    return this.asn;
  }
}

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';

/** Certificates that were read, the last ones: a client sends the same with each request, and reading takes milliseconds. */
const known = new Map<string, Certificate>();
const MAX_KNOWN = 256;

/**
 * Reads one certificate.
 *
 * @returns undefined when it is not one, is followed by other bytes or is not DER
 */
export function readCertificate(der: Buffer): Certificate | undefined {
  const key = der.toString('latin1');
  const certificate = known.get(key) ?? parse(der);
  if (certificate === undefined) return undefined;
  known.delete(key); // to the end
  known.set(key, certificate);
  const [oldest] = known.keys();
  if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  return certificate;
}

function parse(der: Buffer): Certificate | undefined {
  try {
    const node = new NodeCertificate(der);
    if (!node.raw.equals(der)) return undefined; // trailing bytes, BER, or PEM instead of DER
    return describe(der, node, new DecodedCertificate(der));
  } catch {
    return undefined;
  }
}

function describe(der: Buffer, node: NodeCertificate, decoded: DecodedCertificate): Certificate {
  const { tbsCertificate, tbsCertificateRaw = new ArrayBuffer(), signatureAlgorithm } = decoded.fields;
  const types = decoded.extensions.map(({ type }) => type);
  if (new Set(types).size !== types.length) throw new Error('an extension occurs twice'); // RFC 5280, section 4.2
  const constraints = decoded.getExtension(x509.BasicConstraintsExtension);
  const extensions = new Map(
    tbsCertificate.extensions?.map(({ extnID, extnValue }) => [extnID, new Uint8Array(extnValue.buffer)]),
  );
  // By OID and not by class: the class throws at a name of a type that it does not know, such as a UPN.
  const alternative = extensions.get(SUBJECT_ALTERNATIVE_NAME);
  const generalNames = alternative === undefined ? [] : readGeneralNames(alternative);
  const usages = decoded.getExtension(x509.KeyUsagesExtension)?.usages;
  return {
    der,
    version: tbsCertificate.version + 1,
    serial: twosComplement(Buffer.from(tbsCertificate.serialNumber)),
    subject: decoded.subject,
    issuer: decoded.issuer,
    subjectDer: Buffer.from(decoded.subjectName.toArrayBuffer()),
    issuerDer: Buffer.from(decoded.issuerName.toArrayBuffer()),
    commonName: decoded.subjectName.getField('CN')[0],
    alternativeNames: alternativeNames(generalNames),
    generalNames,
    extensions,
    notBefore: decoded.notBefore,
    notAfter: decoded.notAfter,
    signatureAlgorithm: signatureAlgorithm.algorithm,
    signatureDigest: decoded.signatureAlgorithm.hash?.name,
    basicConstraints: constraints ? { ca: constraints.ca, pathLength: constraints.pathLength } : undefined,
    keyUsage:
      usages === undefined
        ? undefined
        : {
            digitalSignature: (usages & x509.KeyUsageFlags.digitalSignature) !== 0,
            keyCertSign: (usages & x509.KeyUsageFlags.keyCertSign) !== 0,
          },
    criticalExtensions: decoded.extensions.flatMap(({ type, critical }) => (critical ? [type] : [])),
    publicKey: publicKeyOf(node),
    mlDsaKey: readMlDsaKey(
      tbsCertificate.subjectPublicKeyInfo.algorithm.algorithm,
      Buffer.from(tbsCertificate.subjectPublicKeyInfo.subjectPublicKey),
    ),
    isSignedBy: ({ publicKey, mlDsaKey }) =>
      mlDsaKey === undefined
        ? publicKey !== undefined && node.verify(publicKey)
        : signatureAlgorithm.algorithm === mlDsaKey.oid &&
          mlDsaKey.verify(Buffer.from(tbsCertificateRaw), Buffer.from(decoded.signature)),
  };
}

function publicKeyOf(node: NodeCertificate): KeyObject | undefined {
  try {
    return node.publicKey;
  } catch {
    return undefined;
  }
}

/** An ASN.1 INTEGER's value. Serial numbers are positive by RFC 5280, but not by every CA. */
function twosComplement(octets: Buffer): bigint {
  return BigInt.asIntN(octets.length * 8, BigInt(`0x${octets.toString('hex')}`));
}

/** A serial number as the service names it: hexadecimal, with an even number of digits. */
export function hexSerial({ serial }: Pick<Certificate, 'serial'>): string {
  const hex = serial.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

/** A certificate in PEM (RFC 7468). */
export function toPem({ der }: Pick<Certificate, 'der'>): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** The bytes of padded base64 (RFC 4648, section 4), or undefined when it is anything else. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined;
}

/** Every certificate in PEM text; undefined stands for one that cannot be read. */
export function readPemCertificates(pem: string): (Certificate | undefined)[] {
  return Array.from(
    pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g),
    ([, body = '']) => {
      const der = decodeBase64(body.replaceAll(/\s/g, ''));
      return der && readCertificate(der);
    },
  );
}
