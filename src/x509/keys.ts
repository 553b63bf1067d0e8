/** Private keys: from a PEM block to a KeyObject that the service has a signing algorithm for. */
import { type KeyObject, X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { KeyType } from './algorithms.ts';
import { type KeyAlgorithm, type MlDsaType, keyAlgorithm } from './algorithms.ts';
import { type Certificate, sameBytes } from './certificate.ts';
import { DerError, TAG, expectTag, readChildren, readDer, readObjectIdentifier } from './der.ts';
import type { PemBlock } from './pem.ts';

type KeyFormat = 'pkcs8' | 'pkcs1' | 'sec1';

/** How node:crypto names what each label holds: RFC 5958, RFC 8017 (A.1.2), RFC 5915. */
const KEY_FORMATS: ReadonlyMap<string, KeyFormat> = new Map([
  ['PRIVATE KEY', 'pkcs8'],
  ['RSA PRIVATE KEY', 'pkcs1'],
  ['EC PRIVATE KEY', 'sec1'],
]);

/** The curves that the service is known to take, under OpenSSL's names. */
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** The label of a key that only a TPM can load (draft-bottomley-tpm2-keys). */
export const TPM_KEY_LABEL = 'TSS2 PRIVATE KEY';

/** Whether a PEM label says that a private key is inside, whatever its form. */
export function isPrivateKeyLabel(label: string): boolean {
  return label === 'PRIVATE KEY' || label.endsWith(' PRIVATE KEY');
}

/** Whether a block holds a private key that needs a password first: PKCS#8, or RFC 1421 as OpenSSL used it. */
export function isEncryptedKey({ label, headers }: PemBlock): boolean {
  return label === 'ENCRYPTED PRIVATE KEY' || /\bENCRYPTED\b/.test(headers.get('Proc-Type') ?? '');
}

/** Whether a PKCS#8 key is of version 2, which may have its public key behind it (RFC 5958, section 2): OpenSSL reads none such. */
export function isVersion2({ label, der }: PemBlock): boolean {
  const length = der[1] ?? 0;
  const [tag, octets, version] = der.subarray(length < 0x80 ? 2 : 2 + (length & 0x7f));
  return label === 'PRIVATE KEY' && tag === TAG.integer && octets === 1 && version === 1;
}

/** The kind of an ML-DSA key in PKCS#8, which not every Node can read; undefined for everything else. */
export function mlDsaTypeOf({ label, der }: PemBlock): MlDsaType | undefined {
  const keyType = label === 'PRIVATE KEY' ? pkcs8Algorithm(der)?.keyType : undefined;
  return keyType === 'RSA' || keyType === 'EC' ? undefined : keyType;
}

/**
 * Makes an RSA or EC key of a block, and wipes the block's bytes.
 *
 * @param source how errors name the file, for example `--private-key key.pem`
 * @throws RolesAnywhereError `ERR_KEY_ENCRYPTED`, `ERR_KEY_UNSUPPORTED`, `ERR_KEY_MALFORMED`, `ERR_UNSUPPORTED`
 */
export function readPrivateKey(block: PemBlock, source: string): KeyObject {
  try {
    const format = readableFormat(block, source);
    const key = parseKey(block.der, format, source);
    // Refuses what cannot be used, under the name that it has where node:crypto cannot read it.
    keyTypeOf(key, source, format === 'pkcs8' ? pkcs8Algorithm(block.der)?.name : undefined);
    return key;
  } finally {
    block.der.fill(0);
  }
}

function readableFormat(block: PemBlock, source: string): KeyFormat {
  const { label } = block;
  if (isEncryptedKey(block))
    throw new RolesAnywhereError('ERR_KEY_ENCRYPTED', `${source} holds a private key that is encrypted`, {
      hint: 'only plain keys are read here: decrypt it with `openssl pkey -in KEY -out PLAIN`, under `umask 077`',
    });
  const format = KEY_FORMATS.get(label);
  if (format !== undefined) return format;
  throw new RolesAnywhereError('ERR_KEY_UNSUPPORTED', `${source} holds a private key of the form ${label}`, {
    hint: 'write it as PKCS#8; it must be RSA, or EC on P-256, P-384 or P-521',
  });
}

function parseKey(der: Uint8Array, type: KeyFormat, source: string): KeyObject {
  try {
    // A view, not a copy: readPrivateKey wipes these bytes.
    const key = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
    return createPrivateKey({ key, format: 'der', type });
  } catch (error) {
    const name = type === 'pkcs8' ? pkcs8Algorithm(der)?.name : undefined;
    if (name !== undefined && name !== 'RSA' && name !== 'EC') throw unsupported(name, source);
    throw new RolesAnywhereError('ERR_KEY_MALFORMED', `${source} holds a private key that cannot be read`, {
      hint: 'check it with `openssl pkey -noout -in KEY`',
      cause: error,
    });
  }
}

/** The algorithm that a PKCS#8 key names, when at least that much can be read. */
function pkcs8Algorithm(der: Uint8Array): KeyAlgorithm | undefined {
  try {
    const [, algorithm] = readChildren(expectTag(readDer(der), TAG.sequence, 'the key'));
    const [identifier] = readChildren(expectTag(algorithm, TAG.sequence, 'the algorithm'));
    return keyAlgorithm(readObjectIdentifier(expectTag(identifier, TAG.objectIdentifier, 'the algorithm')));
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

/**
 * The type of a key that can be used.
 *
 * @param name what an error calls a type that cannot be used. Default: as node:crypto does
 * @throws RolesAnywhereError `ERR_KEY_UNSUPPORTED`
 */
export function keyTypeOf(key: KeyObject, source: string, name?: string): KeyType {
  const type = key.asymmetricKeyType ?? 'unknown';
  if (type === 'rsa') return 'RSA';
  if (type !== 'ec') throw unsupported(name ?? type, source);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve !== undefined && CURVES.has(curve)) return 'EC';
  throw unsupported(`EC (${curve === undefined || curve === 'UNDEF' ? 'a curve without a name' : curve})`, source);
}

/** The error for a key of a type that cannot be used. */
export function unsupported(name: string, source: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_KEY_UNSUPPORTED', `${source} holds a key of the type ${name}`, {
    hint: 'use RSA, EC on P-256, P-384 or P-521, or ML-DSA',
  });
}

/** Whether `key` is the private key of `certificate`, by its public part. */
export function belongsTo(key: KeyObject, certificate: Certificate, publicKey = createPublicKey(key)): boolean {
  if (sameBytes(publicKey.export({ type: 'spki', format: 'der' }), certificate.publicKey)) return true;
  // The same key can be written in other bytes, such as a compressed point; this costs more, and is rarely needed.
  try {
    return new X509Certificate(certificate.der).checkPrivateKey(key);
  } catch {
    return false; // a public key that OpenSSL cannot read is not the key of an RSA or EC key
  }
}
