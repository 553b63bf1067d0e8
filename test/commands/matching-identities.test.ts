import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { goName, matchingIdentities } from '../../src/commands/matching-identities.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/pem.ts';
import { openssl, pkiPath } from '../support/pki.ts';
import { requireTool } from '../support/tools.ts';

/** A self-signed certificate, in DER. */
function certificate(subject: string, ...more: string[]): Uint8Array {
  const key = ['-key', pkiPath('ec-p256.key.pem')];
  const pem = openssl(['req', '-x509', '-utf8', '-multivalue-rdn', '-subj', subject, ...key, ...more]);
  return readPem(pem, 'the certificate')[0]?.der ?? new Uint8Array();
}

describe.skipIf(!requireTool('openssl'))("certificates in tokens, as AWS's helper prints them,", () => {
  it('are a block each', () => {
    const der = certificate('/O=Acme/CN=web', '-set_serial', '0x0abc');
    const fingerprint = execFileSync('openssl', ['x509', '-inform', 'DER', '-noout', '-fingerprint', '-sha1'], {
      input: der,
    })
      .toString()
      .replace(/.*=/, '')
      .replaceAll(/[:\n]/g, '')
      .toLowerCase();
    const block = (index: number, uri: string): string =>
      `${index}) Hex Fingerprint: ${fingerprint}\nSubject: CN=web,O=Acme\nIssuer: CN=web,O=Acme\nSerial Number: ABC\nURI: ${uri}\n\n`;
    const listed = ['pkcs11:object=a', 'pkcs11:object=b'].map((uri) => ({ uri, certificate: der }));
    expect(matchingIdentities(listed)).toBe(
      `Matching identities\n${block(1, 'pkcs11:object=a')}${block(2, 'pkcs11:object=b')}`,
    );
  });

  it('may be none', () => {
    expect(matchingIdentities([])).toBe('No matching identities\n');
  });

  it.each([
    ['/C=DE/O=Acme/CN=web', 'CN=web,O=Acme,C=DE'],
    ['/CN=web/O=Acme/C=DE', 'CN=web,O=Acme,C=DE'],
    ['/O=a/OU=b/OU=c/CN=x/CN=y', 'CN=y,OU=b+OU=c,O=a'],
    ['/O=Acme, "Ltd"/CN= a#b;c ', String.raw`CN=\ a#b\;c\ ,O=Acme\, \"Ltd\"`],
    ['/CN=#1', String.raw`CN=\#1`],
    ['/CN=é/emailAddress=a@b', 'CN=é,1.2.840.113549.1.9.1=#0c03614062'],
    [
      '/DC=example/DC=corp/CN=x',
      'CN=x,0.9.2342.19200300.100.1.25=#1304636f7270,0.9.2342.19200300.100.1.25=#13076578616d706c65',
    ],
    [
      '/serialNumber=7/L=here/ST=there/postalCode=1/street=s/CN=x',
      'SERIALNUMBER=7,CN=x,POSTALCODE=1,STREET=s,ST=there,L=here',
    ],
  ])('have the subject %s in the order of Go', (subject, text) => {
    expect(goName(readCertificate(certificate(subject), 'x').subject)).toBe(text);
  });
});
