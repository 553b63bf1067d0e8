/** The chain of a certificate among those that lie in its token. */
import { X509Certificate } from 'node:crypto';
import type { Certificate } from '../../x509/certificate.ts';
import { sameBytes } from '../../x509/certificate.ts';
import { MAX_CHAIN_LENGTH, orderChain } from '../../x509/chain.ts';

/**
 * The certificates that signed the leaf, then those that signed them. A token
 * may hold old authorities of the same name: names alone do not make a chain.
 *
 * @param limit how many may be in it; default {@link MAX_CHAIN_LENGTH}
 * @throws RolesAnywhereError `ERR_CHAIN_TOO_LONG`
 */
export function tokenChain(
  leaf: Certificate,
  candidates: readonly Certificate[],
  limit = MAX_CHAIN_LENGTH,
): Certificate[] {
  const issuers = new Set<Certificate>();
  const below = [leaf];
  for (let at = below.shift(); at !== undefined; at = below.shift()) {
    for (const candidate of candidates) {
      if (issuers.has(candidate) || !signed(candidate, at)) continue;
      issuers.add(candidate);
      below.push(candidate);
    }
  }
  return orderChain(leaf, [...issuers], limit);
}

function signed(issuer: Certificate, certificate: Certificate): boolean {
  if (!sameBytes(issuer.subject, certificate.issuer)) return false;
  try {
    return new X509Certificate(certificate.der).verify(new X509Certificate(issuer.der).publicKey);
  } catch {
    return true; // a key or an algorithm that this Node does not know: the name must do
  }
}
