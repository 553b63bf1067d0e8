/** From what a person gave to an identity: the only file that knows all the kinds there are. */
import { type KeyObject, createPublicKey } from 'node:crypto';
import { RolesAnywhereError } from '../errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import { orderChain } from '../x509/chain.ts';
import { belongsTo, keyTypeOf } from '../x509/keys.ts';
import { type Contents, certificatesIn, privateKeysIn, readContents, wipe } from './contents.ts';
import { type MaterialFlag, type ReadMaterial, readMaterialFile } from './file.ts';
import type { Identity, Signer } from './identity.ts';
import { createKeySigner } from './key-signer.ts';

/** Where an identity is: values of the flags of the same names. */
export interface IdentitySpec {
  /** A file: the certificate, also with its chain behind it and its key, in PEM; or the certificate alone in DER. */
  certificate: string;
  /** A file: the private key in PEM. Default: it is in the certificate's file. */
  privateKey?: string | undefined;
  /** A file: a PEM bundle of intermediates in any order. Default: those behind the certificate in its file. */
  intermediates?: string | undefined;
}

/** A private key by itself, for checking that it signs. */
export interface SigningKey {
  readonly signer: Signer;
  /** DER of its SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7). */
  readonly publicKey: Uint8Array;
  /** Lets go of what the key's home needs. Safe to call twice. */
  close(): Promise<void>;
}

export interface LoadDeps {
  read?: ReadMaterial;
  /** Waits until a rotation that was met half-way is likely to be over. Default 100 ms. */
  pause?: () => Promise<unknown>;
}

const ROTATION_PAUSE_MS = 100;

/**
 * Loads certificate, chain and key as one snapshot, and checks that the key is
 * the certificate's. Files that do not match are read once more before that is
 * an error: they may have been replaced between two reads.
 *
 * @throws RolesAnywhereError of class `identity`, or `ERR_UNSUPPORTED` for kinds of material that this version lacks
 */
export async function loadIdentity(spec: IdentitySpec, deps: LoadDeps = {}): Promise<Identity> {
  refuseUnsupported('--certificate', spec.certificate);
  refuseUnsupported('--private-key', spec.privateKey);
  refuseUnsupported('--intermediates', spec.intermediates);
  const opened: Contents[] = [];
  const open: OpenMaterial = (flag, value) => {
    const contents = openMaterial(flag, value, deps);
    opened.push(contents);
    return contents;
  };
  try {
    return assemble(spec, open);
  } catch (error) {
    const mayBeRotation = error instanceof RolesAnywhereError && error.code === 'ERR_KEY_MISMATCH';
    if (!mayBeRotation || !opened.every(({ material }) => material.rereadable)) throw error;
    await (deps.pause ?? pause)();
    return assemble(spec, open);
  } finally {
    opened.forEach(wipe);
  }
}

/**
 * Loads a private key without its certificate.
 *
 * @param privateKey as in {@link IdentitySpec}
 */
export async function loadSigningKey(privateKey: string, deps: LoadDeps = {}): Promise<SigningKey> {
  refuseUnsupported('--private-key', privateKey);
  const contents = openMaterial('--private-key', privateKey, deps);
  try {
    const [key] = privateKeysIn(contents);
    return {
      signer: createKeySigner(key, keyTypeOf(key, contents.material.source)),
      publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
      close: nothingToClose,
    };
  } finally {
    wipe(contents);
  }
}

/**
 * Loads the first certificate of a file and looks at nothing else in it.
 *
 * @param certificate as in {@link IdentitySpec}
 */
export async function loadCertificate(certificate: string, deps: LoadDeps = {}): Promise<Certificate> {
  refuseUnsupported('--certificate', certificate);
  const contents = openMaterial('--certificate', certificate, deps);
  try {
    return certificatesIn(contents)[0];
  } finally {
    wipe(contents);
  }
}

type OpenMaterial = (flag: MaterialFlag, value: string) => Contents;

function openMaterial(flag: MaterialFlag, value: string, deps: LoadDeps): Contents {
  const material = (deps.read ?? readMaterialFile)(flag, value);
  try {
    return readContents(material);
  } catch (error) {
    material.bytes.fill(0);
    throw error;
  }
}

/** Values that are not the name of a file. */
function refuseUnsupported(flag: MaterialFlag, value: string | undefined): void {
  const kind = value?.startsWith('pkcs11:')
    ? 'a PKCS#11 URI'
    : value?.startsWith('handle:')
      ? 'a TPM handle'
      : undefined;
  if (kind === undefined) return;
  throw new RolesAnywhereError('ERR_UNSUPPORTED', `${flag} is ${kind}, which this version cannot use`, {
    hint: `give a PEM file with ${flag}`,
  });
}

function assemble(spec: IdentitySpec, open: OpenMaterial): Identity {
  const certificateFile = open('--certificate', spec.certificate);
  const keyFile = spec.privateKey === undefined ? certificateFile : open('--private-key', spec.privateKey);
  const bundle = spec.intermediates === undefined ? undefined : open('--intermediates', spec.intermediates);
  const certificates = certificatesIn(certificateFile);
  const intermediates = bundle === undefined ? [] : certificatesIn(bundle);
  const { leaf, key } = matchKey(certificates, privateKeysIn(keyFile), certificateFile, keyFile);
  const chain = orderChain(leaf, [...certificates, ...intermediates]);
  return {
    certificate: leaf.der,
    serialNumber: leaf.serialNumber,
    chain: chain.map(({ der }) => der),
    signer: createKeySigner(key, keyTypeOf(key, keyFile.material.source)),
    close: nothingToClose,
  };
}

/** The leaf is the certificate that a key belongs to, wherever it stands in its file. */
function matchKey(
  certificates: readonly Certificate[],
  keys: readonly KeyObject[],
  certificateFile: Contents,
  keyFile: Contents,
): { leaf: Certificate; key: KeyObject } {
  for (const leaf of certificates) {
    const key = keys.find((candidate) => belongsTo(candidate, leaf));
    if (key !== undefined) return { leaf, key };
  }
  const owner = keyFile === certificateFile ? 'the same file' : keyFile.material.source;
  throw new RolesAnywhereError(
    'ERR_KEY_MISMATCH',
    `the private key in ${owner} is not that of the certificate in ${certificateFile.material.source}`,
    { hint: 'give the key that the certificate was requested with; after a renewal, both files must be the new ones' },
  );
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ROTATION_PAUSE_MS));
}

/** A key in this process holds nothing open. */
async function nothingToClose(): Promise<void> {}
