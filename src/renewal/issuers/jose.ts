/** Signatures of JSON Web Signatures (RFC 7518, section 3) by any signer of ours. */
// Tests: test/renewal/jose.test.ts
import { createPublicKey } from 'node:crypto';
import type { Digest, Signer } from '../../identity/identity.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { TAG, expectTag, readChildren, readDer } from '../../x509/der.ts';

/** By OpenSSL's name of the curve: the algorithm, its digest, and the octets of each half of a signature. */
const CURVES: Readonly<Record<string, readonly [algorithm: string, digest: Digest, octets: number]>> = {
  prime256v1: ['ES256', 'SHA256', 32],
  secp384r1: ['ES384', 'SHA384', 48],
  secp521r1: ['ES512', 'SHA512', 66],
};

/** Signs, in the form of JWS. */
export interface JoseSign {
  (message: Uint8Array): Promise<Uint8Array>;
  readonly algorithm: string;
}

/**
 * @param publicKey DER of the SubjectPublicKeyInfo of the signer's key
 * @throws RolesAnywhereError `ERR_KEY_UNSUPPORTED`
 */
export function joseSignature(signer: Signer, publicKey: Uint8Array): JoseSign {
  if (signer.keyType === 'RSA')
    return Object.assign((message: Uint8Array) => signer.sign(message, 'SHA256'), { algorithm: 'RS256' });
  const curve = signer.keyType === 'EC' ? curveOf(publicKey) : undefined;
  const found = curve === undefined ? undefined : CURVES[curve];
  if (found === undefined)
    throw new RolesAnywhereError(
      'ERR_KEY_UNSUPPORTED',
      `a key of the type ${signer.keyType} signs no token for the CA`,
      {
        hint: 'renew the certificate with its key in a file, by mTLS, or by --renew-command',
      },
    );
  const [algorithm, digest, octets] = found;
  return Object.assign(
    async (message: Uint8Array) => {
      const fields = readChildren(
        expectTag(readDer(await signer.sign(message, digest)), TAG.sequence, 'the signature'),
      );
      return Buffer.concat(fields.map(({ content }) => fixed(content, octets)));
    },
    { algorithm },
  );
}

function curveOf(publicKey: Uint8Array): string | undefined {
  return createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }).asymmetricKeyDetails?.namedCurve;
}

/** An INTEGER's octets, as many as there should be. */
function fixed(content: Uint8Array, octets: number): Uint8Array {
  const digits = content.length > octets ? content.subarray(content.length - octets) : content;
  const whole = new Uint8Array(octets);
  whole.set(digits, octets - digits.length);
  return whole;
}
