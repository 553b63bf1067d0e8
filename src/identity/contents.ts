/** What a piece of material holds: certificates and private keys, or a refusal that says what it is instead. */
// Tests: test/identity/load.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { DerError, TAG, readChildren, readDer, readInteger } from '../x509/der.ts';
import { isEncryptedKey, isPrivateKeyLabel, mlDsaTypeOf, readPrivateKey } from '../x509/keys.ts';
import { type PemBlock, readPem } from '../x509/pem.ts';
import type { PasswordDeps } from './containers/password.ts';
import type { Material } from './material.ts';
import { type PrivateKey, nativeKey } from './private-key.ts';
import type { KeyDeps } from './key-deps.ts';

/** Material taken apart. Call {@link wipe} when done with it. */
export interface Contents {
  readonly material: Material;
  /** In the file's order. */
  readonly blocks: readonly PemBlock[];
}

/** The label of a key that only a TPM can load. */
export const TPM_KEY_LABEL = 'TSS2 PRIVATE KEY';

type NonEmpty<T> = readonly [T, ...T[]];

/** RFC 7468, section 5.1, and what old tools wrote. */
const CERTIFICATE_LABELS: ReadonlySet<string> = new Set(['CERTIFICATE', 'X509 CERTIFICATE']);

/** What to do about the things that are most often mistaken for a certificate or a key. */
const LABEL_HINTS: Readonly<Record<string, string>> = {
  'CERTIFICATE REQUEST': 'send the request to your CA, and use the certificate that it answers with',
  'NEW CERTIFICATE REQUEST': 'send the request to your CA, and use the certificate that it answers with',
  'TRUSTED CERTIFICATE': 'write it as a plain certificate with `openssl x509 -in FILE -out CERTIFICATE`',
  'X509 CRL': 'a revocation list goes to the service with ImportCrl: a client needs none',
  PKCS7: 'take the certificates out with `openssl pkcs7 -in FILE -print_certs -out CERTIFICATES`',
  'PUBLIC KEY': 'a public key is neither: find the certificate and the private key that were made with it',
};

/** Tab, line feed, carriage return and blank. */
const BLANKS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20]);

/** Not a label of RFC 7468; certtool writes it. */
const PKCS12_LABEL = 'PKCS12';

/**
 * Takes PEM, or a single certificate, key or PKCS#12 container in DER, apart.
 * A container is a block of its own until {@link openContainers}.
 *
 * @throws RolesAnywhereError `ERR_PEM_TRUNCATED`, `ERR_PEM_MALFORMED`, `ERR_PEM_EMPTY`, `ERR_FORMAT_UNKNOWN`
 */
export function readContents(material: Material): Contents {
  const { bytes, source } = material;
  const label = binaryLabel(bytes);
  if (label !== undefined) return { material, blocks: [{ label, headers: new Map(), der: bytes.slice() }] };
  const blocks = readPem(bytes, source);
  if (blocks.length > 0) return { material, blocks };
  if (bytes.every((byte) => BLANKS.has(byte)))
    throw new RolesAnywhereError('ERR_PEM_EMPTY', `${source} holds white space and nothing else`, {
      hint: 'whatever writes it may have failed',
    });
  if (bytes[0] === TAG.sequence && (bytes[1] ?? 0) >= 0x80)
    throw new RolesAnywhereError(
      'ERR_FORMAT_UNKNOWN',
      `${source} looks like DER that was cut, changed or is of another kind`,
      {
        hint: 'copy it again from its origin; DER may be a certificate, a private key or PKCS#12',
      },
    );
  throw new RolesAnywhereError('ERR_FORMAT_UNKNOWN', `${source} is neither PEM nor DER that is read here`, {
    hint: 'a PEM file has a line like -----BEGIN CERTIFICATE-----; DER may be a certificate, a private key or PKCS#12',
  });
}

const OCTET_STRING = 0x04;

/**
 * The first fields of each kind of DER, and the PEM label that stands for it:
 * RFC 5280, RFC 7292, RFC 5958, RFC 8017 (A.1.2), RFC 5915. The number is what
 * an INTEGER in the first place may be at most.
 */
