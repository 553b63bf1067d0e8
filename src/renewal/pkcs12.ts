/** Writes PKCS#12 (RFC 7292): one certificate with its chain and its key, under PBES2 with AES-256 and an HMAC-SHA256. */
// Tests: test/renewal/form.test.ts
import { createCipheriv, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import * as asn1js from 'asn1js';
import { PURPOSE, bmpPassword, derivePkcs12 } from '../identity/containers/pkcs12-kdf.ts';

/** RFC 5652, 7292, 2985, 8018; digests and ciphers by NIST. */
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
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

/** Five times those of OpenSSL: every reader pays for them at each start. */
const ITERATIONS = 10_000;

const derive = promisify(pbkdf2);

/**
 * Makes a container.
 *
 * @param pkcs8 DER of the private key, not encrypted
 * @param certificates DER, the leaf first
 * @param password in UTF-8
 */
export async function writePkcs12(
  pkcs8: Uint8Array,
  certificates: readonly Uint8Array[],
  password: Uint8Array,
): Promise<Uint8Array> {
  const keyId = randomBytes(20);
  const certificateBags = certificates.map((certificate, index) =>
    bag(
      OID.certificateBag,
      sequence(identifier(OID.x509Certificate), explicit(octets(certificate))),
      index === 0 ? keyId : undefined,
    ),
  );
  const key = await encrypt(pkcs8, password);
  const keyBag = bag(OID.shroudedKeyBag, sequence(key.algorithm, octets(key.data)), keyId);
  const safe = await encrypt(der(sequence(...certificateBags)), password);
  const encryptedData = sequence(
    integer(0),
    sequence(
      identifier(OID.data),
      safe.algorithm,
      new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: safe.data }),
    ),
  );
  const content = der(
    sequence(
      sequence(identifier(OID.encryptedData), explicit(encryptedData)),
      sequence(identifier(OID.data), explicit(octets(der(sequence(keyBag))))),
    ),
  );
  return der(
    sequence(integer(3), sequence(identifier(OID.data), explicit(octets(content))), await macOf(content, password)),
  );
}

function bag(type: string, value: asn1js.BaseBlock, keyId?: Uint8Array): asn1js.Sequence {
  if (keyId === undefined) return sequence(identifier(type), explicit(value));
  const attribute = sequence(identifier(OID.localKeyId), new asn1js.Set({ value: [octets(keyId)] }));
  return sequence(identifier(type), explicit(value), new asn1js.Set({ value: [attribute] }));
}

async function macOf(content: Uint8Array, password: Uint8Array): Promise<asn1js.Sequence> {
  const salt = randomBytes(16);
  const bmp = bmpPassword(password);
  const key = await derivePkcs12(bmp, PURPOSE.mac, { digest: 'sha256', salt, iterations: ITERATIONS }, 32);
  bmp.fill(0);
  const mac = createHmac('sha256', key).update(content).digest();
  key.fill(0);
  const info = sequence(sequence(identifier(OID.sha256), new asn1js.Null()), octets(mac));
  return sequence(info, octets(salt), integer(ITERATIONS));
}

async function encrypt(
  plain: Uint8Array,
  password: Uint8Array,
): Promise<{ readonly algorithm: asn1js.Sequence; readonly data: Uint8Array }> {
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const key = await derive(password, salt, ITERATIONS, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const data = Buffer.concat([cipher.update(plain), cipher.final()]);
  key.fill(0);
  const derivation = sequence(
    octets(salt),
    integer(ITERATIONS),
    sequence(identifier(OID.hmacSha256), new asn1js.Null()),
  );
  return {
    algorithm: sequence(
      identifier(OID.pbes2),
      sequence(sequence(identifier(OID.pbkdf2), derivation), sequence(identifier(OID.aes256), octets(iv))),
    ),
    data,
  };
}

function sequence(...value: asn1js.BaseBlock[]): asn1js.Sequence {
  return new asn1js.Sequence({ value });
}

function explicit(value: asn1js.BaseBlock): asn1js.Constructed {
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [value] });
}

function octets(valueHex: Uint8Array): asn1js.OctetString {
  return new asn1js.OctetString({ valueHex });
}

function integer(value: number): asn1js.Integer {
  return new asn1js.Integer({ value });
}

function identifier(value: string): asn1js.ObjectIdentifier {
  return new asn1js.ObjectIdentifier({ value });
}

function der(value: asn1js.BaseBlock): Uint8Array {
  return new Uint8Array(value.toBER());
}
