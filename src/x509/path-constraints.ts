/**
 * What a CA certificate says about the certificates below it: how many CAs may follow (path length constraint, RFC 5280,
 * section 4.2.1.9), and which names they may have (name constraints, section 4.2.1.10). `doctor` alone looks at it: the
 * service is the judge.
 */
// Tests: test/x509/path-constraints.test.ts
import { sameBytes } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { TAG, expectTag, readChildren, readDer, readInteger } from './der.ts';
import type { DerValue } from './der.ts';
import { EXTENSION } from './extensions.ts';
import { nameText, printable, readName, readRelativeNames } from './names.ts';
import type { IdentifiedAttribute } from './names.ts';

/** A CA that has more CAs below it than it allows. */
export interface LengthProblem {
  /** How many it allows. */
  readonly limit: number;
  readonly found: number;
}

/**
 * Whether more CAs stand below a CA than it allows. Those that were issued to themselves, as at a change of keys, do not
 * count, nor does the end of the path.
 *
 * @param below from the end entity up to what the CA issued
 * @throws DerError
 */
export function lengthProblem(authority: Certificate, below: readonly Certificate[]): LengthProblem | undefined {
  const constraints = authority.extensions.get(EXTENSION.basicConstraints);
  if (constraints === undefined) return undefined;
  const fields = readChildren(expectTag(readDer(constraints), TAG.sequence, 'basicConstraints'));
  const length = fields.find(({ tag }) => tag === TAG.integer);
  if (length === undefined) return undefined;
  const limit = Number(readInteger(length));
  const found = below.slice(1).filter((one) => !isSelfIssued(one)).length;
  return found > limit ? { limit, found } : undefined;
}

/** A name that a CA may not give. */
export interface NameProblem {
  readonly certificate: Certificate;
  /** The name with its kind, such as `DNS:web.example`. */
  readonly name: string;
  /** Whether the name is among those that are excluded. Else it is not among those that are permitted. */
  readonly isExcluded: boolean;
}

/**
 * The first name below a CA that its name constraints forbid. Names and constraints of kinds that are not known here are
 * passed over.
 *
 * @param below as in {@link lengthProblem}
 * @throws DerError
 */
export function nameProblem(authority: Certificate, below: readonly Certificate[]): NameProblem | undefined {
  const extension = authority.extensions.get(EXTENSION.nameConstraints);
  if (extension === undefined) return undefined;
  const parts = readChildren(expectTag(readDer(extension), TAG.sequence, 'nameConstraints'));
  const [permitted, excluded] = [0xa0, 0xa1].map((tag) => basesOf(parts.find((part) => part.tag === tag)));
  for (const [index, certificate] of below.entries()) {
    if (index > 0 && isSelfIssued(certificate)) continue;
    for (const name of namesOf(certificate)) {
      const kind = KINDS.get(name.tag);
      if (kind === undefined) continue;
      const within = (base: DerValue): boolean => kind.isWithin(name, base);
      const ofKind = (bases: readonly DerValue[] = []): DerValue[] => bases.filter(({ tag }) => tag === name.tag);
      const allowed = ofKind(permitted);
      const isExcluded = ofKind(excluded).some(within);
      if (isExcluded || (allowed.length > 0 && !allowed.some(within)))
        return { certificate, name: `${kind.label}:${kind.show(name)}`, isExcluded };
    }
  }
  return undefined;
}

function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return sameBytes(subject, issuer);
}

/** The bases of the subtrees. The distances from them that X.509 knows are not used (RFC 5280). */
function basesOf(subtrees: DerValue | undefined): DerValue[] {
  if (subtrees === undefined) return [];
  return readChildren(subtrees, MAX_NAMES).flatMap((subtree) => readChildren(subtree).slice(0, 1));
}

/** No real CA has more constraints; a certificate for a web server may have some hundred names. */
const MAX_NAMES = 1000;
const EMAIL_ADDRESS = '1.2.840.113549.1.9.1';
const [RFC822, DNS, DIRECTORY, URI, IP] = [0x81, 0x82, 0xa4, 0x86, 0x87] as const;

