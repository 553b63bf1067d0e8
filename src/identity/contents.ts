/** What a piece of material holds: certificates and private keys, or a refusal that says what it is instead. */
// Tests: test/identity/load.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { TAG } from '../x509/der.ts';
import { TPM_KEY_LABEL, isEncryptedKey, isPrivateKeyLabel, isVersion2, mlDsaTypeOf } from '../x509/keys.ts';
import { type PemBlock, readPem } from '../x509/pem.ts';
import type { PasswordDeps } from './containers/password.ts';
import type { Material } from './material.ts';
import { openPlainKey } from './plain-key.ts';
import type { PrivateKey } from './private-key.ts';
import type { KeyDeps } from './key-deps.ts';

/** Material taken apart. Call {@link wipe} when done with it. */
export interface Contents {
  readonly material: Material;
  /** In the file's order. */
  readonly blocks: readonly PemBlock[];
}

type NonEmpty<T> = readonly [T, ...T[]];

/** RFC 7468, section 5.1, and what old tools wrote. */
export const CERTIFICATE_LABELS: ReadonlySet<string> = new Set(['CERTIFICATE', 'X509 CERTIFICATE']);

/** PKCS#12 as certtool writes it; PKCS#7 and CMS, by RFC 7468, sections 8 and 9, and as some CAs do. */
const CONTAINER_LABELS: ReadonlySet<string> = new Set(['PKCS12', 'PKCS7', 'CMS', 'PKCS #7 SIGNED DATA']);

/**
 * Takes PEM, or a single certificate, key or container in DER, apart.
 * A container is a block of its own until {@link openContainers}.
 *
 * @throws RolesAnywhereError `ERR_PEM_TRUNCATED`, `ERR_PEM_MALFORMED`, `ERR_PEM_EMPTY`, `ERR_FORMAT_UNKNOWN`
 */
export async function readContents(material: Material): Promise<Contents> {
  const { bytes, source } = material;
  // "0", which no PEM file begins with.
  const label = bytes[0] === TAG.sequence ? (await import('./der-forms.ts')).binaryLabel(bytes) : undefined;
  if (label !== undefined) return { material, blocks: [{ label, headers: new Map(), der: bytes.slice() }] };
  let problem: unknown;
  try {
    const blocks = readPem(bytes, source);
    if (blocks.length > 0) return { material, blocks };
  } catch (error) {
    problem = error;
  }
  const { readUnusual } = await import('./unusual.ts');
  return { material, blocks: readUnusual(material, problem) };
}

/** Whether the first field of a SEQUENCE is an OBJECT IDENTIFIER, as in PKCS#7 and in no certificate. */
function beginsWithIdentifier(bytes: Uint8Array): boolean {
  const length = bytes[1] ?? 0;
  return bytes[length < 0x80 ? 2 : 2 + (length & 0x7f)] === TAG.objectIdentifier;
}

/** Whether a block holds what only a chunk can take apart, though its label may say otherwise. */
function isContainer({ label, der }: PemBlock): boolean {
  return CONTAINER_LABELS.has(label) || (CERTIFICATE_LABELS.has(label) && beginsWithIdentifier(der));
}

/**
 * Puts what PKCS#12 and PKCS#7 containers hold in their places.
 *
 * @throws RolesAnywhereError see openContainer of containers/unlock.ts and readPkcs7 of containers/pkcs7.ts
 */
export async function openContainers(contents: Contents, deps: PasswordDeps): Promise<Contents> {
  const { material, blocks } = contents;
  if (!blocks.some(isContainer)) return contents;
  const { openBlock } = await import('./containers/open.ts');
  const opened: PemBlock[] = [];
  for (const block of blocks)
    opened.push(...(isContainer(block) ? await openBlock(block, material.source, deps) : [block]));
  return { material, blocks: opened };
}

/**
 * All certificates, in the file's order; at least one.
 *
 * @param keyFile where the key is read from, for words about files that are swapped
 * @throws RolesAnywhereError `ERR_PEM_LABEL`, `ERR_CERTIFICATE_MALFORMED`
 */
export async function certificatesIn(contents: Contents, keyFile?: Contents): Promise<NonEmpty<Certificate>> {
  const { material, blocks } = contents;
  const [first, ...others] = blocks.filter(({ label }) => CERTIFICATE_LABELS.has(label));
  if (first === undefined)
    throw (await import('./unusual.ts')).wrongKind(material, blocks, 'certificate', keyFile?.blocks);
  const read = ({ der }: PemBlock): Certificate => readCertificate(der, material.source);
  try {
    return [read(first), ...others.map(read)];
  } catch (error) {
    throw (await import('./unusual.ts')).notCertificate([first, ...others], error, material);
  }
}

async function privateKeyBlocks(contents: Contents): Promise<PemBlock[]> {
  const { material, blocks } = contents;
  const found = blocks.filter(({ label }) => isPrivateKeyLabel(label));
  if (found.length > 0) return found;
  throw (await import('./unusual.ts')).noKey(material, blocks);
}

/** What {@link signingKeysIn} found. */
export interface SigningKeys {
  /** In the file's order. */
  readonly keys: NonEmpty<PrivateKey>;
  /** Why the first of those is not among them that cannot be used. */
  readonly problem?: unknown;
}

/**
 * All private keys that can be used, decrypted and ready to sign; at least one. Of several, some may be of another kind.
 *
 * @throws RolesAnywhereError `ERR_KEY_MISSING` when the file was named as the
 * certificate's, `ERR_PEM_LABEL` when it was named as the key's, what reading a
 * key throws, and see unlockKey of containers/unlock.ts
 */
export async function signingKeysIn(contents: Contents, deps: KeyDeps): Promise<SigningKeys> {
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
    if (isVersion2(block)) return await read((await import('./containers/pkcs8-v2.ts')).asVersion1(block));
    const keyType = mlDsaTypeOf(block);
    if (keyType === undefined) return await openPlainKey(block, source);
    const { readMlDsaKey } = await import('./ml-dsa.ts');
    return readMlDsaKey(block, keyType, source);
  };
  const keys: PrivateKey[] = [];
  let problem: unknown;
  for (const block of await privateKeyBlocks(contents)) {
    try {
      keys.push(await read(block));
    } catch (error) {
      problem ??= error;
      if (!isAboutKey(error)) break;
    }
  }
  const [first, ...others] = keys;
  if (first !== undefined && (problem === undefined || isAboutKey(problem)))
    return { keys: [first, ...others], problem };
  for (const key of keys) key.forget();
  throw isAboutKey(problem) ? (await import('./unusual.ts')).notKey(contents.blocks, problem) : problem;
}

/** Whether an error says that one key cannot be used, and nothing of others. */
function isAboutKey(error: unknown): boolean {
  return error instanceof RolesAnywhereError && /^ERR_(?:KEY_|UNSUPPORTED)/.test(error.code);
}

/** Overwrites what may be key material. Certificates are left: they are public, and views of them are in use. */
export function wipe({ material, blocks }: Contents): void {
  material.bytes.fill(0);
  for (const { label, der } of blocks) if (!CERTIFICATE_LABELS.has(label)) der.fill(0);
}
