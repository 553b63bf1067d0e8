/**
 * Password-based encryption as containers name it: PBES2 (RFC 8018, scrypt by
 * RFC 7914) and the schemes of PKCS#12 (RFC 7292, appendix C). Reading a
 * scheme derives nothing: its cost is known first.
 */
// Tests: test/identity/containers/table.test.ts
import { createDecipheriv, createHmac, pbkdf2, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { type Asn1Value, StructureError, count, identifier, isInteger, octets, sequence } from './asn1.ts';
import type { WorkBudget } from './budget.ts';
import { type DerivationSettings, PURPOSE, bmpPassword, derivationRounds, derivePkcs12 } from './pkcs12-kdf.ts';
import { decryptRc2Cbc } from './rc2.ts';
import { type Password, WrongPasswordError } from './secret.ts';

/** An encryption scheme with its parameters. */
export interface Scheme {
  /** Whether no password and an empty one give different keys. */
  readonly tellsAbsent: boolean;
  /** Counts what {@link decrypt} will cost. */
  charge(budget: WorkBudget): void;
  /** @throws WrongPasswordError when the padding is not right */
  decrypt(password: Password, data: Uint8Array): Promise<Uint8Array>;
}

interface Cipher {
  readonly name: 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc' | 'des-ede3-cbc';
  readonly keyLength: number;
  readonly block: number;
}

const CIPHERS: Readonly<Record<string, Cipher>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyLength: 16, block: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyLength: 24, block: 16 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyLength: 32, block: 16 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyLength: 24, block: 8 },
};

/** RFC 8018, appendix B.1. */
const PSEUDORANDOM: Readonly<Record<string, { digest: string; octets: number }>> = {
  '1.2.840.113549.2.7': { digest: 'sha1', octets: 20 },
  '1.2.840.113549.2.8': { digest: 'sha224', octets: 28 },
  '1.2.840.113549.2.9': { digest: 'sha256', octets: 32 },
  '1.2.840.113549.2.10': { digest: 'sha384', octets: 48 },
  '1.2.840.113549.2.11': { digest: 'sha512', octets: 64 },
  '1.2.840.113549.2.12': { digest: 'sha512-224', octets: 28 },
  '1.2.840.113549.2.13': { digest: 'sha512-256', octets: 32 },
};

const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';
const HMAC_SHA1 = '1.2.840.113549.2.7';

/** RFC 7292, appendix C, as far as Node or rc2.ts can do them. */
const PKCS12_SCHEMES: Readonly<Record<string, { cipher: 'des-ede3' | 'des-ede' | 'rc2'; keyLength: number }>> = {
  '1.2.840.113549.1.12.1.3': { cipher: 'des-ede3', keyLength: 24 },
  '1.2.840.113549.1.12.1.4': { cipher: 'des-ede', keyLength: 16 },
  '1.2.840.113549.1.12.1.5': { cipher: 'rc2', keyLength: 16 },
  '1.2.840.113549.1.12.1.6': { cipher: 'rc2', keyLength: 5 },
};

/** What is refused by name. */
const NAMES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.5.1': 'PBE-MD2-DES',
  '1.2.840.113549.1.5.3': 'PBE-MD5-DES',
  '1.2.840.113549.1.5.4': 'PBE-MD2-RC2-64',
  '1.2.840.113549.1.5.6': 'PBE-MD5-RC2-64',
  '1.2.840.113549.1.5.10': 'PBE-SHA1-DES',
  '1.2.840.113549.1.5.11': 'PBE-SHA1-RC2-64',
  '1.2.840.113549.1.12.1.1': 'PBE-SHA1-RC4-128',
  '1.2.840.113549.1.12.1.2': 'PBE-SHA1-RC4-40',
  '1.2.840.113549.1.12.1.5': 'PBE-SHA1-RC2-128',
  '1.2.840.113549.1.12.1.6': 'PBE-SHA1-RC2-40',
  '1.2.840.113549.3.2': 'PBES2 with RC2-CBC',
  '1.2.840.113549.3.4': 'PBES2 with RC4',
  '1.3.14.3.2.7': 'PBES2 with DES-CBC',
};

/** No salt in use is longer than 128 octets. */
const MAX_SALT_OCTETS = 1024;

/**
 * Reads an AlgorithmIdentifier.
 *
 * @param source how errors name the file
 * @param where RC2 is for PKCS#12 alone, whose certificates are public anyway and often under it
 * @throws StructureError; RolesAnywhereError `ERR_ENCRYPTION_UNSUPPORTED`
 */
export function readScheme(algorithm: Asn1Value | undefined, source: string, where: 'pkcs8' | 'pkcs12'): Scheme {
  const [id, parameters] = sequence(algorithm, 'the encryption scheme');
  const oid = identifier(id, 'the encryption scheme');
  if (oid === PBES2) return readPbes2(parameters, source);
  const scheme = PKCS12_SCHEMES[oid];
  if (scheme === undefined || (scheme.cipher === 'rc2' && where === 'pkcs8')) throw unsupported(oid, source);
  const [salt, iterations] = sequence(parameters, 'the parameters of the encryption');
  const settings = { digest: 'sha1', salt: readSalt(salt), iterations: readIterations(iterations) } as const;
  return pkcs12Scheme(scheme, settings);
}

