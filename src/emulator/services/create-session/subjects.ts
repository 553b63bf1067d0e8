/** Subjects: those of the certificates that came with CreateSession. */
// Tests: test/emulator/services/control/control.test.ts
import { createHash } from 'node:crypto';
import { type Certificate, hexSerial, toPem } from '../../certificates/certificate.ts';
import type { Sighting, TrustAnchorRecord } from '../../state/records.ts';

/** A subject is named after what the certificate calls it, so that its renewal is the same subject. */
export function subjectArn({ subjectDer }: Certificate, { arn }: TrustAnchorRecord): string {
  const hex = createHash('sha256').update(subjectDer).digest('hex');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
  return arn.replace(/trust-anchor\/.*$/, `subject/${uuid}`);
}

export function sighting(
  leaf: Certificate,
  anchor: TrustAnchorRecord,
  { now, failed, properties }: { now: Date; failed: boolean; properties: Readonly<Record<string, string>> | undefined },
): Sighting {
  return {
    subjectArn: subjectArn(leaf, anchor),
    x509Subject: leaf.subject,
    at: now.toISOString(),
    serialNumber: hexSerial(leaf),
    issuer: leaf.issuer,
    certificate: toPem(leaf),
    failed,
    instanceProperties: properties,
  };
}
