import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { x509 } from '../../src/platform/x509-library.ts';
import { describe, expect, it } from 'vitest';
import { loadIdentity } from '../../src/identity/load.ts';
import { contentsFor, contentsOf, csrPem, makeCsr, nameKind } from '../../src/renewal/csr.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { EXTENSION } from '../../src/x509/extensions.ts';
import { PKI } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';

async function requestOf(kind: string) {
  const identity = await loadIdentity({ certificate: `${PKI}${kind}.crt.pem`, privateKey: `${PKI}${kind}.key.pem` });
  const leaf = readCertificate(identity.certificate, 'the leaf');
  return { leaf, csr: await makeCsr(contentsOf(leaf), identity.signer, leaf.publicKey) };
}

describe('a certification request', () => {
  it.skipIf(!requireTool('openssl')).each(['rsa-2048', 'rsa-4096', 'ec-p256', 'ec-p384', 'ec-p521'])(
    'of %s verifies with openssl',
    async (kind) => {
      const { csr } = await requestOf(kind);
      const folder = mkdtempSync(join(tmpdir(), 'ra-csr-'));
      try {
        const file = join(folder, 'request.csr');
        writeFileSync(file, csrPem(csr));
        const said = execFileSync('openssl', ['req', '-in', file, '-noout', '-verify', '-subject'], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        expect(said).toContain(`CN = ${kind}`);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it.each(['ec-p256', 'rsa-2048', 'ml-dsa-65'])('of %s has subject, names and key of the certificate', async (kind) => {
    const { leaf, csr } = await requestOf(kind);
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(csr).buffer);
    expect(Buffer.from(request.subjectName.toArrayBuffer())).toEqual(Buffer.from(leaf.subject));
    expect(Buffer.from(request.publicKey.rawData)).toEqual(Buffer.from(leaf.publicKey));
    for (const oid of [EXTENSION.subjectAltName, EXTENSION.keyUsage, EXTENSION.extendedKeyUsage]) {
      const asked = request.extensions.find(({ type }) => type === oid);
      expect(asked && Buffer.from(asked.value).toString('hex')).toBe(
        leaf.extensions.has(oid) ? Buffer.from(leaf.extensions.get(oid) ?? []).toString('hex') : undefined,
      );
    }
  });

  it('is the same whether key and signature are parts of a larger buffer or not', async () => {
    const identity = await loadIdentity({ certificate: `${PKI}ec-p256.crt.pem`, privateKey: `${PKI}ec-p256.key.pem` });
    const { publicKey } = readCertificate(identity.certificate, 'the leaf');
    const { keyType } = identity.signer;
    const sign = async (message: Uint8Array): Promise<Uint8Array> => pooled(await identity.signer.sign(message));
    const csr = await makeCsr(contentsFor('CN=web', []), { keyType, sign }, pooled(publicKey));
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(csr).buffer);
    expect(await request.verify()).toBe(true);
    expect(Buffer.from(request.publicKey.rawData)).toEqual(Buffer.from(publicKey));
  });

  it('for a first certificate takes names of every kind', () => {
    const names = ['dns:web.example', 'ip:10.0.0.1', 'ip:::1', 'email:a@example.com', 'uri:spiffe://example/web'];
    const { extensions } = contentsFor('CN=web,O=Example', names);
    expect(extensions.map(({ type }) => type)).toContain(EXTENSION.subjectAltName);
  });

  it.each(['web.example', 'dns:', 'nonsense:x', 'constructor:x'])('refuses %j as an alternative name', (name) => {
    expect(() => contentsFor('CN=web', [name])).toThrow(expect.objectContaining({ code: 'ERR_FLAG_VALUE' }));
  });

  it.each([
    ['web.example', 'dns:web.example'],
    ['10.0.0.1', 'ip:10.0.0.1'],
    ['::1', 'ip:::1'],
    ['a@example.com', 'email:a@example.com'],
    ['spiffe://example/web', 'uri:spiffe://example/web'],
  ])('takes %s of a token as %s', (name, kind) => {
    expect(nameKind(name)).toBe(kind);
  });
});

/** A part of a larger buffer, as Node's small ones are. */
function pooled(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.alloc(100, 1), bytes, Buffer.alloc(100, 2)]).subarray(100, 100 + bytes.length);
}
