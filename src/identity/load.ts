/** From what a person gave to an identity: the only file that knows all the kinds there are. */
import { statSync } from 'node:fs';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, readCertificate, sameBytes } from '../x509/certificate.ts';
import { TPM_KEY_LABEL } from '../x509/keys.ts';
import { MAX_CHAIN_LENGTH, orderChain, unrelatedTo } from '../x509/chain.ts';
import { type CertificatePath, checkIdentity } from './checks.ts';
import {
  type Contents,
  type SigningKeys,
  certificatesIn,
  openContainers,
  readContents,
  signingKeysIn,
  wipe,
} from './contents.ts';
import { type Material, type MaterialFlag, type ReadMaterial, isOrdinaryPath, readMaterialFile } from './material.ts';
import type { KeyDeps } from './key-deps.ts';
import type { Identity, Signer } from './identity.ts';
import type { StoreDeps } from './os-store/index.ts';
import type { StoreSettings } from './os-store/store.ts';
import type { Pkcs11Deps, TokenSettings } from './pkcs11/index.ts';
import type { CertificateChoice } from './choice.ts';
import type { Pair } from './pairs.ts';
import type { PrivateKey } from './private-key.ts';
import type { SourceDeps } from './source.ts';
import type { SpiffeDeps } from './spiffe/index.ts';
import type { Warn } from './warnings.ts';

/**
 * Where an identity is: values of the flags of the same names. What is called
 * a file may also be `-` for standard input, once, or `env:NAME` for a variable
 * that holds the same, PEM as it is or in base64.
 */
export interface IdentitySpec {
  /**
   * A file: the certificate in PEM or DER, in PEM also with its chain behind it and its key; or a PKCS#12 container. Or
   * `nv:0x1c00002`, an index of the TPM's memory; or `spiffe:`, certificate, chain and key of a SPIFFE Workload API. With a
   * choice, also a folder. Default, with a choice: the store of the system.
   */
  certificate?: string | undefined;
  /** Which of several certificates. Default: the one that has its key beside it, and ends last. */
  choice?: CertificateChoice | undefined;
  /** Where the store of the system is looked for. */
  store?: StoreSettings | undefined;
  /**
   * A file: the private key in PEM, DER or PKCS#12, also encrypted, or one that only a TPM can load. Or
   * `handle:0x81000001`, a key in the TPM. Default: it is in the certificate's file.
   */
  privateKey?: string | undefined;
  /** A file: a PEM bundle of intermediates in any order, or PKCS#12. Default: those in the certificate's file. */
  intermediates?: string | undefined;
  /** Warns where the certificate breaks a rule of the service or the chain is too long, instead of refusing. Default false. */
  skipChecks?: boolean | undefined;
}

/** A private key by itself, for checking that it signs. */
export interface SigningKey {
  readonly signer: Signer;
  /** DER of its SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7). */
  readonly publicKey: Uint8Array;
  /** Lets go of what the key's home needs. Safe to call twice. */
  close(): Promise<void>;
}

/** What loading needs of the world, also the passwords of what is encrypted. */
export interface LoadDeps extends KeyDeps, SourceDeps {
  /** Comes first; what it does not know is read from files, standard input and the environment. */
  read?: ((...[flag, value]: Parameters<ReadMaterial>) => Material | undefined) | undefined;
  /** Told of what is odd and no reason to refuse. Default: nobody. */
  warn?: Warn | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  now?: (() => number) | undefined;
  /**
   * Asked when the certificate is not valid now: whether `now` was wrong. It is looked at again when the answer is true,
   * by the time that `now` tells then.
   */
  correctClock?: (() => Promise<boolean>) | undefined;
  /** Opens the store of the system. Default: that of this system. */
  openStore?: StoreDeps['openStore'] | undefined;
  /** For keys in PKCS#11 tokens. */
  token?: (TokenSettings & Pkcs11Deps) | undefined;
  /** For identities of a SPIFFE Workload API. */
  spiffe?: SpiffeDeps | undefined;
  /** Waits until a rotation that was met half-way is likely to be over. Default 100 ms. */
  pause?: (() => Promise<unknown>) | undefined;
}

