import { KeyObject, X509Certificate, verify } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Authority,
  DAY_MS,
  type KeyKind,
  generateKeys,
  issueAuthority,
  issueLeaf,
} from '../../../certs-dev/authority.ts';
import type { CertificateChoice } from '../../../src/identity/choice.ts';
import type { Digest, Identity } from '../../../src/identity/identity.ts';
import { loadIdentity } from '../../../src/identity/load.ts';
import { listStoreCertificates } from '../../../src/identity/os-store/index.ts';
import { ecdsaDer } from '../../../src/identity/os-store/store.ts';
import type { StoreSettings } from '../../../src/identity/os-store/store.ts';
import { windowsStore } from '../../../src/identity/os-store/windows.ts';
import { watchIdentity } from '../../../src/identity/reload.ts';
import { refusal } from '../../support/refusal.ts';
import { type FakeEntry, type FakeWindows, fakeMessages, fakeWindows } from './fake-windows.ts';

const MESSAGE = Buffer.from('to be signed');
const DIGESTS: readonly Digest[] = ['SHA256', 'SHA384', 'SHA512'];

let root: Authority;
let authority: Authority;

beforeAll(async () => {
  root = await issueAuthority({ subject: 'CN=Root', keys: await generateKeys('ec-p256') });
  authority = await issueAuthority({ subject: 'CN=Issuing', keys: await generateKeys('ec-p256'), issuer: root });
});

const der = ({ certificate }: Authority): Uint8Array => new Uint8Array(certificate.rawData);

/** One RSA key is enough: they take long to make. */
const KEYS = new Map<KeyKind, ReturnType<typeof generateKeys>>();

interface Wanted {
  kind?: KeyKind;
  serial?: number;
  days?: number;
}

async function entry(subject: string, more: Partial<FakeEntry> & Wanted = {}): Promise<FakeEntry> {
  const { kind = 'ec-p256', serial = 1, days = 30, ...rest } = more;
  const keys = await (KEYS.get(kind) ?? generateKeys(kind));
  if (kind === 'rsa-2048') KEYS.set(kind, Promise.resolve(keys));
  const leaf = await issueLeaf({
    subject,
    serialNumber: serial.toString(16).padStart(2, '0'),
    issuer: authority,
    publicKey: keys.publicKey,
    notAfter: new Date(Date.now() + days * DAY_MS),
  });
  return { der: new Uint8Array(leaf.rawData), key: KeyObject.from(keys.privateKey), home: 'cng', ...rest };
}

async function load(
  { windows }: FakeWindows,
  choice: CertificateChoice = { selector: 'Key=x509Subject,Value=CN=web' },
  store: StoreSettings = {},
): Promise<Identity> {
  return await loadIdentity({ choice, store }, { openStore: async (settings) => windowsStore(windows, settings) });
}

async function sign(identity: Identity, digest?: Digest): Promise<Uint8Array> {
  fakeMessages.current = MESSAGE;
  return await identity.signer.sign(MESSAGE, digest);
}

const stores = (...entries: FakeEntry[]): Record<string, FakeEntry[]> => ({
  MY: entries,
  CA: [{ der: der(authority) }, { der: der(root) }],
});

