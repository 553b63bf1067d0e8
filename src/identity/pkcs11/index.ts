/** Identities whose key is in a PKCS#11 token; the certificate is there too, or in a file. */
// Tests: test/identity/pkcs11/softhsm.test.ts
import { X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { systemClock } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readCertificate, sameBytes } from '../../x509/certificate.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { keyTypeOf } from '../../x509/keys.ts';
import type { MaterialFlag } from '../material.ts';
import { openChooser } from '../choice.ts';
import type { CertificateChoice } from '../choice.ts';
import type { KeyType } from '../../x509/algorithms.ts';
import type { Identity } from '../identity.ts';
import { createBridge } from './bridge.ts';
import { explain } from './failures.ts';
import { FileMaterial } from './file-material.ts';
import type { FileDeps } from './file-material.ts';
import { Login } from './login.ts';
import type { AskPin } from './login.ts';
import { librariesToTry } from './module-path.ts';
import { PinGuard, guardDirectory } from './pin-guard.ts';
import type { CertificateFacts, Connect, KeyFacts, Port } from './port.ts';
import { publicKeyOf } from './public-key.ts';
import { Search } from './search.ts';
import type { Found } from './search.ts';
import { TokenSigner } from './signer.ts';
import type { ReadyKey } from './signer.ts';
import { isPkcs11Uri, parsePkcs11Uri } from './uri.ts';
import type { Pkcs11Uri } from './uri.ts';

/** How tokens are reached and logged in to: values of the flags of the same names. */
export interface TokenSettings {
  /** --pkcs11-lib: the module. Default: the one that the URI names, or p11-kit's proxy. */
  library?: string | undefined;
  /** --reuse-pin. Default false. */
  reusePin?: boolean | undefined;
  /** --pkcs11-pin-file: holds the PIN, when the URI has none. */
  pinFile?: string | undefined;
  /** --pkcs11-allow-pin-command: `pin-source=|command` may run. Default false. */
  allowPinCommand?: boolean | undefined;
  /** Which of several certificates that the URI matches. Default: one that was renewed is one, and else several are an error. */
  choice?: CertificateChoice | undefined;
  /** --pkcs11-allow-low-pin-count: logs in though the next wrong PIN locks the token. Default false. */
  allowLowPinCount?: boolean | undefined;
}

/** Where an identity is. At least one of the first two is a PKCS#11 URI. */
export interface Pkcs11Spec extends TokenSettings {
  /** A URI, or a file. */
  certificate: string;
  /** A URI, or a file. Default: the certificate's URI. */
  privateKey?: string | undefined;
  /** A file. Default: the certificates in the token that signed one another. */
  intermediates?: string | undefined;
  /** Takes a chain that is too long. Default false. */
  skipChecks?: boolean | undefined;
}

export interface Pkcs11Deps extends FileDeps {
  /** Whether the module sees the variables of the AWS SDKs: for a command that signs once and ends. Default false. */
  awsEnvironment?: boolean | undefined;
  /** Takes what the module prints. Default: it goes nowhere. */
  moduleOutput?: ((text: Uint8Array) => void) | undefined;
  /** Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Asks a person for a PIN. Default: at the terminal. */
  askPin?: AskPin | undefined;
  /** Told of what is odd and works. Default: nobody. */
  warn?: ((message: string) => void) | undefined;
  /** Variables that hold keys or certificates of this program: the module does not see them. */
  secretVariables?: readonly string[] | undefined;
  /** See bridge.ts. */
  helperPath?: string | undefined;
  callTimeoutMs?: number | undefined;
  backoffMs?: number | undefined;
  /** How often a fresh helper is asked what is in the token, where the first one may not be trusted any more. Default 10 minutes. */
  lookAnewMs?: number | undefined;
}

/** What the URIs of one identity have in common. */
interface Access {
  connect: Connect;
  /** Ends every helper, whatever its module is in the midst of. */
  end: () => Promise<void>;
  login: Login;
  search: (port: Port, always?: boolean) => Promise<Search>;
  /** As `search`, but without a login: where that is wanted, the search fails. */
  glance: (port: Port) => Promise<Search>;
}

interface NamedUri {
  uri: Pkcs11Uri;
  flag: MaterialFlag;
}

/**
 * Loads certificate, chain and key, logs in, and finds the key again by itself
 * when the token was out in the meantime.
 *
 * @throws RolesAnywhereError of class `identity`, or `ERR_PKCS11_URI`
 */
