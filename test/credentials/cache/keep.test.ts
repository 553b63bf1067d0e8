import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeepRequest, keepCredentials } from '../../../src/credentials/cache/keep.ts';
import { readEntry } from '../../../src/credentials/cache/read-entry.ts';
import { bootOf, countedNow, stampOf } from '../../../src/credentials/cache/safe-file.ts';
import type { CredentialsStore } from '../../../src/credentials/cache/store.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

function newTurn(): { over: Promise<void>; end: () => unknown } {
  const ended = new EventEmitter();
  return { over: once(ended, 'end').then(() => undefined), end: () => ended.emit('end') };
}

/** A store of one's own: a map, with a lock that one holds at a time. */
function memoryStore(): CredentialsStore & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  let last = Promise.resolve();
  return {
    texts,
    get: async (key) => texts.get(key),
    set: async (key, text) => void texts.set(key, text),
    async lock(_key, { isDone }) {
      const before = last;
      const turn = newTurn();
      last = turn.over;
      await before;
      if (!(await isDone())) return { release: async () => void turn.end() };
      turn.end();
      return undefined;
    },
  };
}

/** One who asks, at a time that is set by hand, and what it cost. */
function caller(store: CredentialsStore, more: Partial<KeepRequest> = {}) {
  const told: string[] = [];
  const state = { now: START, calls: 0, failure: undefined as unknown };
  const ask = (over: Partial<KeepRequest> = {}) =>
    keepCredentials({
      store,
      key: 'session-1-x',
      role: 'arn:aws:iam::111122223333:role/One',
      certificate: undefined,
      minRemainingMs: 15 * MINUTE,
      waitMs: 1000,
      onWarning: (message) => told.push(message),
      now: () => state.now,
      random: () => 0,
      vend: async () => {
        state.calls += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (state.failure !== undefined) throw state.failure;
        const expiration = new Date(state.now + 60 * MINUTE);
        const credentials = { accessKeyId: `key-${state.calls}`, secretAccessKey: 's', sessionToken: 't', expiration };
        return { credentials, clockOffset: 0 };
      },
      ...more,
      ...over,
    });
  return { state, told, ask };
}

const refusal = new RolesAnywhereError('ERR_ACCESS_DENIED', 'the service said no');