/** The alternative names, the subject as a directory name, and its e-mail addresses where no alternative name is one. */
function namesOf({ subject, extensions }: Certificate): DerValue[] {
  const extension = extensions.get(EXTENSION.subjectAltName);
  const names =
    extension === undefined
      ? []
      : readChildren(expectTag(readDer(extension), TAG.sequence, 'subjectAltName'), MAX_NAMES);
  const attributes = readRelativeNames(subject).flat();
  const mails = names.some(({ tag }) => tag === RFC822) ? [] : attributes.filter(({ oid }) => oid === EMAIL_ADDRESS);
  return [
    ...(attributes.length === 0 ? [] : [{ tag: DIRECTORY, content: subject, der: subject }]),
    ...mails.map(({ value = '' }) => ({ tag: RFC822, content: Buffer.from(value, 'latin1'), der: subject })),
    ...names,
  ];
}

interface Kind {
  readonly label: string;
  readonly show: (name: DerValue) => string;
  /** Whether a name is within the subtree of a base. */
  readonly isWithin: (name: DerValue, base: DerValue) => boolean;
}

const textOf = ({ content }: DerValue): string => Buffer.from(content).toString('latin1');
const shownText = (name: DerValue): string => printable(textOf(name));

const KINDS: ReadonlyMap<number, Kind> = new Map([
  [DIRECTORY, { label: 'subject', show: (name) => nameText(readName(name.content)), isWithin: isInDirectory }],
  [DNS, { label: 'DNS', show: shownText, isWithin: (name, base) => isInDomain(textOf(name), textOf(base)) }],
  [RFC822, { label: 'email', show: shownText, isWithin: (name, base) => isMailOf(textOf(name), textOf(base)) }],
  [URI, { label: 'URI', show: shownText, isWithin: (name, base) => isHostOf(hostOf(textOf(name)), textOf(base)) }],
  [IP, { label: 'IP', show: ({ content }) => [...content].join('.'), isWithin: isInNetwork }],
]);

/** The parts of the base are the first of the name. Case and the number of blanks do not count (RFC 5280, section 7.1). */
function isInDirectory({ content }: DerValue, base: DerValue): boolean {
  const own = readRelativeNames(content);
  return readRelativeNames(base.content).every((part, index) => areAlike(part, own[index]));
}

function areAlike(one: readonly IdentifiedAttribute[], other: readonly IdentifiedAttribute[] | undefined): boolean {
  if (other?.length !== one.length) return false;
  return one.every((attribute) => other.some((candidate) => isAlike(attribute, candidate)));
}

function isAlike(one: IdentifiedAttribute, other: IdentifiedAttribute): boolean {
  if (one.oid !== other.oid) return false;
  if (one.value === undefined || other.value === undefined) return sameBytes(one.der, other.der);
  return plain(one.value) === plain(other.value);
}

function plain(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ').toLowerCase();
}

/** A domain, and all below it. With a period in front: only what is below it, which RFC 5280 does not have and CAs write. */
function isInDomain(name: string, base: string): boolean {
  const [own, of] = [name.toLowerCase(), base.toLowerCase()];
  return of === '' || (of.startsWith('.') ? own.endsWith(of) : own === of || own.endsWith(`.${of}`));
}

/** A host, or with a period in front every host below it. */
function isHostOf(host: string | undefined, base: string): boolean {
  if (host === undefined) return false;
  const [own, of] = [host.toLowerCase(), base.toLowerCase()];
  return of.startsWith('.') ? own.endsWith(of) : own === of;
}

/** A mailbox, or a host as above. */
function isMailOf(mail: string, base: string): boolean {
  const [at, of] = [mail.lastIndexOf('@'), base.lastIndexOf('@')];
  const host = mail.slice(at + 1);
  if (of < 0) return isHostOf(host, base);
  return mail.slice(0, at) === base.slice(0, of) && isHostOf(host, base.slice(of + 1));
}

/** The host of a URI. Constraints permit none without one, nor an address. */
function hostOf(uri: string): string | undefined {
  const [, host] = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^:/?#[]+)/i.exec(uri) ?? [];
  return host === undefined || /^\d+(?:\.\d+){3}$/.test(host) ? undefined : host;
}

/** An address within an address and a mask. */
function isInNetwork({ content: own }: DerValue, { content: base }: DerValue): boolean {
  if (base.length !== own.length * 2) return false;
  return own.every((octet, index) => {
    const mask = base[own.length + index] ?? 0;
    return (octet & mask) === ((base[index] ?? 0) & mask);
  });
}
