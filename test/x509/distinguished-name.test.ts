import { describe, expect, it } from 'vitest';
import { generateKeys, issueAuthority } from '../../certs-dev/authority.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { NameSyntaxError, nameHas, parseName } from '../../src/x509/distinguished-name.ts';

const keys = generateKeys('ec-p256');

/** DER of a name. */
async function name(subject: string): Promise<Uint8Array> {
  const { certificate } = await issueAuthority({ subject, keys: await keys });
  return readCertificate(new Uint8Array(certificate.rawData), 'the test').subject;
}

describe('a name that was written', () => {
  it.each([
    ['CN=web', 'CN=web', true],
    ['CN=web', 'CN=web,O=Example', true],
    ['O=Example', 'CN=web,O=Example', true],
    ['O=Example,CN=web', 'CN=web,O=Example', true],
    ['cn = WEB , o = example', 'CN=web,O=Example', true],
    ['CN=a b', 'CN=a   b', true],
    ['CN=web,O=Other', 'CN=web,O=Example', false],
    ['CN=we', 'CN=web', false],
    ['CN=web', 'CN=we', false],
    ['OU=web', 'CN=web', false],
    ['OU=a,OU=b', 'OU=b,OU=a,CN=c', true],
    ['OU=a,OU=b', 'OU=a,CN=c', false],
    ['OU=a,OU=a', 'OU=a,CN=c', false],
    ['CN=web+OU=a', 'CN=web+OU=a,O=Example', true],
    ['OU=a', 'CN=web+OU=a', true],
    ['CN=web+OU=a', 'CN=web,OU=a', false],
    [String.raw`O=Acme\, Inc.`, String.raw`O=Acme\, Inc.`, true],
    ['O="Acme, Inc."', String.raw`O=Acme\, Inc.`, true],
    [String.raw`O=Acme\2C Inc.`, String.raw`O=Acme\, Inc.`, true],
    [String.raw`CN=Z\c3\bcrich`, 'CN=Zürich', true],
    ['CN=zürich', 'CN=Zürich', true],
    ['CN=a=b', 'CN=a=b', true],
    ['2.5.4.3=web', 'CN=web', true],
    ['OID.2.5.4.3=web', 'CN=web', true],
    ['CN=#1303776562', 'CN=web', true],
    ['S=Bern', 'ST=Bern', true],
    ['DC=example,DC=com', 'CN=x,DC=example,DC=com', true],
    ['CN=x\\\n', 'CN=x', true],
  ])('%j against %j: %s', async (written, subject, expected) => {
    expect(nameHas(await name(subject), parseName(written))).toBe(expected);
  });

  it.each([
    '',
    ' ',
    'web',
    'CN=',
    'CN=""',
    'CN= ,O=x',
    'CN=a,',
    'CN=a,,O=b',
    'CN=a+',
    '=a',
    'XX=a',
    'CN="a',
    'CN="a"b',
    'CN=a\\',
    'O=Acme, Inc.',
    '__proto__=a',
    'constructor=a',
  ])('%j is refused', (text) => {
    expect(() => parseName(text)).toThrow(NameSyntaxError);
  });
});