const ROTATION_PAUSE_MS = 100;

/** Before the number of a key in the TPM, and of an index of its memory. */
const [HANDLE, NV_INDEX] = ['handle:', 'nv:'];

/**
 * Loads certificate, chain and key as one snapshot, and checks that the key is
 * the certificate's and that the service can take it. Files that do not match are read once more before that is
 * an error: they may have been replaced between two reads.
 *
 * @throws RolesAnywhereError of class `identity`, or `ERR_UNSUPPORTED` for kinds of material that this version lacks
 */
export async function loadIdentity(spec: IdentitySpec, deps: LoadDeps = {}): Promise<Identity> {
  const { certificate, privateKey, intermediates } = spec;
  if ([certificate, privateKey, intermediates].filter((value) => value === '-').length > 1) {
    const { refuseStdinTwice } = await import('./source.ts');
    refuseStdinTwice({ '--certificate': certificate, '--private-key': privateKey, '--intermediates': intermediates });
  }
  const { identity, ...path } = await (certificate === undefined
    ? openInStore(spec, deps)
    : openIdentity({ ...spec, certificate }, deps));
  const check = (): Promise<string | undefined> =>
    checkIdentity(path, {
      // A PKCS#11 URI may hold a PIN.
      source: certificate === undefined || isPkcs11(certificate) ? '--certificate' : `--certificate ${certificate}`,
      now: (deps.now ?? Date.now)(),
      skipChecks: spec.skipChecks === true,
      warn: deps.warn ?? (() => {}),
    });
  try {
    const skippedRule = await check().catch(async (error: unknown) => {
      if (!isAboutTime(error) || (await deps.correctClock?.()) !== true) throw error;
      return await check();
    });
    return skippedRule === undefined ? identity : { ...identity, skippedRule };
  } catch (error) {
    await identity.close();
    throw error;
  }
}

/** An error that a wrong clock explains as well. */
function isAboutTime(error: unknown): boolean {
  return (
    error instanceof RolesAnywhereError &&
    (error.code === 'ERR_CERTIFICATE_EXPIRED' || error.code === 'ERR_CERTIFICATE_NOT_YET_VALID')
  );
}

/** An identity, and its certificates as they were read on the way. */
interface Opened extends CertificatePath {
  readonly identity: Identity;
}

/** An identity that is not the system's store's. */
interface NamedSpec extends IdentitySpec {
  readonly certificate: string;
}

async function openInStore(spec: IdentitySpec, deps: LoadDeps): Promise<Opened> {
  const { loadStoreIdentity } = await import('./os-store/index.ts');
  return await loadStoreIdentity(spec, { openStore: deps.openStore, now: deps.now });
}

async function openIdentity(spec: NamedSpec, deps: LoadDeps): Promise<Opened> {
  if (isSpiffe(spec.certificate) || [spec.certificate, spec.privateKey, spec.intermediates].some(isInHardware)) {
    const { refuseMisplaced } = await import('./hardware.ts');
    refuseMisplaced(spec);
  }
  if (isPkcs11(spec.certificate) || isPkcs11(spec.privateKey)) {
    const { loadPkcs11Identity } = await import('./pkcs11/index.ts');
    const identity = await loadPkcs11Identity(
      { ...deps.token, ...spec },
      {
        open: (flag, value) => openMaterial(flag, value, deps),
        passwords: deps,
        warnOfFiles: deps.warn,
        now: deps.now,
        secretVariables: variablesIn([spec.certificate, spec.privateKey, spec.intermediates]),
        ...deps.token,
      },
    );
    return {
      identity,
      leaf: readCertificate(identity.certificate, '--certificate'),
      chain: identity.chain.map((der) => readCertificate(der, 'the chain')),
    };
  }
  const opened: Contents[] = [];
  // A password that was typed is not asked for again when files are read once more.
  const typed = deps.typed ?? new Map<string, Uint8Array>();
  // A TPM asks at the first signature: what is typed then lives as long as the key, unless the caller keeps it.
  const withTyped = { ...deps, typed, tpm: { ...deps.tpm, typed: deps.typed } };
  const open: OpenMaterial = async (flag, value) => {
    const contents = await openMaterial(flag, value, withTyped);
    opened.push(contents);
    return contents;
  };
  try {
    return await assemble(spec, open, withTyped);
  } catch (error) {
    const mayBeRotation = error instanceof RolesAnywhereError && error.code === 'ERR_KEY_MISMATCH';
    if (!mayBeRotation || !opened.every(({ material }) => material.rereadable)) throw error;
    await (deps.pause ?? pause)();
    return await assemble(spec, open, withTyped);
  } finally {
    opened.forEach(wipe);
    if (deps.typed === undefined) for (const password of typed.values()) password.fill(0);
  }
}

