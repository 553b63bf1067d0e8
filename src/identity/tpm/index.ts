/** Identities whose key is in the machine's TPM 2.0, and certificates that are there. Loaded for them only. */
// Tests: test/identity/tpm/keys.test.ts
import { X509Certificate } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { sameBytes } from '../../x509/certificate.ts';
import { keyTypeOf } from '../../x509/keys.ts';
import { type AskPassword, type TypedPasswords, readPassword } from '../containers/password.ts';
import type { Signer } from '../identity.ts';
import type { PasswordSource, PasswordSources } from '../passwords.ts';
import { PinGuard, guardDirectory } from '../pkcs11/pin-guard.ts';
import type { PrivateKey } from '../private-key.ts';
import { withTpm } from './access.ts';
import { readPublic } from './commands.ts';
import { explain } from './failures.ts';
import { parseKeyHandle, parseNvIndex } from './handle.ts';
import { type TpmKey, findKey, signingKeyIn } from './key.ts';
import { readKeyFile } from './key-file.ts';
import { type LocationSettings, type TpmLocation, chooseLocation } from './location.ts';
import { readIndex, withoutPadding, writeIndex } from './nv.ts';
import { type GivenPassword, Passwords, PersonNeeded } from './passwords.ts';
import { parsePcrSelection } from './policy.ts';
import { has, publicKeyOf } from './public-area.ts';
import { TpmSigner } from './signer.ts';
import type { Tpm } from './tpm.ts';
import { describeTries } from './tries.ts';
import { TpmFormatError } from './wire.ts';

/** How the TPM is reached and keys are used: values of the flags of the same names. */
export interface TpmSettings {
  /** --tpm-device. Default: TPM_DEVICE, TPM2TOOLS_TCTI, /dev/tpmrm0, /dev/tpm0. */
  device?: string | undefined;
  /** --no-tpm-key-password: the key has no password, also where wrong ones count. Default false. */
  noKeyPassword?: boolean | undefined;
  /** --tpm-policy-pcr: the PCRs that the key is bound to, for example `sha256:0,7`. */
  policyPcr?: string | undefined;
  /** --tpm-password-in-clear: passwords are sent without a session. Default false. */
  passwordInClear?: boolean | undefined;
}

export interface TpmDeps {
  /** Passwords of the key, of its parent and of the hierarchy that the parent is made from. Default: a person is asked. */
  passwords?: PasswordSources | undefined;
  /** Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Asks a person for a password. Default: at the terminal. */
  ask?: AskPassword | undefined;
  /** What was typed before. Default: nothing, and it is kept as long as the key. */
  typed?: TypedPasswords | undefined;
  /** Milliseconds for one signature, with the wait for the TPM. Default 20 000. */
  timeoutMs?: number | undefined;
}

/**
 * The key by a handle. The TPM is asked for its public half, so that it can be compared with a certificate's before
 * anything is signed.
 *
 * @param value `handle:0x81000001`, with or without `0x`
 * @param flag what errors call it, for example `--private-key`
 * @throws RolesAnywhereError `ERR_TPM_...`, `ERR_KEY_UNSUPPORTED`
 */
export async function openHandle(
  value: string,
  flag: string,
  settings: TpmSettings = {},
  deps: TpmDeps = {},
): Promise<PrivateKey> {
  const handle = parseKeyHandle(value, flag);
  const source = `${flag} ${value}`;
  const { pcrs, inClear } = optionsOf(settings);
  const location = locator(settings, deps);
  const { area } = await explained(source, () => withTpm(location(), (tpm) => findKey(tpm, handle), deps));
  return privateKey({ source, handle, area, pcrs, inClear }, location, passwordsOf(settings, deps), deps);
}

/**
 * The key in a file with the label TSS2 PRIVATE KEY. Its public half is there too: the TPM is not asked before it signs.
 *
 * @param der what the PEM block holds
 * @param source how errors name the file, for example `--private-key key.pem`
 * @throws RolesAnywhereError see readKeyFile of key-file.ts
 */
export function openKeyFile(
  der: Uint8Array,
  source: string,
  settings: TpmSettings = {},
  deps: TpmDeps = {},
): PrivateKey {
  const file = readKeyFile(Uint8Array.from(der), source);
  const key: TpmKey = { source, file, area: file.publicArea, ...optionsOf(settings) };
  return privateKey(key, locator(settings, deps), passwordsOf(settings, deps), deps);
}

/**
 * The certificate in an NV index, in DER or PEM.
 *
 * @param value `nv:0x1c00002`, with or without `0x`
 * @throws RolesAnywhereError `ERR_TPM_...`
 */
export async function readNvIndex(
  value: string,
  flag: string,
  settings: TpmSettings = {},
  deps: TpmDeps = {},
): Promise<Uint8Array> {
  return withoutPadding(await withNv(value, flag, settings, deps, readIndex));
}

/**
 * Writes a certificate to an NV index, from its beginning; what it was defined with beyond that stays.
 *
 * @param value as in {@link readNvIndex}
 * @throws RolesAnywhereError `ERR_TPM_...`, `ERR_RENEWAL_WRITE` when it does not fit
 */
