/** Encrypted private keys: EncryptedPrivateKeyInfo (RFC 5958, section 3) and what PEM did before it (RFC 1421). */
// Tests: test/identity/containers/table.test.ts
import { createHash, getCipherInfo } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { DerError, TAG, readChildren, readDer } from '../../x509/der.ts';
import type { PemBlock } from '../../x509/pem.ts';
import { StructureError, octets, readBer, sequence } from './asn1.ts';
import { WorkBudget } from './budget.ts';
import { type Scheme, decryptCbc, readScheme } from './pbe.ts';
import { type Password, WrongPasswordError } from './secret.ts';

/** A key whose encryption was read, and was found affordable. */
export interface LockedKey {
  /** @throws WrongPasswordError, StructureError */
  open(password: Uint8Array): Promise<PemBlock>;
}

/**
 * Reads an EncryptedPrivateKeyInfo up to where the password is needed.
 *
 * @throws StructureError; RolesAnywhereError `ERR_ENCRYPTION_UNSUPPORTED`, `ERR_KDF_TOO_COSTLY`
 */
export function readEncryptedPkcs8(der: Uint8Array, source: string): LockedKey {
  const [algorithm, data] = sequence(readBer(der, 'the encrypted key'), 'the encrypted key');
  const scheme = readScheme(algorithm, source, 'pkcs8');
  scheme.charge(new WorkBudget(source));
  const encrypted = octets(data, 'the encrypted key');
  return { open: async (password) => await decryptPkcs8(scheme, encrypted, password) };
}

/**
 * Decrypts a PKCS#8 key under a scheme that is paid for.
 *
 * @throws WrongPasswordError, StructureError
 */
export async function decryptPkcs8(scheme: Scheme, data: Uint8Array, password: Password): Promise<PemBlock> {
  const der = await scheme.decrypt(password, data);
  if (startsLike(der, [TAG.integer, TAG.sequence, OCTET_STRING])) return plainBlock('PRIVATE KEY', der);
  throw new WrongPasswordError('what comes out is no PKCS#8 key');
}

/**
 * Reads a traditional PEM key, `Proc-Type: 4,ENCRYPTED`, whose key derivation is one MD5.
 *
 * @throws StructureError; RolesAnywhereError `ERR_ENCRYPTION_UNSUPPORTED`
 */
export function readTraditionalKey({ label, headers, der }: PemBlock, source: string): LockedKey {
  const [name = '', hex = ''] = (headers.get('DEK-Info') ?? '').split(',').map((part) => part.trim());
  const cipher = cipherOf(name, source);
  const iv = Buffer.from(hex, 'hex');
  if (iv.length !== cipher.ivLength || hex.length !== 2 * iv.length)
    throw new StructureError('its DEK-Info header has no proper initialization vector');
  return {
    async open(password) {
      const key = bytesToKey(password, iv.subarray(0, 8), cipher.keyLength);
      try {
        const plain = decryptCbc(name, cipher.ivLength, key, iv, der);
        const fields = label === 'EC PRIVATE KEY' ? [TAG.integer, OCTET_STRING] : [TAG.integer, TAG.integer];
        if (startsLike(plain, fields)) return plainBlock(label, plain);
        throw new WrongPasswordError(`what comes out is no ${label}`);
      } finally {
        key.fill(0);
      }
    },
  };
}

/** Ciphers that OpenSSL 3 has without its legacy provider, all of them in CBC mode. */
const TRADITIONAL = /^(?:DES-EDE3|AES-(?:128|192|256)|CAMELLIA-(?:128|192|256)|ARIA-(?:128|192|256))-CBC$/;

function cipherOf(name: string, source: string): { keyLength: number; ivLength: number } {
  if (name === '') throw new StructureError('its DEK-Info header is missing');
  const info = TRADITIONAL.test(name) ? getCipherInfo(name) : undefined;
  if (info?.ivLength !== undefined) return { keyLength: info.keyLength, ivLength: info.ivLength };
  throw new RolesAnywhereError(
    'ERR_ENCRYPTION_UNSUPPORTED',
    `${source} is encrypted with ${JSON.stringify(name.slice(0, 40))}, which is not supported`,
    { hint: 'encrypt the key anew, with AES: `openssl pkcs8 -topk8 -in KEY -out NEW`' },
  );
}

/** OpenSSL's EVP_BytesToKey with MD5 and one iteration (its manual, EVP_BytesToKey(3)). */
function bytesToKey(password: Uint8Array, salt: Uint8Array, length: number): Uint8Array {
  const key = Buffer.alloc(length);
  let last = Buffer.alloc(0);
  for (let done = 0; done < length; done += last.length) {
    last = createHash('md5').update(last).update(password).update(salt).digest();
    last.copy(key, done);
  }
  last.fill(0);
  return key;
}

const OCTET_STRING = 0x04;

/** Whether `der` is one SEQUENCE whose first fields have these tags: chance makes that once in many millions. */
function startsLike(der: Uint8Array, tags: readonly number[]): boolean {
  try {
    const outer = readDer(der);
    const fields = outer.tag === TAG.sequence ? readChildren(outer) : [];
    return tags.every((tag, index) => fields[index]?.tag === tag);
  } catch (error) {
    if (error instanceof DerError) return false;
    throw error;
  }
}

function plainBlock(label: string, der: Uint8Array): PemBlock {
  return { label, headers: new Map(), der };
}
