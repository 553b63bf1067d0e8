/**
 * A folder of certificates and keys, such as certbot, cert-manager or a device's management leave: its files are read as if
 * they were one bundle, from which a certificate is chosen and its key found.
 */
// Tests: test/identity/choice.test.ts
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { accessError } from '../platform/files.ts';
import { MAX_FOLDER_FILES } from './watched-paths.ts';
import { type Certificate, sameBytes } from '../x509/certificate.ts';
import { TPM_KEY_LABEL, isEncryptedKey, isPrivateKeyLabel } from '../x509/keys.ts';
import type { PemBlock } from '../x509/pem.ts';
import { type CertificateChoice, type Chooser, notFound, openChooser } from './choice.ts';
import { type Contents, certificatesIn, openContainers, readContents, signingKeysIn, wipe } from './contents.ts';
import type { KeyDeps } from './key-deps.ts';
import { type Material, materialFile, readMaterialFile } from './material.ts';
import type { Pair } from './pairs.ts';
import { subjectText } from './verdicts.ts';

/** All files together. */
const MAX_FOLDER_BYTES = 32 * 1024 * 1024;

/** A file of the folder that holds something of use. */
interface FolderFile {
  readonly name: string;
  readonly contents: Contents;
  readonly certificates: readonly Certificate[];
}

interface Folder {
  /** How errors name it. */
  readonly source: string;
  /** Every certificate in it, once. */
  readonly certificates: readonly Certificate[];
  readonly files: readonly FolderFile[];
  /** Why files that should be of use are not, by name. */
  readonly problems: readonly (readonly [name: string, error: RolesAnywhereError])[];
}

/** A certificate, its key, and, where that is from the folder, the material that it is from. */
interface FolderPair extends Pair {
  readonly secret?: Material | undefined;
}

/** What a folder gave. */
export interface FromFolder {
  readonly pair: FolderPair;
  /** Every certificate in it, once. */
  readonly certificates: readonly Certificate[];
}

/**
 * The one certificate of a folder that is meant, and its key. Of certificates of one subject and issuer, the one that ends
 * last is taken.
 *
 * @param match finds the certificates that a key belongs to which is somewhere else; default: keys are in the folder
 * @throws RolesAnywhereError `ERR_SELECTOR`, `ERR_CERTIFICATE_NOT_FOUND`, `ERR_CERTIFICATE_AMBIGUOUS`, `ERR_KEY_MISSING`, those
 * of {@link readFolder}, and what unlocking a key throws
 */
export async function chooseInFolder(
  path: string,
  choice: CertificateChoice,
  match: ((certificates: readonly Certificate[]) => Promise<readonly Pair[]>) | undefined,
  deps: LoadingDeps,
): Promise<FromFolder> {
  const chooser = openChooser(choice);
  const folder = await readFolder(path, deps);
  try {
    const pairs: readonly FolderPair[] =
      match === undefined ? await pairsIn(folder, chooser, deps) : await match(folder.certificates);
    let pair: FolderPair | undefined;
    try {
      pair = chooser.choose(pairs, { where: folder.source, now: (deps.now ?? Date.now)(), renewals: true });
      return { pair, certificates: folder.certificates };
    } finally {
      for (const { key } of pairs) if (key !== pair?.key) key.forget();
    }
  } finally {
    wipeFolder(folder);
  }
}

/** A certificate and the file that it is in. */
export interface FiledCertificate {
  readonly certificate: Certificate;
  readonly file: string;
}

/** Every certificate in the files of a folder. */
export async function certificatesInFolder(path: string, deps: KeyDeps): Promise<FiledCertificate[]> {
  const folder = await readFolder(path, deps);
  wipeFolder(folder);
  return folder.files.flatMap(({ name, certificates }) =>
    certificates.map((certificate) => ({ certificate, file: join(path, name) })),
  );
}

interface LoadingDeps extends KeyDeps {
  readonly now?: (() => number) | undefined;
}

/**
 * Reads the files of a folder, but not of folders in it, nor those whose name begins with a dot. What is neither certificate nor key
 * is passed over, and so is a container that does not open with the password that was given, or without one. Call
 * {@link wipeFolder} when done.
 *
 * @throws RolesAnywhereError `ERR_FILE_UNREADABLE`, `ERR_FILE_TOO_LARGE`
 */
async function readFolder(path: string, deps: KeyDeps): Promise<Folder> {
  const source = `--certificate ${path}`;
  const files: FolderFile[] = [];
  const problems: [string, RolesAnywhereError][] = [];
  let bytes = 0;
  for (const name of filesOf(path)) {
    let material: Material | undefined;
    try {
      material = readMaterialFile('--certificate', join(path, name));
      bytes += material.bytes.length;
      // Nobody is asked for the passwords of containers that may not be meant.
      const contents = await openContainers(await readContents(material), { ...deps, ask: nobody });
      files.push({ name, contents, certificates: await certificatesOf(contents) });
    } catch (error) {
      material?.bytes.fill(0);
      if (!(error instanceof RolesAnywhereError)) throw error;
      problems.push([name, error]);
    }
    if (bytes > MAX_FOLDER_BYTES) throw tooLarge(source, `more than ${MAX_FOLDER_BYTES} bytes in its files`);
  }
  const all = files.flatMap(({ certificates }) => certificates);
  const certificates = all.filter(({ der }, at) => all.findIndex((other) => sameBytes(other.der, der)) === at);
  return { source, certificates, files, problems };
}

