/** Path building and validation (RFC 5280, section 6), within the bounds that Roles Anywhere sets. */
// Tests: test/emulator/services/create-session/create-session.test.ts
import type { Certificate } from './certificate.ts';
import { nameConstraintProblem } from './name-constraints.ts';
import { authorityProblem, validityProblem } from './rules.ts';

/** The most certificates that X-Amz-X509-Chain may hold. */
export const MAX_CHAIN_CERTIFICATES = 5;

/** The most dead ends that a refusal names. */
const MAX_REASONS = 5;

/** A path from the end entity to an anchor, both included, or why there is none. */
export type PathResult = { readonly path: readonly Certificate[] } | { readonly reason: string };

/**
 * Looks for a path from `leaf` to one of `anchors` through the certificates
 * that were sent, in whatever order. An anchor need not be self-signed.
 */
export function findPath(
  leaf: Certificate,
  sent: readonly Certificate[],
  anchors: readonly Certificate[],
  now: Date,
): PathResult {
  const candidates = [...anchors, ...sent.filter((certificate) => !includes(anchors, certificate))];
  const reasons: string[] = [];

  const extend = (path: readonly Certificate[]): readonly Certificate[] | undefined => {
    const last = path.at(-1) ?? leaf;
    const issuers = candidates.filter(
      (candidate) => candidate.subjectDer.equals(last.issuerDer) && !includes(path, candidate),
    );
    if (issuers.length === 0)
      reasons.push(`no certificate of "${last.issuer}", which issued "${last.subject}", was found`);
    for (const issuer of issuers) {
      const problem = issuerProblem(issuer, path, now);
      if (problem !== undefined) {
        reasons.push(`"${issuer.subject}" cannot have issued "${last.subject}": ${problem}`);
        continue;
      }
      const longer = [...path, issuer];
      const complete = includes(anchors, issuer) ? longer : extend(longer);
      if (complete !== undefined) return complete;
    }
    return undefined;
  };

  const path = extend([leaf]);
  return path === undefined ? { reason: [...new Set(reasons)].slice(0, MAX_REASONS).join('; ') } : { path };
}

/** The reason why `issuer` cannot stand above `path`, or undefined. */
function issuerProblem(issuer: Certificate, path: readonly Certificate[], now: Date): string | undefined {
  const problem = authorityProblem(issuer) ?? validityProblem(issuer, now);
  if (problem !== undefined) return problem;
  // Self-issued certificates do not count: RFC 5280, section 4.2.1.9.
  const below = path.slice(1).filter(({ subjectDer, issuerDer }) => !subjectDer.equals(issuerDer)).length;
  const limit = issuer.basicConstraints?.pathLength;
  if (limit !== undefined && below > limit) return `its path length constraint is ${limit}, and ${below} are below it`;
  const constraint = nameConstraintProblem(issuer, path);
  if (constraint !== undefined) return constraint;
  return path.at(-1)?.isSignedBy(issuer) === true ? undefined : 'the signature does not verify with its key';
}

function includes(certificates: readonly Certificate[], wanted: Certificate): boolean {
  return certificates.some(({ der }) => der.equals(wanted.der));
}