function unsupported(oid: string, source: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_ENCRYPTION_UNSUPPORTED',
    `${source} is encrypted with ${NAMES[oid] ?? `the unknown scheme ${oid}`}, which is not supported`,
    {
      hint: 'encrypt the key anew, with AES: `openssl pkcs8 -topk8 -in KEY -out NEW` (for an old scheme, with -provider legacy -provider default)',
    },
  );
}

/** RFC 8018, section 6.2. */
function readPbes2(parameters: Asn1Value | undefined, source: string): Scheme {
  const [derivation, encryption] = sequence(parameters, 'the parameters of PBES2');
  const [cipherId, ivValue] = sequence(encryption, 'the cipher');
  const cipherOid = identifier(cipherId, 'the cipher');
  const cipher = CIPHERS[cipherOid];
  if (cipher === undefined) throw unsupported(cipherOid, source);
  const iv = octets(ivValue, 'the initialization vector');
  if (iv.length !== cipher.block) throw new StructureError(`the initialization vector has ${iv.length} octets`);
  const keyDerivation = readDerivation(derivation, cipher.keyLength, source);
  return {
    tellsAbsent: false,
    charge: (budget) => keyDerivation.charge(budget),
    async decrypt(password, data) {
      const key = await keyDerivation.derive(password ?? new Uint8Array());
      try {
        return decryptCbc(cipher.name, cipher.block, key, iv, data);
      } finally {
        key.fill(0);
      }
    },
  };
}

interface Derivation {
  charge(budget: WorkBudget): void;
  derive(password: Uint8Array): Promise<Uint8Array>;
}

function readDerivation(derivation: Asn1Value | undefined, keyLength: number, source: string): Derivation {
  const [id, parameters] = sequence(derivation, 'the key derivation');
  const oid = identifier(id, 'the key derivation');
  if (oid === PBKDF2) return readPbkdf2(parameters, keyLength, source);
  if (oid === SCRYPT) return readScrypt(parameters, keyLength);
  throw unsupported(oid, source);
}

/** RFC 8018, appendix A.2: `salt, iterationCount, keyLength OPTIONAL, prf DEFAULT hmacWithSHA1`. */
function readPbkdf2(parameters: Asn1Value | undefined, keyLength: number, source: string): Derivation {
  const [salt, iterations, ...fields] = sequence(parameters, 'the parameters of PBKDF2');
  if (isInteger(fields[0])) checkKeyLength(fields.shift(), keyLength);
  return pbkdf2Derivation({ salt, iterations, prf: fields[0], keyLength }, source);
}

interface Pbkdf2Fields {
  readonly salt: Asn1Value | undefined;
  readonly iterations: Asn1Value | undefined;
  readonly prf: Asn1Value | undefined;
  readonly keyLength: number;
}

function pbkdf2Derivation({ keyLength, ...fields }: Pbkdf2Fields, source: string): Derivation {
  const salt = readSalt(fields.salt);
  const iterations = readIterations(fields.iterations);
  const { digest, octets: blockLength } = readHmac(fields.prf, source);
  return {
    charge: (budget) => budget.takeIterations(iterations * Math.ceil(keyLength / blockLength)),
    derive: async (password) => await promisify(pbkdf2)(password, salt, iterations, keyLength, digest),
  };
}

/** An HMAC by its AlgorithmIdentifier; with SHA-1 where there is none. */
function readHmac(value: Asn1Value | undefined, source: string): { digest: string; octets: number } {
  const oid = value === undefined ? HMAC_SHA1 : identifier(sequence(value, 'the hash')[0], 'the hash');
  const hmac = PSEUDORANDOM[oid];
  if (hmac === undefined) throw unsupported(oid, source);
  return hmac;
}

/** A MAC with its parameters: PBMAC1 (RFC 8018, appendix A.5) as PKCS#12 files have it (RFC 9879). */
export interface PasswordMac {
  /** Counts what {@link compute} will cost. */
  charge(budget: WorkBudget): void;
  compute(password: Password, content: Uint8Array): Promise<Uint8Array>;
}

/** RFC 9879, section 5: a key below 20 octets is not to be accepted. None in use is longer than a block of SHA-512. */
const MAC_KEY_OCTETS = { least: 20, most: 128 } as const;

/**
 * Reads the parameters of PBMAC1. The key derivation is PBKDF2 and names the length of its key (RFC 9879, section 5).
 *
 * @throws StructureError; RolesAnywhereError `ERR_ENCRYPTION_UNSUPPORTED`
 */