export async function loadPkcs11Identity(spec: Pkcs11Spec, deps: Pkcs11Deps = {}): Promise<Identity> {
  const certificateUri = named(spec.certificate, '--certificate', deps);
  const keyUri = named(spec.privateKey, '--private-key', deps);
  const access = openAccess([keyUri, certificateUri], spec, deps);
  const material = new FileMaterial(spec, deps);
  const { lookAnewMs = 10 * 60_000 } = deps;
  let lookedAnew = -Infinity;

  const lookUp = async (search: Search) => {
    const inToken = certificateUri && (await search.certificate(certificateUri.uri, '--certificate'));
    const leaf = inToken === undefined ? await material.leaf() : readCertificate(inToken.facts.der, '--certificate');
    return { inToken, leaf };
  };
  const load = async (port: Port): Promise<Loaded> => {
    const search = await access.search(port);
    const { inToken, leaf } = await lookUp(search);
    const { keyType, publicKey } = usable(leaf);
    if (keyUri === undefined && spec.privateKey !== undefined) {
      return { leaf, keyType, publicKey, chain: await material.chain(leaf, search, inToken) };
    }
    const key = await findKey(search, publicKey, keyUri, certificateUri, inToken);
    const chain = await material.chain(leaf, search, inToken ?? key);
    return { leaf, keyType, publicKey, chain, ready: await makeReady(port, key) };
  };

  const loaded = await begin(access, load);
  const identity = {
    certificate: loaded.leaf.der,
    serialNumber: loaded.leaf.serialNumber,
    chain: loaded.chain.map(({ der }) => der),
  };
  if (loaded.ready === undefined) {
    await access.end();
    access.login.close();
    const key = await material.keyOf(loaded.leaf);
    return { ...identity, signer: key.signer, close: async () => key.forget() };
  }
  const { ready } = loaded;
  const signer = new TokenSigner({
    ...loaded,
    login: access.login,
    ready,
    end: access.end,
    find: async (always) => {
      const fresh = await access.connect();
      return closeOnError(fresh, async () => {
        const search = await access.search(fresh, always);
        const inToken = certificateUri && (await search.certificate(certificateUri.uri, '--certificate'));
        return makeReady(fresh, await findKey(search, loaded.publicKey, keyUri, certificateUri, inToken));
      });
    },
  });
  return {
    ...identity,
    signer,
    close: () => signer.close(),
    /** What cannot be looked at now is taken for unchanged; signing tells more. */
    async isCurrent() {
      if (signer.isGone) return false;
      try {
        const current = await signer.look(async (port) => {
          const search = await access.search(port);
          const { inToken, leaf } = await lookUp(search);
          if (!sameBytes(leaf.der, loaded.leaf.der)) return false;
          const chain = await material.chain(leaf, search, inToken ?? { token: ready.token, facts: ready.key }, true);
          return (
            chain.length === loaded.chain.length &&
            chain.every(({ der }, at) => sameBytes(der, identity.chain[at] ?? NONE))
          );
        });
        if (current === false || !isEnding(loaded.leaf, deps)) return current ?? true;
      } catch {
        // Below.
      }
      if (certificateUri === undefined || systemClock.monotonic() - lookedAnew < lookAnewMs) return true;
      lookedAnew = systemClock.monotonic();
      return await isLatestAnew(access, certificateUri, loaded.leaf);
    },
  };
}

/** The part of a certificate's life after which the next one should be there. */
const LAST_PART = 0.9;

/** Whether a certificate has had most of its life: one that was renewed should be there. */
function isEnding({ notBefore, notAfter }: Certificate, { now = Date.now }: Pkcs11Deps): boolean {
  return now() - notBefore.getTime() > LAST_PART * (notAfter.getTime() - notBefore.getTime());
}

/**
 * Whether a fresh helper finds no later certificate, without a login. A module may go on showing what it has seen, or
 * nothing: SoftHSM does, for good, where a look meets what another process writes. But not any module bears a second
 * process well: it is asked only where the first has failed, or the certificate is about to end.
 */
async function isLatestAnew({ connect, glance }: Access, { uri, flag }: NamedUri, leaf: Certificate): Promise<boolean> {
  try {
    const port = await connect();
    try {
      const search = await glance(port);
      const { facts } = await search.certificate(uri, flag);
      // What ends no later may be what is left where the one in use is hidden without a login.
      return readCertificate(facts.der, flag).notAfter <= leaf.notAfter;
    } finally {
      await port.close();
    }
  } catch {
    return true;
  }
}

const NONE = new Uint8Array();

