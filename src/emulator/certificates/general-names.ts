/** General names: RFC 5280, section 4.2.1.6. */
// Tests: test/emulator/certificates/name-constraints.test.ts
import * as asn1 from 'asn1js';

/** Tags of the types that are read here. Of the others the tag alone is known. */
export const GENERAL_NAME = { rfc822: 1, dns: 2, directory: 4, uri: 6, ip: 7 } as const;

/** One general name. */
export interface GeneralName {
  readonly tag: number;
  /** The text of rfc822Name, dNSName and uniformResourceIdentifier, one character a byte. */
  readonly text: string;
  /** The octets of iPAddress. */
  readonly bytes: Uint8Array;
  /** The Name within a directoryName; undefined for any other type. */
  readonly directory: asn1.AsnType | undefined;
}

/** @param node a GeneralName, or anything with the tag of one */
export function generalName(node: asn1.AsnType): GeneralName {
  const bytes = node instanceof asn1.Primitive ? node.valueBlock.valueHexView : new Uint8Array();
  const tag = node.idBlock.tagNumber;
  return {
    tag,
    text: Buffer.from(bytes).toString('latin1'),
    bytes,
    directory: tag === GENERAL_NAME.directory ? childrenOf(node)[0] : undefined,
  };
}

/** @param der GeneralNames */
export function readGeneralNames(der: Uint8Array): GeneralName[] {
  return childrenOf(asn1.fromBER(der).result).map(generalName);
}

/** The elements of a constructed value; none of a primitive one. */
export function childrenOf(node: asn1.AsnType | undefined): asn1.AsnType[] {
  return node instanceof asn1.Constructed || node instanceof asn1.Sequence || node instanceof asn1.Set
    ? node.valueBlock.value
    : [];
}
