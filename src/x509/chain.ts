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
 * its key where several have that name. The leaf itself, duplicates, roots (issued to themselves) and certificates that
 * lead nowhere from the leaf are left out. Where several certificates have an
 * issuer's name and key, as after a renewal or a cross-signature, all of them are kept
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
    const { issuer } = at;
    const named = [...remaining].filter(({ subject }) => sameBytes(subject, issuer));
    for (const candidate of named) {
      if (!mayHaveIssued(candidate, at, named.length === 1)) continue;
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
      !path.some((related) => sameBytes(related.der, candidate.der) || mayHaveIssued(candidate, related, false)) &&
      candidates.findIndex((other) => sameBytes(other.der, candidate.der)) === index,
  );
}

/**
 * By name; where the key identifiers disagree, which they may, the signature decides, and where there are none, too, should
 * others bear the name.
 */
function mayHaveIssued(issuer: Certificate, certificate: Certificate, isOnlyOne: boolean): boolean {
  if (!sameBytes(issuer.subject, certificate.issuer)) return false;
  const [own, wanted] = [ownKeyIdentifier(issuer.extensions), issuerKeyIdentifier(certificate.extensions)];
  const agrees = own === undefined || wanted === undefined ? isOnlyOne : sameBytes(own, wanted);
  return agrees || signed(issuer, certificate);
}

function signed(issuer: Certificate, certificate: Certificate): boolean {
  try {
    return new X509Certificate(certificate.der).verify(new X509Certificate(issuer.der).publicKey);
  } catch {
    return true; // a key or an algorithm that this Node does not know: the name must do
  }
}
