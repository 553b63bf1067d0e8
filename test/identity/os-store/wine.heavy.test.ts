/** Stores of Windows as Wine has them: keys by CAPI are real, and by CNG all but the call that finds the key. */
import { KeyObject, X509Certificate, verify } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Authority,
  DAY_MS,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
} from '../../../certs-dev/authority.ts';
import { type Emulator, startEmulator } from '../../../src/emulator/emulator.ts';
import { runCli } from '../../support/cli.ts';
import { requireTool } from '../../support/tools.ts';
import { worldFlags } from '../../support/vending.ts';
import type { WineJob } from './wine-program.ts';
import { Wine } from './wine.ts';

/** A certificate, and its key as the test's program takes it. */
interface Issued {
  readonly certificate: string;
  readonly key: JsonWebKey;
  readonly x509: X509Certificate;
  readonly pem: string;
}

function importing(store: string, { certificate, key, x509 }: Issued, type: 1 | 24 = 24): WineJob {
  return { job: 'import', store, container: `${store}-${x509.serialNumber}`, type, certificate, key };
}

function selected(store: string, selector: string): string[] {
  return ['--system-store-name', store, '--cert-selector', selector];
}

const hasWine = ['wine', 'wineboot', 'wineserver'].every((tool) => requireTool(tool));

// A program's first start in a prefix takes seconds on a loaded machine.
describe.skipIf(!hasWine)('a store of Windows, by Wine', { timeout: 120_000 }, () => {
  let wine: Wine;
  let root: Authority;
  let authority: Authority;
  let emulator: Emulator;

  const issue = async (subject: string, serial: string, days = 30): Promise<Issued> => {
    const keys = await generateKeys('rsa-2048');
    const notAfter = new Date(Date.now() + days * DAY_MS);
    const leaf = await issueLeaf({
      subject,
      serialNumber: serial,
      issuer: authority,
      publicKey: keys.publicKey,
      notAfter,
    });
    const x509 = new X509Certificate(Buffer.from(leaf.rawData));
    const key = KeyObject.from(keys.privateKey);
    return {
      certificate: x509.raw.toString('base64'),
      key: key.export({ format: 'jwk' }),
      x509,
      pem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  };

  beforeAll(async () => {
    root = await issueAuthority({ subject: 'CN=Root', keys: await generateKeys('ec-p256') });
    authority = await issueAuthority({ subject: 'CN=Issuing', keys: await generateKeys('ec-p256'), issuer: root });
    [wine, emulator] = await Promise.all([
      Wine.start(),
      startEmulator({ trustAnchors: [{ certificates: certificatePem(root.certificate) }] }),
    ]);
  }, 180_000);
  afterAll(async () => {
    wine?.stop();
    await emulator?.close();
  }, 60_000);

  const issuing = (): string => Buffer.from(authority.certificate.rawData).toString('base64');

  it.each([
    ['Microsoft Enhanced RSA and AES Cryptographic Provider', 24],
    ['a provider that knows no SHA-256, whose container is opened as type 24', 1],
  ] as const)('sign-string signs with a key that cannot be exported, in %s', async (_name, type) => {
    const store = `Sign${type}`;
    const issued = await issue('CN=web,O=Example', `0${type}`);
    await wine.run(importing(store, issued, type));
    const dir = mkdtempSync(join(tmpdir(), 'ra-wine-key-'));
    try {
      writeFileSync(join(dir, 'key.pem'), issued.pem, { mode: 0o600 });
      for (const digest of ['SHA256', 'SHA384', 'SHA512']) {
        const line = ['sign-string', '--format', 'text', '--digest', digest];
        const signed = await wine.cli([...line, ...selected(store, 'Key=x509Subject,Value=CN=web')]);
        expect(signed.stderr).toBe('');
        const elsewhere = await runCli([...line, '--private-key', join(dir, 'key.pem')]);
        expect(signed.stdout).toBe(elsewhere.stdout);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('credential-process gets credentials with a certificate of the store, and the chain there', async () => {
    const store = 'Vend';
    const issued = await issue('CN=web,OU=Blue,O=Example', '21');
    await wine.run(importing(store, issued), { job: 'add', store: 'CA', certificate: issuing() });
    const line = [
      'credential-process',
      ...selected(store, 'Key=x509Subject,Value=CN=web,OU=Blue'),
      ...worldFlags(emulator),
    ];
    for (const name of [[], ['--compat']]) {
      const { status, stdout, stderr } = await wine.cli([...line, ...name]);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccessKeyId: expect.any(String) as string });
    }
  });

  it('read-certificate-data lists what matches, and several are refused or the last to expire is taken', async () => {
    const store = 'Several';
    const [one, two, other] = [
      await issue('CN=web', '31', 30),
      await issue('CN=web', '32', 60),
      await issue('CN=other', '33'),
    ];
    const { certificate } = await issue('CN=web', '34', 90);
    const pairs = [one, two, other].map((issued) => importing(store, issued));
    await wine.run(...pairs, { job: 'add', store: 'CA', certificate: issuing() }, { job: 'add', store, certificate });
    const selector = selected(store, 'Key=x509Subject,Value=CN=web');
    const { stdout } = await wine.cli(['read-certificate-data', ...selector]);
    const listed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { serialNumber: string });
    expect(listed.map(({ serialNumber }) => Number(serialNumber)).toSorted((a, b) => a - b)).toEqual([0x31, 0x32]);
    const text = await wine.cli(['read-certificate-data', ...selector, '--format', 'text']);
    expect(text.stdout).toContain('CN=web');
    const compat = await wine.cli(['read-certificate-data', '--compat', ...selector]);
    expect(compat.stdout).toMatch(/^Matching identities\n1\) Hex Fingerprint: /);
    const refused = await wine.cli(['sign-string', ...selector]);
    expect(refused).toMatchObject({ status: 3, stdout: '' });
    expect(refused.stderr).toMatch(/2 certificates in the store CurrentUser\\Several match/);
    const latest = await wine.cli([
      'credential-process',
      ...selector,
      '--use-latest-expiring-certificate',
      ...worldFlags(emulator),
    ]);
    expect(latest.stderr).toBe('');
    expect(latest.status).toBe(0);
  });

  it('a store that is not there, and a certificate that is not, are named', async () => {
    const none = await wine.cli(['sign-string', ...selected('NoSuchStore', 'Key=x509Serial,Value=01')]);
    expect(none).toMatchObject({ status: 3, stdout: '' });
    expect(none.stderr).toMatch(/NoSuchStore/);
    await wine.run(importing('Other', await issue('CN=other', '41')));
    const nobody = await wine.cli(['sign-string', ...selected('Other', 'Key=x509Subject,Value=CN=nobody')]);
    expect(nobody.stderr).toMatch(/no certificate in the store CurrentUser\\Other matches/);
    expect(nobody.stderr).toContain('CN=other');
  });

  it('by CNG: RSA signatures with every digest, and each key is freed', async () => {
    const store = 'Cng';
    const issued = await issue('CN=web', '51');
    const message = 'to be signed';
    const given = await wine.run(importing(store, issued), { job: 'cng', store, key: issued.key, message });
    expect(given).toMatchObject({ allFreed: true });
    const { signatures } = given as { signatures: Record<string, string> };
    expect(Object.keys(signatures)).toEqual(['SHA256', 'SHA384', 'SHA512']);
    const { publicKey } = issued.x509;
    for (const [digest, signature] of Object.entries(signatures))
      expect(verify(digest, Buffer.from('to be signed'), publicKey, Buffer.from(signature, 'base64'))).toBe(true);
  });
});
