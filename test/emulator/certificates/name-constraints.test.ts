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
import { NAME_CONSTRAINTS, constraints, dns, otherName } from '../../support/name-constraints.ts';
import { requireTool } from '../../support/tools.ts';
import { NOW, certificatePem, makeAuthority, makeClient } from '../support/world.ts';

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
  it.each(NAME_CONSTRAINTS)('are kept to for %s', async (_, extension, subject, names, isGood) => {
    const { leaf, intermediate } = await chain(extension(), subject, names);
    const result = verdict(leaf, [intermediate]);
    const reason = expect.stringMatching(/name constraints (?:exclude|do not permit)/) as string;
    expect('path' in result ? { path: [] } : result).toMatchObject(isGood ? { path: [] } : { reason });
  });

  it.runIf(requireTool('openssl')).each(NAME_CONSTRAINTS)(
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
