/** What a piece of material holds: certificates and private keys, or a refusal that says what it is instead. */
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { DerError, TAG, readChildren, readDer, readInteger } from '../x509/der.ts';
import { isPrivateKeyLabel, readPrivateKey } from '../x509/keys.ts';
import { type PemBlock, readPem } from '../x509/pem.ts';
import type { Material } from './file.ts';

/** Material taken apart. Call {@link wipe} when done with it. */
export interface Contents {
  readonly material: Material;
  /** In the file's order. */
  readonly blocks: readonly PemBlock[];
}

type NonEmpty<T> = readonly [T, ...T[]];

/** RFC 7468, section 5.1, and what old tools wrote. */
const CERTIFICATE_LABELS: ReadonlySet<string> = new Set(['CERTIFICATE', 'X509 CERTIFICATE']);

/** What to do about the things that are most often mistaken for a certificate or a key. */
const LABEL_HINTS: Readonly<Record<string, string>> = {
  'CERTIFICATE REQUEST': 'send the request to your CA, and use the certificate that it answers with',
  'NEW CERTIFICATE REQUEST': 'send the request to your CA, and use the certificate that it answers with',
  'TRUSTED CERTIFICATE': 'write it as a plain certificate with `openssl x509 -in FILE -out CERTIFICATE`',
  PKCS7: 'take the certificates out with `openssl pkcs7 -in FILE -print_certs -out CERTIFICATES`',
  'PUBLIC KEY': 'a public key is neither: find the certificate and the private key that were made with it',
};

/**
 * Takes PEM, or a single certificate in DER, apart.
 *
 * @throws RolesAnywhereError `ERR_PEM_TRUNCATED`, `ERR_PEM_MALFORMED`,
 * `ERR_FORMAT_UNKNOWN`; `ERR_UNSUPPORTED` for PKCS#12
 */
export function readContents(material: Material): Contents {
  const { bytes, source } = material;
  const blocks = readPem(bytes, source);
  if (blocks.length > 0) return { material, blocks };
  const form = binaryForm(bytes);
  if (form === 'certificate')
    return { material, blocks: [{ label: 'CERTIFICATE', headers: new Map(), der: bytes.slice() }] };
  if (form === 'pkcs12')
    throw new RolesAnywhereError('ERR_UNSUPPORTED', `${source} is a PKCS#12 file, which this version cannot read`, {
      hint: 'take certificate and key out with `openssl pkcs12 -in FILE -nodes -out PEM`, under `umask 077`',
    });
  throw new RolesAnywhereError('ERR_FORMAT_UNKNOWN', `${source} holds no PEM block`, {
    hint: 'a PEM file has a line like -----BEGIN CERTIFICATE-----; a key in DER is written as PEM by `openssl pkey -inform DER`',
  });
}

/** Tells two kinds of DER apart by their first fields: `SEQUENCE { SEQUENCE ...` and `SEQUENCE { INTEGER 3, SEQUENCE ...` (RFC 7292). */
function binaryForm(bytes: Uint8Array): 'certificate' | 'pkcs12' | undefined {
  try {
    const outer = readDer(bytes);
    const [first, second, third] = outer.tag === TAG.sequence ? readChildren(outer) : [];
    if (first?.tag === TAG.sequence && second?.tag === TAG.sequence && third?.tag === TAG.bitString)
      return 'certificate';
    if (first?.tag === TAG.integer && readInteger(first) === 3n && second?.tag === TAG.sequence) return 'pkcs12';
    return undefined;
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

/**
 * All certificates, in the file's order; at least one.
 *
 * @throws RolesAnywhereError `ERR_PEM_LABEL`, `ERR_CERTIFICATE_MALFORMED`
 */
export function certificatesIn({ material, blocks }: Contents): NonEmpty<Certificate> {
  const [first, ...others] = blocks.filter(({ label }) => CERTIFICATE_LABELS.has(label));
  if (first === undefined) throw wrongLabel(material, blocks, 'certificate');
  const read = ({ der }: PemBlock): Certificate => readCertificate(der, material.source);
  return [read(first), ...others.map(read)];
}

/**
 * All private keys, in the file's order; at least one.
 *
 * @throws RolesAnywhereError `ERR_KEY_MISSING` when the file was named as the
 * certificate's, `ERR_PEM_LABEL` when it was named as the key's, and what reading a key throws
 */
export function privateKeysIn({ material, blocks }: Contents): NonEmpty<KeyObject> {
  const [first, ...others] = blocks.filter(({ label }) => isPrivateKeyLabel(label));
  const read = (block: PemBlock): KeyObject => readPrivateKey(block, material.source);
  if (first !== undefined) return [read(first), ...others.map(read)];
  if (material.flag !== '--certificate') throw wrongLabel(material, blocks, 'private key');
  throw new RolesAnywhereError(
    'ERR_KEY_MISSING',
    `${material.source} holds no private key, and no --private-key is given`,
    {
      hint: 'name the file with the private key with --private-key',
    },
  );
}

function wrongLabel(material: Material, blocks: readonly PemBlock[], wanted: string): RolesAnywhereError {
  const labels = [...new Set(blocks.map(({ label }) => label))];
  const hint =
    labels.map((label) => LABEL_HINTS[label]).find((text) => text !== undefined) ??
    `name a file that holds a ${wanted} with ${material.flag}`;
  return new RolesAnywhereError(
    'ERR_PEM_LABEL',
    `${material.source} holds no ${wanted}, but ${labels.slice(0, 3).join(', ')}`,
    { hint },
  );
}

/** Overwrites what may be key material. Certificates are left: they are public, and views of them are in use. */
export function wipe({ material, blocks }: Contents): void {
  material.bytes.fill(0);
  for (const { label, der } of blocks) if (!CERTIFICATE_LABELS.has(label)) der.fill(0);
}
