/** Name constraints, with OpenSSL's verdict beside the emulator's own. */
import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as asn1 from 'asn1js';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, generateKeys, leafExtensions } from '../../../certs-dev/authority.ts';
import { readCertificate } from '../../../src/emulator/certificates/certificate.ts';
import { findPath } from '../../../src/emulator/certificates/path.ts';
import { requireTool } from '../../support/tools.ts';
import { NOW, certificatePem, makeAuthority, makeClient } from '../support/world.ts';

/** The general names that a subtree can have, by their tags. */
const text =
  (tag: number) =>
  (value: string): asn1.AsnType =>
    new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: tag }, valueHex: Buffer.from(value, 'latin1') });
const [mail, dns, uri] = [text(1), text(2), text(6)];
const ip = (hex: string): asn1.AsnType =>
  new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: 7 }, valueHex: Buffer.from(hex, 'hex') });
const directory = (name: string): asn1.AsnType =>
  new asn1.Constructed({
    idBlock: { tagClass: 3, tagNumber: 4 },
    value: [asn1.fromBER(new x509.Name(name).toArrayBuffer()).result],
  });
const otherName = (): asn1.AsnType =>
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

function constraints(permitted: asn1.AsnType[], excluded: asn1.AsnType[] = []): x509.Extension {
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

const CASES: Case[] = [
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

let root: Authority;
let dir: string;
beforeAll(async () => {
  root = await makeAuthority('root');
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-constraints-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const read = (certificate: x509.X509Certificate) => readCertificate(Buffer.from(certificate.rawData))!;

async function chain(extension: x509.Extension, subject: string, names: x509.JsonGeneralNames) {
  const keys = await generateKeys('ec-p256');
  const intermediate = await makeAuthority('intermediate', { keys, issuer: root, extensions: [extension] });
  const leaf = await makeClient(intermediate, { subject, extensions: leafExtensions(names) });
  return { intermediate: intermediate.certificate, leaf: leaf.certificate };
}

function verdict(leaf: x509.X509Certificate, sent: x509.X509Certificate[]) {
  return findPath(read(leaf), sent.map(read), [read(root.certificate)], NOW);
}

/** Whether OpenSSL takes the same chain. */
function opensslTakes(leaf: x509.X509Certificate, intermediate: x509.X509Certificate): boolean {
  const files = { root: root.certificate, intermediate, leaf };
  for (const [name, certificate] of Object.entries(files))
    writeFileSync(join(dir, `${name}.pem`), certificatePem(certificate));
  const at = String(Math.floor(NOW.getTime() / 1000));
  const args = ['verify', '-attime', at, '-CAfile', 'root.pem', '-untrusted', 'intermediate.pem', 'leaf.pem'];
  try {
    execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

describe('name constraints', () => {
  it.each(CASES)('are kept to for %s', async (_, extension, subject, names, isGood) => {
    const { leaf, intermediate } = await chain(extension(), subject, names);
    const result = verdict(leaf, [intermediate]);
    const reason = expect.stringMatching(/name constraints (?:exclude|do not permit)/) as string;
    expect('path' in result ? { path: [] } : result).toMatchObject(isGood ? { path: [] } : { reason });
  });

  it.runIf(requireTool('openssl')).each(CASES)(
    'are understood as OpenSSL does for %s',
    async (_, extension, subject, names, isGood) => {
      const { leaf, intermediate } = await chain(extension(), subject, names);
      expect(opensslTakes(leaf, intermediate)).toBe(isGood);
    },
  );

  it('of a trust anchor hold as well', async () => {
    const anchor = await makeAuthority('root', { extensions: [constraints([dns('example.com')])] });
    const leaf = await makeClient(anchor, { extensions: leafExtensions([{ type: 'dns', value: 'example.net' }]) });
    const result = findPath(read(leaf.certificate), [], [read(anchor.certificate)], NOW);
    expect(result).toMatchObject({ reason: expect.stringContaining('do not permit the name "example.net"') });
  });

  it('of a type that nobody can compare refuse a certificate with such a name', async () => {
    const upn = { type: 'upn', value: 'a@example.com' } as const;
    const { leaf, intermediate } = await chain(constraints([otherName()]), 'CN=a', [upn]);
    expect(verdict(leaf, [intermediate])).toMatchObject({ reason: expect.stringContaining('not known here') });
  });

  it.each<[string, () => x509.Extension]>([
    ['are empty', () => new x509.Extension('2.5.29.30', true, new asn1.Sequence({ value: [] }).toBER())],
    ['are followed by something', () => new x509.Extension('2.5.29.30', true, Buffer.from('3000050', 'hex'))],
    ['are text', () => new x509.Extension('2.5.29.30', true, new asn1.Utf8String({ value: 'a' }).toBER())],
    [
      'have a distance',
      () => {
        const minimum = new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: Buffer.from([1]) });
        const subtree = new asn1.Sequence({ value: [dns('a'), minimum] });
        const permitted = new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [subtree] });
        return new x509.Extension('2.5.29.30', true, new asn1.Sequence({ value: [permitted] }).toBER());
      },
    ],
  ])('that %s refuse every certificate', async (_, extension) => {
    const { leaf, intermediate } = await chain(extension(), 'CN=a', []);
    expect(verdict(leaf, [intermediate])).toMatchObject({ reason: expect.stringContaining('cannot be read') });
  });
});
