/** Name constraints of a CA, names below it, and whether they go together. */
import 'reflect-metadata';
import * as asn1 from 'asn1js';
import * as x509 from '@peculiar/x509';

/** The general names that a subtree can have, by their tags. */
const text =
  (tag: number) =>
  (value: string): asn1.AsnType =>
    new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: tag }, valueHex: Buffer.from(value, 'latin1') });
const [mail, uri] = [text(1), text(6)];
export const dns = text(2);
const ip = (hex: string): asn1.AsnType =>
  new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: 7 }, valueHex: Buffer.from(hex, 'hex') });
export const directory = (name: string): asn1.AsnType =>
  new asn1.Constructed({
    idBlock: { tagClass: 3, tagNumber: 4 },
    value: [asn1.fromBER(new x509.Name(name).toArrayBuffer()).result],
  });
export const otherName = (): asn1.AsnType =>
  new asn1.Constructed({
    idBlock: { tagClass: 3, tagNumber: 0 },
    value: [new asn1.ObjectIdentifier({ value: '1.2.3' })],
  });

const subtrees = (tag: number, bases: asn1.AsnType[]): asn1.AsnType[] =>
  bases.length === 0
    ? []
    : [
        new asn1.Constructed({
          idBlock: { tagClass: 3, tagNumber: tag },
          value: bases.map((base) => new asn1.Sequence({ value: [base] })),
        }),
      ];

/** The extension with these subtrees. */
export function constraints(permitted: asn1.AsnType[], excluded: asn1.AsnType[] = []): x509.Extension {
  const value = new asn1.Sequence({ value: [...subtrees(0, permitted), ...subtrees(1, excluded)] });
  return new x509.Extension('2.5.29.30', true, value.toBER());
}

type Case = [
  name: string,
  extension: () => x509.Extension,
  subject: string,
  names: x509.JsonGeneralNames,
  isGood: boolean,
];

/** Each is also what OpenSSL says: test/emulator/certificates/name-constraints.test.ts. */
export const NAME_CONSTRAINTS: readonly Case[] = [
  [
    'a DNS name within',
    () => constraints([dns('example.com')]),
    'CN=a',
    [{ type: 'dns', value: 'a.b.example.com' }],
    true,
  ],
  ['the domain itself', () => constraints([dns('example.com')]), 'CN=a', [{ type: 'dns', value: 'EXAMPLE.com' }], true],
  [
    'a DNS name without',
    () => constraints([dns('example.com')]),
    'CN=a',
    [{ type: 'dns', value: 'badexample.com' }],
    false,
  ],
  [
    'a DNS name that is excluded',
    () => constraints([dns('example.com')], [dns('secret.example.com')]),
    'CN=a',
    [{ type: 'dns', value: 'x.secret.example.com' }],
    false,
  ],
  [
    'names of another type',
    () => constraints([dns('example.com')]),
    'CN=a',
    [{ type: 'url', value: 'spiffe://b/c' }],
    true,
  ],
  [
    'a URI on the host',
    () => constraints([uri('example.org')]),
    'CN=a',
    [{ type: 'url', value: 'spiffe://example.org/web' }],
    true,
  ],
  [
    'a URI on another host',
    () => constraints([uri('example.org')]),
    'CN=a',
    [{ type: 'url', value: 'spiffe://a.example.org/web' }],
    false,
  ],
  [
    'a URI below a domain',
    () => constraints([uri('.example.org')]),
    'CN=a',
    [{ type: 'url', value: 'spiffe://a.example.org/web' }],
    true,
  ],
  [
    'a URI with a port',
    () => constraints([uri('example.org')]),
    'CN=a',
    [{ type: 'url', value: 'https://example.org:8443/' }],
    true,
  ],
  ['a mailbox', () => constraints([mail('a@example.com')]), 'CN=a', [{ type: 'email', value: 'a@EXAMPLE.com' }], true],
  [
    'another mailbox',
    () => constraints([mail('a@example.com')]),
    'CN=a',
    [{ type: 'email', value: 'A@example.com' }],
    false,
  ],
  [
    'a mailbox of the host',
    () => constraints([mail('example.com')]),
    'CN=a',
    [{ type: 'email', value: 'a@example.com' }],
    true,
  ],
  [
    'a mailbox of a subdomain',
    () => constraints([mail('example.com')]),
    'CN=a',
    [{ type: 'email', value: 'a@b.example.com' }],
    false,
  ],
  ['an address within', () => constraints([ip('0a000000ff000000')]), 'CN=a', [{ type: 'ip', value: '10.1.2.3' }], true],
  [
    'an address without',
    () => constraints([ip('0a000000ff000000')]),
    'CN=a',
    [{ type: 'ip', value: '11.1.2.3' }],
    false,
  ],
  [
    'an address of the other family',
    () => constraints([ip('0a000000ff000000')]),
    'CN=a',
    [{ type: 'ip', value: '::1' }],
    false,
  ],
  ['a subject within', () => constraints([directory('O=Example')]), 'O=EXAMPLE,CN=a', [], true],
  ['a subject without', () => constraints([directory('O=Example')]), 'O=Other,CN=a', [], false],
  [
    'a subject that is excluded',
    () => constraints([], [directory('O=Example,OU=Secret')]),
    'O=Example,OU=Secret,CN=a',
    [],
    false,
  ],
  [
    'a subject beside what is excluded',
    () => constraints([], [directory('O=Example,OU=Secret')]),
    'O=Example,CN=a',
    [],
    true,
  ],
];
