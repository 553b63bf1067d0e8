import { X509Certificate } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/pem.ts';
import { openssl, pkiPath, pkiText } from '../support/pki.ts';
import { outcome, refusalCode } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');
const CERTIFICATES = readdirSync(pkiPath('.')).filter((name) => /(\.crt|root|intermediate)\.pem$/.test(name));

function derOf(name: string): Buffer {
  return Buffer.from(readPem(Buffer.from(pkiText(name)), name)[0]?.der ?? []);
}

/** The same certificate with another serial number: the signature no longer fits, which nothing here looks at. */
function withSerial(serial: string): Buffer {
  const der = derOf('serial-1.crt.pem');
  // 30 82 LLLL 30 82 LLLL a0 03 02 01 02, then the serial number 02 01 01
  expect(der.subarray(8, 16).toString('hex')).toBe('a003020102020101');
  const content = Buffer.from(serial, 'hex');
  const changed = Buffer.concat([der.subarray(0, 13), Buffer.from([0x02, content.length]), content, der.subarray(16)]);
  for (const offset of [2, 6]) changed.writeUInt16BE(der.readUInt16BE(offset) + content.length - 1, offset);
  return changed;
}

describe('readCertificate', () => {
  it.each(CERTIFICATES)('reads the facts of %s as node:crypto does', (name) => {
    const der = derOf(name);
    const certificate = readCertificate(der, name);
    const reference = new X509Certificate(der);
    expect(certificate.version).toBe(name.includes('v1') ? 1 : 3);
    expect(certificate.isAuthority).toBe(reference.ca);
    expect(certificate.serialNumber).toBe(BigInt(`0x${reference.serialNumber}`).toString());
    expect(certificate.notBefore).toEqual(new Date(reference.validFrom));
    expect(certificate.notAfter).toEqual(new Date(reference.validTo));
    expect(certificate.der).toBe(der);
  });

  // Node knows ML-DSA from version 24 on.
  it.each(CERTIFICATES.filter((name) => !name.startsWith('ml-dsa')))(
    'reads the key of %s as node:crypto does',
    (name) => {
      const { publicKey, keyAlgorithm } = readCertificate(derOf(name), name);
      const reference = new X509Certificate(derOf(name)).publicKey;
      expect(Buffer.from(publicKey)).toEqual(reference.export({ type: 'spki', format: 'der' }));
      expect(keyAlgorithm.keyType).toBe(reference.asymmetricKeyType?.toUpperCase());
    },
  );

  it.skipIf(!hasOpenssl).each(CERTIFICATES)('reads the decimal serial number of %s as openssl shows it', (name) => {
    const shown = openssl(['x509', '-in', pkiPath(name), '-noout', '-serial']).toString();
    const hex = /^serial=([0-9A-F]+)\n$/.exec(shown)?.[1];
    expect(readCertificate(derOf(name), name).serialNumber).toBe(BigInt(`0x${hex}`).toString());
  });

  // The last one by bc: `ibase=16; F0E1D2C3B4A5968778695A4B3C2D1E0F00112233`.
  it.each([
    ['serial-1', '1'],
    ['serial-80', '128'],
    ['serial-20-bytes', '1375193812842618916575047389307893526453646598707'],
  ])('reads the serial number of %s', (name, decimal) => {
    expect(readCertificate(derOf(`${name}.crt.pem`), name).serialNumber).toBe(decimal);
  });

  it.each([
    ['00', '0'],
    ['80', '-128'],
    ['ff', '-1'],
    ['7fffffffffffffffffffffffffffffffffffffff', (2n ** 159n - 1n).toString()],
    ['00ffffffffffffffffffffffffffffffffffffffff', (2n ** 160n - 1n).toString()],
  ])('reads the serial number with the octets %s', (octets, decimal) => {
    expect(readCertificate(withSerial(octets), 'x').serialNumber).toBe(decimal);
  });

  it('orders an issuer before its subject by the bytes of their names', () => {
    const [leaf, intermediate, root] = ['ec-p256.crt.pem', 'intermediate.pem', 'root.pem'].map((name) =>
      readCertificate(derOf(name), name),
    );
    expect(leaf?.issuer).toEqual(intermediate?.subject);
    expect(intermediate?.issuer).toEqual(root?.subject);
    expect(root?.issuer).toEqual(root?.subject);
  });

  it('refuses a certificate cut at any byte', async () => {
    const der = derOf('ec-p256.crt.pem');
    for (let length = 0; length < der.length; length++)
      expect(await refusalCode(() => readCertificate(der.subarray(0, length), 'x'))).toBe('ERR_CERTIFICATE_MALFORMED');
  });

  it('refuses or reads, and never crashes on, a certificate with any byte changed', () => {
    const der = derOf('ec-p256.crt.pem');
    let refused = 0;
    for (let at = 0; at < der.length; at++) {
      for (const value of [0x00, 0x7f, 0x80, 0xff]) {
        const changed = Buffer.from(der);
        changed[at] = value;
        const result = outcome(() => readCertificate(changed, 'x').der);
        expect([{ value: changed }, { code: 'ERR_CERTIFICATE_MALFORMED' }]).toContainEqual(result);
        if ('code' in result) refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });

  it.each([
    ['a key', 'ec-p256.key.pem'],
    ['a key of the older form', 'rsa-2048.pkcs1.pem'],
  ])('refuses %s', async (_name, file) => {
    expect(await refusalCode(() => readCertificate(derOf(file), file))).toBe('ERR_CERTIFICATE_MALFORMED');
  });

  it.each([
    ['an integer that is not minimal', '0001'],
    ['an integer of 65 octets', '11'.repeat(65)],
    ['an empty integer', ''],
  ])('refuses a serial number that is %s', async (_name, octets) => {
    expect(await refusalCode(() => readCertificate(withSerial(octets), 'x'))).toBe('ERR_CERTIFICATE_MALFORMED');
  });
});