describe('credentials that are kept in a store', () => {
  it('are asked for once by all who ask at one time, and again when they are due', async () => {
    const { state, told, ask } = caller(memoryStore());
    const all = await Promise.all(Array.from({ length: 50 }, () => ask()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(['key-1']));
    state.now += 44 * MINUTE;
    expect(await ask()).toMatchObject({ accessKeyId: 'key-1', expiration: new Date(START + 60 * MINUTE) });
    state.now += MINUTE;
    expect(await ask()).toMatchObject({ accessKeyId: 'key-2' });
    expect({ calls: state.calls, told }).toEqual({ calls: 2, told: [] });
  });

  it('are not taken from a store that mistakes one role for another', async () => {
    const store = memoryStore();
    const { ask: other } = caller(store, { role: 'arn:aws:iam::111122223333:role/Other' });
    const { state, ask } = caller(store);
    await other();
    await ask();
    expect(state.calls).toBe(1);
  });

  it('are asked for again where a store gives what would be their text if it were text', async () => {
    const store = memoryStore();
    const { state, ask } = caller({
      ...store,
      get: async (key) => Buffer.from((await store.get(key)) ?? '') as unknown as string,
    });
    await ask();
    await ask();
    expect(state.calls).toBe(2);
  });

  it.each<[string, object]>([
    ['gives no promises', { get: () => undefined, set: () => undefined, lock: () => undefined }],
    ['gives what is no text', { get: async () => Buffer.from('{}'), lock: async () => ({}) }],
    [
      'throws at once',
      {
        get() {
          throw new Error('get');
        },
        set() {
          throw new Error('set');
        },
        lock() {
          throw new Error('lock');
        },
      },
    ],
  ])('are got all the same where a store %s', async (_, store) => {
    const { state, ask } = caller({ ...memoryStore(), ...store });
    await expect(ask()).resolves.toMatchObject({ accessKeyId: 'key-1' });
    expect(state.calls).toBe(1);
  });

  it('are not kept when their certificate came to be between two looks: no later change of it could be told', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-keep-'));
    try {
      const store = memoryStore();
      const { ask } = caller(store, { certificate: join(folder, 'certificate.pem') });
      await ask();
      expect(store.texts.size).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('stay in use when a renewal fails, without another attempt for a while', async () => {
    const { state, told, ask } = caller(memoryStore());
    await ask();
    state.now += 50 * MINUTE;
    state.failure = refusal;
    for (let turn = 0; turn < 3; turn++) expect(await ask()).toMatchObject({ accessKeyId: 'key-1' });
    expect({ calls: state.calls, told: told.length }).toEqual({ calls: 2, told: 1 });
    state.now += MINUTE;
    await ask();
    expect(state.calls).toBe(3);
    state.now += 9 * MINUTE;
    await expect(ask()).rejects.toBe(refusal);
    state.failure = undefined;
    expect(await ask()).toMatchObject({ accessKeyId: 'key-5' });
  });

  it.each([
    ['of the identity', new RolesAnywhereError('ERR_FILE_NOT_FOUND', 'x')],
    ['of the network', new RolesAnywhereError('ERR_CONNECT', 'x')],
    ['of the service', refusal],
  ])('stay in use after a failure %s, with a hold of half a minute to a minute', async (_, failure) => {
    for (const [chance, hold] of [
      [0, 30_000],
      [0.5, 45_000],
    ] as const) {
      const store = memoryStore();
      const { state, told, ask } = caller(store, { random: () => chance });
      await ask();
      state.now += 50 * MINUTE;
      state.failure = failure;
      expect(await ask()).toMatchObject({ accessKeyId: 'key-1' });
      expect(told).toEqual([`credentials until 2026-01-01T01:00:00Z stay in use: ${failure.message}`]);
      expect(JSON.parse(store.texts.get('session-1-x') ?? '')).toMatchObject({ holdUntil: state.now + hold });
    }
  });

  it.each([
    ['a mistake of the line', new RolesAnywhereError('ERR_FLAG_VALUE', 'x')],
    ['an interruption', new RolesAnywhereError('ERR_INTERRUPTED', 'x')],
    ['a defect', new TypeError('x')],
  ])('do not hide %s', async (_, failure) => {
    const { state, ask } = caller(memoryStore());
    await ask();
    state.now += 50 * MINUTE;
    state.failure = failure;
    await expect(ask()).rejects.toBe(failure);
  });

  it.each([
    ['are kept under a key that is still the one to ask for', true],
    ['are given, and not kept, when their key has become another one meanwhile', false],
  ])('%s', async (_, isStill) => {
    const store = memoryStore();
    const { ask } = caller(store);
    expect(await ask({ isStill: () => isStill })).toMatchObject({ accessKeyId: 'key-1' });
    expect(store.texts.size).toBe(isStill ? 1 : 0);
  });

  it('are not those of a certificate that is gone', async () => {
    const text = JSON.stringify({ version: 1, certificate: ['/nonexistent', '1 2 3 4'] });
    expect(readEntry(text)).toBeUndefined();
  });

  it('are got all the same where the store is out of order, with warnings', async () => {
    const broken: CredentialsStore = {
      get: () => Promise.reject(new Error('a secret')),
      set: () => Promise.reject(Object.assign(new Error('a secret'), { code: 'ENOSPC' })),
      lock: () => Promise.reject(new Error('a secret')),
    };
    const { told, ask } = caller(broken);
    expect(await ask()).toMatchObject({ accessKeyId: 'key-1' });
    expect(new Set(told)).toEqual(
      new Set([
        'kept credentials cannot be read: unexpected error',
        'there is no lock for kept credentials: unexpected error',
        'credentials cannot be kept: ENOSPC',
      ]),
    );
    const { told: words, ask: again } = caller({ ...broken, set: () => Promise.reject(refusal) });
    await again();
    expect(words).toContain(`credentials cannot be kept: ${refusal.message}`);
  });

  it('are not asked for by whoever gives up while others are', async () => {
    const controller = new AbortController();
    const enough = new Error('enough');
    const store: CredentialsStore = {
      ...memoryStore(),
      lock: () => {
        controller.abort(enough);
        return Promise.reject(enough);
      },
    };
    const { state, told, ask } = caller(store, { signal: controller.signal });
    await expect(ask()).rejects.toBe(enough);
    expect([state.calls, told]).toEqual([0, []]);
  });

  it('are given out without a lock while they are fresh', async () => {
    const store = memoryStore();
    let locks = 0;
    const counting: CredentialsStore = {
      ...store,
      lock: (...asked) => ((locks += 1), store.lock?.(...asked) as never),
    };
    const { ask } = caller(counting);
    for (let turn = 0; turn < 3; turn++) await ask();
    expect(locks).toBe(1);
  });

  it('need no lock', async () => {
    const store = memoryStore();
    const { state, told, ask } = caller({
      get: (key) => store.get(key),
      set: (...kept) => store.set(...kept),
    });
    await Promise.all([ask(), ask()]);
    expect(state.calls).toBe(2);
    expect(await ask()).toMatchObject({ secretAccessKey: 's' });
    expect(state.calls).toBe(2);
    expect(told).toEqual([]);
  });

  it('are asked for anew by whoever wants no older ones', async () => {
    const { state, ask } = caller(memoryStore());
    await ask();
    state.now += MINUTE;
    expect(await ask({ since: state.now })).toMatchObject({ accessKeyId: 'key-2' });
    expect(await ask({ since: state.now })).toMatchObject({ accessKeyId: 'key-2' });
  });

  it('tell how long others were waited for', async () => {
    const store = memoryStore();
    const waited: number[] = [];
    const vend: KeepRequest['vend'] = async (waitedMs) => {
      waited.push(waitedMs);
      throw refusal;
    };
    const { ask } = caller(store, { vend });
    const held = await store.lock?.('x', { waitMs: 0, isDone: async () => false });
    const began = performance.now();
    const asked = ask().catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await held?.release();
    expect(await asked).toBe(refusal);
    expect(waited[0]).toBeGreaterThan(40);
    expect(waited[0]).toBeLessThanOrEqual(performance.now() - began);
  });
});

/** The text of a set that was asked for with this certificate. */
async function textOf(more: Partial<KeepRequest> = {}): Promise<string> {
  const store = memoryStore();
  await caller(store, more).ask();
  return store.texts.get('session-1-x') ?? '';
}

describe('what is kept', () => {
  let dir: string;
  let certificate: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-keep-'));
    certificate = join(dir, 'c.pem');
    writeFileSync(certificate, 'one');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('says when and with what it was obtained, and no more of the credentials than there is', async () => {
    const before = countedNow();
    const { counted, ...kept } = JSON.parse(await textOf({ certificate, random: () => 0.25 })) as {
      counted: [string, number];
    };
    expect(kept).toEqual({
      version: 1,
      obtained: START,
      clockOffset: 0,
      chance: 0.25,
      role: 'arn:aws:iam::111122223333:role/One',
      certificate: [certificate, stampOf(certificate)],
      credentials: {
        accessKeyId: 'key-1',
        secretAccessKey: 's',
        sessionToken: 't',
        expiration: '2026-01-01T01:00:00Z',
      },
    });
    expect(counted[0]).toBe(bootOf());
    expect(counted[1]).toBeGreaterThanOrEqual(before);
    expect(counted[1]).toBeLessThanOrEqual(countedNow());
    const credentials = {
      accessKeyId: 'a',
      secretAccessKey: 's',
      sessionToken: 't',
      expiration: new Date(START + 60 * MINUTE),
      accountId: '111122223333',
      assumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/One/x',
    };
    const full = await textOf({ vend: async () => ({ credentials, clockOffset: 7 }) });
    expect(JSON.parse(full)).toMatchObject({
      clockOffset: 7,
      credentials: { ...credentials, expiration: '2026-01-01T01:00:00Z' },
    });
  });

  it('names no certificate where there is none in a file', async () => {
    expect(JSON.parse(await textOf({ certificate: undefined }))).not.toHaveProperty('certificate');
  });

  it('is good for as long as the certificate stays what it was', async () => {
    const text = await textOf({ certificate });
    expect(readEntry(text, START)).toMatchObject({ role: 'arn:aws:iam::111122223333:role/One' });
    writeFileSync(certificate, 'another');
    expect(readEntry(text, START)).toBeUndefined();
  });

  it('is as old as the clock says that nobody sets, where that has counted since this start of the system', async () => {
    const kept = JSON.parse(await textOf()) as object;
    const obtainedBy = (boot: string | undefined): number | undefined =>
      readEntry(JSON.stringify({ ...kept, counted: [boot, countedNow() - 50 * MINUTE] }), START)?.obtained;
    expect(obtainedBy('another')).toBe(START);
    expect(obtainedBy(bootOf())).toBeLessThanOrEqual(START - 50 * MINUTE);
  });
});
