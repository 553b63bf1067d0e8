import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makePki } from '../../certs-dev/pki.ts';
import { openssl, pkiPath } from '../support/pki.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');
let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'pki-'));
});
afterEach(() => {
  rmSync(base, { recursive: true });
});

describe('makePki', () => {
  it('writes a folder that only its owner can read, and leaves nothing beside it', async () => {
    const dir = join(base, 'a', 'out');
    await makePki(dir, { kinds: ['ec-p256'] });
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    const names = readdirSync(dir);
    expect(names).toEqual(expect.arrayContaining(['root.pem', 'ec-p256.sec1.pem', 'tls-server.key.pem']));
    for (const name of names) expect([name, statSync(join(dir, name)).mode & 0o777]).toEqual([name, 0o600]);
    expect(readdirSync(join(base, 'a'))).toEqual(['out']);
  });

  it('replaces what was there before', async () => {
    const dir = join(base, 'out');
    mkdirSync(dir);
    writeFileSync(join(dir, 'stale.pem'), 'x');
    await makePki(dir, { kinds: [] });
    const first = readFileSync(join(dir, 'root.pem'), 'utf8');
    expect(readdirSync(dir)).not.toContain('stale.pem');
    await makePki(dir, { kinds: [] });
    expect(readFileSync(join(dir, 'root.pem'), 'utf8')).not.toBe(first);
    expect(readdirSync(base)).toEqual(['out']);
  });

  it('gives the authorities that its files show', async () => {
    const dir = join(base, 'out');
    const { root, intermediate } = await makePki(dir, { kinds: ['ec-p384'] });
    for (const [name, authority] of Object.entries({ root, intermediate }))
      expect(new X509Certificate(readFileSync(join(dir, `${name}.pem`))).raw).toEqual(
        Buffer.from(authority.certificate.rawData),
      );
  });
});

const shown = (name: string): string => openssl(['x509', '-in', pkiPath(name), '-noout', '-text']).toString();
/** What openssl says of a chain; a failed verification is an answer too. */
const verdict = (...args: string[]): string => {
  const line = ['verify', '-CAfile', pkiPath('root.pem'), '-untrusted', pkiPath('intermediate.pem'), ...args];
  return spawnSync('openssl', line, { env: { PATH: process.env['PATH'] ?? '' }, encoding: 'utf8' }).stderr;
};
const keyOf = (name: string): string => openssl(['x509', '-in', pkiPath(name), '-noout', '-pubkey']).toString();

describe.skipIf(!hasOpenssl)('the development PKI', () => {
  // OpenSSL 3.0 knows no ML-DSA.
  const leaves = readdirSync(pkiPath('.')).filter((name) => /^(?!bad-|ml-dsa-).*\.crt\.pem$/.test(name));

  it.each(leaves)('has a chain that openssl verifies for %s', (name) => {
    const args = name.startsWith('tls-')
      ? ['-purpose', 'sslserver', '-verify_ip', '127.0.0.1', '-CAfile', pkiPath('tls-root.pem')]
      : ['-purpose', 'sslclient', '-CAfile', pkiPath('root.pem'), '-untrusted', pkiPath('ec-p256.chain.pem')];
    const answer = openssl(['verify', '-x509_strict', ...args, pkiPath(name)]).toString();
    expect(answer).toBe(`${pkiPath(name)}: OK\n`);
  });

  it.each([
    ['expired', 'certificate has expired'],
    ['not-yet-valid', 'certificate is not yet valid'],
    ['wrong-issuer', 'unable to get local issuer certificate'],
    ['six-deep', 'unable to get local issuer certificate'],
  ])('makes bad-%s, of which openssl says: %s', (name, words) => {
    expect(verdict(pkiPath(`bad-${name}.crt.pem`))).toContain(words);
  });

  it.each([
    ['ca', 'CA:TRUE'],
    ['no-digital-signature', 'Key Usage: critical\n                Key Encipherment\n'],
    ['sha-1', 'ecdsa-with-SHA1'],
    ['v1', 'Version: 1 (0x0)'],
    ['empty-subject', 'Subject: \n'],
  ])('makes bad-%s, in which openssl shows %j', (name, words) => {
    expect(shown(`bad-${name}.crt.pem`)).toContain(words);
    expect(verdict('-partial_chain', pkiPath(`bad-${name}.crt.pem`))).toBe('');
  });

  it('makes bad-no-key-usage without any, and bad-mismatch with another key than bad.key.pem', () => {
    expect(shown('bad-no-key-usage.crt.pem')).not.toContain('Key Usage');
    const publicKey = openssl(['pkey', '-in', pkiPath('bad.key.pem'), '-pubout']).toString();
    expect(keyOf('bad-expired.crt.pem')).toBe(publicKey);
    expect(keyOf('bad-mismatch.crt.pem')).not.toBe(publicKey);
  });

  it('makes six authorities below the root for bad-six-deep', () => {
    const chain = ['-untrusted', pkiPath('bad-six-deep.chain.pem')];
    expect(verdict(...chain, pkiPath('bad-six-deep.crt.pem'))).toBe('');
  });

  it('revokes one leaf, and no other, by a list that the intermediate signed', () => {
    const list = ['-crl_check', '-CRLfile', pkiPath('crl.pem')];
    expect(verdict(...list, pkiPath('revoked.crt.pem'))).toContain('certificate revoked');
    expect(verdict(...list, pkiPath('ec-p256.crt.pem'))).toBe('');
  });

  it('makes leaves as Roles Anywhere wants them', () => {
    const text = openssl(['x509', '-in', pkiPath('rsa-2048.crt.pem'), '-noout', '-text']).toString();
    for (const line of [
      'Version: 3 (0x2)',
      'CA:FALSE',
      'Digital Signature',
      'TLS Web Client Authentication',
      'Public-Key: (2048 bit)',
    ])
      expect(text).toContain(line);
    expect(text).toContain('DNS:rsa-2048.dev.example, URI:spiffe://dev.example/rsa-2048');
  });
});
