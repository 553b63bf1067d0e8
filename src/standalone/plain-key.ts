/**
 * A private key that the runtime's WebCrypto works with, which costs a fraction of node:crypto's start: takes the place of
 * src/identity/plain-key.ts in the executable. RSA and EC keys in the forms that OpenSSL writes are opened so; every other,
 * and every one that WebCrypto does not take, by the common code, which says what is wrong with it.
 */
// Tests: test/standalone/plain-key.test.ts, test/standalone/hot-path.heavy.test.ts
import type { KeyObject, webcrypto } from 'node:crypto';
import type { Digest } from '../identity/identity.ts';
import type { PrivateKey } from '../identity/private-key.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, sameBytes } from '../x509/certificate.ts';
import { DerError, type DerValue, TAG, expectTag, readChildren, readDer } from '../x509/der.ts';
import { ecdsaToDer } from '../x509/ecdsa.ts';
import { belongsTo, unsupported } from '../x509/keys.ts';
import type { PemBlock } from '../x509/pem.ts';

/** DER of the algorithm's identifier, in hexadecimal: how keys are told, and written. RFC 8017 (A.1), RFC 5480 (2.1.1). */
const RSA = '300d06092a864886f70d0101010500';
const CURVES: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  '301306072a8648ce3d020106082a8648ce3d030107': { name: 'P-256', bytes: 32 },
  '301006072a8648ce3d020106052b81040022': { name: 'P-384', bytes: 48 },
  '301006072a8648ce3d020106052b81040023': { name: 'P-521', bytes: 66 },
};
/** Of a SEC 1 key: the curve, and the public key (RFC 5915, section 3). */
const [CURVE_FIELD, PUBLIC_FIELD] = [0xa0, 0xa1];
/** Shorter ones are refused or warned of by others; longer ones nobody has. */
const RSA_BYTES = { least: 256, most: 512 };

const HASH = 'SHA-256';

/** A key in the two forms that WebCrypto reads. */
interface Plain {
  readonly keyType: 'RSA' | 'EC';
  readonly algorithm: webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams;
  readonly signing: string | webcrypto.EcdsaParams;
  /** PKCS#8, in memory of its own: to be wiped. */
  readonly pkcs8: Uint8Array<ArrayBuffer>;
  /** SubjectPublicKeyInfo. */
  readonly spki: Uint8Array<ArrayBuffer>;
}

/** As in src/identity/plain-key.ts. */
export async function openPlainKey(block: PemBlock, source: string): Promise<PrivateKey> {
  const plain = readPlain(block);
  if (plain !== undefined) {
    try {
      const key = await openBySubtle(plain, source);
      block.der.fill(0);
      return key;
    } catch {
      // What is wrong with it is for the common code to say.
    } finally {
      plain.pkcs8.fill(0);
    }
  }
  const [common, { foreignCurve, isMislabelled }] = await Promise.all([
    import('../identity/plain-key.ts'),
    import('./foreign-curve.ts'),
  ]);
  const curve = foreignCurve(block); // read before the common code wipes it
  if (isMislabelled(block)) block.der.fill(0); // nothing that can be read
  try {
    return await common.openPlainKey(block, source);
  } catch (error) {
    const isUnread = error instanceof RolesAnywhereError && error.code === 'ERR_KEY_MALFORMED';
    throw isUnread && curve !== undefined ? unsupported(`EC (${curve})`, source) : error;
  }
}

/** The same key for node:crypto, which is loaded for it. */
function native(key: webcrypto.CryptoKey): KeyObject {
  return process.getBuiltinModule('node:crypto').KeyObject.from(key);
}

async function openBySubtle({ keyType, algorithm, signing, pkcs8, spki }: Plain, source: string): Promise<PrivateKey> {
  const { subtle } = crypto;
  const [privateKey, publicKey] = await Promise.all([
    subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
    subtle.importKey('spki', spki, algorithm, true, ['verify']),
  ]);
  return {
    signer: {
      keyType,
      async sign(message: Uint8Array<ArrayBuffer>, digest: Digest = 'SHA256') {
        if (digest !== 'SHA256') {
          const { createKeySigner } = await import('../identity/key-signer.ts');
          return await createKeySigner(native(privateKey), keyType, native(publicKey), source).sign(message, digest);
        }
        const made = new Uint8Array(await subtle.sign(signing, privateKey, message));
        // A file can hold a public part that is not of its private one.
        if (!(await subtle.verify(signing, publicKey, made, message)))
          throw (await import('../identity/unusual.ts')).notOwn(source);
        return keyType === 'EC' ? ecdsaToDer(made) : made;
      },
    },
    publicKey: () => spki,
    belongsTo: (certificate: Certificate) =>
      sameBytes(spki, certificate.publicKey) || belongsTo(native(privateKey), certificate),
    forget() {}, // its bytes are the runtime's
  };
}