describe('a certificate of a store of Windows', () => {
  it.each([
    ['cng', 'rsa-2048'],
    ['cng', 'ec-p256'],
    ['cng', 'ec-p384'],
    ['cng', 'ec-p521'],
    ['capi', 'rsa-2048'],
    ['old-capi', 'rsa-2048'],
  ] as const)('signs by %s with %s, and nothing stays open', async (home, kind) => {
    const fake = fakeWindows(stores(await entry('CN=web', { home, kind })));
    const identity = await load(fake);
    expect(fake.left()).toEqual(['own context']);
    for (const digest of DIGESTS) {
      const signature = await sign(identity, digest);
      expect(new X509Certificate(identity.certificate).subject).toBe('CN=web');
      expect(verify(digest, MESSAGE, new X509Certificate(identity.certificate).publicKey, signature)).toBe(true);
      expect(fake.left()).toEqual(['own context']);
    }
    await identity.close();
    await identity.close();
    expect(fake.left()).toEqual([]);
    expect(await refusal(() => sign(identity))).toMatchObject({ code: 'ERR_SIGN' });
  });

  it('has the chain that is in the stores', async () => {
    const identity = await load(fakeWindows(stores(await entry('CN=web'))));
    expect(identity.chain.map((one) => new X509Certificate(one).subject)).toEqual(['CN=Issuing']);
    await identity.close();
  });

  it.each([
    [
      'cng',
      'rsa-2048',
      {},
      ['CryptAcquireCertificatePrivateKey 20040', 'NCryptSignHash SHA256 42', 'NCryptFreeObject'],
    ],
    ['cng', 'ec-p256', {}, ['CryptAcquireCertificatePrivateKey 20040', 'NCryptSignHash none 40', 'NCryptFreeObject']],
    [
      'cng',
      'rsa-2048',
      { interactive: true },
      ['CryptAcquireCertificatePrivateKey 20000', 'NCryptSignHash SHA256 2', 'NCryptFreeObject'],
    ],
    [
      'capi',
      'rsa-2048',
      {},
      [
        'CryptAcquireCertificatePrivateKey 20040',
        'CryptCreateHash 800c',
        'CryptSetHashParam',
        'CryptSignHashW 1',
        'CryptDestroyHash',
        'CryptReleaseContext',
      ],
    ],
    [
      'old-capi',
      'rsa-2048',
      {},
      [
        'CryptAcquireCertificatePrivateKey 20040',
        'CryptCreateHash 800c',
        'CryptGetProvParam 6',
        'CryptGetProvParam 27',
        'CryptAcquireContextA container 24 60',
        'CryptCreateHash 800c',
        'CryptSetHashParam',
        'CryptSignHashW 1',
        'CryptDestroyHash',
        'CryptReleaseContext',
        'CryptReleaseContext',
      ],
    ],
  ] as const)('%s with %s and %j: the calls, in order', async (home, kind, settings, expected) => {
    const fake = fakeWindows(stores(await entry('CN=web', { home, kind })));
    const identity = await load(fake, undefined, settings);
    fake.calls.length = 0;
    await sign(identity);
    expect(fake.calls).toEqual(expected);
  });

  it('a key that is not ours to free is left', async () => {
    for (const home of ['cng', 'capi'] as const) {
      const fake = fakeWindows(stores(await entry('CN=web', { home, kind: 'rsa-2048', isOwn: false })));
      const identity = await load(fake);
      await sign(identity);
      expect(fake.calls).not.toContain('NCryptFreeObject');
      expect(fake.calls).not.toContain('CryptReleaseContext');
      await identity.close();
      expect(fake.left()).toEqual([]);
    }
  });

  it.each([
    [undefined, '1c000 MY'],
    [{ storeName: 'WebHosting', storeLocation: 'LocalMachine' } as const, '2c000 WebHosting'],
  ])('is looked for in the store that %j names, read-only and only if it is there', async (settings, expected) => {
    const found = await entry('CN=web');
    const fake = fakeWindows({ MY: [found], WebHosting: [found], CA: [] });
    const identity = await load(fake, undefined, settings);
    await identity.close();
    expect(fake.calls[0]).toBe(`CertOpenStore ${expected}`);
    expect(fake.left()).toEqual([]);
  });

  it('several are refused with a list, the last to expire is taken by a flag, and one without a key is none', async () => {
    const one = await entry('CN=web', { serial: 1, days: 30 });
    const two = await entry('CN=web', { serial: 2, days: 60 });
    const keyless = { ...(await entry('CN=web', { serial: 3, days: 90 })), key: undefined };
    const fake = fakeWindows(stores(one, two, keyless));
    const refused = await refusal(() => load(fake));
    expect(refused).toMatchObject({ code: 'ERR_CERTIFICATE_AMBIGUOUS' });
    expect(refused.message).toContain(String.raw`the store CurrentUser\MY`);
    expect(refused.hint).toMatch(/serial number 2,.*serial number 1,/);
    expect(fake.left()).toEqual([]);
    const identity = await load(fake, { selector: 'Key=x509Subject,Value=CN=web', latest: true });
    expect(identity.serialNumber).toBe('2');
    await identity.close();
    expect(await refusal(() => load(fake, { selector: 'Key=x509Serial,Value=03' }))).toMatchObject({
      code: 'ERR_CERTIFICATE_NOT_FOUND',
    });
    expect(await listStoreCertificates({}, { openStore: async () => windowsStore(fake.windows, {}) })).toHaveLength(2);
    expect(fake.left()).toEqual([]);
  });

  it('what cannot be read is passed over', async () => {
    const fake = fakeWindows(
      stores({ der: Uint8Array.of(0x30, 0), key: (await entry('CN=x')).key }, await entry('CN=web')),
    );
    await (await load(fake)).close();
    expect(fake.left()).toEqual([]);
  });

  it.each([
    ['CertOpenStore', 2, 'ERR_STORE_NOT_FOUND'],
    ['CertOpenStore', 5, 'ERR_STORE_ACCESS'],
    ['CertOpenStore', 0x8009_0020, 'ERR_STORE_FAILED'],
  ] as const)('%s says %i: %s', async (call, status, code) => {
    const fake = fakeWindows(stores(await entry('CN=web')));
    fake.fail.set(call, status);
    expect(await refusal(() => load(fake))).toMatchObject({ code, message: expect.stringContaining(call) as string });
    expect(fake.left()).toEqual([]);
  });

  it.each([
    ['cng', 'CryptAcquireCertificatePrivateKey', 0x8009_0016, 'ERR_STORE_KEY', 'NTE_BAD_KEYSET'],
    ['cng', 'CryptAcquireCertificatePrivateKey', 0x8009_0022, 'ERR_STORE_KEY', 'NTE_SILENT_CONTEXT'],
    ['cng', 'NCryptSignHash', 0x8009_0022, 'ERR_SIGN', 'NTE_SILENT_CONTEXT'],
    ['cng', 'NCryptSignHash', 0x8010_006e, 'ERR_SIGN', 'SCARD_W_CANCELLED_BY_USER'],
    ['cng', 'NCryptSignHash', 0x8009_9999, 'ERR_SIGN', '0x80099999'],
    ['old-capi', 'CryptGetProvParam', 1, 'ERR_SIGN', 'CryptCreateHash says 0x80090008'],
    ['old-capi', 'CryptAcquireContextA', 0x8009_0016, 'ERR_SIGN', 'NTE_BAD_KEYSET'],
    ['capi', 'CryptSetHashParam', 0x8009_0002, 'ERR_SIGN', '0x80090002'],
    ['capi', 'CryptSignHashW', 0x8009_000d, 'ERR_SIGN', 'NTE_NO_KEY'],
    ['old-capi', 'CryptSignHashW', 0x8009_000d, 'ERR_SIGN', 'NTE_NO_KEY'],
  ] as const)('%s, %s says %i: %s with %s, and nothing stays open', async (home, call, status, code, words) => {
    const fake = fakeWindows(stores(await entry('CN=web', { home, kind: 'rsa-2048' })));
    const identity = await load(fake);
    fake.fail.set(call, status);
    const refused = await refusal(() => sign(identity));
    expect(refused).toMatchObject({ code });
    expect(refused.message).toContain(words);
    expect(refused.hint).toBeDefined();
    expect(fake.left()).toEqual(['own context']);
    expect((await sign(identity)).length).toBe(256);
    await identity.close();
    expect(fake.left()).toEqual([]);
  });

  it('a signature that the certificate does not verify never leaves', async () => {
    for (const [home, kind] of [
      ['cng', 'ec-p256'],
      ['cng', 'rsa-2048'],
      ['capi', 'rsa-2048'],
    ] as const) {
      const fake = fakeWindows(stores(await entry('CN=web', { home, kind })), (signature) =>
        signature.map((byte, index) => (index === 40 ? byte ^ 1 : byte)),
      );
      const identity = await load(fake);
      expect(await refusal(() => sign(identity))).toMatchObject({ code: 'ERR_SIGN' });
      await identity.close();
      expect(fake.left()).toEqual([]);
    }
  });

  it('one that was renewed in the store is taken up by whoever follows it, and one that cannot be used is not', async () => {
    const old = await entry('CN=web', { serial: 1, days: 30 });
    const entries = [old];
    const fake = fakeWindows({ MY: entries, CA: [] });
    const choice = { selector: 'Key=x509Subject,Value=CN=web', latest: true };
    const watcher = await watchIdentity({ load: () => load(fake, choice), paths: [] });
    const serial = (): Promise<string> => watcher.use(async ({ serialNumber }) => serialNumber);
    try {
      expect(await serial()).toBe('1');
      entries.push(await entry('CN=web', { serial: 2, days: 60 }));
      expect(await serial()).toBe('2');
      fake.fail.set('CertOpenStore', 5);
      expect(await serial()).toBe('2');
      entries.splice(0, 1);
      expect(await serial()).toBe('2');
    } finally {
      await watcher.close();
    }
    expect(fake.left()).toEqual([]);
  });
});

describe('r and s side by side', () => {
  it.each([
    ['0102', '3006020101020102'],
    ['8001', '300702020080020101'],
    ['00000080', '30070201000202 0080'.replaceAll(' ', '')],
  ])('%s as DER: %s', (raw, expected) => {
    expect(Buffer.from(ecdsaDer(Buffer.from(raw, 'hex'))).toString('hex')).toBe(expected);
  });
});
