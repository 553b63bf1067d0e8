/**
 * What Roles Anywhere derives from a certificate and hands to STS: IAM Roles
 * Anywhere User Guide, "Trust model", "Mapping" and "CreateSession". The
 * mapping is the one that a profile has from the start; its owner may change it.
 */
// Tests: test/x509/names.test.ts
import type { Certificate } from './certificate.ts';
import { EXTENSION } from './extensions.ts';
import { type Name, readAlternativeNames, readName } from './names.ts';

export interface SessionAttributes {
  /** Default session name: the serial number in hexadecimal. */
  readonly sessionName: string;
  readonly sourceIdentity: string;
  /** Why STS cannot have that source identity; what the service does then is not documented. */
  readonly sourceIdentityProblem?: string | undefined;
  readonly tags: readonly SessionTag[];
}

/** Seen in policies as `aws:PrincipalTag/` and its key. */
export interface SessionTag {
  readonly key: string;
  readonly value: string;
  /** Why STS cannot have it: the service leaves such a tag out. */
  readonly problem?: string | undefined;
}

/** STS API Reference, "AssumeRole", SourceIdentity: its length, with the prefix, and its characters. */
const MAX_SOURCE_IDENTITY = 64;
const SOURCE_IDENTITY = /^[\w+=,.@-]*$/;
/** STS API Reference, "Tag": the length of a value, and its characters. */
const MAX_TAG_VALUE = 256;
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/**
 * Derives them.
 *
 * @throws DerError when a name cannot be read
 */
export function sessionAttributes(certificate: Certificate): SessionAttributes {
  const subject = readName(certificate.subject);
  const names = readAlternativeNames(certificate.extensions.get(EXTENSION.subjectAltName));
  const first = (kind: string): string | undefined => names.find((name) => name.kind === kind)?.text;
  const directory = names.find(({ name }) => name !== undefined)?.name ?? [];
  const hex = evenHex(BigInt(certificate.serialNumber));
  const commonName = subject.flat().find(({ type }) => type === 'CN')?.value;
  return {
    sessionName: hex,
    ...sourceIdentity(commonName, hex),
    tags: [
      ...tagsOf('x509Subject', attributes(subject)),
      ...tagsOf('x509Issuer', attributes(readName(certificate.issuer))),
      ...tagsOf('x509SAN', new Map([...one('DNS', first('DNS')), ...one('URI', first('URI'))])),
      ...tagsOf('x509SAN/Name', attributes(directory)),
    ],
  };
}

/** `CN=` and the common name, without `CN=` where that is too long; the serial number where there is no common name. */
function sourceIdentity(
  commonName: string | undefined,
  hexSerial: string,
): Pick<SessionAttributes, 'sourceIdentity' | 'sourceIdentityProblem'> {
  if (commonName === undefined) return { sourceIdentity: `ID=${hexSerial}` };
  const prefixed = `CN=${commonName}`;
  const identity = prefixed.length <= MAX_SOURCE_IDENTITY ? prefixed : commonName;
  if (identity.length > MAX_SOURCE_IDENTITY)
    return { sourceIdentity: identity, sourceIdentityProblem: `longer than ${MAX_SOURCE_IDENTITY} characters` };
  if (SOURCE_IDENTITY.test(identity)) return { sourceIdentity: identity };
  return { sourceIdentity: identity, sourceIdentityProblem: 'holds characters that STS does not take there' };
}

/** By type, in the certificate's order; several of one type are joined with a slash. */
function attributes(name: Name): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { type, value } of name.flat()) {
    if (value === undefined) continue;
    const before = found.get(type);
    found.set(type, before === undefined ? value : `${before}/${value}`);
  }
  return found;
}

function tagsOf(prefix: string, values: ReadonlyMap<string, string>): SessionTag[] {
  return Array.from(values, ([type, value]) => {
    const problem =
      value.length > MAX_TAG_VALUE
        ? `longer than ${MAX_TAG_VALUE} characters`
        : TAG_VALUE.test(value)
          ? undefined
          : 'holds characters that STS does not take there';
    return { key: `${prefix}/${type}`, value, problem };
  });
}

function one(type: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[type, value]];
}

/** Without a sign: RFC 5280 has none. */
function evenHex(serial: bigint): string {
  const hex = (serial < 0n ? -serial : serial).toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}
