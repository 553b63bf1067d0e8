/** An identity from what a program has in its hands: paths, text, bytes, key objects, or a signer of its own. */
// Tests: test/providers/roles-anywhere.test.ts
import { KeyObject, createPublicKey, verify } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import { tell } from '../platform/listeners.ts';
import { checkIdentity } from '../identity/checks.ts';
import type { Material, MaterialFlag } from '../identity/material.ts';
import type { Identity } from '../identity/identity.ts';
import type { KeyType } from '../x509/algorithms.ts';
import { isInHardware, isSpiffe, loadCertificates, loadIdentity } from '../identity/load.ts';
import { isFileName } from '../identity/source.ts';
import type { IdentitySpec, LoadDeps } from '../identity/load.ts';
import type { PasswordSource } from '../identity/passwords.ts';
import { orderChain } from '../x509/chain.ts';
import type { Certificate } from '../x509/certificate.ts';
import { fromRoot, isBytes, refuseUnknown, requireGiven, requireMethod, requireOptions, taken } from './given.ts';

/**
 * Something that signs with a private key that is not here: a KMS, an HSM
 * service.
 */
export interface RemoteSigner {
  /**
   * Signs `message` (not its digest) with SHA-256: RSASSA-PKCS1-v1_5 for RSA,
   * a DER-encoded ECDSA signature for EC; for ML-DSA the message itself, with
   * an empty context.
   */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** Where certificate, chain and key come from. Paths are read again at each renewal; nothing watches them. */
export interface MaterialOptions {
  /**
   * A path, `env:NAME`, a `pkcs11:` URI, `nv:0x1c00002` in the TPM, PEM text, or a file's bytes: the
   * certificate in PEM or DER, in PEM also with chain and key behind it; or a
   * PKCS#12 container; or what `spiffe` gives, certificate, chain and key of a
   * SPIFFE Workload API.
   */
  readonly certificate: string | Uint8Array;
  /**
   * The same for the private key, `handle:0x81000001` for one in the TPM, or a private KeyObject. Default: it is with the
   * certificate.
   */
  readonly privateKey?: string | Uint8Array | KeyObject | undefined;
  /** The same for the intermediates, in any order. Default: those with the certificate. */
  readonly intermediates?: string | Uint8Array | undefined;
  /** Signs in place of a private key. */
  readonly signer?: RemoteSigner | undefined;
  /** Password of an encrypted key or container. Nobody is asked for one. */
  readonly password?: string | undefined;
  /** For keys in PKCS#11 tokens. */
  readonly pkcs11?: Pkcs11Options | undefined;
  /** For keys in the machine's TPM 2.0, and certificates there. */
  readonly tpm?: TpmOptions | undefined;
  /** Whether a broken rule of the service (validity, CA, key usage and so on) is a warning only. Default false. */
  readonly skipChecks?: boolean | undefined;
  /** Told of what is odd and no reason to refuse: a certificate that expires soon, say. What becomes of that is ignored. Default: nobody. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** How PKCS#11 tokens are reached. */
export interface Pkcs11Options {
  /** Path of the module. Default: the one that the URI names, or p11-kit's proxy. */
  readonly library?: string | undefined;
  /** A file that holds the PIN, when the URI has none. */
  readonly pinFile?: string | undefined;
  /** Whether the user's PIN is used for keys that ask for one at each signature. Default false. */
  readonly reusePin?: boolean | undefined;
  /** Whether `pin-source=|command` may run. Default false. */
  readonly allowPinCommand?: boolean | undefined;
  /** Whether to log in although the next wrong PIN locks the token. Default false. */
  readonly allowLowPinCount?: boolean | undefined;
  /**
   * Where the helper is that keeps the vendor's module in a process of its own: a copy of this package's
   * `dist/pkcs11-helper.cjs`, for a program that was bundled without the package's folder beside it. Default: the
   * installed package's own.
   */
  readonly helperPath?: string | undefined;
}

/** How the machine's TPM is reached, and passwords that are there. Each signature is one short connection. */
export interface TpmOptions {
  /**
   * A device file, a socket, or a value of the form of TPM2TOOLS_TCTI such as `swtpm:host=127.0.0.1,port=2321`. Default:
   * the variables TPM_DEVICE and TPM2TOOLS_TCTI, then /dev/tpmrm0, then /dev/tpm0.
   */
  readonly device?: string | undefined;
  /** Password of the key. Sent by a salted HMAC session (TPM 2.0 Library, part 1, section 19), never as it is. */
  readonly keyPassword?: string | undefined;
  /** Whether the key has no password, also where the TPM counts wrong ones. Default false. */
  readonly noKeyPassword?: boolean | undefined;
  /** Password of the persistent key that a key file's key is loaded under. */
  readonly parentPassword?: string | undefined;
  /** Password of the hierarchy that the parent is made from, the owner most often. */
  readonly hierarchyPassword?: string | undefined;
  /** PCRs that the key is bound to, such as `sha256:0,7`. */
  readonly policyPcr?: string | undefined;
}

/** The names of these options. */
export const MATERIAL_OPTIONS: Readonly<Record<keyof MaterialOptions, true>> = {
  certificate: true,
  privateKey: true,
  intermediates: true,
  signer: true,
  password: true,
  pkcs11: true,
  tpm: true,
  skipChecks: true,
  onWarning: true,
};

const PKCS11_OPTIONS: Readonly<Record<keyof Pkcs11Options, true>> = {
  library: true,
  pinFile: true,
  reusePin: true,
  allowPinCommand: true,
  allowLowPinCount: true,
  helperPath: true,
};

const TPM_OPTIONS: Readonly<Record<keyof TpmOptions, true>> = {
  device: true,
  keyPassword: true,
  noKeyPassword: true,
  parentPassword: true,
  hierarchyPassword: true,
  policyPcr: true,
};

/** A library does not talk to the terminal unasked. */
const nobody = async (): Promise<undefined> => undefined;

/** Stands for what has no path, in messages. */
const IN_MEMORY = '(in memory)';

/**
 * Loads certificate, chain and key as one snapshot, and checks that they
 * belong together and that the service can take them.
 *
 * @throws RolesAnywhereError of class `identity` or `usage`; messages name the options by the flags of the command line
 */
export async function loadIdentityFrom(options: MaterialOptions): Promise<Identity> {
  requireOptions(options);
  return await identityLoader(inPlace(taken(options, MATERIAL_OPTIONS)))();
}

/** The options with files named from the root. */
export function inPlace<T extends MaterialOptions>(options: T): T {
  const placed = { ...options };
  for (const name of ['certificate', 'privateKey', 'intermediates'] as const) {
    const value = options[name];
    if (typeof value !== 'string' || value === '' || !isFileName(value) || isInHardware(value) || isSpiffe(value))
      continue;
    Object.assign(placed, { [name]: fromRoot(value) });
  }
  return placed;
}

/**
 * What loads the identity, each time anew.
 *
 * @param time what a certificate's validity is judged by
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED` for options that are missing, `ERR_USAGE` for those of a wrong type or that exclude each other
 */
export function identityLoader(
  options: MaterialOptions,
  time: Pick<LoadDeps, 'now' | 'correctClock'> = {},
): () => Promise<Identity> {
  requireOptions(options);
  const { certificate, privateKey, intermediates, signer, password } = options;
  requireGiven('certificate', certificate, isBytes);
  if (privateKey !== undefined)
    requireGiven('privateKey', privateKey, (value) => isBytes(value) || value instanceof KeyObject);
  if (intermediates !== undefined) requireGiven('intermediates', intermediates, isBytes);
  if (signer !== undefined) requireMethod('signer', signer, 'sign');
  if (options.pkcs11 !== undefined) {
    requireOptions(options.pkcs11, 'pkcs11');
    refuseUnknown(options.pkcs11, PKCS11_OPTIONS, 'pkcs11');
  }
  if (options.tpm !== undefined) {
    requireOptions(options.tpm, 'tpm');
    refuseUnknown(options.tpm, TPM_OPTIONS, 'tpm');
  }
  if (password !== undefined && typeof password !== 'string') requireGiven('password', password);
  if (signer !== undefined && privateKey !== undefined)
    throw new RolesAnywhereError('ERR_USAGE', 'privateKey and signer exclude each other', {
      hint: 'leave one of them out',
    });
  const deps = { ...loadDeps(options), ...time };
  const spec = {
    certificate: nameOf(certificate),
    privateKey: privateKey === undefined ? undefined : nameOf(privateKey),
    intermediates: intermediates === undefined ? undefined : nameOf(intermediates),
    skipChecks: options.skipChecks,
  };
  if (signer === undefined) return async () => await loadIdentity(spec, deps);
  return async () => await signedElsewhere(spec, signer, deps);
}

function loadDeps(options: MaterialOptions): LoadDeps {
  const { password, pkcs11, tpm } = options;
  const warn = (message: string): void => tell(options.onWarning, message);
  const inMemory: Partial<Record<MaterialFlag, MaterialOptions['privateKey']>> = {
    '--certificate': options.certificate,
    '--private-key': options.privateKey,
    '--intermediates': options.intermediates,
  };
  const source = password === undefined ? undefined : { password, from: 'the option password' };
  return {
    read: (flag, value) => (value === IN_MEMORY ? memoryMaterial(flag, inMemory[flag]) : undefined),
    passwords: {
      pkcs8: source,
      pkcs12: source,
      'tpm-key': tpmPassword('keyPassword', tpm),
      'tpm-parent': tpmPassword('parentPassword', tpm),
      'tpm-hierarchy': tpmPassword('hierarchyPassword', tpm),
    },
    ask: nobody,
    warn: ({ message }) => warn(message),
    token: { ...pkcs11, askPin: nobody, warn },
    tpm: tpm && { device: tpm.device, noKeyPassword: tpm.noKeyPassword, policyPcr: tpm.policyPcr },
  };
}

function tpmPassword(
  name: 'keyPassword' | 'parentPassword' | 'hierarchyPassword',
  tpm: TpmOptions | undefined,
): PasswordSource | undefined {
  const password = tpm?.[name];
  return password === undefined ? undefined : { password, from: `the option tpm.${name}` };
}

/** What IdentitySpec calls it. */
function nameOf(value: NonNullable<MaterialOptions['privateKey']>): string {
  return typeof value === 'string' && !isPemText(value) ? value : IN_MEMORY;
}

function isPemText(value: string): boolean {
  return value.includes('-----BEGIN ');
}

/** Bytes of their own, since whoever reads them wipes them. */
function memoryMaterial(flag: MaterialFlag, value: MaterialOptions['privateKey']): Material {
  const bytes = value instanceof KeyObject ? exported(value, flag) : new Uint8Array(Buffer.from(value ?? ''));
  const source = `${flag} ${IN_MEMORY}`;
  if (bytes.length === 0) throw new RolesAnywhereError('ERR_PEM_EMPTY', `${source} is empty`);
  return { flag, source, bytes, rereadable: true };
}

function exported(key: KeyObject, flag: MaterialFlag): Uint8Array {
  if (key.type !== 'private')
    throw new RolesAnywhereError('ERR_KEY_MISSING', `${flag} is a ${key.type} key object, not a private one`, {
      flag,
      hint: 'make one with createPrivateKey of node:crypto',
    });
  return new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));
}

