/** The public half of a key in a token, from what the token shows of it. */
import { createPublicKey } from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { CKK_EC, CKK_RSA } from './constants.ts';
import type { KeyFacts } from './port.ts';

interface Curve {
  /** As JSON Web Keys call it (RFC 7518, section 6.2.1.1). */
  name: string;
  /** DER of the object identifier, which CKA_EC_PARAMS holds (RFC 5480, section 2.1.1.1). */
  parameters: string;
  /** The length of a coordinate, and of the group's order. */
  bytes: number;
}

const CURVES: readonly Curve[] = [
  { name: 'P-256', parameters: '06082a8648ce3d030107', bytes: 32 },
  { name: 'P-384', parameters: '06052b81040022', bytes: 48 },
  { name: 'P-521', parameters: '06052b81040023', bytes: 66 },
];

/** The bytes of a curve's order, by OpenSSL's name of the curve; undefined for curves that are not used here. */
export function curveBytes(publicKey: KeyObject): number | undefined {
  const name = publicKey.asymmetricKeyType === 'ec' ? publicKey.export({ format: 'jwk' }).crv : undefined;
  return CURVES.find((curve) => curve.name === name)?.bytes;
}

/** Whether a key is the one that `publicKey` belongs to, by its kind and by what the token shows of its public part. */
export function fits(key: KeyFacts, publicKey: KeyObject): 'yes' | 'no' | 'unknown' {
  const isRsa = publicKey.asymmetricKeyType === 'rsa';
  if (key.type !== (isRsa ? CKK_RSA : CKK_EC)) return 'no';
  const { n, x, y } = publicKey.export({ format: 'jwk' });
  if (isRsa) {
    const { modulus } = key.publicPart;
    if (modulus === undefined) return 'unknown';
    return base64url(withoutZeros(modulus)) === n ? 'yes' : 'no';
  }
  const size = Buffer.from(x ?? '', 'base64url').length;
  const point = coordinates(key, size);
  if (point === undefined) return key.publicPart.point === undefined ? 'unknown' : 'no';
  return base64url(point.x) === x && base64url(point.y) === y ? 'yes' : 'no';
}

/** The public key, when the token shows all of it. */
export function publicKeyOf(key: KeyFacts): KeyObject | undefined {
  const jwk = toJwk(key);
  if (jwk === undefined) return undefined;
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined; // a point that is not on its curve
  }
}

function toJwk(key: KeyFacts): JsonWebKey | undefined {
  const { modulus, exponent, parameters } = key.publicPart;
  if (key.type === CKK_RSA) {
    if (modulus === undefined || exponent === undefined) return undefined;
    const [n, e] = [base64url(withoutZeros(modulus)), base64url(withoutZeros(exponent))];
    // Zeros in place of what is not shown: Node would make one key of all of these.
    return n === '' || e === '' ? undefined : { kty: 'RSA', n, e };
  }
  const oid = parameters === undefined ? '' : Buffer.from(parameters).toString('hex');
  const curve = CURVES.find((known) => known.parameters === oid);
  const point = curve === undefined ? undefined : coordinates(key, curve.bytes);
  if (curve === undefined || point === undefined) return undefined;
  return { kty: 'EC', crv: curve.name, x: base64url(point.x), y: base64url(point.y) };
}

/**
 * The coordinates of an EC point. CKA_EC_POINT is an OCTET STRING around 04 || X || Y (PKCS#11 2.40 current mechanisms,
 * section 2.3.3); some tokens leave the string out.
 */
function coordinates({ publicPart: { point } }: KeyFacts, size: number): { x: Uint8Array; y: Uint8Array } | undefined {
  if (point === undefined) return undefined;
  const start = point.length - 2 * size;
  // A string's header takes two bytes, or three from 128 on.
  if (![1, 3, 4].includes(start) || point[start - 1] !== 0x04) return undefined;
  return { x: point.subarray(start, start + size), y: point.subarray(start + size) };
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (bytes[start] === 0) start += 1;
  return bytes.subarray(start);
}