/** A private key in a token by itself, without a certificate. */
export async function loadPkcs11SigningKey(
  privateKey: string,
  settings: TokenSettings = {},
  deps: Pkcs11Deps = {},
): Promise<{ signer: TokenSigner; publicKey: Uint8Array; close(): Promise<void> }> {
  const keyUri = { uri: parse(privateKey, '--private-key', deps), flag: '--private-key' as const };
  const access = openAccess([keyUri], settings, deps);
  const find = async (port: Port, always = false): Promise<ReadyKey> => {
    const search = await access.search(port, always);
    return makeReady(port, await search.onlyKey(keyUri.uri, keyUri.flag));
  };
  const { ready, publicKey, keyType } = await begin(access, async (port) => {
    const found = await find(port);
    const shown = publicKeyOf(found.key);
    if (shown !== undefined) return { ready: found, publicKey: shown, keyType: keyTypeOf(shown, '--private-key') };
    throw new RolesAnywhereError('ERR_KEY_UNSUPPORTED', 'the token does not show the public key of --private-key', {
      flag: '--private-key',
      hint: 'give the certificate too, with --certificate; the key must be RSA, or EC on P-256, P-384 or P-521',
    });
  });
  const signer = new TokenSigner({
    keyType,
    publicKey,
    login: access.login,
    ready,
    end: access.end,
    find: async (always) => {
      const fresh = await access.connect();
      return closeOnError(fresh, () => find(fresh, always));
    },
  });
  return { signer, publicKey: publicKey.export({ type: 'spki', format: 'der' }), close: () => signer.close() };
}

/** A certificate in a token, and the URI that finds it and nothing else. */
export interface ListedCertificate {
  uri: string;
  /** Exact DER. */
  certificate: Uint8Array;
}

/** Every certificate that a URI means: none, one or many. */
export async function listPkcs11Certificates(
  certificate: string,
  settings: TokenSettings = {},
  deps: Pkcs11Deps = {},
): Promise<ListedCertificate[]> {
  const uri = { uri: parse(certificate, '--certificate', deps), flag: '--certificate' as const };
  const access = openAccess([uri], settings, deps);
  const listed = await begin(access, async (port) => {
    const search = await access.search(port);
    const found = await search.certificates(uri.uri, uri.flag);
    return found.map(({ token, facts }) => ({ uri: search.certificateUri(token, facts), certificate: facts.der }));
  });
  access.login.close();
  await access.end();
  return listed;
}

/**
 * Puts a certificate in the place of another in its token, with the same label and id, and beside it what is missing of
 * its chain.
 *
 * @param certificate the URI that means the old one
 * @param old exact DER
 * @param fresh exact DER, the leaf first
 * @throws RolesAnywhereError of class `identity`
 */
export async function replacePkcs11Certificate(
  certificate: string,
  old: Uint8Array,
  fresh: readonly Uint8Array[],
  settings: TokenSettings = {},
  deps: Pkcs11Deps = {},
): Promise<void> {
  const uri = { uri: parse(certificate, '--certificate', deps), flag: '--certificate' as const };
  const access = openAccess([uri], settings, deps);
  await begin(access, async (port) => {
    const search = await access.search(port);
    const found = await search.certificates(uri.uri, uri.flag);
    const current = found.find(({ facts }) => sameBytes(facts.der, old));
    if (current === undefined)
      throw new RolesAnywhereError(
        'ERR_RENEWAL_WRITE',
        'the certificate in the token was replaced while it was renewed',
        {
          flag: '--certificate',
          hint: 'let one program alone renew it; what is there is kept',
        },
      );
    const { token, facts } = current;
    await access.login.user(port, token);
    const there = await search.allCertificates(token);
    const [leaf, ...chain] = fresh;
    const missing = chain.filter((der) => !there.some((one) => sameBytes(one.der, der)));
    await port.ask('replace', {
      slot: token.slot,
      old,
      fresh: [leaf, ...missing].flatMap((der, index) => {
        if (der === undefined) return [];
        const { subject, issuer, serialNumber } = readCertificate(der, '--certificate');
        const name = index === 0 ? facts : { label: `${facts.label} issuer`, id: NONE };
        return [{ der, label: name.label, id: name.id, subject, issuer, serialNumber: derInteger(serialNumber) }];
      }),
    });
  });
  access.login.close();
  await access.end();
}

/** DER of an INTEGER, as CKA_SERIAL_NUMBER has it. */
function derInteger(decimal: string): Uint8Array {
  const hex = BigInt(decimal).toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const content = Buffer.from(/^[89a-f]/.test(even) ? `00${even}` : even, 'hex');
  return Buffer.concat([Uint8Array.of(0x02, content.length), content]);
}