/**
 * Loads a private key without its certificate.
 *
 * @param privateKey as in {@link IdentitySpec}
 */
export async function loadSigningKey(privateKey: string, deps: LoadDeps = {}): Promise<SigningKey> {
  if (isPkcs11(privateKey)) {
    const { loadPkcs11SigningKey } = await import('./pkcs11/index.ts');
    return await loadPkcs11SigningKey(privateKey, deps.token, deps.token);
  }
  if (privateKey.startsWith(HANDLE))
    return asSigningKey(await (await import('./hardware.ts')).openTpmKey(privateKey, deps));
  const contents = await openMaterial('--private-key', privateKey, deps);
  try {
    const {
      keys: [key, ...others],
    } = await signingKeysIn(contents, deps);
    for (const other of others) other.forget();
    return asSigningKey(key);
  } finally {
    wipe(contents);
  }
}

function asSigningKey(key: PrivateKey): SigningKey {
  return { signer: key.signer, publicKey: key.publicKey(), close: async () => key.forget() };
}

/**
 * Loads the certificates of a file and looks at nothing else in it.
 *
 * @param value as in {@link IdentitySpec}
 * @param flag what errors call it; default `--certificate`
 * @returns in the file's order; of a PKCS#12 container, first the one that goes with its key
 */
export async function loadCertificates(
  value: string,
  deps: LoadDeps = {},
  flag: MaterialFlag = '--certificate',
): Promise<readonly [Certificate, ...Certificate[]]> {
  if (isInHardware(value)) {
    const { refuseMisplaced } = await import('./hardware.ts');
    refuseMisplaced(flag === '--intermediates' ? { intermediates: value } : { certificate: value });
  }
  const contents = await openMaterial(flag, value, deps);
  try {
    return await certificatesIn(contents);
  } finally {
    wipe(contents);
  }
}

/** Reads from wherever a value says. */
async function readFrom(flag: MaterialFlag, value: string, deps: LoadDeps): Promise<Material> {
  const given = deps.read?.(flag, value);
  if (given !== undefined) return given;
  if (value.startsWith(NV_INDEX)) {
    const { readNv } = await import('./hardware.ts');
    return await readNv(flag, value, deps);
  }
  if (isOrdinaryPath(value)) return readMaterialFile(flag, value);
  const { materialReader } = await import('./source.ts');
  return materialReader(deps)(flag, value);
}

type OpenMaterial = (flag: MaterialFlag, value: string) => Promise<Contents>;

async function openMaterial(flag: MaterialFlag, value: string, deps: LoadDeps): Promise<Contents> {
  if (isSpiffe(value)) {
    const { readSvid } = await import('./spiffe/index.ts');
    return await readSvid(flag, value, { env: deps.env, ...deps.spiffe });
  }
  const material = await readFrom(flag, value, deps);
  try {
    return await openContainers(await readContents(material), deps);
  } catch (error) {
    material.bytes.fill(0);
    throw error;
  }
}

/** Whether a value names a folder. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether a value is a PKCS#11 URI: their code is loaded for them only. */
export function isPkcs11(value: string | undefined): boolean {
  return value?.slice(0, 7).toLowerCase() === 'pkcs11:';
}

/** Whether a value is an identity of a SPIFFE Workload API: its code is loaded for those only. */
export function isSpiffe(value: string | undefined): boolean {
  return value?.slice(0, 7).toLowerCase() === 'spiffe:';
}

