/**
 * Keys and certificates for development and tests, made with @peculiar/x509 on
 * Node's own WebCrypto. Nothing here touches the disk; pki.ts writes the files.
 */
import 'reflect-metadata'; // before @peculiar/x509, which needs it
import { KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

type CryptoKeyPair = webcrypto.CryptoKeyPair;

/** The kinds of key that a leaf of the development PKI can have. */
export const KEY_KINDS = ['rsa-1024', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384', 'ec-p521'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

const CURVES = { 'ec-p256': 'P-256', 'ec-p384': 'P-384', 'ec-p521': 'P-521' } as const;

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** A certificate that signs others, and its key. */
export interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

/** The options that every certificate here has. */
interface Common {
  /** RFC 4514 text, such as `CN=web,O=Example`. */
  subject: string;
  /** Hexadecimal; default: 16 random octets. Sign padding is added. */
  serialNumber?: string | undefined;
  /** Default: an hour ago. */
  notBefore?: Date | undefined;
  /** Default: ten years from now for an authority, 397 days for a leaf. */
  notAfter?: Date | undefined;
  /** The digest that the issuer signs; default SHA-256. */
  hash?: 'SHA-1' | 'SHA-256' | undefined;
  /** Whether key identifiers are added. Default true. */
  keyIdentifiers?: boolean | undefined;
}

export interface AuthorityOptions extends Common {
  keys: CryptoKeyPair;
  /** Default: self-signed. */
  issuer?: Authority | undefined;
  /** The number of authorities that may follow below; default: no limit. */
  pathLength?: number | undefined;
  /** Added to basic constraints and key usage. */
  extensions?: readonly x509.Extension[] | undefined;
}

export interface LeafOptions extends Common {
  issuer: Authority;
  publicKey: webcrypto.CryptoKey;
  /** The key that the authority key identifier is of; default the issuer's. */
  issuerKey?: webcrypto.CryptoKey | undefined;
  /** Default {@link leafExtensions}. */
  extensions?: x509.Extension[] | undefined;
}

/** The extensions of a client certificate that Roles Anywhere accepts. */
export function leafExtensions(names: x509.JsonGeneralNames): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []), // an empty one is malformed
  ];
}

/** A new extractable key pair of this kind. */
export async function generateKeys(kind: KeyKind): Promise<CryptoKeyPair> {
  const algorithm = kind.startsWith('rsa-')
    ? {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: Number(kind.slice('rsa-'.length)),
        publicExponent: new Uint8Array([1, 0, 1]),
      }
    : { name: 'ECDSA', namedCurve: CURVES[kind as keyof typeof CURVES] };
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** Makes a root, or an intermediate when `issuer` is given. */
export async function issueAuthority(options: AuthorityOptions): Promise<Authority> {
  const { keys, issuer } = options;
  const certificate = await issue(options, 3650, keys.publicKey, issuer?.keys.privateKey ?? keys.privateKey, [
    new x509.BasicConstraintsExtension(true, options.pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ...(options.extensions ?? []),
  ]);
  return { certificate, keys };
}

/** Makes an end-entity certificate. */
export async function issueLeaf(options: LeafOptions): Promise<x509.X509Certificate> {
  const extensions = options.extensions ?? leafExtensions([]);
  return await issue(options, 397, options.publicKey, options.issuer.keys.privateKey, extensions);
}

async function issue(
  options: Common & { issuer?: Authority | undefined; issuerKey?: webcrypto.CryptoKey | undefined },
  days: number,
  publicKey: webcrypto.CryptoKey,
  signingKey: webcrypto.CryptoKey,
  extensions: x509.Extension[],
): Promise<x509.X509Certificate> {
  const now = Date.now();
  const issuer = options.issuer?.certificate;
  return await x509.X509CertificateGenerator.create(
    {
      subject: options.subject,
      // The issuer's exact name, not its text read again: chains are ordered by the bytes of names.
      issuer: issuer?.subjectName ?? options.subject,
      serialNumber: options.serialNumber ?? Buffer.from(webcrypto.getRandomValues(new Uint8Array(16))).toString('hex'),
      notBefore: options.notBefore ?? new Date(now - HOUR_MS),
      notAfter: options.notAfter ?? new Date(now + days * DAY_MS),
      publicKey,
      signingKey,
      signingAlgorithm: { name: signingKey.algorithm.name, hash: options.hash ?? 'SHA-256' },
      extensions: [
        ...extensions,
        ...(options.keyIdentifiers === false
          ? []
          : await keyIdentifiers(publicKey, options.issuerKey ?? issuer?.publicKey ?? publicKey)),
      ],
    },
    webcrypto,
  );
}

async function keyIdentifiers(
  own: webcrypto.CryptoKey,
  issuer: webcrypto.CryptoKey | x509.PublicKey,
): Promise<x509.Extension[]> {
  return [
    await x509.SubjectKeyIdentifierExtension.create(own, false, webcrypto),
    await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
  ];
}

/** PEM of a certificate, with a final line feed. */
export function certificatePem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

/** PEM of a private key: PKCS#8, or what the kind was written as before that. */
export function privateKeyPem(keys: CryptoKeyPair, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8'): string {
  return KeyObject.from(keys.privateKey)
    .export({ type, format: 'pem' } as { type: 'pkcs8'; format: 'pem' })
    .toString();
}
