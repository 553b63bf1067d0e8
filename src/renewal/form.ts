/** What is to stand in the files of an identity, in the forms in which they were written. */
// Tests: test/renewal/form.test.ts
import type { KeyObject } from 'node:crypto';
import type { FileKey } from '../identity/file-key.ts';
import { type MaterialFlag, readMaterialFile } from '../identity/material.ts';
import { readPassword } from '../identity/containers/password.ts';
import type { PasswordDeps } from '../identity/containers/password.ts';
import type { PasswordKind } from '../identity/passwords.ts';
import { readContents } from '../identity/contents.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { readPem } from '../x509/pem.ts';
import { TAG } from '../x509/der.ts';
import { readCertificate, sameBytes } from '../x509/certificate.ts';
import type { Renewed } from './checks.ts';
import { certificatePem } from './csr.ts';
import { writePkcs12 } from './pkcs12.ts';

/** Where an identity is: files, of which the last two may be left out. */
export interface IdentityFiles {
  readonly certificate: string;
  readonly privateKey?: string | undefined;
  readonly intermediates?: string | undefined;
}

/** A file and what is to stand in it. */
export interface FileChange {
  readonly flag: MaterialFlag;
  readonly path: string;
  /** May hold a private key: fill it with zeros when done. */
  readonly bytes: Uint8Array;
}

/** What is put in place of an identity. */
export interface NewContents extends Renewed {
  /** Undefined where the key stays. */
  readonly newKey?: KeyObject | undefined;
}

const CERTIFICATE = 'CERTIFICATE';
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----\r?\n?/g;

/**
 * The files to write, the certificate's last: whoever reads them between two writes finds a whole pair as long as the key
 * stays. A chain goes where the old one was.
 *
 * @param old the key as it was written; undefined where that is no file, or none of ours
 * @throws RolesAnywhereError `ERR_RENEWAL_WRITE` for forms that are not written here
 */
export async function changesOf(
  files: IdentityFiles,
  contents: NewContents,
  old: FileKey | undefined,
  deps: PasswordDeps,
): Promise<FileChange[]> {
  const { privateKey, intermediates } = files;
  const changes: FileChange[] = [];
  if (contents.newKey !== undefined && privateKey !== undefined && privateKey !== files.certificate)
    changes.push({
      flag: '--private-key',
      path: privateKey,
      bytes: await keyFile(privateKey, contents.newKey, old, deps),
    });
  if (intermediates !== undefined) {
    const bundle = await bundleFile(intermediates, contents);
    if (bundle !== undefined) changes.push({ flag: '--intermediates', path: intermediates, bytes: bundle });
  }
  changes.push({
    flag: '--certificate',
    path: files.certificate,
    bytes: await certificateFile(files, contents, old, deps),
  });
  return changes;
}

async function certificateFile(
  { certificate: path, privateKey, intermediates }: IdentityFiles,
  { leaf, chain, newKey }: NewContents,
  old: FileKey | undefined,
  deps: PasswordDeps,
): Promise<Uint8Array> {
  const material = readMaterialFile('--certificate', path);
  const holdsKey = privateKey === undefined || privateKey === path;
  try {
    const { blocks } = await readContents(material);
    const labels = blocks.map(({ label }) => label);
    if (labels.includes('PKCS12')) {
      const key = newKey ?? old?.key;
      if (key === undefined) throw unwritable(path, 'holds a key that cannot be written again');
      return await withPassword('pkcs12', material.source, deps, (password) =>
        writePkcs12(
          pkcs8(key),
          [leaf, ...chain].map(({ der }) => der),
          password,
        ),
      );
    }
    if (labels.some((label) => label !== CERTIFICATE && label.startsWith('PKCS')))
      throw unwritable(path, 'is PKCS#7, which is not written here: use PEM');
    if (material.bytes[0] === TAG.sequence) return leaf.der;
    const certificates = blocks.filter(({ label }) => label === CERTIFICATE);
    const issuerIsThere = certificates.length > 1 || !sameBytes(leaf.issuer, issuerOf(certificates[0]?.der));
    const withChain = intermediates === undefined && issuerIsThere;
    const pem = [leaf, ...(withChain ? chain : [])].map(({ der }) => certificatePem(der)).join('');
    const others = otherBlocks(material.bytes);
    if (!holdsKey || newKey === undefined) return Buffer.from(pem + others.join(''));
    if (old === undefined || old.among > 1)
      throw unwritable(path, 'holds several keys: keep each pair in a file of its own');
    return Buffer.concat([Buffer.from(pem), await keyText(newKey, old, material.source, deps)]);
  } finally {
    material.bytes.fill(0);
  }
}

