/**
 * ML-DSA keys and certificates (FIPS 204, RFC 9881), made with @noble/post-quantum and asn1js: neither Node 20 nor
 * OpenSSL 3.0 knows the algorithm.
 */
import 'reflect-metadata'; // before @peculiar/x509, which needs it
import { KeyObject, createHash, randomBytes, sign } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import * as x509 from '@peculiar/x509';
import * as asn1js from 'asn1js';
import { type Authority, DAY_MS, HOUR_MS, leafExtensions } from './authority.ts';

/** The kinds of ML-DSA key that a leaf of the development PKI can have. */
export const ML_DSA_KINDS = ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const;
export type MlDsaKind = (typeof ML_DSA_KINDS)[number];

const ALGORITHMS = {
  'ml-dsa-44': { signer: ml_dsa44, oid: '2.16.840.1.101.3.4.3.17' },
  'ml-dsa-65': { signer: ml_dsa65, oid: '2.16.840.1.101.3.4.3.18' },
  'ml-dsa-87': { signer: ml_dsa87, oid: '2.16.840.1.101.3.4.3.19' },
} as const;

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';

export interface MlDsaKeys {
  readonly kind: MlDsaKind;
  readonly seed: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** A certificate that signs others with ML-DSA, and its key. */
export interface MlDsaAuthority {
  readonly certificate: x509.X509Certificate;
  readonly keys: MlDsaKeys;
}

/** The ways in which RFC 9881, section 6, writes a private key; OpenSSL writes `both`. */
export type MlDsaForm = 'seed' | 'expanded' | 'both';

export function generateMlDsaKeys(kind: MlDsaKind): MlDsaKeys {
  const seed = Uint8Array.from(randomBytes(32));
  return { kind, seed, ...ALGORITHMS[kind].signer.keygen(seed) };
}

/** DER of a PKCS#8 PrivateKeyInfo. */
export function mlDsaPkcs8({ kind, seed, secretKey }: MlDsaKeys, form: MlDsaForm = 'both'): Uint8Array {
  const expanded = new asn1js.OctetString({ valueHex: secretKey });
  const key = {
    seed: new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: seed }),
    expanded,
    both: new asn1js.Sequence({ value: [new asn1js.OctetString({ valueHex: seed }), expanded] }),
  }[form];
  return der(
    new asn1js.Sequence({
      value: [
        new asn1js.Integer({ value: 0 }),
        algorithmIdentifier(ALGORITHMS[kind].oid),
        new asn1js.OctetString({ valueHex: key.toBER() }),
      ],
    }),
  );
}

/** A certificate with an ML-DSA key that signs others, issued by an authority of another kind. */
export function issueMlDsaAuthority(subject: string, keys: MlDsaKeys, issuer: Authority): MlDsaAuthority {
  const certificate = issue({
    subject,
    keys,
    issuer: issuer.certificate,
    days: 3650,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
    algorithm: ECDSA_SHA256,
    sign: (bytes) => sign('sha256', bytes, KeyObject.from(issuer.keys.privateKey)),
  });
  return { certificate, keys };
}

/** An end-entity certificate, signed with ML-DSA. */
export function issueMlDsaLeaf(
  subject: string,
  keys: MlDsaKeys,
  issuer: MlDsaAuthority,
  names: x509.JsonGeneralNames,
): x509.X509Certificate {
  const { signer, oid } = ALGORITHMS[issuer.keys.kind];
  return issue({
    subject,
    keys,
    issuer: issuer.certificate,
    days: 397,
    extensions: leafExtensions(names),
    algorithm: oid,
    sign: (bytes) => signer.sign(bytes, issuer.keys.secretKey, { extraEntropy: false }),
  });
}

interface Issue {
  readonly subject: string;
  readonly keys: MlDsaKeys;
  readonly issuer: x509.X509Certificate;
  readonly days: number;
  readonly extensions: readonly x509.Extension[];
  /** The OID of the algorithm with which the issuer signs. */
  readonly algorithm: string;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

function issue({ subject, keys, issuer, days, extensions, algorithm, sign: signBytes }: Issue): x509.X509Certificate {
  const now = Date.now();
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive, and minimal as it stands
  const issuerKey = new Uint8Array(issuer.publicKey.rawData);
  const all = [
    ...extensions,
    new x509.SubjectKeyIdentifierExtension(keyId(keys.publicKey)),
    new x509.AuthorityKeyIdentifierExtension(keyIdOf(issuer, issuerKey)),
  ];
  const signedPart = new asn1js.Sequence({
    value: [
      tagged(0, new asn1js.Integer({ value: 2 })), // version 3
      new asn1js.Integer({ valueHex: serial }),
      algorithmIdentifier(algorithm),
      raw(issuer.subjectName.toArrayBuffer()),
      new asn1js.Sequence({ value: [time(now - HOUR_MS), time(now + days * DAY_MS)] }),
      raw(new x509.Name(subject).toArrayBuffer()),
      new asn1js.Sequence({
        value: [algorithmIdentifier(ALGORITHMS[keys.kind].oid), new asn1js.BitString({ valueHex: keys.publicKey })],
      }),
      tagged(3, new asn1js.Sequence({ value: all.map(({ rawData }) => raw(rawData)) })),
    ],
  });
  const signature = signBytes(der(signedPart));
  return new x509.X509Certificate(
    der(
      new asn1js.Sequence({
        value: [signedPart, algorithmIdentifier(algorithm), new asn1js.BitString({ valueHex: signature })],
      }),
    ),
  );
}

/** The issuer's own key identifier. */
function keyIdOf(issuer: x509.X509Certificate, publicKey: Uint8Array): string {
  return issuer.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ?? keyId(publicKey);
}

/** RFC 5280, section 4.2.1.2, method 1. */
function keyId(publicKey: Uint8Array): string {
  return createHash('sha1').update(publicKey).digest('hex');
}

function algorithmIdentifier(oid: string): asn1js.Sequence {
  return new asn1js.Sequence({ value: [new asn1js.ObjectIdentifier({ value: oid })] });
}

function tagged(tagNumber: number, value: asn1js.BaseBlock): asn1js.Constructed {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] });
}

function time(milliseconds: number): asn1js.UTCTime {
  const valueDate = new Date(milliseconds);
  valueDate.setUTCMilliseconds(0);
  return new asn1js.UTCTime({ valueDate });
}

function raw(bytes: ArrayBuffer | Uint8Array): asn1js.BaseBlock {
  return asn1js.fromBER(bytes).result;
}

function der(value: asn1js.BaseBlock): Uint8Array {
  return new Uint8Array(value.toBER());
}
