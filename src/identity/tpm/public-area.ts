/** TPMT_PUBLIC, the public half of an object in or for a TPM (TPM 2.0 Library, part 2, section 12.2.4). */
// Tests: test/identity/tpm/key-file.test.ts
import { type KeyObject, createHash, createPublicKey } from 'node:crypto';
import { CURVES, HASHES, TPMA_OBJECT, TPM_ALG } from './constants.ts';
import { Reader, TpmFormatError, concat, u16 } from './wire.ts';

/** A signing scheme: TPM_ALG_NULL where the key leaves it to each signature. */
export interface Scheme {
  readonly algorithm: number;
  /** Of schemes that fix one. */
  readonly hash?: number | undefined;
}

export interface PublicArea {
  readonly bytes: Uint8Array;
  readonly type: number;
  /** The hash of its name, and of its policy. */
  readonly nameHash: number;
  readonly attributes: number;
  /** Empty when it has none. */
  readonly authPolicy: Uint8Array;
  /** Absent for what is no asymmetric key. */
  readonly key?: AsymmetricKey | undefined;
}

export type AsymmetricKey = { readonly scheme: Scheme } & (
  | { readonly type: 'RSA'; readonly bits: number; readonly modulus: Uint8Array; readonly exponent: number }
  | {
      readonly type: 'EC';
      readonly curve: number;
      readonly x: Uint8Array;
      readonly y: Uint8Array;
    }
);

/** The longest modulus that is taken, of 4096 bits. */
const MAX_MODULUS_BYTES = 512;
const MAX_COORDINATE_BYTES = 66;
const DEFAULT_EXPONENT = 65_537;

/**
 * @param what names it in errors
 * @throws TpmFormatError
 */
export function readPublicArea(bytes: Uint8Array, what = 'TPMT_PUBLIC'): PublicArea {
  const reader = new Reader(bytes, what);
  const type = reader.u16();
  const nameHash = reader.u16();
  const attributes = reader.u32();
  const authPolicy = reader.sized(64);
  const key = readKey(reader, type);
  if (key !== undefined) reader.end();
  return { bytes, type, nameHash, attributes, authPolicy, key };
}

function readKey(reader: Reader, type: number): AsymmetricKey | undefined {
  if (type !== TPM_ALG.rsa && type !== TPM_ALG.ecc) return undefined;
  if (reader.u16() !== TPM_ALG.null) reader.bytes(4); // the symmetric cipher of a storage key: bits and mode
  const scheme = readScheme(reader);
  if (type === TPM_ALG.rsa) {
    const bits = reader.u16();
    const exponent = reader.u32();
    const modulus = reader.sized(MAX_MODULUS_BYTES);
    return { type: 'RSA', scheme, bits, modulus, exponent: exponent === 0 ? DEFAULT_EXPONENT : exponent };
  }
  const curve = reader.u16();
  if (reader.u16() !== TPM_ALG.null) reader.u16(); // the hash of a key derivation
  const x = reader.sized(MAX_COORDINATE_BYTES);
  const y = reader.sized(MAX_COORDINATE_BYTES);
  return { type: 'EC', scheme, curve, x, y };
}

/** TPMT_RSA_SCHEME and TPMT_ECC_SCHEME (part 2, sections 11.2.4.2 and 11.2.5.6). */
function readScheme(reader: Reader): Scheme {
  const algorithm = reader.u16();
  if (algorithm === TPM_ALG.null || algorithm === TPM_ALG.rsaes) return { algorithm };
  const hash = reader.u16();
  if (algorithm === TPM_ALG.ecdaa) reader.u16(); // a counter
  return { algorithm, hash };
}

/** By which a TPM calls an object: the name's hash, and the digest of the public area (part 1, section 16). */
export function nameOf({ bytes, nameHash }: PublicArea): Uint8Array {
  const hash = HASHES.get(nameHash);
  if (hash === undefined)
    throw new TpmFormatError(`a name with algorithm 0x${nameHash.toString(16)}, which is no hash here`);
  return concat(u16(nameHash), createHash(hash.name).update(bytes).digest());
}

/** Whether an attribute is set: one of TPMA_OBJECT. */
export function has(area: PublicArea, attribute: keyof typeof TPMA_OBJECT): boolean {
  return (area.attributes & TPMA_OBJECT[attribute]) !== 0;
}

/**
 * The public key, as node:crypto knows it.
 *
 * @throws TpmFormatError for a point that is on no curve that is known here, and the like
 */
export function publicKeyOf(key: AsymmetricKey): KeyObject {
  try {
    if (key.type === 'RSA') {
      const exponent = Buffer.alloc(4);
      exponent.writeUInt32BE(key.exponent);
      return createPublicKey({
        key: {
          kty: 'RSA',
          n: base64url(key.modulus),
          e: base64url(exponent.subarray(exponent.findIndex((byte) => byte !== 0))),
        },
        format: 'jwk',
      });
    }
    const curve = CURVES.find(({ id }) => id === key.curve);
    if (curve === undefined) throw new TpmFormatError(`the curve 0x${key.curve.toString(16)}`);
    const coordinate = (bytes: Uint8Array): string =>
      base64url(concat(new Uint8Array(Math.max(0, curve.bytes - bytes.length)), bytes));
    return createPublicKey({
      key: { kty: 'EC', crv: curve.name, x: coordinate(key.x), y: coordinate(key.y) },
      format: 'jwk',
    });
  } catch (error) {
    if (error instanceof TpmFormatError) throw error;
    throw new TpmFormatError('a public key that is none');
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
