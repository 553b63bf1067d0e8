/**
 * Containers of the development PKI: encrypted PKCS#8 and PKCS#12, for every kind of key, those included that openssl
 * cannot write. What other programs write is made in the tests, by those programs.
 */
import { createCipheriv, createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import * as asn1js from 'asn1js';

/** The password of everything that is encrypted in the development PKI. */
export const PASSWORD = 'development';

/** `modern`: PBES2 with AES-256 and an HMAC-SHA256, as OpenSSL 3 writes; `legacy`: triple DES and SHA-1, as programs did before. */
export type Era = 'modern' | 'legacy';

/** As OpenSSL does by default; fewer than anybody should use, which is what tests want. */
const ITERATIONS = 2048;

const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  localKeyId: '1.2.840.113549.1.9.21',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacSha256: '1.2.840.113549.2.9',
  aes256: '2.16.840.1.101.3.4.1.42',
  pbeSha1TripleDes: '1.2.840.113549.1.12.1.3',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

/** DER of an EncryptedPrivateKeyInfo (RFC 5958, section 3). */
export function encryptPkcs8(pkcs8: Uint8Array, password: string, era: Era = 'modern'): Uint8Array {
  const { algorithm, data } = encrypt(pkcs8, password, era);
  return der(sequence(algorithm, octets(data)));
}

/**
 * DER of a PKCS#12 container (RFC 7292).
 *
 * @param certificates DER, the leaf first
 */
export function makePkcs12(
  pkcs8: Uint8Array,
  certificates: readonly Uint8Array[],
  password: string,
  era: Era = 'modern',
): Uint8Array {
  const keyId = randomBytes(20);
  const certificateBags = certificates.map((certificate, index) =>
    bag(
      OID.certificateBag,
      sequence(identifier(OID.x509Certificate), explicit(0, octets(certificate))),
      index === 0 ? keyId : undefined,
    ),
  );
  const keyBag = bag(OID.shroudedKeyBag, raw(encryptPkcs8(pkcs8, password, era)), keyId);
  const safe = encrypt(der(sequence(...certificateBags)), password, era);
  const encryptedData = sequence(
    new asn1js.Integer({ value: 0 }),
    sequence(
      identifier(OID.data),
      safe.algorithm,
      new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: safe.data }),
    ),
  );
  const content = der(
    sequence(
      sequence(identifier(OID.encryptedData), explicit(0, encryptedData)),
      sequence(identifier(OID.data), explicit(0, octets(der(sequence(keyBag))))),
    ),
  );
  return der(
    sequence(
      new asn1js.Integer({ value: 3 }),
      sequence(identifier(OID.data), explicit(0, octets(content))),
      macData(content, password, era),
    ),
  );
}

function bag(type: string, value: asn1js.BaseBlock, keyId?: Uint8Array): asn1js.Sequence {
  const attributes =
    keyId === undefined
      ? []
      : [new asn1js.Set({ value: [sequence(identifier(OID.localKeyId), new asn1js.Set({ value: [octets(keyId)] }))] })];
  return sequence(identifier(type), explicit(0, value), ...attributes);
}

function macData(content: Uint8Array, password: string, era: Era): asn1js.Sequence {
  const digest = era === 'modern' ? 'sha256' : 'sha1';
  const salt = randomBytes(8);
  const key = deriveKey(password, 3, salt, digest, digest === 'sha256' ? 32 : 20);
  const mac = createHmac(digest, key).update(content).digest();
  const info = sequence(sequence(identifier(OID[digest]), new asn1js.Null()), octets(mac));
  return sequence(info, octets(salt), new asn1js.Integer({ value: ITERATIONS }));
}

interface Encrypted {
  readonly algorithm: asn1js.Sequence;
  readonly data: Uint8Array;
}

function encrypt(plain: Uint8Array, password: string, era: Era): Encrypted {
  const salt = randomBytes(16);
  if (era === 'legacy') {
    const key = deriveKey(password, 1, salt, 'sha1', 24);
    const cipher = createCipheriv('des-ede3-cbc', key, deriveKey(password, 2, salt, 'sha1', 8));
    const parameters = sequence(octets(salt), new asn1js.Integer({ value: ITERATIONS }));
    return {
      algorithm: sequence(identifier(OID.pbeSha1TripleDes), parameters),
      data: Buffer.concat([cipher.update(plain), cipher.final()]),
    };
  }
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256'), iv);
  const derivation = sequence(
    octets(salt),
    new asn1js.Integer({ value: ITERATIONS }),
    sequence(identifier(OID.hmacSha256), new asn1js.Null()),
  );
  return {
    algorithm: sequence(
      identifier(OID.pbes2),
      sequence(sequence(identifier(OID.pbkdf2), derivation), sequence(identifier(OID.aes256), octets(iv))),
    ),
    data: Buffer.concat([cipher.update(plain), cipher.final()]),
  };
}

/** RFC 7292, appendix B.2, in big numbers. */
function deriveKey(
  password: string,
  purpose: number,
  salt: Uint8Array,
  digest: 'sha1' | 'sha256',
  length: number,
): Buffer {
  const block = 64;
  const bmp = Buffer.concat([Buffer.from(password, 'utf16le').swap16(), Buffer.alloc(2)]);
  const filled = (bytes: Uint8Array): Buffer => Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes);
  let input = Buffer.concat([filled(salt), filled(bmp)]);
  let derived = Buffer.alloc(0);
  while (derived.length < length) {
    let hash = createHash(digest).update(Buffer.alloc(block, purpose)).update(input).digest();
    for (let i = 1; i < ITERATIONS; i++) hash = createHash(digest).update(hash).digest();
    derived = Buffer.concat([derived, hash]);
    const step = BigInt(`0x${Buffer.alloc(block, hash).toString('hex')}`) + 1n;
    const blocks = Array.from({ length: input.length / block }, (_, index) => {
      const sum = BigInt(`0x${input.subarray(index * block, (index + 1) * block).toString('hex')}`) + step;
      return Buffer.from(
        BigInt.asUintN(block * 8, sum)
          .toString(16)
          .padStart(block * 2, '0'),
        'hex',
      );
    });
    input = Buffer.concat(blocks);
  }
  return derived.subarray(0, length);
}

function sequence(...value: asn1js.BaseBlock[]): asn1js.Sequence {
  return new asn1js.Sequence({ value });
}

function explicit(tagNumber: number, value: asn1js.BaseBlock): asn1js.Constructed {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] });
}

function octets(valueHex: Uint8Array): asn1js.OctetString {
  return new asn1js.OctetString({ valueHex });
}

function identifier(value: string): asn1js.ObjectIdentifier {
  return new asn1js.ObjectIdentifier({ value });
}

function raw(bytes: Uint8Array): asn1js.BaseBlock {
  return asn1js.fromBER(bytes).result;
}

function der(value: asn1js.BaseBlock): Uint8Array {
  return new Uint8Array(value.toBER());
}