async function nobody(): Promise<undefined> {
  return undefined;
}

function filesOf(path: string): string[] {
  try {
    const names = readdirSync(path).filter((name) => !name.startsWith('.') && isFile(join(path, name)));
    if (names.length > MAX_FOLDER_FILES)
      throw tooLarge(`--certificate ${path}`, `${names.length} files, more than ${MAX_FOLDER_FILES}`);
    return names.toSorted();
  } catch (error) {
    throw error instanceof RolesAnywhereError ? error : accessError(materialFile('--certificate', path), error);
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function tooLarge(source: string, what: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_FILE_TOO_LARGE', `${source} has ${what}`, {
    flag: '--certificate',
    hint: 'name a folder that holds certificates and keys and nothing else',
  });
}

/** Those of a file that has any; a file may be there for its key. */
async function certificatesOf(contents: Contents): Promise<readonly Certificate[]> {
  try {
    return await certificatesIn(contents);
  } catch (error) {
    const isForKey = contents.blocks.some(({ label }) => isPrivateKeyLabel(label));
    if (isForKey && error instanceof RolesAnywhereError && error.code !== 'ERR_CERTIFICATE_MALFORMED') return [];
    throw error;
  }
}

function wipeFolder({ files }: Folder): void {
  for (const { contents } of files) wipe(contents);
}

/**
 * The certificates that are meant, each with the key that belongs to it. Keys that have to be unlocked are, by a password or by
 * a TPM, where no other is the key of one that is meant: those of files that are named like the certificate's first.
 *
 * @throws RolesAnywhereError `ERR_CERTIFICATE_NOT_FOUND`, `ERR_KEY_MISSING`, and what unlocking a key throws
 */
async function pairsIn(folder: Folder, chooser: Chooser, deps: KeyDeps): Promise<readonly FolderPair[]> {
  const wanted = folder.certificates.filter((certificate) => chooser.matches(certificate));
  if (wanted.length === 0)
    throw notFound(
      folder.certificates.map((leaf) => ({ leaf })),
      folder.source,
    );
  const pairs: FolderPair[] = [];
  const failures: unknown[] = [];
  const add = async ({ contents }: FolderFile, isMeant: (block: PemBlock) => boolean): Promise<void> => {
    const blocks = contents.blocks.filter((block) => isPrivateKeyLabel(block.label) && isMeant(block));
    if (blocks.length === 0) return;
    const { keys } = await signingKeysIn({ material: contents.material, blocks }, deps);
    for (const key of keys) {
      const own = wanted.filter((leaf) => key.belongsTo(leaf));
      if (own.length === 0) key.forget();
      pairs.push(...own.map((leaf) => ({ leaf, key, secret: contents.material })));
    }
  };
  const addAll = async (files: readonly FolderFile[], isMeant: (block: PemBlock) => boolean): Promise<void> => {
    for (const file of files) await add(file, isMeant).catch((error: unknown) => failures.push(error));
  };
  await addAll(folder.files, (block) => !isLocked(block));
  if (pairs.length === 0) {
    const stems = new Set(
      folder.files
        .filter(({ certificates }) => certificates.some((one) => wanted.some((leaf) => sameBytes(leaf.der, one.der))))
        .map(({ name }) => stemOf(name)),
    );
    const [alike, others] = [true, false].map((same) =>
      folder.files.filter(({ name }) => stems.has(stemOf(name)) === same),
    );
    await addAll(alike ?? [], isLocked);
    if (pairs.length === 0) await addAll(others ?? [], isLocked);
  }
  if (pairs.length > 0) return pairs;
  const [failure] = failures;
  if (failure !== undefined) throw failure;
  throw missingKey(folder, wanted);
}

/** Whether a key has to be unlocked, which costs time, or asks somebody. */
function isLocked(block: PemBlock): boolean {
  return block.label === TPM_KEY_LABEL || isEncryptedKey(block);
}

/** What names of files that belong together have in common: `web` of web.pem, web.key, web.crt.pem and web-key.pem. */
function stemOf(name: string): string {
  return name.replace(
    /(?:[._-](?:pem|der|crt|cer|cert|certificate|chain|fullchain|key|privkey|p8|p12|pfx|p7b|tls))+$/i,
    '',
  );
}

function missingKey({ source, problems }: Folder, wanted: readonly Certificate[]): RolesAnywhereError {
  const [leaf] = wanted;
  const problem = problems.find(([, { code }]) => /^ERR_(?:PASSWORD|PKCS12|KEY|FILE)_/.test(code));
  const what = wanted.length > 1 || leaf === undefined ? `any of ${wanted.length} certificates` : subjectText(leaf);
  return new RolesAnywhereError('ERR_KEY_MISSING', `no file in ${source} holds the private key of ${what}`, {
    flag: '--certificate',
    hint: `put it there, or name it with --private-key${problem === undefined ? '' : `; not read: ${problem[1].message}`}`,
  });
}
