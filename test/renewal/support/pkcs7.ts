/** Certs-only PKCS#7 (RFC 5652, section 5.1; RFC 8951, section 3.2.1), as EST answers. */
import * as asn1js from 'asn1js';

/** @param certificates DER */
export function certsOnly(certificates: readonly Uint8Array[]): Buffer {
  const set = new asn1js.Constructed({
    idBlock: { tagClass: 3, tagNumber: 0 },
    value: certificates.map((der) => asn1js.fromBER(Uint8Array.from(der).buffer).result),
  });
  const signedData = new asn1js.Sequence({
    value: [
      new asn1js.Integer({ value: 1 }),
      new asn1js.Set({ value: [] }),
      new asn1js.Sequence({ value: [new asn1js.ObjectIdentifier({ value: '1.2.840.113549.1.7.1' })] }),
      set,
      new asn1js.Set({ value: [] }),
    ],
  });
  const content = new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [signedData] });
  const whole = new asn1js.Sequence({
    value: [new asn1js.ObjectIdentifier({ value: '1.2.840.113549.1.7.2' }), content],
  });
  return Buffer.from(whole.toBER());
}