async function signedElsewhere(
  spec: IdentitySpec & { readonly certificate: string },
  remote: RemoteSigner,
  deps: LoadDeps,
): Promise<Identity> {
  const [leaf, ...others] = await loadCertificates(spec.certificate, deps);
  const { intermediates } = spec;
  const more = intermediates === undefined ? [] : await loadCertificates(intermediates, deps, '--intermediates');
  const keyType = certificateKeyType(leaf);
  const chain = orderChain(leaf, [...others, ...more], spec.skipChecks === true ? Infinity : undefined);
  const identity: Identity = {
    certificate: leaf.der,
    serialNumber: leaf.serialNumber,
    chain: chain.map(({ der }) => der),
    signer: { keyType, sign: async (message) => await signChecked(remote, message, leaf, keyType) },
    close: async () => {},
  };
  await checkIdentity(
    { leaf, chain },
    {
      source: `--certificate ${spec.certificate}`,
      now: (deps.now ?? Date.now)(),
      skipChecks: spec.skipChecks === true,
      warn: (warning) => deps.warn?.(warning),
    },
  );
  return identity;
}

function certificateKeyType({ keyAlgorithm: { name, keyType } }: Certificate): KeyType {
  if (keyType !== undefined) return keyType;
  throw new RolesAnywhereError('ERR_KEY_UNSUPPORTED', `the certificate's key is ${name}, not RSA, EC or ML-DSA`, {
    hint: 'have a certificate issued for a key of one of these kinds',
  });
}

function spkiKey(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
}

/** The service would only say that the signature is invalid; here it can be told why. */
async function signChecked(
  remote: RemoteSigner,
  message: Uint8Array,
  leaf: Certificate,
  keyType: KeyType,
): Promise<Uint8Array> {
  let signature: Uint8Array;
  try {
    signature = await remote.sign(message);
  } catch (cause) {
    if (cause instanceof RolesAnywhereError) throw cause;
    throw new RolesAnywhereError('ERR_SIGN', 'the signer that was given failed', {
      hint: 'see the cause of this error',
      cause,
    });
  }
  if (keyType !== 'RSA' && keyType !== 'EC') return signature; // not every Node can check it
  const key = spkiKey(leaf.publicKey);
  if (verify('sha256', message, key, signature)) return signature;
  const isRaw = keyType === 'EC' && verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  throw new RolesAnywhereError('ERR_KEY_MISMATCH', `the signer's signature does not fit the certificate's key`, {
    hint: isRaw
      ? 'it is r and s side by side: give it as a DER SEQUENCE of the two'
      : 'check that it is the same key, that the message is hashed once with SHA-256, and for RSA the padding (PKCS #1 v1.5)',
  });
}