/** The variables that values like `env:NAME` name. */
function variablesIn(values: readonly (string | undefined)[]): string[] {
  return values.flatMap((value) => (value?.startsWith('env:') === true ? [value.slice('env:'.length)] : []));
}

/** Whether a value is in a token, or a handle or an index of the TPM, and not in a file that can be watched. */
export function isInHardware(value: string | undefined): boolean {
  return isPkcs11(value) || value?.startsWith(HANDLE) === true || value?.startsWith(NV_INDEX) === true;
}

async function assemble(spec: NamedSpec, open: OpenMaterial, deps: LoadDeps): Promise<Opened> {
  if (spec.choice !== undefined && isDirectory(spec.certificate))
    return await assembleFolder(spec, spec.choice, open, deps);
  const certificateFile = await open('--certificate', spec.certificate);
  const keys = await keysOf(spec.privateKey, certificateFile, open, deps);
  const bundle = await openBundle(spec.intermediates, open, deps.warn);
  const certificates = await certificatesIn(certificateFile, keys.file);
  const intermediates = bundle === undefined ? [] : await certificatesIn(bundle);
  const { source } = certificateFile.material;
  const found = await matchKey(certificates, await keys.read(), source, keys.owner, intermediates);
  const { leaf, key } =
    found.length === 1 && spec.choice === undefined
      ? found[0]
      : (await import('./pairs.ts')).choosePair(found, source, spec.choice, deps);
  const passedOver = new Set(found.map((pair) => pair.leaf));
  passedOver.delete(leaf);
  const candidates = [...certificates, ...intermediates].filter((one) => !passedOver.has(one));
  return await complete({ leaf, key, secret: keys.secret }, candidates, spec, deps.warn);
}

/** A certificate with its key, and what others must not read of the key. */
interface SecretPair extends Pair {
  readonly secret: Material | undefined;
}

/**
 * Makes an identity of a pair.
 *
 * @param candidates what the chain may be made of
 * @param related whether what does not get into the chain is there for a reason of its own
 */
async function complete(
  { leaf, key, secret }: SecretPair,
  candidates: readonly Certificate[],
  { skipChecks }: IdentitySpec,
  warn: Warn | undefined,
  related = false,
): Promise<Opened> {
  try {
    const chain = orderChain(leaf, candidates, skipChecks === true ? Infinity : MAX_CHAIN_LENGTH);
    const unrelated = related ? [] : unrelatedTo(leaf, chain, candidates);
    await warnOf({ leaf, unrelated, keyMaterial: secret }, warn);
    const identity = {
      certificate: leaf.der,
      serialNumber: leaf.serialNumber,
      chain: chain.map(({ der }) => der),
      signer: key.signer,
      close: async () => key.forget(),
    };
    return { identity, leaf, chain };
  } catch (error) {
    key.forget();
    throw error;
  }
}

/** The certificate that is chosen in a folder. Its key is that of `--private-key`, or a file of the folder. */
async function assembleFolder(
  spec: NamedSpec,
  choice: CertificateChoice,
  open: OpenMaterial,
  deps: LoadDeps,
): Promise<Opened> {
  const { chooseInFolder } = await import('./folder.ts');
  const keys = spec.privateKey === undefined ? undefined : await keyOf(spec.privateKey, open, deps);
  const bundle = await openBundle(spec.intermediates, open, deps.warn);
  const match =
    keys && (async (all: readonly Certificate[]) => matchKey(all, await keys.read(), spec.certificate, keys.owner));
  const { pair, certificates } = await chooseInFolder(spec.certificate, choice, match, deps);
  const intermediates = bundle === undefined ? [] : await certificatesIn(bundle);
  return await complete({ secret: keys?.secret, ...pair }, [...certificates, ...intermediates], spec, deps.warn, true);
}

