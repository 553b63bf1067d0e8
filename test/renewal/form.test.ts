import { createPrivateKey } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOUR_MS, certificatePem } from '../../certs-dev/authority.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import type { LoadDeps } from '../../src/identity/load.ts';
import type { IdentityFiles } from '../../src/renewal/form.ts';
import { writePkcs12 } from '../../src/renewal/pkcs12.ts';
import { renew } from '../../src/renewal/renew.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { requireTool } from '../support/tools.ts';
import { runProgram } from '../support/cli.ts';
import { type FilesOptions, type TestCa, type TestFiles, issuerOf, makeCa, writeIdentity } from './support/ca.ts';

let ca: TestCa;
const folders: string[] = [];

beforeAll(async () => {
  ca = await makeCa();
});

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function identity(options?: FilesOptions): Promise<TestFiles> {
  const files = await writeIdentity(ca, options);
  folders.push(files.folder);
  return files;
}

const PASSWORD = 'a long password';

/** Renews, and reads what is there then. */
async function renewed(files: IdentityFiles, newKey: boolean, loading: LoadDeps = {}) {
  const { leaf, replaced } = await renew({ identity: files, issuer: issuerOf(ca), newKey, loading, now: Date.now });
  const loaded = await loadIdentity(files, loading);
  expect(loaded.serialNumber).toBe(leaf.serialNumber);
  expect(leaf.serialNumber).not.toBe(replaced.serialNumber);
  expect(leaf.notAfter.getTime()).toBeGreaterThan(Date.now() + 23 * HOUR_MS);
  const now = readCertificate(loaded.certificate, 'the new one');
  expect(Buffer.compare(now.publicKey, replaced.publicKey) === 0).toBe(!newKey);
  expect(now.keyAlgorithm).toEqual(replaced.keyAlgorithm);
  await loaded.close();
  return loaded;
}

const text = (path: string): string => readFileSync(path, 'utf8');

describe.each([false, true])('with a new key: %s', (newKey) => {
  it.each([
    ['ec-p256', 'pkcs8', 'PRIVATE KEY'],
    ['ec-p384', 'sec1', 'EC PRIVATE KEY'],
    ['ec-p521', 'pkcs8', 'PRIVATE KEY'],
    ['rsa-2048', 'pkcs1', 'RSA PRIVATE KEY'],
    ['rsa-3072', 'pkcs8', 'PRIVATE KEY'],
  ] as const)('%s as %s stays in its form', async (kind, form, label) => {
    const files = await identity({ kind, form });
    const { chain } = await renewed(files, newKey);
    expect(chain).toHaveLength(1);
    expect(text(files.privateKey)).toMatch(new RegExp(`^-----BEGIN ${label}-----`));
    expect(createPrivateKey(text(files.privateKey)).asymmetricKeyDetails).toEqual(
      createPrivateKey(text(newKey ? `${files.privateKey}.previous` : files.privateKey)).asymmetricKeyDetails,
    );
  });

  it('an encrypted key stays encrypted, under its password', async () => {
    const files = await identity({ password: PASSWORD });
    await renewed(files, newKey, { passwords: { pkcs8: { password: PASSWORD, from: 'the test' } } });
    expect(text(files.privateKey)).toContain('BEGIN ENCRYPTED PRIVATE KEY');
  });

  it('one PEM file for both stays one', async () => {
    const { certificate, privateKey } = await identity();
    writeFileSync(certificate, text(certificate) + text(privateKey));
    await renewed({ certificate }, newKey);
    expect(text(certificate).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(text(certificate).match(/BEGIN PRIVATE KEY/g)).toHaveLength(1);
  });

  it('the key may stand in front, and is kept to the letter', async () => {
    const { certificate, privateKey } = await identity();
    writeFileSync(certificate, `bag attributes\n${text(privateKey)}${text(certificate)}`);
    await renewed({ certificate, privateKey: certificate }, newKey);
    expect(text(certificate).includes(text(privateKey))).toBe(!newKey);
  });

  it('PKCS#12 stays PKCS#12, under its password', async () => {
    const files = await identity();
    const certificate = join(files.folder, 'web.p12');
    const loaded = await loadIdentity(files);
    writeFileSync(
      certificate,
      await writePkcs12(
        createPrivateKey(text(files.privateKey)).export({ type: 'pkcs8', format: 'der' }),
        [loaded.certificate, ...loaded.chain],
        Buffer.from(PASSWORD),
      ),
    );
    const passwords = { pkcs12: { password: PASSWORD, from: 'the test' } };
    const { chain } = await renewed({ certificate }, newKey, { passwords });
    expect(chain).toHaveLength(1);
    if (!requireTool('openssl')) return;
    const said = await runProgram('openssl', [
      'pkcs12',
      '-in',
      certificate,
      '-passin',
      `pass:${PASSWORD}`,
      '-nokeys',
      '-info',
    ]);
    expect(said.stderr).toContain('AES-256-CBC');
    expect(said.stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it('DER stays DER', async () => {
    const { certificate, privateKey } = await identity();
    const bundle = `${certificate}.chain`;
    writeFileSync(bundle, certificatePem(ca.intermediate.certificate));
    const { certificate: der } = await loadIdentity({ certificate, privateKey });
    writeFileSync(certificate, der);
    writeFileSync(privateKey, createPrivateKey(text(privateKey)).export({ type: 'pkcs8', format: 'der' }));
    await renewed({ certificate, privateKey, intermediates: bundle }, newKey);
    expect(readFileSync(certificate)[0]).toBe(0x30);
    expect(readFileSync(privateKey)[0]).toBe(0x30);
  });
});

describe('the chain', () => {
  it('stays out of a file that had none, from the same issuer', async () => {
    const files = await identity({ withChain: false });
    await renewed(files, false);
    expect(text(files.certificate).match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
  });

  it('stays in the file of --intermediates, which takes a new intermediate before the certificate does', async () => {
    const { issueAuthority, generateKeys } = await import('../../certs-dev/authority.ts');
    const files = await identity({ withChain: false });
    const intermediates = join(files.folder, 'chain.pem');
    writeFileSync(intermediates, certificatePem(ca.intermediate.certificate));
    const next = await issueAuthority({
      subject: 'CN=Renewal 2',
      keys: await generateKeys('ec-p256'),
      issuer: ca.root,
    });
    const issuer = issuerOf({ ...ca, intermediate: next });
    await renew({ identity: { ...files, intermediates }, issuer, loading: {}, now: Date.now });
    expect(text(files.certificate).match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    expect(text(intermediates)).toBe(certificatePem(next.certificate) + certificatePem(ca.intermediate.certificate));
    expect((await loadIdentity({ ...files, intermediates })).chain).toHaveLength(1);
  });
});

describe('what is not written', () => {
  it('several keys in one file are no pair', async () => {
    const { certificate, privateKey } = await identity();
    const other = await identity();
    writeFileSync(certificate, text(certificate) + text(privateKey) + text(other.privateKey));
    await expect(
      renew({ identity: { certificate }, issuer: issuerOf(ca), newKey: true, loading: {}, now: Date.now }),
    ).rejects.toMatchObject({ code: 'ERR_RENEWAL_WRITE' });
  });

  it('a variable and standard input cannot be replaced', async () => {
    for (const certificate of ['-', 'env:CERTIFICATE'])
      await expect(
        renew({ identity: { certificate }, issuer: issuerOf(ca), loading: {}, now: Date.now }),
      ).rejects.toMatchObject({ code: 'ERR_FLAG_VALUE' });
  });
});
