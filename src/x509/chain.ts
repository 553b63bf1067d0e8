/** Puts a bundle of certificates into the chain that goes with a leaf. */
import { RolesAnywhereError } from '../errors.ts';
import { type Certificate, sameBytes } from './certificate.ts';

/** The service's limit: https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication.html */
const MAX_CHAIN_LENGTH = 5;

/**
 * Finds the intermediates of `leaf` among `candidates`, whatever their order:
 * each certificate's issuer is looked up by the exact bytes of its name. The
 * leaf itself, duplicates, roots (issued to themselves) and certificates that
 * lead nowhere from the leaf are left out. Where several certificates bear an
 * issuer's name, as after a renewal or a cross-signature, all of them are kept
 * in the bundle's order: the service picks the path.
 *
 * @returns the leaf's issuer first
 * @throws RolesAnywhereError `ERR_CHAIN_TOO_LONG` when more than {@link MAX_CHAIN_LENGTH} remain
 */
export function orderChain(leaf: Certificate, candidates: readonly Certificate[]): Certificate[] {
  const remaining = new Set<Certificate>();
  for (const candidate of candidates) {
    const isKnown = [leaf, ...remaining].some((known) => sameBytes(known.der, candidate.der));
    if (!isKnown && !sameBytes(candidate.subject, candidate.issuer)) remaining.add(candidate);
  }
  const chain: Certificate[] = [];
  for (let at: Certificate | undefined = leaf, next = 0; at !== undefined; at = chain[next++]) {
    for (const candidate of remaining) {
      if (!sameBytes(candidate.subject, at.issuer)) continue;
      chain.push(candidate);
      remaining.delete(candidate);
    }
  }
  if (chain.length > MAX_CHAIN_LENGTH)
    throw new RolesAnywhereError(
      'ERR_CHAIN_TOO_LONG',
      `the chain has ${chain.length} intermediates, and the service takes ${MAX_CHAIN_LENGTH}`,
      { hint: 'leave out of --intermediates what lies above the trust anchor' },
    );
  return chain;
}