interface Loaded {
  leaf: Certificate;
  keyType: KeyType;
  publicKey: KeyObject;
  chain: Certificate[];
  /** Absent when the key is in a file. */
  ready?: ReadyKey | undefined;
}

function usable(leaf: Certificate): { keyType: KeyType; publicKey: KeyObject } {
  const { keyType, name } = leaf.keyAlgorithm;
  if (keyType !== 'RSA' && keyType !== 'EC') {
    throw new RolesAnywhereError(
      'ERR_KEY_UNSUPPORTED',
      `--certificate has a key of the type ${name}, which tokens cannot sign with here`,
      { flag: '--certificate', hint: 'use a certificate with an RSA, P-256, P-384 or P-521 key' },
    );
  }
  const { publicKey } = new X509Certificate(leaf.der);
  return { keyType: keyTypeOf(publicKey, '--certificate'), publicKey };
}

function findKey(
  search: Search,
  publicKey: KeyObject,
  keyUri: NamedUri | undefined,
  certificateUri: NamedUri | undefined,
  inToken: Found<CertificateFacts> | undefined,
): Promise<Found<KeyFacts>> {
  if (keyUri !== undefined) return search.key(keyUri.uri, keyUri.flag, publicKey, inToken?.facts.id);
  if (certificateUri !== undefined && inToken !== undefined) {
    return search.keyOf(certificateUri.uri, certificateUri.flag, publicKey, inToken);
  }
  throw new RolesAnywhereError('ERR_PKCS11_URI', 'neither --certificate nor --private-key is a PKCS#11 URI', {
    flag: ['--certificate', '--private-key'],
  });
}

async function makeReady(port: Port, { token, facts }: Found<KeyFacts>): Promise<ReadyKey> {
  return { port, token, key: facts, mechanisms: new Set(await port.ask('mechanisms', { slot: token.slot })) };
}

function named(value: string | undefined, flag: MaterialFlag, deps: Pkcs11Deps): NamedUri | undefined {
  return value !== undefined && isPkcs11Uri(value) ? { uri: parse(value, flag, deps), flag } : undefined;
}

function parse(value: string, flag: MaterialFlag, deps: Pkcs11Deps): Pkcs11Uri {
  const { uri, warnings } = parsePkcs11Uri(value, flag);
  for (const warning of warnings) deps.warn?.(warning);
  return uri;
}

/** @param candidates the key's URI first: its PIN goes before the certificate's */
function openAccess(candidates: readonly (NamedUri | undefined)[], settings: TokenSettings, deps: Pkcs11Deps): Access {
  const uris = candidates.filter((candidate) => candidate !== undefined);
  const env = deps.env ?? process.env;
  const libraries = librariesToTry(
    settings.library,
    uris.map(({ uri }) => uri),
  );
  const login = new Login(
    { ...settings, uris, allowCommand: settings.allowPinCommand, env },
    new PinGuard({ directory: guardDirectory(env) }),
    deps.askPin ?? askAtTerminal,
  );
  const { helperPath, callTimeoutMs, backoffMs, moduleOutput, awsEnvironment: aws, now } = deps;
  const environment = { aws, secrets: deps.secretVariables };
  const bridge = createBridge({ libraries, env, helperPath, callTimeoutMs, backoffMs, moduleOutput, environment });
  const chooser = settings.choice && openChooser(settings.choice);
  return {
    login,
    connect: bridge.connect,
    end: bridge.close,
    search: (port, always) =>
      Search.start(port, (token) => login.user(port, token), {
        hasPin: (token) => login.hasPin(token),
        always,
        now,
        chooser,
      }),
    glance: (port) => Search.start(port, refuseLogin, { now, chooser }),
  };
}

async function refuseLogin(): Promise<never> {
  throw new RolesAnywhereError('ERR_PIN_WITHHELD', 'nobody is asked for a PIN for a look alone');
}

async function askAtTerminal(question: string): Promise<Uint8Array | undefined> {
  const { promptSecret } = await import('../../platform/prompt.ts');
  return promptSecret(question);
}

/** The first thing that is done with a module; when it fails, nothing of it stays. */
async function begin<T>({ connect, end, login }: Access, job: (port: Port) => Promise<T>): Promise<T> {
  try {
    return await job(await connect());
  } catch (error) {
    login.close();
    await end();
    throw explain(error);
  }
}

async function closeOnError<T>(port: Port, job: () => Promise<T>): Promise<T> {
  try {
    return await job();
  } catch (error) {
    await port.close();
    throw explain(error);
  }
}