export async function writeNvIndex(
  value: string,
  flag: string,
  bytes: Uint8Array,
  settings: TpmSettings = {},
  deps: TpmDeps = {},
): Promise<void> {
  await withNv(value, flag, settings, deps, (tpm, number, passwords, how) =>
    writeIndex(tpm, number, bytes, passwords, how),
  );
}

async function withNv<T>(
  value: string,
  flag: string,
  settings: TpmSettings,
  deps: TpmDeps,
  work: (tpm: Tpm, number: number, passwords: Passwords, how: { source: string; inClear: boolean }) => Promise<T>,
): Promise<T> {
  const number = parseNvIndex(value, flag);
  const source = `${flag} ${value}`;
  const location = locator(settings, deps);
  const passwords = passwordsOf(settings, deps);
  const use = (tpm: Tpm): Promise<T> =>
    work(tpm, number, passwords, { source, inClear: settings.passwordInClear === true });
  for (let asked = 0; ; asked++) {
    try {
      return await explained(source, () => withTpm(location(), use, deps));
    } catch (error) {
      if (!(error instanceof PersonNeeded)) throw error;
      if (asked > 0) throw explain(error.refused, { source });
      await passwords.ask(error);
    }
  }
}

/** A key that stays in the TPM, and what it is. */
export interface ListedKey {
  /** As `--private-key` takes it. */
  readonly handle: string;
  readonly kind: string;
}

/**
 * The keys that stay in the TPM and can sign, whatever their password.
 *
 * @throws RolesAnywhereError `ERR_TPM_...`
 */
export async function listSigningKeys(settings: TpmSettings = {}, deps: TpmDeps = {}): Promise<ListedKey[]> {
  const location = locator(settings, deps);
  return await explained('the TPM', () =>
    withTpm(
      location(),
      async (tpm) => {
        const found: ListedKey[] = [];
        for (const handle of await tpm.handles('persistent')) {
          const { area } = await readPublic(tpm, handle);
          const { key } = area;
          if (key === undefined || !has(area, 'sign')) continue;
          const kind = key.type === 'RSA' ? `RSA ${key.bits}` : 'EC';
          found.push({ handle: `handle:0x${handle.toString(16)}`, kind });
        }
        return found;
      },
      deps,
    ),
  );
}

/**
 * Whether a key in or for a TPM can sign, as far as that takes no password.
 *
 * @returns how many wrong passwords the TPM still takes, in words; undefined where it does not say, and of other keys
 * @throws RolesAnywhereError `ERR_TPM_...`
 */
export async function examineKey(signer: Signer): Promise<string | undefined> {
  const tries = signer instanceof TpmSigner ? await signer.examine() : undefined;
  return tries && describeTries(tries);
}

function privateKey(key: TpmKey, location: () => TpmLocation, passwords: Passwords, deps: TpmDeps): PrivateKey {
  const signing = signingKeyIn(key.area, key.source);
  const publicKey = readable(key.source, () => publicKeyOf(signing));
  keyTypeOf(publicKey, key.source);
  const signer = new TpmSigner(location, key, publicKey, passwords, deps);
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return {
    signer,
    publicKey: () => der,
    belongsTo(certificate) {
      if (sameBytes(der, certificate.publicKey)) return true;
      // The same key can be written in other bytes, such as a compressed point.
      try {
        return new X509Certificate(certificate.der).publicKey.equals(publicKey);
      } catch {
        return false; // a public key that OpenSSL cannot read is not the key of an RSA or EC key
      }
    },
    forget() {
      signer.close();
      passwords.forget();
    },
  };
}

function readable<T>(source: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TpmFormatError)) throw error;
    throw new RolesAnywhereError(
      'ERR_KEY_UNSUPPORTED',
      `${source} is a TPM key that is not used here: ${error.message}`,
      {
        hint: 'use a key of RSA, or EC on P-256, P-384 or P-521',
        cause: error,
      },
    );
  }
}

function optionsOf({ policyPcr, passwordInClear }: TpmSettings): Pick<TpmKey, 'pcrs' | 'inClear'> {
  return {
    pcrs: policyPcr === undefined || policyPcr === '' ? undefined : parsePcrSelection(policyPcr),
    inClear: passwordInClear === true,
  };
}

/** A value that is not understood is refused at once; where a TPM is, is looked for each time. */
function locator({ device }: TpmSettings, { env }: TpmDeps): () => TpmLocation {
  const settings: LocationSettings = { device, env };
  return () => chooseLocation(settings);
}

function passwordsOf({ noKeyPassword }: TpmSettings, deps: TpmDeps): Passwords {
  const { env = process.env, ask, typed, passwords = {} } = deps;
  const given = (source: PasswordSource | undefined): GivenPassword | undefined =>
    source && {
      from: source.from,
      place: 'file' in source ? `file:${source.file}` : `value:${source.from}`,
      read: () => readPassword(source, typed),
    };
  return new Passwords({
    given: {
      key: given(passwords['tpm-key']),
      parent: given(passwords['tpm-parent']),
      hierarchy: given(passwords['tpm-hierarchy']),
    },
    noKeyPassword: noKeyPassword === true,
    guard: new PinGuard({ directory: guardDirectory(env), secret: 'password' }),
    ask: ask ?? (async (question) => (await import('../../platform/prompt.ts')).promptSecret(question)),
    typed: typed ?? new Map(),
    ownsTyped: typed === undefined,
  });
}

async function explained<T>(source: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(error, { source });
  }
}
