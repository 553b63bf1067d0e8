import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificateText } from '../../src/identity/certificate-text.ts';
import { loadCertificates } from '../../src/identity/load.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { freshPki } from '../support/bad-leaves.ts';
import { pkiPath } from '../support/pki.ts';

let pki: Awaited<ReturnType<typeof freshPki>>;
beforeAll(async () => {
  pki = await freshPki();
});
afterAll(() => pki.remove());

const DAY_MS = 86_400_000;
const seconds = (date: string): string => `${new Date(date).toISOString().slice(0, 19)}Z`;
const text = async (path: string, now = Date.now()): Promise<string> =>
  certificateText(await loadCertificates(path), now);

describe('certificateText', () => {
  it('shows everything that matters about a certificate', async () => {
    const certificate = new X509Certificate(readFileSync(pkiPath('serial-80.crt.pem')));
    const now = Date.parse(certificate.validTo) - 40 * DAY_MS;
    expect(await text(pkiPath('serial-80.crt.pem'), now)).toBe(`\
subject              O=Roles Anywhere development,OU=Clients,CN=serial-80
issuer               O=Roles Anywhere development,CN=Development intermediate
alternative names    DNS:serial-80.dev.example
                     URI:spiffe://dev.example/serial-80
serial number        128
                     80
valid                from ${seconds(certificate.validFrom)}
                     until ${seconds(certificate.validTo)}, 40 days left
key                  EC, P-256
key usage            digitalSignature
extended key usage   clientAuth
CA                   no
signed with          ECDSA with SHA-256
version              3
SHA-256 fingerprint  ${certificate.fingerprint256}

problems:
  none found

what Roles Anywhere derives from it, unless the profile maps attributes otherwise:
  session name = 80
  source identity = CN=serial-80
  session tag x509Subject/CN = serial-80
  session tag x509Subject/OU = Clients
  session tag x509Subject/O = Roles Anywhere development
  session tag x509Issuer/CN = Development intermediate
  session tag x509Issuer/O = Roles Anywhere development
  session tag x509SAN/DNS = serial-80.dev.example
  session tag x509SAN/URI = spiffe://dev.example/serial-80
`);
  });

  it.each([
    ['rsa-3072', 'RSA, 3072 bits', 'ECDSA with SHA-256'],
    ['ec-p384', 'EC, P-384', 'ECDSA with SHA-256'],
    ['ec-p521', 'EC, P-521', 'ECDSA with SHA-256'],
    ['ml-dsa-44', 'ML-DSA-44', 'ML-DSA-65'],
    ['ml-dsa-65', 'ML-DSA-65', 'ML-DSA-65'],
    ['ml-dsa-87', 'ML-DSA-87', 'ML-DSA-65'],
  ])('names the key of %s, and what it is signed with', async (kind, key, signature) => {
    const shown = await text(pkiPath(`${kind}.crt.pem`));
    expect(shown).toContain(`\nkey                  ${key}\n`);
    expect(shown).toContain('  none found\n');
    expect(shown).toContain(`\nsigned with          ${signature}\n`);
  });

  it.each(['crt.pem', 'crt.der', 'text.pem', 'combined.pem'])('reads a leaf in .%s', async (form) => {
    expect(await text(pkiPath(`ec-p256.${form}`))).toContain('CN=ec-p256\n');
  });

  it('shows the leaf of a bundle, wherever it stands, and lists the rest', async () => {
    const names = ['root.pem', 'intermediate.pem', 'revoked.crt.pem', 'ec-p256.crt.pem', 'tls-root.pem'];
    const bundle = Buffer.concat(names.map((name) => readFileSync(pki.path(name))));
    const shown = certificateText(
      await loadCertificates('env:BUNDLE', { env: { BUNDLE: bundle.toString() } }),
      Date.now(),
    );
    expect(shown).toMatch(/^subject +CN=revoked\n/); // the first that is not a CA's
    const listed = shown.slice(shown.indexOf('also in this file:')).replaceAll(/\d{4}-\S+Z/g, 'TIME');
    expect(listed).toBe(`also in this file:
  "O=Roles Anywhere development,CN=Development root", until TIME
  "O=Roles Anywhere development,CN=Development intermediate", until TIME
  "O=Roles Anywhere development,OU=Clients,CN=ec-p256", until TIME, not in the chain
  "O=Roles Anywhere development,CN=Development TLS root", until TIME, not in the chain
`);
  });

  it("shows a CA's certificate when there is no other", async () => {
    const shown = await text(pki.path('intermediate.pem'));
    expect(shown).toContain('\nCA                   yes\n');
    expect(shown).toContain('\nkey usage            keyCertSign, cRLSign\n');
    expect(shown).toContain('[ERR_CERTIFICATE_IS_CA]');
  });

  it.each([
    ['expired', 'ERR_CERTIFICATE_EXPIRED'],
    ['not-yet-valid', 'ERR_CERTIFICATE_NOT_YET_VALID'],
    ['ca', 'ERR_CERTIFICATE_IS_CA'],
    ['no-digital-signature', 'ERR_CERTIFICATE_KEY_USAGE'],
    ['no-key-usage', 'ERR_CERTIFICATE_KEY_USAGE'],
    ['sha-1', 'ERR_CERTIFICATE_SIGNATURE_ALGORITHM'],
    ['v1', 'ERR_CERTIFICATE_VERSION'],
    ['empty-subject', 'ERR_CERTIFICATE_SUBJECT_EMPTY'],
  ])('names what is wrong with bad-%s', async (name, code) => {
    expect(await text(pki.path(`bad-${name}.crt.pem`))).toMatch(
      new RegExp(`\nproblems:\n  error: .* \\[${code}\\]\n\n`),
    );
  });

  it.each(['wrong-issuer', 'mismatch', 'six-deep'])('finds nothing wrong with bad-%s by itself', async (name) => {
    expect(await text(pki.path(`bad-${name}.crt.pem`))).toContain('\nproblems:\n  none found\n\n');
  });

  it('shows one without a subject, and its time left in less than a day', async () => {
    const path = pki.path('bad-empty-subject.crt.pem');
    const [{ notAfter }] = await loadCertificates(path);
    const shown = await text(path, notAfter.getTime() - 7_200_000);
    expect(shown).toMatch(/^subject +\(empty\)\n/);
    expect(shown).toContain(', 2 hours left\n');
    expect(shown).toMatch(/source identity = ID=([0-9a-f]{2})+\n/);
    expect(await text(path, notAfter.getTime() + 3 * DAY_MS)).toContain(', 3 days ago\n');
  });

  it('shows what can be read when an extension is broken', async () => {
    const [{ der }] = await loadCertificates(pki.path('ec-p256.crt.pem'));
    const changed = Buffer.from(der);
    changed[changed.indexOf(Buffer.from('0603551d11', 'hex')) + 7] = 0x31; // the SEQUENCE of subjectAltName
    const shown = certificateText([readCertificate(changed, 'x')], Date.now());
    expect(shown).toContain('alternative names    (cannot be read: subjectAltName has tag 0x31)\n');
    expect(shown).toContain('\nkey                  EC, P-256\n');
  });
});