const BINARY_FORMS: readonly (readonly [label: string, tags: readonly number[], versions: readonly bigint[]])[] = [
  ['CERTIFICATE', [TAG.sequence, TAG.sequence, TAG.bitString], []],
  [PKCS12_LABEL, [TAG.integer, TAG.sequence], [3n]],
  ['PRIVATE KEY', [TAG.integer, TAG.sequence, OCTET_STRING], [0n, 1n]],
  ['ENCRYPTED PRIVATE KEY', [TAG.sequence, OCTET_STRING], []],
  ['RSA PRIVATE KEY', [TAG.integer, TAG.integer, TAG.integer, TAG.integer], [0n]],
  ['EC PRIVATE KEY', [TAG.integer, OCTET_STRING], [1n]],
  [TPM_KEY_LABEL, [TAG.objectIdentifier], []],
];

/** Tells kinds of DER apart by their first fields. */
function binaryLabel(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== TAG.sequence) return undefined; // "0", which no PEM file begins with
  // Browsers write PKCS#12 in BER, with an indefinite length.
  if (bytes[1] === 0x80) return PKCS12_LABEL;
  try {
    const fields = readChildren(readDer(bytes));
    const [first] = fields;
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

/**
 * Puts what PKCS#12 containers hold in their places.
 *
 * @throws RolesAnywhereError see openContainer of containers/unlock.ts
 */
export async function openContainers(contents: Contents, deps: PasswordDeps): Promise<Contents> {
  const { material } = contents;
  if (contents.blocks.every(({ label }) => label !== PKCS12_LABEL)) return contents;
  const { openContainer } = await import('./containers/unlock.ts');
  const blocks: PemBlock[] = [];
  for (const block of contents.blocks) {
    if (block.label !== PKCS12_LABEL) {
      blocks.push(block);
      continue;
    }
    blocks.push(...(await openContainer(block.der, material.source, deps)));
    block.der.fill(0); // without encryption, it holds the key as it is
  }
  return { material, blocks };
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

function privateKeyBlocks({ material, blocks }: Contents): NonEmpty<PemBlock> {
  const [first, ...others] = blocks.filter(({ label }) => isPrivateKeyLabel(label));
  if (first !== undefined) return [first, ...others];
  if (material.flag !== '--certificate') throw wrongLabel(material, blocks, 'private key');
  throw new RolesAnywhereError(
    'ERR_KEY_MISSING',
    `${material.source} holds no private key, and no --private-key is given`,
    { flag: '--private-key', hint: 'name the file with the private key with --private-key' },
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

/**
 * All private keys, in the file's order, decrypted and ready to sign; at least one.
 *
 * @throws RolesAnywhereError `ERR_KEY_MISSING` when the file was named as the
 * certificate's, `ERR_PEM_LABEL` when it was named as the key's, what reading a
 * key throws, and see unlockKey of containers/unlock.ts
 */
export async function signingKeysIn(contents: Contents, deps: KeyDeps): Promise<NonEmpty<PrivateKey>> {
  const { source } = contents.material;
  const read = async (block: PemBlock): Promise<PrivateKey> => {
    if (isEncryptedKey(block)) {
      const { unlockKey } = await import('./containers/unlock.ts');
      return await read(await unlockKey(block, source, deps));
    }
    if (block.label === TPM_KEY_LABEL) {
      const { openTpmKeyFile } = await import('./hardware.ts');
      return await openTpmKeyFile(block.der, source, deps);
    }
    const keyType = mlDsaTypeOf(block);
    if (keyType === undefined) return nativeKey(readPrivateKey(block, source), source);
    const { readMlDsaKey } = await import('./ml-dsa.ts');
    return readMlDsaKey(block, keyType, source);
  };
  const [first, ...others] = privateKeyBlocks(contents);
  const keys: [PrivateKey, ...PrivateKey[]] = [await read(first)];
  for (const block of others) keys.push(await read(block));
  return keys;
}

/** Overwrites what may be key material. Certificates are left: they are public, and views of them are in use. */
export function wipe({ material, blocks }: Contents): void {
  material.bytes.fill(0);
  for (const { label, der } of blocks) if (!CERTIFICATE_LABELS.has(label)) der.fill(0);
}
