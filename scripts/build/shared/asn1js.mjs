export * from 'asn1js';
