/** What a piece of material holds: certificates and private keys, or a refusal that says what it is instead. */
// Tests: test/identity/load.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { isEncryptedKey, isPrivateKeyLabel, isVersion2, mlDsaTypeOf, readPrivateKey } from '../x509/keys.ts';
import { type PemBlock, readPem } from '../x509/pem.ts';
import type { PasswordDeps } from './containers/password.ts';
import { PKCS12_LABEL, beginsWithIdentifier, binaryLabel } from './der-forms.ts';
import type { Material } from './material.ts';
import { type PrivateKey, nativeKey } from './private-key.ts';

/** Material taken apart. Call {@link wipe} when done with it. */
export interface Contents {
  readonly material: Material;
  /** In the file's order. */
  readonly blocks: readonly PemBlock[];
}

type NonEmpty<T> = readonly [T, ...T[]];

/** RFC 7468, section 5.1, and what old tools wrote. */
const CERTIFICATE_LABELS: ReadonlySet<string> = new Set(['CERTIFICATE', 'X509 CERTIFICATE']);

/** RFC 7468, sections 8 and 9, and what some CAs write: PKCS#7, and CMS, its successor. */
const PKCS7_LABELS: ReadonlySet<string> = new Set(['PKCS7', 'CMS', 'PKCS #7 SIGNED DATA']);

/**
 * Takes PEM, or a single certificate, key or container in DER, apart.
 * A container is a block of its own until {@link openContainers}.
 *
 * @throws RolesAnywhereError `ERR_PEM_TRUNCATED`, `ERR_PEM_MALFORMED`, `ERR_FORMAT_UNKNOWN`
 */
export async function readContents(material: Material): Promise<Contents> {
  const { bytes, source } = material;
  const label = binaryLabel(bytes);
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

/** What is in a block, though its label may say otherwise. */
function containerKind({ label, der }: PemBlock): 'pkcs12' | 'pkcs7' | undefined {
  if (label === PKCS12_LABEL) return 'pkcs12';
  const isPkcs7 = PKCS7_LABELS.has(label) || (CERTIFICATE_LABELS.has(label) && beginsWithIdentifier(der));
  return isPkcs7 ? 'pkcs7' : undefined;
}

/**
 * Puts what PKCS#12 and PKCS#7 containers hold in their places.
 *
 * @throws RolesAnywhereError see openContainer of containers/unlock.ts and readPkcs7 of containers/pkcs7.ts
 */
export async function openContainers(contents: Contents, deps: PasswordDeps): Promise<Contents> {
  const { material } = contents;
  if (contents.blocks.every((block) => containerKind(block) === undefined)) return contents;
  const blocks: PemBlock[] = [];
  for (const block of contents.blocks) {
    const kind = containerKind(block);
    if (kind === undefined) blocks.push(block);
    else if (kind === 'pkcs7') {
      const { readPkcs7 } = await import('./containers/pkcs7.ts');
      blocks.push(...readPkcs7(block.der, material.source));
    } else {
      const { openContainer } = await import('./containers/unlock.ts');
      blocks.push(...(await openContainer(block.der, material.source, deps)));
      block.der.fill(0); // without encryption, it holds the key as it is
    }
  }
  return { material, blocks };
}

/**
 * All certificates, in the file's order; at least one.
 *
 * @throws RolesAnywhereError `ERR_PEM_LABEL`, `ERR_CERTIFICATE_MALFORMED`
 */
export async function certificatesIn(contents: Contents): Promise<NonEmpty<Certificate>> {
  const { material, blocks } = contents;
  const [first, ...others] = blocks.filter(({ label }) => CERTIFICATE_LABELS.has(label));
  if (first === undefined) throw await wrongKind(contents, 'certificate');
  const read = ({ der }: PemBlock): Certificate => readCertificate(der, material.source);
  try {
    return [read(first), ...others.map(read)];
  } catch (error) {
    throw (await import('./unusual.ts')).notCertificate([first, ...others], error, material);
  }
}

async function wrongKind(contents: Contents, wanted: string): Promise<RolesAnywhereError> {
  return (await import('./unusual.ts')).wrongKind(contents.material, contents.blocks, wanted);
}

async function privateKeyBlocks(contents: Contents): Promise<PemBlock[]> {
  const { material, blocks } = contents;
  const found = blocks.filter(({ label }) => isPrivateKeyLabel(label));
  if (found.length > 0) return found;
  if (material.flag !== '--certificate') throw await wrongKind(contents, 'private key');
  throw new RolesAnywhereError(
    'ERR_KEY_MISSING',
    `${material.source} holds no private key, and no --private-key is given`,
    { flag: '--private-key', hint: 'name the file with the private key with --private-key' },
  );
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
export async function signingKeysIn(contents: Contents, deps: PasswordDeps): Promise<SigningKeys> {
  const { source } = contents.material;
  const read = async (block: PemBlock): Promise<PrivateKey> => {
    if (isEncryptedKey(block)) {
      const { unlockKey } = await import('./containers/unlock.ts');
      return await read(await unlockKey(block, source, deps));
    }
    if (isVersion2(block)) return await read((await import('./containers/pkcs8-v2.ts')).asVersion1(block));
    const keyType = mlDsaTypeOf(block);
    if (keyType === undefined) return nativeKey(readPrivateKey(block, source), source);
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
