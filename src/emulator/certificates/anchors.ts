/** Trust anchors: the rules for their certificates, and how they are read. */
// Tests: test/emulator/services/control/control.test.ts
import type { TrustAnchorRecord } from '../state/records.ts';
import { type Certificate, readPemCertificates } from './certificate.ts';
import { authorityProblem } from './rules.ts';

const MAX_ANCHOR_CERTIFICATES = 2;
export const MAX_ANCHOR_CRLS = 2;
const MAX_PEM_LENGTH = 16_000; // characters, by the service model

/** The subject of the first certificate in PEM text, or the reason why that text cannot be a trust anchor. */
export function anchorProblem(pem: string): { readonly problem: string } | { readonly subject: string } {
  const certificates = readPemCertificates(pem);
  for (const certificate of certificates) {
    if (certificate === undefined) return { problem: 'holds a certificate that cannot be read' };
    const problem = authorityProblem(certificate);
    if (problem !== undefined) return { problem: `holds "${certificate.subject}", which cannot be one: ${problem}` };
  }
  const [first] = certificates;
  if (first === undefined) return { problem: 'holds no certificate' };
  if (certificates.length > MAX_ANCHOR_CERTIFICATES) return { problem: `holds ${certificates.length} certificates` };
  if (pem.length > MAX_PEM_LENGTH) return { problem: `is longer than ${MAX_PEM_LENGTH} characters` };
  return { subject: first.subject };
}

const anchors = new WeakMap<TrustAnchorRecord, readonly Certificate[]>();

/** The certificates of a trust anchor, read once. */
export function anchorCertificates(anchor: TrustAnchorRecord): readonly Certificate[] {
  const known = anchors.get(anchor) ?? readPemCertificates(anchor.certificates).filter((item) => item !== undefined);
  anchors.set(anchor, known);
  return known;
}
