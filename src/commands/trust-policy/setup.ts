/** What a set-up creates, for those that write it in one language each. */
// Tests: test/commands/trust-policy.test.ts
import type { SessionTag } from '../../x509/session-attributes.ts';
import { Expression, type Value } from './policy.ts';

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

/** The form of lists and maps of a language. */
export interface Language {
  /** What stands between a name and its value. */
  readonly assign: string;
  /** What ends a member of a map, and of a list. */
  readonly ends: readonly [member: string, item: string];
  /** A name as it is written. */
  readonly name: (name: string) => string;
  readonly string: (text: string) => string;
  /** Whether its formatter puts the values of a map of texts below each other. Default no. */
  readonly aligns?: true | undefined;
}

/** Writes a value, with what is inside of it two blanks further in. */
export function written(value: Value, language: Language, indent = ''): string {
  if (value instanceof Expression) return value.code;
  if (typeof value === 'string') return language.string(value);
  if (typeof value !== 'object') return String(value);
  const [member, item] = language.ends;
  const inner = `${indent}  `;
  if (isList(value)) {
    const items = value.map((part) => `${inner}${written(part, language, inner)}${item}\n`);
    return `[\n${items.join('')}${indent}]`;
  }
  const names = Object.keys(value).map((name) => language.name(name));
  const isFlat = Object.values(value).every((part) => typeof part !== 'object' || part instanceof Expression);
  const width = language.aligns === true && isFlat ? Math.max(...names.map((name) => name.length)) : 0;
  const members = Object.values(value).map(
    (part, at) =>
      `${inner}${(names[at] ?? '').padEnd(width)}${language.assign}${written(part, language, inner)}${member}\n`,
  );
  return `{\n${members.join('')}${indent}}`;
}

function isList(value: object): value is readonly Value[] {
  return Array.isArray(value);
}
