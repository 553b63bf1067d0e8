/** Identities in the certificate store of a system: the one that a choice means, its chain, and a signer that opens its key. */
// Tests: test/identity/os-store/windows.test.ts, test/identity/os-store/macos.test.ts
import { createHash } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { type Certificate, sameBytes } from '../../x509/certificate.ts';
import { MAX_CHAIN_LENGTH, orderChain } from '../../x509/chain.ts';
import type { CertificatePath } from '../checks.ts';
import { type CertificateChoice, type Chooser, notFound, openChooser } from '../choice.ts';
import type { Digest, Identity } from '../identity.ts';
import { loadBinding } from '../pkcs11/binding.ts';
import { type Store, type StoreContents, type StoreEntry, type StoreSettings, checked, signingKeyOf } from './store.ts';

/** What is used of a specification: see load.ts. */
export interface StoreSpec {
  readonly choice?: CertificateChoice | undefined;
  readonly store?: StoreSettings | undefined;
  readonly skipChecks?: boolean | undefined;
}

export interface StoreDeps {
  /** Default: the store of this system. */
  readonly openStore?: ((settings: StoreSettings) => Promise<Store>) | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** An identity, and its certificates as they were read on the way. */
interface OpenedInStore extends CertificatePath {
  readonly identity: Identity;
}

/**
 * The identity that a choice means in the store of the system.
 *
 * @throws RolesAnywhereError `ERR_STORE_PLATFORM`, `ERR_STORE_BINDING`, `ERR_STORE_NOT_FOUND`, `ERR_STORE_ACCESS`,
 * `ERR_STORE_FAILED`, `ERR_SELECTOR`, `ERR_CERTIFICATE_NOT_FOUND`, `ERR_CERTIFICATE_AMBIGUOUS`, `ERR_KEY_UNSUPPORTED`; signing
 * `ERR_STORE_KEY`, `ERR_SIGN`
 */
export async function loadStoreIdentity(
  { choice = {}, store: settings = {}, skipChecks }: StoreSpec,
  { openStore = systemStore, now = Date.now }: StoreDeps = {},
): Promise<OpenedInStore> {
  const chooser = openChooser(choice);
  const store = await openStore(settings);
  const look = (): Found => find(store, chooser, now(), skipChecks === true);
  const { entry, leaf, chain } = look();
  try {
    const { keyType, publicKey } = signingKeyOf(leaf, store.name);
    const identity: Identity = {
      certificate: leaf.der,
      serialNumber: leaf.serialNumber,
      chain: chain.map(({ der }) => der),
      signer: {
        keyType,
        async sign(message: Uint8Array, name: Digest = 'SHA256') {
          const digest = createHash(name).update(message).digest();
          return checked(entry.sign(digest, name, publicKey), message, name, publicKey);
        },
      },
      /** What cannot be looked at now is taken for unchanged; signing tells more. */
      async isCurrent() {
        try {
          const current = look();
          current.entry.close();
          return sameBytes(current.leaf.der, leaf.der) && sameChain(current.chain, chain);
        } catch {
          return true;
        }
      },
      close: async () => entry.close(),
    };
    return { identity, leaf, chain };
  } catch (error) {
    entry.close();
    throw error;
  }
}

interface Found extends CertificatePath {
  /** The caller's to close. */
  readonly entry: StoreEntry;
}

function find(store: Store, chooser: Chooser, now: number, skipChecks: boolean): Found {
  const { entries, certificates } = store.read();
  let found: StoreEntry | undefined;
  try {
    const matching = entries.filter(({ leaf }) => chooser.matches(leaf));
    if (matching.length === 0) throw notFound(entries, store.name);
    const entry = chooser.choose(matching, { where: store.name, now });
    const chain = orderChain(entry.leaf, certificates, skipChecks ? Infinity : MAX_CHAIN_LENGTH);
    found = entry;
    return { entry, leaf: entry.leaf, chain };
  } finally {
    for (const entry of entries) if (entry !== found) entry.close();
  }
}

function sameChain(a: readonly Certificate[], b: readonly Certificate[]): boolean {
  return a.length === b.length && a.every(({ der }, index) => sameBytes(der, b[index]?.der ?? new Uint8Array()));
}

/**
 * Every certificate with a private key in the store of the system.
 *
 * @throws RolesAnywhereError as {@link loadStoreIdentity}
 */
export async function listStoreCertificates(
  settings: StoreSettings = {},
  { openStore = systemStore }: StoreDeps = {},
): Promise<readonly { readonly certificate: Certificate }[]> {
  const { entries }: StoreContents = (await openStore(settings)).read();
  for (const entry of entries) entry.close();
  return entries.map(({ leaf }) => ({ certificate: leaf }));
}

/** @throws RolesAnywhereError `ERR_STORE_PLATFORM`, `ERR_STORE_BINDING` */
async function systemStore(settings: StoreSettings): Promise<Store> {
  const { platform } = process;
  if (platform === 'win32') {
    const [{ windowsStore }, { windowsBindings }] = await Promise.all([
      import('./windows.ts'),
      import('./windows-bindings.ts'),
    ]);
    return windowsStore(windowsBindings(koffi()), settings);
  }
  if (platform === 'darwin') {
    const [{ macosStore }, { macosBindings }] = await Promise.all([
      import('./macos.ts'),
      import('./macos-bindings.ts'),
    ]);
    return macosStore(macosBindings(koffi()));
  }
  throw new RolesAnywhereError(
    'ERR_STORE_PLATFORM',
    `--cert-selector: on this system (${platform}) there is no certificate store that is read here`,
    {
      flag: '--cert-selector',
      hint: 'name what to choose from with --certificate: a folder, a file of several certificates, or a PKCS#11 URI',
    },
  );
}

function koffi(): ReturnType<typeof loadBinding> {
  return loadBinding(undefined, { code: 'ERR_STORE_BINDING', what: "the system's certificate store" });
}
