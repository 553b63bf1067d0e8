import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/commands/read-certificate-data.ts';
import { flagsFor } from '../support/flags.ts';
import { memoryIo } from '../support/io.ts';
import { openssl, pkiPath, pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');

async function readCertificateData(flags: { certificate: string }): Promise<string> {
  const io = memoryIo();
  await run(flagsFor('read-certificate-data', flags), io);
  expect(io.err()).toBe('');
  return io.out().toString();
}

describe('read-certificate-data', () => {
  it.each([
    ['rsa-2048.crt.pem', 'RSA'],
    ['rsa-4096.text.pem', 'RSA'],
    ['ec-p256.crt.pem', 'EC'],
    ['ec-p521.combined.pem', 'EC'],
    ['serial-1.crt.pem', 'EC'],
    ['serial-80.crt.pem', 'EC'],
    ['serial-20-bytes.crt.pem', 'EC'],
  ])('prints %s exactly as upstream', async (name, keyType) => {
    const certificate = new X509Certificate(pkiText(name).slice(pkiText(name).indexOf('-----BEGIN CERT')));
    const serial = BigInt(`0x${certificate.serialNumber}`).toString();
    expect(await readCertificateData({ certificate: pkiPath(name) })).toBe(
      `{"keyType":"${keyType}","certificateData":"${certificate.raw.toString('base64')}","serialNumber":"${serial}",` +
        `"supportedAlgorithms":["${keyType}SHA256","${keyType}SHA384","${keyType}SHA512"]}`,
    );
  });

  it.skipIf(!hasOpenssl)('leaves the type of a key empty that it does not know', async () => {
    const pem = openssl(['req', '-x509', '-newkey', 'ed25519', '-nodes', '-keyout', '/dev/null', '-subj', '/CN=x']);
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const dir = mkdtempSync(`${tmpdir()}/read-certificate-data-`);
    writeFileSync(`${dir}/x.pem`, pem);
    try {
      expect(JSON.parse(await readCertificateData({ certificate: `${dir}/x.pem` }))).toMatchObject({
        keyType: '',
        supportedAlgorithms: ['SHA256', 'SHA384', 'SHA512'],
      });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it.each(['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'])(
    'names the one algorithm of %s, which hashes by itself',
    async (kind) => {
      expect(JSON.parse(await readCertificateData({ certificate: pkiPath(`${kind}.crt.pem`) }))).toMatchObject({
        keyType: kind.toUpperCase(),
        supportedAlgorithms: [kind.toUpperCase()],
      });
    },
  );

  it('says what a revocation list is for', async () => {
    const error = await refusal(
      async () => await run(flagsFor('read-certificate-data', { certificate: pkiPath('crl.pem') }), memoryIo()),
    );
    expect(error).toMatchObject({ code: 'ERR_PEM_LABEL', hint: expect.stringContaining('ImportCrl') as string });
  });

  it.each([
    ['a missing file', 'ERR_FILE_NOT_FOUND', { certificate: pkiPath('missing') }],
    ['a folder', 'ERR_FILE_IS_DIRECTORY', { certificate: pkiPath('.') }],
    ['a key', 'ERR_PEM_LABEL', { certificate: pkiPath('ec-p256.key.pem') }],
  ])('refuses %s, with nothing on stdout', async (_name, code, flags) => {
    const io = memoryIo();
    expect(await refusalCode(async () => await run(flagsFor('read-certificate-data', flags), io))).toBe(code);
    expect(io.out()).toHaveLength(0);
  });
});
