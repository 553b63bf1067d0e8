import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/commands/read-certificate-data.ts';
import { flagsFor } from '../support/flags.ts';
import { memoryIo } from '../support/io.ts';
import { openssl, pkiPath, pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');

async function readCertificateData(flags: { certificate: string; format?: 'text' }, compat = false): Promise<string> {
  const io = { ...memoryIo(), compat };
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

  it.each([44, 65, 87])('prints for ML-DSA-%i the one algorithm that there is', async (set) => {
    const printed: unknown = JSON.parse(await readCertificateData({ certificate: pkiPath(`ml-dsa-${set}.crt.pem`) }));
    expect(printed).toMatchObject({ keyType: `ML-DSA-${set}`, supportedAlgorithms: [`ML-DSA-${set}`] });
    expect(printed).not.toHaveProperty('problems');
  });

  it.skipIf(!hasOpenssl).each([
    ['Ed25519', '', ['-newkey', 'ed25519']],
    ['EC, P-224', 'EC', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1']],
    ['EC, secp256k1', 'EC', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1']],
    [
      'EC, with a curve of its own',
      'EC',
      ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-pkeyopt', 'ec_param_enc:explicit'],
    ],
    ['RSASSA-PSS', '', ['-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048']],
  ])('says that %s cannot be used, in every form', async (name, upstream, newKey) => {
    const extensions = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=digitalSignature'];
    const pem = openssl(['req', '-x509', ...newKey, '-nodes', '-keyout', '/dev/null', '-subj', '/CN=x', ...extensions]);
    const dir = mkdtempSync(join(tmpdir(), 'read-certificate-data-'));
    const certificate = join(dir, 'x.pem');
    writeFileSync(certificate, pem);
    try {
      const code = 'ERR_KEY_UNSUPPORTED';
      const message = `the certificate's key is ${name}, which the service does not take`;
      const own: unknown = JSON.parse(await readCertificateData({ certificate }));
      expect(own).toMatchObject({ keyType: name, supportedAlgorithms: [], problems: [{ code, message }] });
      const text = await readCertificateData({ certificate, format: 'text' });
      expect(text).toContain(`error: ${message} [${code}]`);
      const compat: unknown = JSON.parse(await readCertificateData({ certificate }, true));
      expect(compat).toMatchObject({
        keyType: upstream,
        supportedAlgorithms: [`${upstream}SHA256`, `${upstream}SHA384`, `${upstream}SHA512`],
      });
      expect(compat).not.toHaveProperty('problems');
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