export function readPbmac1(parameters: Asn1Value | undefined, source: string): PasswordMac {
  const [derivation, scheme] = sequence(parameters, 'the parameters of PBMAC1');
  const [id, kdfParameters] = sequence(derivation, "PBMAC1's key derivation");
  const oid = identifier(id, "PBMAC1's key derivation");
  if (oid !== PBKDF2) throw unsupported(oid, source);
  const [salt, iterations, length, prf] = sequence(kdfParameters, 'the parameters of PBKDF2');
  if (!isInteger(length)) throw new StructureError('PBMAC1 does not name the length of its key');
  const keyLength = count(length, 'the key length');
  if (keyLength < MAC_KEY_OCTETS.least || keyLength > MAC_KEY_OCTETS.most)
    throw new StructureError(`PBMAC1's key has ${keyLength} octets`);
  const kdf = pbkdf2Derivation({ salt, iterations, prf, keyLength }, source);
  if (scheme === undefined) throw new StructureError("PBMAC1's HMAC is missing");
  const { digest } = readHmac(scheme, source);
  return {
    charge: (budget) => kdf.charge(budget),
    async compute(password, content) {
      // UTF-8 without a terminator (RFC 9879, section 4), where PKCS#12's own scheme has UTF-16.
      const key = await kdf.derive(password ?? new Uint8Array());
      try {
        return createHmac(digest, key).update(content).digest();
      } finally {
        key.fill(0);
      }
    },
  };
}

/** RFC 7914, section 7.1: `salt, costParameter, blockSize, parallelizationParameter, keyLength OPTIONAL`. */
function readScrypt(parameters: Asn1Value | undefined, keyLength: number): Derivation {
  const [saltValue, cost, blockSize, parallelization, length] = sequence(parameters, 'the parameters of scrypt');
  const salt = readSalt(saltValue);
  const [N, r, p] = [count(cost, 'scrypt N'), count(blockSize, 'scrypt r'), count(parallelization, 'scrypt p')];
  if (length !== undefined) checkKeyLength(length, keyLength);
  if (N < 2 || r < 1 || p < 1) throw new StructureError('the parameters of scrypt are out of range');
  const memory = 128 * r * (N + p + 2);
  return {
    charge(budget) {
      budget.takeScrypt(memory, p);
      if (!Number.isInteger(Math.log2(N))) throw new StructureError('scrypt N is not a power of two');
    },
    derive: async (password) =>
      await promisify<Uint8Array, Uint8Array, number, object, Buffer>(scrypt)(password, salt, keyLength, {
        N,
        r,
        p,
        maxmem: 2 * memory,
      }),
  };
}

function pkcs12Scheme(
  { cipher, keyLength }: { cipher: 'des-ede3' | 'des-ede' | 'rc2'; keyLength: number },
  settings: DerivationSettings,
): Scheme {
  const rounds = derivationRounds(settings.digest, keyLength) + 1; // one more for the initialization vector
  return {
    tellsAbsent: true,
    charge: (budget) => budget.takeIterations(settings.iterations * rounds),
    async decrypt(password, data) {
      const bmp = password === undefined ? new Uint8Array() : bmpPassword(password);
      const key = await derivePkcs12(bmp, PURPOSE.key, settings, keyLength);
      const iv = await derivePkcs12(bmp, PURPOSE.iv, settings, 8);
      bmp.fill(0);
      try {
        if (cipher === 'rc2') {
          checkWholeBlocks(data, 8);
          return withoutPadding(decryptRc2Cbc(key, iv, data), 8);
        }
        // Two-key triple DES is three-key triple DES with the first key again.
        const full = cipher === 'des-ede' ? Buffer.concat([key, key.subarray(0, 8)]) : key;
        return decryptCbc('des-ede3-cbc', 8, full, iv, data);
      } finally {
        key.fill(0);
      }
    },
  };
}

/**
 * Decrypts in CBC mode and takes the padding of RFC 8018, section 6.1.1, off.
 *
 * @throws WrongPasswordError, StructureError
 */
export function decryptCbc(
  cipher: string,
  block: number,
  key: Uint8Array,
  iv: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  checkWholeBlocks(data, block);
  const decipher = createDecipheriv(cipher, key, iv).setAutoPadding(false);
  return withoutPadding(Buffer.concat([decipher.update(data), decipher.final()]), block);
}

function checkWholeBlocks(data: Uint8Array, block: number): void {
  if (data.length === 0 || data.length % block !== 0)
    throw new StructureError('what is encrypted is not a whole number of blocks');
}

function withoutPadding(data: Uint8Array, block: number): Uint8Array {
  const padding = data.at(-1) ?? 0;
  const good = padding >= 1 && padding <= block && data.subarray(-padding).every((octet) => octet === padding);
  if (!good) throw new WrongPasswordError('the padding is wrong');
  return data.subarray(0, data.length - padding);
}

function readSalt(value: Asn1Value | undefined): Uint8Array {
  const salt = octets(value, 'the salt');
  if (salt.length > MAX_SALT_OCTETS) throw new StructureError(`the salt has ${salt.length} octets`);
  return salt;
}

function readIterations(value: Asn1Value | undefined): number {
  const iterations = count(value, 'the iteration count');
  if (iterations < 1) throw new StructureError('the iteration count is 0');
  return iterations;
}

function checkKeyLength(value: Asn1Value | undefined, keyLength: number): void {
  if (count(value, 'the key length') !== keyLength)
    throw new StructureError('the key length is not that of the cipher');
}
