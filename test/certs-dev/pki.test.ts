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

describe.skipIf(!hasOpenssl)('the development PKI', () => {
  const leaves = readdirSync(pkiPath('.')).filter((name) => name.endsWith('.crt.pem'));

  it.each(leaves)('has a chain that openssl verifies for %s', (name) => {
    const args = name.startsWith('tls-')
      ? ['-purpose', 'sslserver', '-verify_ip', '127.0.0.1', '-CAfile', pkiPath('tls-root.pem')]
      : ['-purpose', 'sslclient', '-CAfile', pkiPath('root.pem'), '-untrusted', pkiPath('ec-p256.chain.pem')];
    const answer = openssl(['verify', '-x509_strict', ...args, pkiPath(name)]).toString();
    expect(answer).toBe(`${pkiPath(name)}: OK\n`);
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
