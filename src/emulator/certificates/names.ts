/** Names in certificates, attribute by attribute: RFC 5280, sections 4.1.2.4 and 4.2.1.6. */
// Tests: test/emulator/certificates/session-tags.test.ts
import * as asn1 from 'asn1js';
import { GENERAL_NAME, type GeneralName, childrenOf } from './general-names.ts';

/** One attribute of a distinguished name. */
export interface NameAttribute {
  /** Its name in RFC 4514, section 3, or the dotted OID of one that has none there. */
  readonly type: string;
  readonly value: string;
}

/** The names of a subject alternative name extension, of those types that Roles Anywhere reads. */
export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly uris: readonly string[];
  readonly directory: readonly (readonly NameAttribute[])[];
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.6', 'C'],
  ['2.5.4.9', 'STREET'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
]);

/** The attributes of a name in DER, in its order. */
export function readName(der: Uint8Array): NameAttribute[] {
  return attributesOf(asn1.fromBER(der).result);
}

/** The attributes of a name that was read already. */
export function attributesOf(name: asn1.AsnType | undefined): NameAttribute[] {
  return childrenOf(name)
    .flatMap(childrenOf)
    .flatMap((attribute) => {
      const [type, value] = childrenOf(attribute);
      const isText = type instanceof asn1.ObjectIdentifier && value instanceof asn1.BaseStringBlock;
      if (!isText) return [];
      const oid = type.getValue();
      return [{ type: TYPES.get(oid) ?? oid, value: value.getValue() }];
    });
}

/** The names of a subject alternative name extension that Roles Anywhere reads. */
export function alternativeNames(names: readonly GeneralName[]): AlternativeNames {
  const texts = (wanted: number): string[] => names.flatMap(({ tag, text }) => (tag === wanted ? [text] : []));
  return {
    dns: texts(GENERAL_NAME.dns),
    uris: texts(GENERAL_NAME.uri),
    directory: names.flatMap(({ directory }) => (directory === undefined ? [] : [attributesOf(directory)])),
  };
}