/** Opens the intermediates. Several issuers write an empty file where the leaf hangs on the root. */
async function openBundle(
  intermediates: string | undefined,
  open: OpenMaterial,
  warn: Warn | undefined,
): Promise<Contents | undefined> {
  if (intermediates === undefined) return undefined;
  try {
    return await open('--intermediates', intermediates);
  } catch (error) {
    if (!(error instanceof RolesAnywhereError) || error.code !== 'ERR_PEM_EMPTY') throw error;
    warn?.({ code: 'WARN_CHAIN_EMPTY', message: `${error.message}: no intermediates are sent` });
    return undefined;
  }
}

/** Where the private key is. */
interface KeySource {
  /** How errors name it. */
  readonly owner: string;
  /** Absent for a key that is in no file. */
  readonly file?: Contents;
  /** What others must not read; absent for a key that only a TPM can use. */
  readonly secret?: Material | undefined;
  read(): Promise<SigningKeys>;
}

async function keysOf(
  privateKey: string | undefined,
  certificateFile: Contents,
  open: OpenMaterial,
  deps: LoadDeps,
): Promise<KeySource> {
  return privateKey === undefined
    ? keysIn(certificateFile, 'the same file', deps)
    : await keyOf(privateKey, open, deps);
}

/** The key that --private-key names. */
async function keyOf(privateKey: string, open: OpenMaterial, deps: LoadDeps): Promise<KeySource> {
  if (privateKey.startsWith(HANDLE)) {
    const { openTpmKey } = await import('./hardware.ts');
    return {
      owner: `--private-key ${privateKey}`,
      read: async () => ({ keys: [await openTpmKey(privateKey, deps)], problem: undefined }),
    };
  }
  const file = await open('--private-key', privateKey);
  return keysIn(file, file.material.source, deps);
}

function keysIn(file: Contents, owner: string, deps: LoadDeps): KeySource {
  return {
    owner,
    file,
    secret: file.blocks.some(({ label }) => label === TPM_KEY_LABEL) ? undefined : file.material,
    read: () => signingKeysIn(file, deps),
  };
}

interface Oddities {
  leaf: Certificate;
  unrelated: readonly Certificate[];
  keyMaterial: Material | undefined;
}

async function warnOf({ leaf, unrelated, keyMaterial }: Oddities, warn?: Warn): Promise<void> {
  const { mode = 0, foreign, source = '' } = keyMaterial ?? {};
  // Of the bits that let the group and others read. Without the group's, this process could not read another user's file.
  const readable = mode & (foreign === true ? 0o004 : 0o044);
  if (warn === undefined || (unrelated.length === 0 && readable === 0)) return;
  const { readableWarning, unrelatedWarning } = await import('./verdicts.ts');
  if (readable !== 0) warn(readableWarning(source, mode, foreign));
  if (unrelated.length > 0) warn(unrelatedWarning(leaf, unrelated));
}

/**
 * Every certificate that a key belongs to, wherever it stands in its file; at least one. Keys of none are forgotten.
 *
 * @param intermediates where the leaf is looked for when it is missing, for words about that
 */
async function matchKey(
  certificates: readonly Certificate[],
  { keys, problem }: SigningKeys,
  source: string,
  owner: string,
  intermediates: readonly Certificate[] = [],
): Promise<readonly [Pair, ...Pair[]]> {
  const pairs: Pair[] = [];
  for (const leaf of certificates) {
    if (pairs.some((pair) => sameBytes(pair.leaf.der, leaf.der))) continue;
    const [known] = pairs;
    // Of one key that has met its certificate, others have the same bytes in them, which costs nothing to see.
    const key =
      known === undefined || keys.length > 1
        ? keys.find((candidate) => candidate.belongsTo(leaf))
        : sameBytes(known.leaf.publicKey, leaf.publicKey)
          ? known.key
          : undefined;
    if (key !== undefined) pairs.push({ leaf, key });
  }
  const isSwapped = pairs.length === 0 && intermediates.some((one) => keys.some((key) => key.belongsTo(one)));
  for (const key of keys) if (!pairs.some((pair) => pair.key === key)) key.forget();
  const [first, ...others] = pairs;
  if (first !== undefined) return [first, ...others];
  if (problem !== undefined) throw problem;
  throw (await import('./unusual.ts')).mismatch(owner, source, isSwapped);
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ROTATION_PAUSE_MS));
}
