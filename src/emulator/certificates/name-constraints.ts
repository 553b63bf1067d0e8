/**
 * Name constraints: RFC 5280, section 4.2.1.10. A CA certificate with them
 * says in which names the certificates below it may be, and a name of a type
 * that cannot be compared is refused where that type is constrained.
 */
import { isIP } from 'node:net';
import * as asn1 from 'asn1js';
import type { Certificate } from './certificate.ts';
import { GENERAL_NAME, type GeneralName, childrenOf, generalName } from './general-names.ts';
import { type NameAttribute, attributesOf, readName } from './names.ts';

const NAME_CONSTRAINTS = '2.5.29.30';
const EMAIL_ADDRESS = '1.2.840.113549.1.9.1';

interface Constraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** The name of a certificate, by the type of which constraints for it are. */
interface Named {
  readonly tag: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly attributes: readonly NameAttribute[];
}

/**
 * The reason why the constraints of a CA keep a certificate from standing
 * below it, or undefined.
 *
 * @param below from the end entity up to what the CA issued
 */
export function nameConstraintProblem(authority: Certificate, below: readonly Certificate[]): string | undefined {
  const der = authority.extensions.get(NAME_CONSTRAINTS);
  if (der === undefined) return undefined;
  const constraints = readConstraints(der);
  if (constraints === undefined) return 'its name constraints cannot be read';
  for (const [index, certificate] of below.entries()) {
    // Self-issued certificates between the ends do not count.
    if (index > 0 && certificate.subjectDer.equals(certificate.issuerDer)) continue;
    for (const name of namesOf(certificate)) {
      const problem = problemOf(name, constraints);
      if (problem !== undefined) return `its name constraints ${problem} of "${certificate.subject}"`;
    }
  }
  return undefined;
}

/** @returns undefined when it is none, or has the distances that RFC 5280 does not allow */
function readConstraints(der: Uint8Array): Constraints | undefined {
  const { result, offset } = asn1.fromBER(der);
  const parts = childrenOf(result);
  if (offset !== der.length || parts.length === 0) return undefined;
  const found: Record<number, GeneralName[]> = {};
  for (const part of parts) {
    const subtrees = childrenOf(part).map(childrenOf);
    if (part.idBlock.tagNumber > 1 || subtrees.some(({ length }) => length !== 1)) return undefined;
    found[part.idBlock.tagNumber] = subtrees.flatMap(([base]) => (base === undefined ? [] : [generalName(base)]));
  }
  return { permitted: found[0] ?? [], excluded: found[1] ?? [] };
}

/** The subject, its e-mail addresses where no alternative name is one, and the alternative names. */
function namesOf({ subjectDer, generalNames }: Certificate): Named[] {
  const attributes = readName(subjectDer);
  const bytes = new Uint8Array();
  const hasEmail = generalNames.some(({ tag }) => tag === GENERAL_NAME.rfc822);
  const emails = hasEmail ? [] : attributes.filter(({ type }) => type === EMAIL_ADDRESS);
  return [
    ...(attributes.length === 0 ? [] : [{ tag: GENERAL_NAME.directory, text: '', bytes, attributes }]),
    ...emails.map(({ value }) => ({ tag: GENERAL_NAME.rfc822, text: value, bytes, attributes: [] })),
    ...generalNames.map((name) => ({ ...name, attributes: attributesOf(name.directory) })),
  ];
}

function problemOf(name: Named, { permitted, excluded }: Constraints): string | undefined {
  const ofType = ({ tag }: GeneralName): boolean => tag === name.tag;
  const [allowed, forbidden] = [permitted.filter(ofType), excluded.filter(ofType)];
  if (allowed.length + forbidden.length === 0) return undefined;
  const test = TESTS.get(name.tag);
  if (test === undefined) return 'are about a type of names that is not known here, and there is one';
  const shown = shownName(name);
  if (forbidden.some((base) => test(name, base))) return `exclude the name ${shown}`;
  return allowed.length === 0 || allowed.some((base) => test(name, base))
    ? undefined
    : `do not permit the name ${shown}`;
}

function shownName({ tag, text, bytes, attributes }: Named): string {
  if (tag === GENERAL_NAME.directory) return `"${attributes.map(({ type, value }) => `${type}=${value}`).join(', ')}"`;
  return tag === GENERAL_NAME.ip ? Buffer.from(bytes).toString('hex') : `"${text}"`;
}

/** Whether a name is within a subtree, by the type of both. */
const TESTS: ReadonlyMap<number, (name: Named, base: GeneralName) => boolean> = new Map([
  [GENERAL_NAME.directory, inDirectory],
  [GENERAL_NAME.dns, (name, base) => inDomain(name.text, base.text)],
  [GENERAL_NAME.rfc822, inMail],
  [GENERAL_NAME.uri, (name, base) => isHostOf(hostOf(name.text), base.text)],
  [GENERAL_NAME.ip, inNetwork],
]);

/** The relative names of the base must be the first of the name; case and repeated spaces do not count. */
function inDirectory({ attributes }: Named, { directory }: GeneralName): boolean {
  const base = attributesOf(directory);
  return base.every((attribute, index) => isSame(attributes[index], attribute));
}

function isSame(a: NameAttribute | undefined, b: NameAttribute): boolean {
  return a !== undefined && a.type === b.type && prepared(a.value) === prepared(b.value);
}

function prepared(value: string): string {
  return value.trim().replaceAll(/\s+/g, ' ').toLowerCase();
}

/** The domain, and what has more labels to the left. One that begins with a period is not within itself. */
function inDomain(name: string, base: string): boolean {
  const [own, of] = [name.toLowerCase(), base.toLowerCase()];
  if (of === '') return true;
  return of.startsWith('.') ? own.endsWith(of) : own === of || own.endsWith(`.${of}`);
}

/** A host, or with a period at its beginning what has more labels to the left. */
function isHostOf(name: string | undefined, base: string): boolean {
  if (name === undefined) return false;
  const [own, of] = [name.toLowerCase(), base.toLowerCase()];
  return of.startsWith('.') ? own.endsWith(of) : own === of;
}

/** A constraint is a mailbox, a host or a domain. */
function inMail({ text }: Named, base: GeneralName): boolean {
  const at = text.lastIndexOf('@');
  if (at < 0) return false;
  if (!base.text.includes('@')) return isHostOf(text.slice(at + 1), base.text);
  const baseAt = base.text.lastIndexOf('@');
  return text.slice(0, at) === base.text.slice(0, baseAt) && isHostOf(text.slice(at + 1), base.text.slice(baseAt + 1));
}

/** The host of a URI, which must have one that is no address. */
function hostOf(uri: string): string | undefined {
  const [, host] = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:@]+|\[[^\]]*\])(?::\d*)?(?:[/?#]|$)/i.exec(uri) ?? [];
  return host === undefined || host.startsWith('[') || isIP(host) !== 0 ? undefined : host;
}

/** An address and a mask of the same length. */
function inNetwork({ bytes }: Named, base: GeneralName): boolean {
  const { length } = bytes;
  if (base.bytes.length !== 2 * length) return false;
  return bytes.every((byte, index) => {
    const mask = base.bytes[length + index] ?? 0;
    return (byte & mask) === ((base.bytes[index] ?? 0) & mask);
  });
}
