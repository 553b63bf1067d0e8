/** Certificates in what CAs answer. */
// Tests: test/renewal/step-ca.heavy.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { readPem } from '../x509/pem.ts';
import { unusable } from './request.ts';

/**
 * Those of PEM text, in its order.
 *
 * @throws RolesAnywhereError `ERR_RESPONSE_INVALID` when it is not text, not PEM, or holds none
 */
export function certificatesInPem(issuer: string, text: unknown): Uint8Array[] {
  if (typeof text !== 'string') throw unusable(issuer, 'holds no certificate');
  try {
    const found = readPem(Buffer.from(text), issuer).filter(({ label }) => label === 'CERTIFICATE');
    if (found.length > 0) return found.map(({ der }) => der);
  } catch (error) {
    if (error instanceof RolesAnywhereError) throw unusable(issuer, 'holds PEM that cannot be read', error);
    throw error;
  }
  throw unusable(issuer, 'holds no certificate');
}
