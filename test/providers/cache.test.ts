import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { fromRolesAnywhere, spiffe } from '../../src/index.ts';
import type { CredentialsStore, RolesAnywhereOptions } from '../../src/index.ts';
import { sharedSource } from '../../src/providers/cache.ts';
import type { SharedSource } from '../../src/providers/cache.ts';
import { type CacheHome, cacheHome, sessionsOf } from '../support/cache.ts';
import { PKI } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';

let emulator: Emulator;
let home: CacheHome;
let before: number;
const runtime = process.env['XDG_RUNTIME_DIR'];
beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());
beforeEach(() => {
  home = cacheHome();
  process.env['XDG_RUNTIME_DIR'] = home.dir;
  before = sessionsOf(emulator).given;
});
afterEach(() => {
  if (runtime === undefined) delete process.env['XDG_RUNTIME_DIR'];
  else process.env['XDG_RUNTIME_DIR'] = runtime;
  home.remove();
});

function options(extra: Partial<RolesAnywhereOptions> = {}): RolesAnywhereOptions {
  return {
    trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
    profileArn: emulator.profileArns[0] ?? '',
    roleArn: emulator.roleArns[0] ?? '',
    endpoint: emulator.url,
    certificate: `${PKI}ec-p256.crt.pem`,
    privateKey: `${PKI}ec-p256.key.pem`,
    intermediates: `${PKI}intermediate.pem`,
    cache: true,
    ...extra,
  };
}

const sessions = (): number => sessionsOf(emulator).given - before;

function mapStore(): CredentialsStore & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return { texts, get: async (key) => texts.get(key), set: async (key, text) => void texts.set(key, text) };
}

/** The source of a provider whose every request is answered. */
function sourceOf(certificate: string, cache: CredentialsStore): SharedSource['source'] {
  const given = {
    accessKeyId: 'ASIA',
    secretAccessKey: 'secret',
    sessionToken: 'token',
    expiration: new Date(Date.now() + 3_600_000),
  };
  return sharedSource({ cache }, async () => given, {
    options: () => [],
    certificate,
    role: 'role',
    expiryWindow: undefined,
    timeout: undefined,
    clockOffset: () => 0,
    now: Date.now,
    onWarning: () => undefined,
  }).source;
}

describe('the option cache', () => {
  it('has providers with the same options share one session', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => fromRolesAnywhere(options())()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    expect(await fromRolesAnywhere(options())()).toEqual(all[0]);
    expect(sessions()).toBe(1);
    expect(home.files('session')).toHaveLength(1);
  });

  it('tells other options apart', async () => {
    const keys = new Set<string>();
    for (const extra of [
      {},
      { durationSeconds: 900 },
      { certificate: `${PKI}ec-p256.combined.pem` },
      // One URI or index means another certificate with each.
      { pkcs11: { library: '/nonexistent/module.so' } },
      { tpm: { device: '/nonexistent/tpm' } },
    ])
      keys.add((await fromRolesAnywhere(options(extra))()).accessKeyId);
    expect(keys.size).toBe(5);
  });

  it.each([
    ['pkcs11:token=t;object=o', 'SOFTHSM2_CONF'],
    ['pkcs11:token=t;object=o', 'HOME'],
    ['nv:0x1c00002', 'TPM2TOOLS_TCTI'],
  ])('tells %s apart by %s', async (certificate, name) => {
    const store = mapStore();
    const usual = process.env[name];
    try {
      for (const value of ['/one', '/other']) {
        process.env[name] = value;
        await sourceOf(certificate, store)({ signal: new AbortController().signal });
      }
    } finally {
      if (usual === undefined) delete process.env[name];
      else process.env[name] = usual;
    }
    expect(store.texts.size).toBe(2);
  });

  it('keeps nothing of a Workload API, which knows by the process that asks whose identity it gives', async () => {
    const store = mapStore();
    const source = sourceOf(spiffe({ socket: 'unix:///run/agent.sock' }), store);
    await source({ signal: new AbortController().signal });
    expect(store.texts.size).toBe(0);
  });

  it('keeps nothing without it', async () => {
    await fromRolesAnywhere(options({ cache: false }))();
    await fromRolesAnywhere(options({ cache: undefined }))();
    expect(sessions()).toBe(2);
    expect(() => home.files()).toThrow('ENOENT');
  });

  it('gets a new set at refresh() and for a client that forces one, and others see it', async () => {
    const one = fromRolesAnywhere(options());
    const first = await one();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const other = fromRolesAnywhere(options());
    const second = await other({ forceRefresh: true });
    expect(second.accessKeyId).not.toBe(first.accessKeyId);
    expect(await fromRolesAnywhere(options())()).toEqual(second);
    expect(sessions()).toBe(2);
  });

  it('takes a store of one’s own, whose text says for itself what it is good for', async () => {
    const store = mapStore();
    const { accessKeyId } = await fromRolesAnywhere(options({ cache: store }))();
    expect(await fromRolesAnywhere(options({ cache: store }))()).toMatchObject({ accessKeyId });
    for (const key of store.texts.keys()) store.texts.set(key, 'spoilt');
    expect((await fromRolesAnywhere(options({ cache: store }))()).accessKeyId).not.toBe(accessKeyId);
    expect([sessions(), store.texts.size]).toEqual([2, 1]);
    expect(() => home.files()).toThrow('ENOENT');
  });

  it('goes on without a store that is out of order, and warns', async () => {
    const told: string[] = [];
    const cache: CredentialsStore = {
      get: () => Promise.reject(new Error('no')),
      set: () => Promise.reject(new Error('no')),
    };
    const onWarning = (message: string): void => void told.push(message);
    await fromRolesAnywhere(options({ cache, onWarning }))();
    expect(told.filter((message) => message.includes('cannot be'))).not.toEqual([]);
  });

  it.each<[string, object]>([
    ['a store without set', { cache: { get: async () => undefined } }],
    ['a word', { cache: 'yes' }],
    ['a time that is none', { cacheMinRemaining: Number.NaN }],
  ])('refuses %s', (_, extra) => {
    expect(() => fromRolesAnywhere({ ...options(), ...extra })).toThrow(/cache/);
  });
});
