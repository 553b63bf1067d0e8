/** Against an EST server of our own: see support/est-server.ts for what it is strict about. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificatePem } from '../../certs-dev/authority.ts';
import { directTransport } from '../../src/http/direct.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { contentsFor } from '../../src/renewal/csr.ts';
import { enroll } from '../../src/renewal/enroll.ts';
import { est } from '../../src/renewal/issuers/est.ts';
import { renew } from '../../src/renewal/renew.ts';
import { type FilesOptions, type TestCa, type TestFiles, makeCa, writeIdentity } from './support/ca.ts';
import { type EstServer, PASSWORD, startEst } from './support/est-server.ts';
import { failures } from './support/failures.ts';

let ca: TestCa;
let server: EstServer;
let files: TestFiles;

beforeAll(async () => {
  ca = await makeCa();
  server = await startEst(ca);
});

afterAll(async () => await server.close());

beforeEach(async () => {
  Object.assign(server, { twist: {}, instead: undefined, current: undefined, basic: false });
  server.asked.length = 0;
  files = await identity();
});

afterEach(() => rmSync(files.folder, { recursive: true }));

const identity = async (options?: FilesOptions): Promise<TestFiles> => await writeIdentity(ca, options);

function issuer(path = '', token?: string) {
  return est({
    url: new URL(`${server.origin}${path}`),
    transport: directTransport,
    ca: certificatePem(ca.root.certificate),
    token: token === undefined ? undefined : () => token,
    timeoutMs: 2000,
    now: Date.now,
  });
}

const again = async (newKey = false, path = '', token?: string) =>
  await renew({ identity: files, issuer: issuer(path, token), newKey, loading: {}, now: Date.now });

describe('renewal over EST', () => {
  it.each([false, true])(
    'time after time with a new connection, which bears the newest certificate; a new key: %s',
    async (newKey) => {
      for (let round = 0; round < 4; round++) {
        const { leaf } = await again(newKey);
        const { serialNumber, chain } = await loadIdentity(files);
        expect(serialNumber).toBe(leaf.serialNumber);
        expect(chain).toHaveLength(1);
      }
      const connections = server.asked.map(({ connection }) => connection);
      expect(new Set(connections).size).toBe(connections.length);
      expect(server.asked.map(({ path }) => path.replace(/^.*\//, '')).slice(0, 2)).toEqual([
        'simplereenroll',
        'cacerts',
      ]);
    },
  );

  it.each(['rsa-2048', 'ec-p384'] as const)('with a key of %s', async (kind) => {
    rmSync(files.folder, { recursive: true });
    files = await identity({ kind });
    const { leaf } = await again();
    expect((await loadIdentity(files)).serialNumber).toBe(leaf.serialNumber);
  });

  it('under a label', async () => {
    await again(false, '/.well-known/est/devices');
    expect(server.asked[0]?.path).toBe('/.well-known/est/devices/simplereenroll');
  });

  it('with a password where the certificate has expired, and says so without one', async () => {
    rmSync(files.folder, { recursive: true });
    files = await identity({ lifeMs: -3_600_000, notBefore: new Date(Date.now() - 86_400_000) });
    await expect(again()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED', flag: '--renew-token-file' });
    server.basic = true;
    await again(false, '', PASSWORD);
  });

  it('for the first time with a password', async () => {
    const [certificate, privateKey] = [join(files.folder, 'new.crt'), join(files.folder, 'new.key')];
    const options = {
      identity: { certificate, privateKey },
      contents: contentsFor('CN=new', ['dns:new.example']),
      keyKind: 'ec-p256',
      loading: {},
      now: Date.now,
    } as const;
    await expect(enroll({ ...options, issuer: issuer('', 'web:wrong') })).rejects.toMatchObject({ status: 401 });
    await enroll({ ...options, issuer: issuer('', PASSWORD) });
    expect((await loadIdentity({ certificate, privateKey })).chain).toHaveLength(1);
  });

  it('waits for a decision that is yet to come', async () => {
    server.instead = { status: 202, headers: { 'retry-after': '600' } };
    await expect(again()).rejects.toMatchObject({ code: 'ERR_THROTTLED', retryAfterMs: 600_000 });
  });
});

describe('what is not taken', () => {
  it.each(failures('EST'))(
    '$what: the old pair stays, and the error says why',
    async ({ twist, instead, code, message }) => {
      const before = [files.certificate, files.privateKey].map((path) => readFileSync(path, 'utf8'));
      Object.assign(server, { twist: (await twist?.()) ?? {}, instead });
      await expect(again()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
      // It has issued another, which did not come into use.
      server.current = undefined;
      await expect(again(true)).rejects.toMatchObject({ code });
      expect([files.certificate, files.privateKey].map((path) => readFileSync(path, 'utf8'))).toEqual(before);
    },
  );

  it('a certificate without its chain in /cacerts still has the one that it had', async () => {
    const { chain } = await loadIdentity(files);
    await again();
    expect((await loadIdentity(files)).chain).toEqual(chain);
  });
});
