/**
 * Keys that the executable's cryptography takes otherwise than Node's does: curves that it does not know, which are refused by the
 * name that Node has for them, and keys under the label of another form.
 */
// Tests: test/standalone/plain-key.test.ts, test/standalone/comparison.heavy.test.ts
import { DerError, type DerValue, TAG, expectTag, readChildren, readDer, readObjectIdentifier } from '../x509/der.ts';
import type { PemBlock } from '../x509/pem.ts';

/** OpenSSL's names, by object identifier. */
const NAMES: Readonly<Record<string, string>> = {
  '1.2.840.10045.3.1.1': 'prime192v1',
  '1.3.132.0.10': 'secp256k1',
  '1.3.132.0.33': 'secp224r1',
  '1.3.36.3.3.2.8.1.1.7': 'brainpoolP256r1',
  '1.3.36.3.3.2.8.1.1.11': 'brainpoolP384r1',
  '1.3.36.3.3.2.8.1.1.13': 'brainpoolP512r1',
};

const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
/** Of a SEC 1 key (RFC 5915, section 3). */
const CURVE_FIELD = 0xa0;

/** The curve of a key in PKCS#8 or SEC 1, if it is one of those. */
export function foreignCurve({ label, der }: PemBlock): string | undefined {
  try {
    const fields = readChildren(expectTag(readDer(der), TAG.sequence, 'the key'));
    if (label === 'EC PRIVATE KEY') {
      const curve = fields.find(({ tag }) => tag === CURVE_FIELD);
      return curve && nameOf(readChildren(curve)[0]);
    }
    const [algorithm, curve] = readChildren(expectTag(fields[1], TAG.sequence, 'the algorithm'));
    const identifier = readObjectIdentifier(expectTag(algorithm, TAG.objectIdentifier, 'the algorithm'));
    return identifier === EC_PUBLIC_KEY ? nameOf(curve) : undefined;
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function nameOf(curve: DerValue | undefined): string | undefined {
  return NAMES[readObjectIdentifier(expectTag(curve, TAG.objectIdentifier, 'the curve'))];
}

/** Whether a key is in PKCS#8 though its label says another form: the runtime reads it, and Node refuses it. */
export function isMislabelled({ label, der }: PemBlock): boolean {
  if (label !== 'RSA PRIVATE KEY' && label !== 'EC PRIVATE KEY') return false;
  try {
    return readChildren(expectTag(readDer(der), TAG.sequence, 'the key'))[1]?.tag === TAG.sequence;
  } catch (error) {
    if (error instanceof DerError) return false;
    throw error;
  }
}
