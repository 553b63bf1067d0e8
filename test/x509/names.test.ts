import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCertificate } from '../../src/x509/certificate.ts';
import { EXTENSION } from '../../src/x509/extensions.ts';
import { nameText, printable, readAlternativeNames, readName } from '../../src/x509/names.ts';
import { readPem } from '../../src/x509/pem.ts';
import { sessionAttributes } from '../../src/x509/session-attributes.ts';
import { oid, sequence, tlv } from '../support/der.ts';
import { openssl } from '../support/pki.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');

/** Where openssl finds a directory name. */
const config = join(mkdtempSync(join(tmpdir(), 'ra-names-')), 'openssl.cnf');
writeFileSync(config, '[req]\ndistinguished_name = dn\n[dn]\n[d]\nO = Org\nCN = in\n');
afterAll(() => rmSync(dirname(config), { recursive: true }));

/** A self-signed certificate that openssl made. */
function certificate(subject: string, ...extensions: string[]) {
  const pem = openssl([
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null'.split(' '),
    ...'-utf8 -multivalue-rdn -set_serial 291 -config'.split(' '),
    config,
    '-subj',
    subject,
    ...extensions.flatMap((text) => ['-addext', text]),
  ]);
  return readCertificate(readPem(pem, 'x')[0]?.der ?? new Uint8Array(), 'x');
}

/** As openssl writes names by RFC 2253, which RFC 4514 replaced. */
function opensslSubject(der: Uint8Array): string {
  return openssl(['x509', '-inform', 'DER', '-noout', '-subject', '-nameopt', 'RFC2253,utf8,-esc_msb'], der)
    .toString()
    .replace(/^subject=/, '')
    .trimEnd();
}

describe.skipIf(!hasOpenssl)('names', () => {
  it.each([
    '/C=DE/ST=Hessen/L=Frankfurt/O=Example AG/OU=One/OU=Two/CN=web',
    '/CN=Müller und Söhne',
    '/CN=日本語',
    '/CN=a, b \\+ c; "d" <e>',
    '/CN=#hash',
    '/O=x\\\\y/CN=z',
    '/DC=example/DC=com/UID=u1',
  ])('reads %s as openssl writes it', (subject) => {
    const { der, subject: name } = certificate(subject);
    expect(nameText(readName(name))).toBe(opensslSubject(der));
  });

  it('joins the attributes of one part with a plus sign', () => {
    expect(nameText(readName(certificate('/O=x/CN=one+OU=two').subject))).toBe('CN=one+OU=two,O=x');
  });

  it('shows an attribute without a short name by its object identifier', () => {
    expect(nameText(readName(certificate('/CN=x/jurisdictionC=DE').subject))).toBe('1.3.6.1.4.1.311.60.2.1.3=DE,CN=x');
  });

  it('reads every kind of alternative name', () => {
    const { extensions } = certificate(
      '/CN=x',
      'subjectAltName=DNS:a.example,URI:spiffe://a/b,email:a@b.example,IP:192.0.2.1,IP:2001:db8::1,RID:1.2.3,dirName:d',
    );
    const names = readAlternativeNames(extensions.get(EXTENSION.subjectAltName));
    expect(names.map(({ kind, text }) => `${kind}:${text}`)).toEqual([
      'DNS:a.example',
      'URI:spiffe://a/b',
      'email:a@b.example',
      'IP:192.0.2.1',
      'IP:2001:db8::1',
      'other:#88022a03',
      'directory:CN=in,O=Org',
    ]);
  });

  it('reads hundreds of them', () => {
    const many = Array.from({ length: 300 }, (_, at) => `DNS:h${at}.example`).join(',');
    const { extensions } = certificate('/CN=x', `subjectAltName=${many}`);
    expect(readAlternativeNames(extensions.get(EXTENSION.subjectAltName))).toHaveLength(300);
  });
});

/** A value with this tag, in hexadecimal. */
function value(tag: string, content: string): string {
  return `${tag}${(content.length / 2).toString(16).padStart(2, '0')}${content}`;
}

/** The text of a name whose common name has this tag and content. */
function commonName(tag: string, content: string): string {
  const name = value('30', value('31', value('30', `0603550403${value(tag, content)}`)));
  return nameText(readName(Buffer.from(name, 'hex')));
}

describe('readName', () => {
  it.each([
    ['UTF8String', '0c', 'c3bc', 'CN=ü'],
    ['PrintableString', '13', '61', 'CN=a'],
    ['TeletexString', '14', 'fc', 'CN=ü'],
    ['BMPString', '1e', '00fc', 'CN=ü'],
    ['IA5String', '16', '61', 'CN=a'],
    ['another type', '02', '05', 'CN=#020105'],
    ['text that is not well-formed', '0c', 'ff', 'CN=#0c01ff'],
    ['text that would drive a terminal', '0c', '1b5b324a0a', String.raw`CN=\1B[2J\0A`],
    ['text that turns the direction of reading', '0c', 'e280ae61', String.raw`CN=\E2\80\AEa`],
  ])('reads %s', (_name, tag, content, text) => {
    expect(commonName(tag, content)).toBe(text);
  });
});

