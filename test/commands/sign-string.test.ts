import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY_KINDS } from '../../certs-dev/authority.ts';
import { run } from '../../src/commands/sign-string.ts';
import type { FlagValues } from '../../src/options/flag-values.ts';
import { flagsFor } from '../support/flags.ts';
import { memoryIo } from '../support/io.ts';
import { openssl, pkiPath, pkiText } from '../support/pki.ts';
import { refusalCode } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';
import { readPem } from '../../src/x509/pem.ts';
import { verifyWithCertificate } from '../support/verify.ts';

const hasOpenssl = requireTool('openssl');
const DIGESTS = ['SHA256', 'SHA384', 'SHA512'] as const;

async function signString(flags: FlagValues): Promise<Buffer> {
  const io = memoryIo();
  await run(flagsFor('sign-string', flags), io);
  expect(io.err()).toBe('');
  return io.out();
}

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sign-string-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

/** Upstream's fixed message, with the public key's bytes as openssl writes them. */
function expectedMessage(publicKeyPem: string): Buffer {
  const isRsa = openssl(['pkey', '-pubin', '-in', publicKeyPem, '-noout', '-text']).includes('Modulus');
  const bytes = isRsa
    ? openssl(['rsa', '-pubin', '-in', publicKeyPem, '-RSAPublicKey_out', '-outform', 'DER'])
    : uncompressedPoint(openssl(['pkey', '-pubin', '-in', publicKeyPem, '-noout', '-text']).toString());
  const digest = createHash('sha256').update('IAM RA').update(bytes).digest();
  return Buffer.concat([Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1'), digest]);
}

function uncompressedPoint(text: string): Buffer {
  return Buffer.from(/pub:\n([0-9a-f:\s]+)/.exec(text)?.[1]?.replaceAll(/[:\s]/g, '') ?? '', 'hex');
}

function opensslVerifies(digest: string, publicKeyPem: string, message: Buffer, signature: Buffer): string {
  const file = join(dir, 'signature');
  writeFileSync(file, signature);
  return openssl(['dgst', `-${digest.toLowerCase()}`, '-verify', publicKeyPem, '-signature', file], message).toString();
}

describe.skipIf(!hasOpenssl)('sign-string', () => {
  describe.each(KEY_KINDS)('with %s', (kind) => {
    it.each(DIGESTS)('and %s makes a signature that openssl verifies, in every format', async (digest) => {
      const publicKey = join(dir, `${kind}.pub`);
      openssl(['pkey', '-in', pkiPath(`${kind}.key.pem`), '-pubout', '-out', publicKey]);
      const message = expectedMessage(publicKey);
      const flags = { 'private-key': pkiPath(`${kind}.key.pem`), digest };
      const bin = await signString({ ...flags, format: 'bin' });
      const text = (await signString({ ...flags, format: 'text' })).toString();
      const json = (await signString({ ...flags, format: 'json' })).toString();
      expect(text).toMatch(/^[0-9a-f]+$/);
      expect(json).toMatch(/^"[0-9a-f]+"$/);
      for (const signature of [bin, Buffer.from(text, 'hex'), Buffer.from(JSON.parse(json) as string, 'hex')])
        expect(opensslVerifies(digest, publicKey, message, signature)).toBe('Verified OK\n');
    });
  });

  it('writes JSON over SHA-256 when nothing else is asked for', async () => {
    const flags = { 'private-key': pkiPath('rsa-2048.key.pem') };
    expect(await signString(flags)).toEqual(await signString({ ...flags, format: 'json', digest: 'SHA256' }));
  });

  it.each([
    ['certificate and key', { certificate: 'ec-p256.crt.pem', 'private-key': 'ec-p256.key.pem' }],
    ['one file with both', { certificate: 'ec-p256.combined.pem' }],
  ])('takes %s', async (_name, names) => {
    const flags = Object.fromEntries(Object.entries(names).map(([flag, name]) => [flag, pkiPath(name)]));
    const publicKey = join(dir, 'both.pub');
    openssl(['pkey', '-in', pkiPath('ec-p256.key.pem'), '-pubout', '-out', publicKey]);
    const signature = await signString({ ...flags, format: 'bin' });
    expect(opensslVerifies('SHA256', publicKey, expectedMessage(publicKey), signature)).toBe('Verified OK\n');
  });

  it('signs the uncompressed point of a key that holds a compressed one', async () => {
    const [key, publicKey] = [join(dir, 'compressed.pem'), join(dir, 'compressed.pub')];
    openssl(['ec', '-in', pkiPath('ec-p384.key.pem'), '-conv_form', 'compressed', '-out', key]);
    openssl(['pkey', '-in', pkiPath('ec-p384.key.pem'), '-pubout', '-out', publicKey]);
    const signature = await signString({ 'private-key': key, format: 'bin' });
    expect(opensslVerifies('SHA256', publicKey, expectedMessage(publicKey), signature)).toBe('Verified OK\n');
  });
});

describe('sign-string with ML-DSA', () => {
  it.each(['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'])('signs the text with nothing behind it, %s', async (kind) => {
    const flags = { certificate: pkiPath(`${kind}.crt.pem`), 'private-key': pkiPath(`${kind}.key.pem`) };
    const signature = await signString({ ...flags, format: 'bin' });
    const text = Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1');
    const [block] = readPem(Buffer.from(pkiText(`${kind}.crt.pem`)), kind);
    expect(verifyWithCertificate(block?.der ?? new Uint8Array(), text, signature)).toBe(true);
  });
});

describe('sign-string refuses, with nothing on stdout,', () => {
  it.each([
    ['a missing file', 'ERR_FILE_NOT_FOUND', { 'private-key': pkiPath('missing') }],
    ['a certificate as key', 'ERR_PEM_LABEL', { 'private-key': pkiPath('ec-p256.crt.pem') }],
    ['a certificate without its key', 'ERR_KEY_MISSING', { certificate: pkiPath('ec-p256.crt.pem') }],
    [
      'a key of another certificate',
      'ERR_KEY_MISMATCH',
      { certificate: pkiPath('ec-p256.crt.pem'), 'private-key': pkiPath('ec-p384.key.pem') },
    ],
  ])('%s', async (_name, code, flags) => {
    const io = memoryIo();
    expect(await refusalCode(async () => await run(flagsFor('sign-string', flags), io))).toBe(code);
    expect(io.out()).toHaveLength(0);
  });
});
