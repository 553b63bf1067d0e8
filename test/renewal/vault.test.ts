/** Against a Vault of our own: see support/vault-server.ts for what it is strict about. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificatePem } from '../../certs-dev/authority.ts';
import { directTransport } from '../../src/http/direct.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { contentsFor } from '../../src/renewal/csr.ts';
import { enroll } from '../../src/renewal/enroll.ts';
import { type VaultLogin, vault } from '../../src/renewal/issuers/vault.ts';
import { renew } from '../../src/renewal/renew.ts';
import { type TestCa, type TestFiles, makeCa, writeIdentity } from './support/ca.ts';
import { failures } from './support/failures.ts';
import { APP_ROLE, TOKEN, type VaultServer, startVault } from './support/vault-server.ts';

let ca: TestCa;
let server: VaultServer;
let files: TestFiles;

beforeAll(async () => {
  ca = await makeCa();
  server = await startVault(ca);
});

afterAll(async () => await server.close());

beforeEach(async () => {
  Object.assign(server, { twist: {}, instead: undefined });
  server.asked.length = 0;
  files = await writeIdentity(ca);
});

afterEach(() => rmSync(files.folder, { recursive: true }));

function issuer(login: VaultLogin = { method: 'token' }, token: string | undefined = TOKEN, path = 'sign/web') {
  return vault({
    url: new URL(`${server.origin}/v1/pki/${path}`),
    transport: directTransport,
    ca: certificatePem(ca.root.certificate),
    login,
    token: () => token,
    timeoutMs: 2000,
    namespace: 'team',
  });
}

const again = async (by = issuer(), newKey = false) =>
  await renew({ identity: files, issuer: by, newKey, loading: {}, now: Date.now });

describe('renewal by Vault', () => {
  it.each(['sign/web', 'sign-verbatim/web'])(
    'by %s with a token, time after time, with the names of the certificate',
    async (path) => {
      for (const newKey of [false, true, false]) {
        const { leaf } = await again(issuer({ method: 'token' }, TOKEN, path), newKey);
        expect((await loadIdentity(files)).serialNumber).toBe(leaf.serialNumber);
      }
      const [first] = server.asked;
      expect(JSON.parse(first?.body ?? '')).toMatchObject({
        common_name: 'web',
        alt_names: 'web.example',
        ip_sans: '10.0.0.1',
        uri_sans: 'spiffe://example/web',
        format: 'pem',
      });
      expect(first?.headers['x-vault-namespace']).toBe('team');
      expect(server.tokens.has(TOKEN)).toBe(true);
    },
  );

  it('by an AppRole, whose token does not outlive the renewal', async () => {
    await again(issuer({ method: 'approle' }, `${APP_ROLE.role_id}:${APP_ROLE.secret_id}`));
    expect([...server.tokens]).toEqual([TOKEN]);
    await expect(again(issuer({ method: 'approle' }, 'a-role:wrong'))).rejects.toMatchObject({
      code: 'ERR_RENEWAL_REFUSED',
      message: expect.stringContaining('invalid role or secret ID'),
    });
  });

  it('by the certificate itself', async () => {
    await again(issuer({ method: 'cert' }));
    expect(server.asked.map(({ client }) => client !== undefined)).toEqual([true, false, false]);
    expect([...server.tokens]).toEqual([TOKEN]);
  });

  it('for the first time', async () => {
    const [certificate, privateKey] = [join(files.folder, 'new.crt'), join(files.folder, 'new.key')];
    await enroll({
      identity: { certificate, privateKey },
      issuer: issuer(),
      contents: contentsFor('CN=new', []),
      keyKind: 'rsa-2048',
      loading: {},
      now: Date.now,
    });
    expect((await loadIdentity({ certificate, privateKey })).signer.keyType).toBe('RSA');
  });

  it('tells of a token that has ended', async () => {
    await expect(again(issuer({ method: 'token' }, 'hvs.ended'))).rejects.toMatchObject({
      code: 'ERR_RENEWAL_REFUSED',
      status: 403,
      message: expect.stringContaining('permission denied'),
    });
  });
});

describe('what is not taken', () => {
  it.each(failures('Vault'))(
    '$what: the old pair stays, and the error says why',
    async ({ twist, instead, code, message }) => {
      const before = [files.certificate, files.privateKey].map((path) => readFileSync(path, 'utf8'));
      Object.assign(server, { twist: (await twist?.()) ?? {}, instead });
      await expect(again()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      await expect(again(issuer(), true)).rejects.toMatchObject({ code });
      expect([files.certificate, files.privateKey].map((path) => readFileSync(path, 'utf8'))).toEqual(before);
    },
  );
});
