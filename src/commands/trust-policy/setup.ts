/** What a set-up creates, for those that write it in one language each. */
// Tests: test/commands/trust-policy.test.ts
import type { SessionTag } from '../../x509/session-attributes.ts';

/** The trust anchor: one that is there, or one to create from certificates of a CA or from a CA of AWS Private CA. */
export type Anchor =
  | { readonly kind: 'existing'; readonly arn: string; readonly region: string }
  | { readonly kind: 'bundle'; readonly pem: string }
  | { readonly kind: 'private-ca'; readonly arn: string; readonly region: string };

export interface Setup {
  /** Of the trust anchor, the role and the profile: letters, digits, `-` and `_`, which all of them take. */
  readonly name: string;
  /** The certificate's subject, for comments: one line of printable text. */
  readonly subject: string;
  readonly anchor: Anchor;
  readonly tags: readonly SessionTag[];
}

/** The source of a trust anchor that is created, by the names of the Roles Anywhere API ("CreateTrustAnchor"). */
export function sourceOf(anchor: Exclude<Anchor, { kind: 'existing' }>): {
  readonly sourceType: string;
  readonly sourceData: { readonly x509CertificateData: string } | { readonly acmPcaArn: string };
} {
  return anchor.kind === 'bundle'
    ? { sourceType: 'CERTIFICATE_BUNDLE', sourceData: { x509CertificateData: anchor.pem } }
    : { sourceType: 'AWS_ACM_PCA', sourceData: { acmPcaArn: anchor.arn } };
}

/** Comments at the head of a set-up. */
export function headOf({ subject, anchor }: Setup, mark: string, what: readonly string[]): string {
  const made = anchor.kind === 'existing' ? 'A role and a profile' : 'A trust anchor, a role and a profile';
  return [
    `${made} of IAM Roles Anywhere for the certificate with the subject`,
    subject,
    'The role may do nothing until permissions are attached to it.',
    ...what,
  ]
    .map((line) => `${mark} ${line}\n`)
    .join('');
}