/** The key of a block, where it is of a form that is plainly right; undefined for everything else. */
export function readPlain({ label, headers, der }: PemBlock): Plain | undefined {
  if (headers.size > 0) return undefined;
  try {
    const outer = readDer(der);
    if (label === 'RSA PRIVATE KEY') return rsaKey(outer);
    if (label === 'EC PRIVATE KEY') return ecKey(outer);
    if (label !== 'PRIVATE KEY') return undefined;
    const [version, algorithm, octets, ...others] = fieldsOf(outer);
    if (others.length > 0 || !isNumber(version, 0) || algorithm === undefined) return undefined;
    const inner = readDer(expectTag(octets, TAG.octetString, 'the key').content);
    const identifier = hex(algorithm.der);
    return identifier === RSA ? rsaKey(inner) : ecKey(inner, identifier);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

/** RFC 8017, appendix A.1.2: of two primes, with the exponent that everybody takes. */
function rsaKey(key: DerValue): Plain | undefined {
  const [version, modulus, exponent, ...secrets] = fieldsOf(key);
  if (!isNumber(version, 0) || secrets.length !== 6 || modulus === undefined || exponent === undefined)
    return undefined;
  if (secrets.some(({ tag }) => tag !== TAG.integer) || hex(exponent.der) !== '0203010001') return undefined;
  const bytes = modulus.content.length - 1;
  if (modulus.tag !== TAG.integer || modulus.content[0] !== 0 || (modulus.content[1] ?? 0) < 0x80) return undefined;
  if (bytes < RSA_BYTES.least || bytes > RSA_BYTES.most) return undefined;
  const algorithm = bytesOf(RSA);
  return {
    keyType: 'RSA',
    algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: HASH },
    signing: 'RSASSA-PKCS1-v1_5',
    pkcs8: pkcs8Of(algorithm, key.der),
    spki: encode(TAG.sequence, algorithm, bitString(encode(TAG.sequence, modulus.der, exponent.der))),
  };
}

/**
 * RFC 5915, section 3, with its public key as an uncompressed point.
 *
 * @param outside the algorithm's identifier in hexadecimal, where the key is in PKCS#8
 */
function ecKey(key: DerValue, outside?: string): Plain | undefined {
  const [version, secret, ...optional] = fieldsOf(key);
  if (!isNumber(version, 1)) return undefined;
  const inside = optional.find(({ tag }) => tag === CURVE_FIELD);
  const shown = optional.find(({ tag }) => tag === PUBLIC_FIELD);
  if (optional.length !== (inside === undefined ? 1 : 2) || shown === undefined || optional.at(-1) !== shown)
    return undefined;
  const [identifier = '', curve] =
    Object.entries(CURVES).find(([known]) =>
      [outside, inside && hex(encode(TAG.sequence, EC_PUBLIC_KEY, inside.content))].every(
        (given) => given === undefined || given === known,
      ),
    ) ?? [];
  if (curve === undefined || (outside === undefined && inside === undefined)) return undefined;
  if (expectTag(secret, TAG.octetString, 'the key').content.length !== curve.bytes) return undefined;
  const [point, ...more] = readChildren(shown);
  const { content, der } = expectTag(point, TAG.bitString, 'the public key');
  // No unused bits, and both coordinates.
  if (more.length > 0 || content[0] !== 0 || content[1] !== 4 || content.length !== 2 + 2 * curve.bytes)
    return undefined;
  const algorithm = bytesOf(identifier);
  return {
    keyType: 'EC',
    algorithm: { name: 'ECDSA', namedCurve: curve.name },
    signing: { name: 'ECDSA', hash: HASH },
    pkcs8: pkcs8Of(algorithm, key.der),
    spki: encode(TAG.sequence, algorithm, der),
  };
}

/** id-ecPublicKey (RFC 5480, section 2.1.1). */
const EC_PUBLIC_KEY = Uint8Array.of(0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01);

function fieldsOf(value: DerValue): DerValue[] {
  return readChildren(expectTag(value, TAG.sequence, 'the key'));
}

function isNumber(value: DerValue | undefined, wanted: number): boolean {
  return value?.tag === TAG.integer && value.content.length === 1 && value.content[0] === wanted;
}

/** RFC 5958, section 2, of version 1. */
function pkcs8Of(algorithm: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const octets = encode(TAG.octetString, key);
  try {
    return encode(TAG.sequence, Uint8Array.of(TAG.integer, 1, 0), algorithm, octets);
  } finally {
    octets.fill(0);
  }
}

/** Without unused bits. */
function bitString(content: Uint8Array): Uint8Array {
  return encode(TAG.bitString, Uint8Array.of(0), content);
}

/** A value in DER, in memory of its own: it may be secret. None here is longer than 64 KiB. */
function encode(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head =
    length < 0x80 ? [tag, length] : length < 0x1_00 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  const bytes = new Uint8Array(new ArrayBuffer(head.length + length));
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}
