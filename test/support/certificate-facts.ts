/** Certificates as what is decided of them sees them: facts, without the work of signing. */
import type { Certificate } from '../../src/x509/certificate.ts';
import { oid, sequence, tlv } from './der.ts';

/** The DER of a name that is one common name. */
export function commonName(text: string): Uint8Array {
  return sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(text)))));
}

let count = 0;

/** A certificate with nothing wrong, of an EC key, valid from 1970 to 2001; each has DER of its own. */
export function certificateFacts(facts: Partial<Certificate> = {}): Certificate {
  count += 1;
  return {
    der: sequence(Buffer.from(String(count))),
    version: 3,
    serialNumber: '10',
    issuer: commonName('ca'),
    subject: commonName('web'),
    notBefore: new Date(0),
    notAfter: new Date(1e12),
    publicKey: sequence(),
    keyAlgorithm: { name: 'EC', keyType: 'EC' },
    signature: { objectIdentifier: '1.2.840.10045.4.3.2', parameters: undefined },
    isAuthority: false,
    keyUsage: 0x8000,
    extensions: new Map(),
    ...facts,
  };
}
