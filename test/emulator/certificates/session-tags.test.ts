import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, leafExtensions } from '../../../certs-dev/authority.ts';
import { type Certificate, readCertificate } from '../../../src/emulator/certificates/certificate.ts';
import { DEFAULT_MAPPINGS, sessionTags } from '../../../src/emulator/certificates/session-tags.ts';
import type { AttributeMapping } from '../../../src/emulator/state/records.ts';
import { makeAuthority, makeClient } from '../support/world.ts';

let root: Authority;
beforeAll(async () => {
  root = await makeAuthority('root', { subject: 'CN=Root,O=Example,C=DE' });
});

async function certificate(subject: string, names: x509.JsonGeneralNames = []): Promise<Certificate> {
  const { certificate: made } = await makeClient(root, { subject, extensions: leafExtensions(names) });
  const read = readCertificate(Buffer.from(made.rawData));
  if (read === undefined) throw new Error('the certificate cannot be read');
  return read;
}

const ISSUER = { 'x509Issuer/CN': 'Root', 'x509Issuer/O': 'Example', 'x509Issuer/C': 'DE' };
const mapping = (
  certificateField: AttributeMapping['certificateField'],
  ...specifiers: string[]
): AttributeMapping => ({
  certificateField,
  mappingRules: specifiers.map((specifier) => ({ specifier })),
});

describe('the default mapping', () => {
  it('takes every attribute of subject and issuer', async () => {
    const { tags } = sessionTags(await certificate('CN=Alice,OU=Web,ST=Bavaria,L=Munich'), DEFAULT_MAPPINGS);
    expect(tags).toEqual({
      'x509Subject/CN': 'Alice',
      'x509Subject/OU': 'Web',
      'x509Subject/ST': 'Bavaria',
      'x509Subject/L': 'Munich',
      ...ISSUER,
    });
  });

  it('joins attributes of one type with a slash, in the order of the certificate', async () => {
    const { tags } = sessionTags(await certificate('OU=One,CN=Alice,OU=Two'), DEFAULT_MAPPINGS);
    expect(tags).toMatchObject({ 'x509Subject/OU': 'One/Two' });
  });

  it('takes the first name of each type of the SAN, and other types not at all', async () => {
    const names: x509.JsonGeneralNames = [
      { type: 'email', value: 'alice@example.org' },
      { type: 'dns', value: 'one.example.org' },
      { type: 'dns', value: 'two.example.org' },
      { type: 'ip', value: '192.0.2.1' },
      { type: 'url', value: 'spiffe://example.org/one' },
      { type: 'url', value: 'spiffe://example.org/two' },
      { type: 'dn', value: 'CN=Directory,O=Names' },
    ];
    const { tags } = sessionTags(await certificate('CN=Alice', names), DEFAULT_MAPPINGS);
    expect(tags).toEqual({
      'x509Subject/CN': 'Alice',
      'x509SAN/DNS': 'one.example.org',
      'x509SAN/URI': 'spiffe://example.org/one',
      'x509SAN/Name/CN': 'Directory',
      'x509SAN/Name/O': 'Names',
      ...ISSUER,
    });
  });

  it('reads past a user principal name, as Active Directory writes it', async () => {
    const names: x509.JsonGeneralNames = [
      { type: 'upn', value: 'alice@example.org' },
      { type: 'dns', value: 'one.example.org' },
    ];
    const { tags } = sessionTags(await certificate('CN=Alice', names), DEFAULT_MAPPINGS);
    expect(tags).toMatchObject({ 'x509SAN/DNS': 'one.example.org' });
  });

  it('reads past a name of a type that it does not know', async () => {
    // GeneralNames { otherName { 1.3.6.1.5.2.2 (Kerberos), "a" }, dNSName "b" }
    const names = new x509.Extension(
      '2.5.29.17',
      false,
      Buffer.from('3013a00e06062b0601050202a0040c026161820162', 'hex'),
    );
    const { certificate: made } = await makeClient(root, { extensions: [...leafExtensions([]).slice(0, 3), names] });
    const { alternativeNames } = readCertificate(Buffer.from(made.rawData)) ?? {};
    expect(alternativeNames).toEqual({ dns: ['b'], uris: [], directory: [] });
  });

  it('names by its OID what has no short name', async () => {
    const { tags } = sessionTags(await certificate('CN=Alice,2.5.4.5=42'), DEFAULT_MAPPINGS);
    expect(tags).toMatchObject({ 'x509Subject/2.5.4.5': '42' });
  });

  it.each([
    ['Al(ice)', 'CN'],
    ['a'.repeat(257), 'CN'],
    ['a*b', 'CN'],
  ])('leaves out what no tag can hold: %s', async (value, specifier) => {
    const { tags, unmapped } = sessionTags(await certificate(`CN=${value},O=Fine`), DEFAULT_MAPPINGS);
    expect(tags).toEqual({ 'x509Subject/O': 'Fine', ...ISSUER });
    expect(unmapped).toEqual({ Subject: [specifier], Issuer: [], SAN: [] });
  });

  it('takes letters of every script', async () => {
    const { tags } = sessionTags(await certificate('CN=Zoë Müller'), DEFAULT_MAPPINGS);
    expect(tags).toMatchObject({ 'x509Subject/CN': 'Zoë Müller' });
  });
});

describe('a mapping of a profile', () => {
  it.each<[string, AttributeMapping[], Record<string, string>]>([
    ['nothing', [], {}],
    ['two attributes', [mapping('x509Subject', 'CN', 'OU')], { 'x509Subject/CN': 'Alice', 'x509Subject/OU': 'Web' }],
    ['an attribute that is not there', [mapping('x509Subject', 'L')], {}],
    ['all of the issuer', [mapping('x509Issuer', '*')], ISSUER],
    ['all of the SAN but directory names', [mapping('x509SAN', '*')], { 'x509SAN/DNS': 'one.example.org' }],
    ['directory names alone', [mapping('x509SAN', 'Name/*')], { 'x509SAN/Name/CN': 'Directory' }],
    ['one attribute of a directory name', [mapping('x509SAN', 'Name/CN')], { 'x509SAN/Name/CN': 'Directory' }],
  ])('takes %s', async (_, mappings, tags) => {
    const names: x509.JsonGeneralNames = [
      { type: 'dns', value: 'one.example.org' },
      { type: 'dn', value: 'CN=Directory' },
    ];
    expect(sessionTags(await certificate('CN=Alice,OU=Web', names), mappings).tags).toEqual(tags);
  });
});
