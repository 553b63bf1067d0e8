/**
 * ML-DSA keys (FIPS 204) in PKCS#8 (RFC 9881): held by OpenSSL where Node has
 * it (24.6), else by @noble/post-quantum. Loaded for such keys only.
 */
import { type KeyObject, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { RolesAnywhereError } from '../platform/errors.ts';
import { sameBytes } from '../x509/certificate.ts';
import { DerError, TAG, expectTag, readChildren, readDer } from '../x509/der.ts';
import type { MlDsaType } from '../x509/algorithms.ts';
import type { PemBlock } from '../x509/pem.ts';
import type { PrivateKey } from './private-key.ts';

const PARAMETER_SETS = { 'ML-DSA-44': ml_dsa44, 'ML-DSA-65': ml_dsa65, 'ML-DSA-87': ml_dsa87 } as const;

const OCTET_STRING = 0x04;
/** `[0] IMPLICIT OCTET STRING` */
const SEED = 0x80;
const SEED_OCTETS = 32;

/**
 * Makes a key of a PKCS#8 block, and wipes the block's bytes.
 *
 * @param source how errors name the file
 * @param native whether to leave the work to OpenSSL where it can; default true
 * @throws RolesAnywhereError `ERR_KEY_MALFORMED`
 */
export function readMlDsaKey(block: PemBlock, keyType: MlDsaType, source: string, native = true): PrivateKey {
  try {
    const key = native ? opensslKey(block.der, keyType) : undefined;
    return key === undefined ? nobleKey(block.der, keyType) : keyOfOpenssl(key, keyType);
  } catch (error) {
    throw new RolesAnywhereError(
      'ERR_KEY_MALFORMED',
      `${source} holds a key of the type ${keyType} that cannot be read${error instanceof DerError ? `: ${error.message}` : ''}`,
      { hint: 'copy the key again from its origin, or make a new one', cause: error },
    );
  } finally {
    block.der.fill(0);
  }
}

/** @returns undefined when OpenSSL does not know the algorithm, or refuses the key: reading it here then says why */
function opensslKey(der: Uint8Array, keyType: MlDsaType): KeyObject | undefined {
  const type = keyType.toLowerCase();
  try {
    const key = createPrivateKey({
      key: Buffer.from(der.buffer, der.byteOffset, der.length),
      format: 'der',
      type: 'pkcs8',
    });
    // Some releases had the algorithm in OpenSSL and no name for it in node:crypto.
    return String(key.asymmetricKeyType) === type ? key : undefined;
  } catch {
    return undefined;
  }
}

function keyOfOpenssl(key: KeyObject, keyType: MlDsaType): PrivateKey {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    signer: {
      keyType,
      sign: (message) =>
        new Promise((resolve, reject) => {
          sign(null, message, key, (error, signature) =>
            error === null ? resolve(signature) : reject(signError(error)),
          );
        }),
    },
    publicKey: () => publicKey,
    belongsTo: (certificate) => sameBytes(certificate.publicKey, publicKey),
    forget() {},
  };
}

function nobleKey(der: Uint8Array, keyType: MlDsaType): PrivateKey {
  const algorithm = PARAMETER_SETS[keyType];
  const { secretKey, publicKey } = readKeyPair(der, keyType);
  const info = publicKeyInfo(keyType, publicKey);
  let forgotten = false;
  return {
    signer: {
      keyType,
      // Deterministic (FIPS 204, section 3.4), as upstream signs.
      sign: async (message) => {
        if (forgotten) throw signError();
        return algorithm.sign(message, secretKey, { extraEntropy: false });
      },
    },
    publicKey: () => info,
    belongsTo: (certificate) => sameBytes(certificate.publicKey, info),
    forget() {
      forgotten = true;
      secretKey.fill(0);
    },
  };
}

function signError(cause?: Error): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SIGN', 'the private key cannot sign', { cause });
}

/**
 * RFC 9881, section 6: `CHOICE { seed [0] OCTET STRING, expandedKey OCTET STRING, both SEQUENCE { seed, expandedKey } }`
 * inside the OCTET STRING of PKCS#8.
 */
function readKeyPair(der: Uint8Array, keyType: MlDsaType): { secretKey: Uint8Array; publicKey: Uint8Array } {
  const algorithm = PARAMETER_SETS[keyType];
  const [, , octets] = readChildren(expectTag(readDer(der), TAG.sequence, 'the key'));
  const choice = readDer(expectTag(octets, OCTET_STRING, 'the key').content);
  if (choice.tag === SEED) return algorithm.keygen(sized(choice.content, SEED_OCTETS, 'the seed'));
  const isBoth = choice.tag === TAG.sequence;
  const [seed, expanded] = isBoth ? readChildren(choice) : [undefined, choice];
  const { content } = expectTag(expanded, OCTET_STRING, 'the expanded key');
  const secretKey = Uint8Array.from(sized(content, algorithm.lengths.secretKey ?? 0, 'the expanded key'));
  if (!isBoth) return { secretKey, publicKey: algorithm.getPublicKey(secretKey) };
  const pair = algorithm.keygen(sized(expectTag(seed, OCTET_STRING, 'the seed').content, SEED_OCTETS, 'the seed'));
  const agree = sameBytes(pair.secretKey, secretKey);
  secretKey.fill(0);
  if (agree) return pair;
  pair.secretKey.fill(0);
  throw new DerError('its seed and its expanded key are not of one key');
}

function sized(bytes: Uint8Array, length: number, what: string): Uint8Array {
  if (bytes.length === length) return bytes;
  throw new DerError(`${what} has ${bytes.length} octets, not ${length}`);
}

/** The last arc below 2.16.840.1.101.3.4.3. */
const ARCS: Readonly<Record<MlDsaType, number>> = { 'ML-DSA-44': 17, 'ML-DSA-65': 18, 'ML-DSA-87': 19 };

/** DER of the SubjectPublicKeyInfo; its parameters are absent (RFC 9881, section 2). */
function publicKeyInfo(keyType: MlDsaType, publicKey: Uint8Array): Uint8Array {
  const algorithm = Buffer.from([
    0x30,
    0x0b,
    0x06,
    0x09,
    0x60,
    0x86,
    0x48,
    0x01,
    0x65,
    0x03,
    0x04,
    0x03,
    ARCS[keyType],
  ]);
  // All lengths here take two octets: public keys have 1312 to 2592.
  const bits = Buffer.concat([Buffer.from([0x03, 0x82, 0, 0, 0]), publicKey]);
  bits.writeUInt16BE(publicKey.length + 1, 2);
  const header = Buffer.from([0x30, 0x82, 0, 0]);
  header.writeUInt16BE(algorithm.length + bits.length, 2);
  return Buffer.concat([header, algorithm, bits]);
}