/** The issuer's name in a certificate; nothing where there is no certificate. */
function issuerOf(der: Uint8Array | undefined): Uint8Array {
  if (der === undefined) return new Uint8Array();
  try {
    return readCertificate(der, 'the old certificate').issuer;
  } catch {
    return new Uint8Array();
  }
}

/** What is in a PEM file besides certificates, such as its key, as it stands there. */
function otherBlocks(bytes: Uint8Array): string[] {
  return [...Buffer.from(bytes).toString('latin1').matchAll(BLOCK)]
    .filter(([, label]) => label !== CERTIFICATE)
    .map(([text]) => (text.endsWith('\n') ? text : `${text}\n`));
}

/** The bundle with what is new in the chain in front; undefined when all of it is there already. */
async function bundleFile(path: string, { chain }: NewContents): Promise<Uint8Array | undefined> {
  const material = readMaterialFile('--intermediates', path);
  const { blocks } = await readContents(material);
  const missing = chain.filter(({ der }) => !blocks.some((block) => sameBytes(block.der, der)));
  if (missing.length === 0) return undefined;
  if (material.bytes[0] === TAG.sequence || blocks.some(({ label }) => label !== CERTIFICATE))
    throw unwritable(path, 'has to take a new intermediate, and is not PEM with certificates alone');
  // What was there stays: it is the chain of the old certificate, which is in use until the new one is there.
  const kept = readPem(material.bytes, path).filter(({ label }) => label === CERTIFICATE);
  const bundle = [...missing, ...kept].slice(0, MAX_BUNDLE);
  return Buffer.from(bundle.map(({ der }) => certificatePem(der)).join(''));
}

/** A bundle grows by one with each new intermediate: the oldest go. */
const MAX_BUNDLE = 16;

async function keyFile(
  path: string,
  key: KeyObject,
  old: FileKey | undefined,
  deps: PasswordDeps,
): Promise<Uint8Array> {
  if (old === undefined) throw unwritable(path, 'holds a key that cannot be replaced here: leave out --new-key');
  if (old.among > 1) throw unwritable(path, 'holds several keys: keep each pair in a file of its own');
  const material = readMaterialFile('--private-key', path);
  try {
    const [, ...more] = (await readContents(material)).blocks;
    if (old.password === 'pkcs12') throw unwritable(path, 'is PKCS#12: give it as --certificate too');
    if (material.bytes[0] === TAG.sequence) return await keyDer(key, old, material.source, deps);
    if (more.some(({ label }) => label === CERTIFICATE))
      throw unwritable(path, 'holds certificates too: give it as --certificate');
    return await keyText(key, old, material.source, deps);
  } finally {
    material.bytes.fill(0);
  }
}

async function keyText(key: KeyObject, old: FileKey, source: string, deps: PasswordDeps): Promise<Buffer> {
  if (old.password === 'pkcs8')
    return await withPassword('pkcs8', source, deps, async (passphrase) =>
      Buffer.from(
        key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: Buffer.from(passphrase) }),
      ),
    );
  return Buffer.from(key.export({ type: typeOf(key, old), format: 'pem' }));
}

async function keyDer(key: KeyObject, old: FileKey, source: string, deps: PasswordDeps): Promise<Buffer> {
  if (old.password === 'pkcs8')
    return await withPassword('pkcs8', source, deps, async (passphrase) =>
      key.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: Buffer.from(passphrase) }),
    );
  return key.export({ type: typeOf(key, old), format: 'der' });
}

function typeOf(key: KeyObject, { label }: FileKey): 'pkcs8' | 'pkcs1' | 'sec1' {
  if (label === 'RSA PRIVATE KEY' && key.asymmetricKeyType === 'rsa') return 'pkcs1';
  return label === 'EC PRIVATE KEY' && key.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs8';
}

/** DER of a private key in PKCS#8. */
export function pkcs8(key: KeyObject): Uint8Array {
  return key.export({ type: 'pkcs8', format: 'der' });
}

/** With the password that opened a file, the empty one where none is known. */
async function withPassword<T>(
  kind: PasswordKind,
  source: string,
  { passwords, typed }: PasswordDeps,
  use: (password: Uint8Array) => Promise<T>,
): Promise<T> {
  const given = passwords?.[kind];
  const password = given === undefined ? Uint8Array.from(typed?.get(source) ?? []) : await readPassword(given, typed);
  try {
    return await use(password);
  } finally {
    password.fill(0);
  }
}

/** A file that is not written here. */
function unwritable(path: string, why: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_RENEWAL_WRITE', `${path} is not renewed: it ${why}`, {
    hint: 'the certificate in use stays as it is',
  });
}
