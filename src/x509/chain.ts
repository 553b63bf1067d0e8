/** Puts a bundle of certificates into the chain that goes with a leaf. */
import { X509Certificate } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, sameBytes } from './certificate.ts';
import { issuerKeyIdentifier, ownKeyIdentifier } from './extensions.ts';

/** The service's limit: https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication.html */
export const MAX_CHAIN_LENGTH = 5;

/**
 * Finds the intermediates of `leaf` among `candidates`, whatever their order:
 * each certificate's issuer is looked up by the exact bytes of its name, and by
 * its key where one of the same name has another. The leaf itself, duplicates, roots (issued to themselves) and certificates that
 * lead nowhere from the leaf are left out. Where several certificates bear an
 * issuer's name, as after a renewal or a cross-signature, all of them are kept
 * in the bundle's order: the service picks the path.
 *
 * @param limit how many may remain; default {@link MAX_CHAIN_LENGTH}
 * @returns the leaf's issuer first
 * @throws RolesAnywhereError `ERR_CHAIN_TOO_LONG` when more than `limit` remain
 */
export function orderChain(
  leaf: Certificate,
  candidates: readonly Certificate[],
  limit = MAX_CHAIN_LENGTH,
): Certificate[] {
  const remaining = new Set<Certificate>();
  for (const candidate of candidates) {
    const isKnown = [leaf, ...remaining].some((known) => sameBytes(known.der, candidate.der));
    if (!isKnown && !sameBytes(candidate.subject, candidate.issuer)) remaining.add(candidate);
  }
  const chain: Certificate[] = [];
  for (let at: Certificate | undefined = leaf, next = 0; at !== undefined; at = chain[next++]) {
    for (const candidate of remaining) {
      if (!mayHaveIssued(candidate, at)) continue;
      chain.push(candidate);
      remaining.delete(candidate);
    }
  }
  if (chain.length > limit)
    throw new RolesAnywhereError(
      'ERR_CHAIN_TOO_LONG',
      `the chain has ${chain.length} intermediates, and the service takes ${limit}`,
      { hint: 'leave out of --intermediates what lies above the trust anchor' },
    );
  return chain;
}

/**
 * The candidates that have nothing to do with a leaf: not the leaf, nor in its
 * chain, nor the root above that. Given once each.
 */
export function unrelatedTo(
  leaf: Certificate,
  chain: readonly Certificate[],
  candidates: readonly Certificate[],
): Certificate[] {
  const path = [leaf, ...chain];
  return candidates.filter(
    (candidate, index) =>
      !path.some((related) => sameBytes(related.der, candidate.der) || mayHaveIssued(candidate, related)) &&
      candidates.findIndex((other) => sameBytes(other.der, candidate.der)) === index,
  );
}

/** By name; where the key identifiers disagree, which they may, the signature decides. */
function mayHaveIssued(issuer: Certificate, certificate: Certificate): boolean {
  if (!sameBytes(issuer.subject, certificate.issuer)) return false;
  const [own, wanted] = [ownKeyIdentifier(issuer.extensions), issuerKeyIdentifier(certificate.extensions)];
  return own === undefined || wanted === undefined || sameBytes(own, wanted) || signed(issuer, certificate);
}

function signed(issuer: Certificate, certificate: Certificate): boolean {
  try {
    return new X509Certificate(certificate.der).verify(new X509Certificate(issuer.der).publicKey);
  } catch {
    return true; // a key or an algorithm that this Node does not know: the name must do
  }
}
