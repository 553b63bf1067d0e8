/**
 * The parts of a certificate that become part of its session: tags (User Guide,
 * "Certificate attribute mapping", https://docs.aws.amazon.com/rolesanywhere/latest/userguide/attribute-mapping.html)
 * and the source identity ("Trust model").
 */
import { type Certificate, hexSerial } from './certificate.ts';
import { type NameAttribute, readName } from './names.ts';
import { isTagValue } from '../policy/tags.ts';
import type { AttributeMapping, CertificateField } from '../state/records.ts';

/** The mappings of a profile that has none of its own. */
export const DEFAULT_MAPPINGS: readonly AttributeMapping[] = [
  { certificateField: 'x509Subject', mappingRules: [{ specifier: '*' }] },
  { certificateField: 'x509Issuer', mappingRules: [{ specifier: '*' }] },
  {
    certificateField: 'x509SAN',
    mappingRules: [{ specifier: 'DNS' }, { specifier: 'URI' }, { specifier: 'Name/*' }],
  },
];

export interface SessionTags {
  readonly tags: Readonly<Record<string, string>>;
  /** The specifiers, by field, whose value no tag can have. They are left out. */
  readonly unmapped: Readonly<Record<'Issuer' | 'Subject' | 'SAN', readonly string[]>>;
}

const SHOWN = { x509Issuer: 'Issuer', x509Subject: 'Subject', x509SAN: 'SAN' } as const;

/** The tags of a certificate's session, such as `x509Subject/CN`, by a profile's mappings. */
export function sessionTags(certificate: Certificate, mappings: readonly AttributeMapping[]): SessionTags {
  const tags: Record<string, string> = {};
  const unmapped = { Issuer: [] as string[], Subject: [] as string[], SAN: [] as string[] };
  for (const { certificateField, mappingRules } of mappings) {
    const specifiers = mappingRules.map(({ specifier }) => specifier);
    for (const [specifier, value] of attributesOf(certificate, certificateField)) {
      if (!specifiers.some((rule) => covers(rule, specifier))) continue;
      if (isTagValue(value)) tags[`${certificateField}/${specifier}`] = value;
      else unmapped[SHOWN[certificateField]].push(specifier);
    }
  }
  return { tags, unmapped };
}

/** `*` stands for every attribute of a name. */
function covers(rule: string, specifier: string): boolean {
  if (rule === '*') return !specifier.startsWith('Name/');
  return rule === specifier || (rule === 'Name/*' && specifier.startsWith('Name/'));
}

/** Everything that could be mapped of a field, as specifier and value. */
function attributesOf(certificate: Certificate, field: CertificateField): Map<string, string> {
  if (field !== 'x509SAN')
    return joined(readName(field === 'x509Subject' ? certificate.subjectDer : certificate.issuerDer));
  const { dns, uris, directory } = certificate.alternativeNames;
  const attributes = new Map<string, string>();
  if (dns[0] !== undefined) attributes.set('DNS', dns[0]);
  if (uris[0] !== undefined) attributes.set('URI', uris[0]);
  for (const [type, value] of joined(directory[0] ?? [])) attributes.set(`Name/${type}`, value);
  return attributes;
}

/** Attributes of one type are joined with `/`, in the order of the name. */
function joined(name: readonly NameAttribute[]): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const { type, value } of name) {
    const before = attributes.get(type);
    attributes.set(type, before === undefined ? value : `${before}/${value}`);
  }
  return attributes;
}

export interface SourceIdentity {
  readonly identity: string;
  /** Why STS refuses it, after its name; undefined when it does not. */
  readonly problem: string | undefined;
}

/** STS API Reference, "AssumeRole", SourceIdentity: its length, and its characters. */
const MAX_SOURCE_IDENTITY = 64;
const SOURCE_IDENTITY = /^[\w+=,.@-]*$/;

/**
 * The source identity: `CN=` and the common name, the common name alone where
 * `CN=` would make it too long, and the serial number without a common name.
 * Of a common name that STS refuses the User Guide says nothing; one session
 * after another failed for the characters of one
 * (https://github.com/aws/rolesanywhere-credential-helper/issues/188).
 */
export function sourceIdentity(certificate: Certificate): SourceIdentity {
  const { commonName } = certificate;
  if (commonName === undefined) return { identity: `ID=${hexSerial(certificate)}`, problem: undefined };
  const prefixed = `CN=${commonName}`;
  const identity = prefixed.length > MAX_SOURCE_IDENTITY ? commonName : prefixed;
  if (identity.length > MAX_SOURCE_IDENTITY)
    return { identity, problem: `is longer than ${MAX_SOURCE_IDENTITY} characters` };
  return { identity, problem: SOURCE_IDENTITY.test(identity) ? undefined : 'holds characters that it cannot have' };
}