it('printable leaves ordinary text alone', () => {
  expect(printable('a b-ü日(')).toBe('a b-ü日(');
});

const tags = (subject: string, ...extensions: string[]): Record<string, string> =>
  Object.fromEntries(
    sessionAttributes(certificate(subject, ...extensions)).tags.map(({ key, value: text, problem }) => [
      key,
      problem === undefined ? text : `${text} (${problem})`,
    ]),
  );

describe.skipIf(!hasOpenssl)('sessionAttributes', () => {
  it.each([
    ['/CN=Alice', 'CN=Alice', undefined],
    [`/CN=${'a'.repeat(61)}`, `CN=${'a'.repeat(61)}`, undefined],
    [`/CN=${'a'.repeat(62)}`, 'a'.repeat(62), undefined],
    [`/CN=${'a'.repeat(64)}`, 'a'.repeat(64), undefined],
    ['/O=Example', 'ID=0123', undefined],
    ['/CN=a b', 'CN=a b', 'holds characters that STS does not take there'],
  ])('derives the source identity of %s', (subject, sourceIdentity, problem) => {
    const { sourceIdentity: derived, sourceIdentityProblem } = sessionAttributes(certificate(subject));
    expect([derived, sourceIdentityProblem]).toEqual([sourceIdentity, problem]);
  });

  it('derives the session name from the serial number', () => {
    expect(sessionAttributes(certificate('/CN=x')).sessionName).toBe('0123');
  });

  it('joins several attributes of one type in the order of the certificate', () => {
    expect(tags('/O=Example/OU=One/OU=Two/CN=x')).toEqual({
      'x509Subject/O': 'Example',
      'x509Subject/OU': 'One/Two',
      'x509Subject/CN': 'x',
      'x509Issuer/O': 'Example',
      'x509Issuer/OU': 'One/Two',
      'x509Issuer/CN': 'x',
    });
  });

  it('takes the first of each kind of alternative name that is mapped', () => {
    const san =
      'subjectAltName=email:a@b.example,DNS:first.example,DNS:second.example,URI:urn:first,URI:urn:second,dirName:d';
    expect(tags('/CN=x', san)).toMatchObject({
      'x509SAN/DNS': 'first.example',
      'x509SAN/URI': 'urn:first',
      'x509SAN/Name/O': 'Org',
      'x509SAN/Name/CN': 'in',
    });
  });

  it('says which tags STS cannot have', () => {
    expect(tags('/CN=a (b)')).toMatchObject({
      'x509Subject/CN': 'a (b) (holds characters that STS does not take there)',
    });
    expect(
      tags(`/OU=${'a'.repeat(64)}/OU=${'b'.repeat(64)}/OU=${'c'.repeat(64)}/OU=${'d'.repeat(64)}/CN=x`),
    ).toMatchObject({
      'x509Subject/OU': expect.stringMatching(/ \(longer than 256 characters\)$/) as string,
    });
  });
});

const attribute = (string: Uint8Array): Buffer => sequence(tlv(0x31, sequence(oid('2.5.4.3'), string)));

describe('text in names, as it is met', () => {
  it.each([
    ['a UniversalString', tlv(0x1c, Buffer.from('0000004700000072000000fc0001f511', 'hex')), 'CN=Gr\u00fc\u{1f511}'],
    ['a UniversalString that is cut', tlv(0x1c, Buffer.from('000000', 'hex')), 'CN=#1c03000000'],
    ['a UniversalString with half a pair', tlv(0x1c, Buffer.from('0000d800', 'hex')), 'CN=#1c040000d800'],
    ['a TeletexString in UTF-8', tlv(0x14, Buffer.from('Gr\u00fc')), 'CN=Gr\u00fc'],
    ['a TeletexString in Latin 1', tlv(0x14, Buffer.from('Gr\u00fc', 'latin1')), 'CN=Gr\u00fc'],
  ])('%s is shown as text, where it is text', (_name, string, expected) => {
    expect(nameText(readName(attribute(string)))).toBe(expected);
  });

  it('an empty relative distinguished name leaves nothing behind', () => {
    const one = tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from('x'))));
    expect(nameText(readName(sequence(tlv(0x31), one, tlv(0x31))))).toBe('CN=x');
    expect(nameText(readName(sequence(tlv(0x31))))).toBe('');
  });

  it.each([0x81, 0x82, 0x86])('an alternative name of tag %d is UTF-8, else Latin 1', (tag) => {
    const names = sequence(tlv(tag, Buffer.from('gr\u00fc\u4e16')), tlv(tag, Buffer.from('gr\u00fc', 'latin1')));
    expect(readAlternativeNames(names).map(({ text }) => text)).toEqual(['gr\u00fc\u4e16', 'gr\u00fc']);
  });
});
