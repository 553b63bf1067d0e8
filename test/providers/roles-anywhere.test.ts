import { createPrivateKey, createSecretKey, sign } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import {
  RolesAnywhereError,
  fromAssumeRole,
  fromRolesAnywhere,
  loadIdentity,
  serveContainerCredentials,
} from '../../src/index.ts';
import type { RolesAnywhereOptions } from '../../src/index.ts';
import { PKI } from '../support/cli.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { outcome, refusal } from '../support/refusal.ts';
import { startTestEmulator } from '../support/vending.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());

const path = (name: string): string => join(PKI, name);
const text = (name: string): string => readFileSync(path(name), 'utf8');

function options(extra: Partial<RolesAnywhereOptions> = {}): RolesAnywhereOptions {
  return {
    trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
    profileArn: emulator.profileArns[0] ?? '',
    roleArn: emulator.roleArns[0] ?? '',
    endpoint: emulator.url,
    certificate: path('ec-p256.crt.pem'),
    privateKey: path('ec-p256.key.pem'),
    intermediates: path('intermediate.pem'),
    ...extra,
  };
}

/** The signatures that reached the emulator since the call. */
function counting(): () => number {
  const before = emulator.verdicts.length;
  return () => emulator.verdicts.slice(before).filter(({ path: at }) => at === '/sessions').length;
}

/** An RSA or EC key that signs somewhere else. */
const remote = (name: string, dsaEncoding: 'der' | 'ieee-p1363' = 'der') => ({
  sign: (message: Uint8Array) =>
    Promise.resolve(sign('sha256', message, { key: createPrivateKey(text(name)), dsaEncoding })),
});

const neverAsked = () => Promise.reject(new Error('never asked'));

describe('options that a program without types left out', () => {
  it.each(['trustAnchorArn', 'profileArn', 'roleArn', 'certificate'] as const)(
    '%s is missed by its name',
    async (name) => {
      for (const value of [undefined, null, '']) {
        const error = await refusal(async () => {
          await fromRolesAnywhere({ ...options(), [name]: value })();
        });
        expect(error).toMatchObject({ code: 'ERR_FLAG_REQUIRED', message: `${name} is not given` });
      }
      const error = await refusal(async () => {
        await fromRolesAnywhere({ ...options(), [name]: 5 })();
      });
      expect(error).toMatchObject({ code: 'ERR_USAGE', message: `${name} is of the wrong type: number` });
    },
  );

  it('the same is said by loadIdentity', async () => {
    const error = await refusal(() => loadIdentity({ certificate: undefined } as unknown as RolesAnywhereOptions));
    expect(error).toMatchObject({ code: 'ERR_FLAG_REQUIRED', message: 'certificate is not given' });
  });

  it.each<[string, unknown, string, string]>([
    ['privateKey', null, 'ERR_FLAG_REQUIRED', 'privateKey is not given'],
    ['privateKey', '', 'ERR_FLAG_REQUIRED', 'privateKey is not given'],
    ['privateKey', 5, 'ERR_USAGE', 'privateKey is of the wrong type: number'],
    ['privateKey', {}, 'ERR_USAGE', 'privateKey is of the wrong type: object'],
    ['intermediates', [], 'ERR_USAGE', 'intermediates is of the wrong type: array'],
    ['password', 5, 'ERR_USAGE', 'password is of the wrong type: number'],
    ['tls', null, 'ERR_FLAG_REQUIRED', 'tls is not given'],
    ['transport', {}, 'ERR_USAGE', 'transport is of the wrong type: object'],
    ['clock', null, 'ERR_FLAG_REQUIRED', 'clock is not given'],
    ['signal', {}, 'ERR_FLAG_REQUIRED', 'signal.addEventListener is not given'],
  ])('%s: %j is refused', async (name, value, code, message) => {
    const error = await refusal(() => {
      fromRolesAnywhere({ ...options(), [name]: value });
    });
    expect(error).toMatchObject({ code, message });
  });

  it('a signer signs', async () => {
    const { privateKey: _, ...rest } = options();
    const error = await refusal(() => {
      fromRolesAnywhere({ ...rest, signer: {} } as unknown as RolesAnywhereOptions);
    });
    expect(error).toMatchObject({ code: 'ERR_FLAG_REQUIRED', message: 'signer.sign is not given' });
  });

  it.each([undefined, null, 'x', 5])('%s are no options', async (value) => {
    for (const make of [fromRolesAnywhere, fromAssumeRole, loadIdentity, serveContainerCredentials]) {
      const error = await refusal(async () => {
        await make(value as never);
      });
      expect(error.message).toMatch(/^the options object is (?:not given|of the wrong type: \w+)$/);
    }
  });

  it('a container endpoint has a role and credentials', async () => {
    const { roleArn } = options();
    for (const given of [{ roleArn }, { credentials: neverAsked }, { roleArn, credentials: 5 }]) {
      const error = await refusal(() => serveContainerCredentials(given as never));
      expect(error.code).toMatch(/^ERR_(?:FLAG_REQUIRED|USAGE)$/);
    }
  });
});

const FORMS: Readonly<Record<string, () => Partial<RolesAnywhereOptions>>> = {
  paths: () => ({}),
  'PEM text': () => ({
    certificate: text('ec-p256.crt.pem'),
    privateKey: text('ec-p256.key.pem'),
    intermediates: text('intermediate.pem'),
  }),
  buffers: () => ({
    certificate: readFileSync(path('ec-p256.crt.pem')),
    privateKey: readFileSync(path('ec-p256.key.pem')),
    intermediates: readFileSync(path('intermediate.pem')),
  }),
  'a KeyObject': () => ({ privateKey: createPrivateKey(text('ec-p256.key.pem')) }),
  'an RSA KeyObject': () => ({
    certificate: path('rsa-2048.crt.pem'),
    privateKey: createPrivateKey(text('rsa-2048.key.pem')),
  }),
  'one text with everything': () => {
    const all = text('ec-p256.crt.pem') + text('intermediate.pem') + text('ec-p256.key.pem');
    const { privateKey, intermediates, ...rest } = options({ certificate: all });
    expect([privateKey, intermediates]).toHaveLength(2);
    return rest;
  },
};

describe('fromRolesAnywhere', () => {
  it.each(Object.keys(FORMS))('gets credentials with %s, which STS takes', async (form) => {
    const given = FORMS[form]?.() ?? {};
    const credentials = fromRolesAnywhere(
      form === 'one text with everything' ? (given as RolesAnywhereOptions) : options(given),
    );
    const sts = new STSClient({ region: 'us-east-1', endpoint: emulator.url, credentials });
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    expect(Arn).toMatch(/^arn:aws:sts::123456789012:assumed-role\/Workload\//);
    const { expiration, accountId, assumedRoleArn } = await credentials();
    expect(expiration.getTime()).toBeGreaterThan(Date.now());
    expect({ accountId, assumedRoleArn }).toEqual({ accountId: '123456789012', assumedRoleArn: Arn });
    sts.destroy();
    credentials.close();
  });

  it.each([
    ['an EC key', 'ec-p256'],
    ['an RSA key', 'rsa-2048'],
  ])('signs with a signer of the program over %s', async (_, kind) => {
    const { privateKey, ...rest } = options({
      certificate: path(`${kind}.crt.pem`),
      signer: remote(`${kind}.key.pem`),
    });
    expect(privateKey).toBeDefined();
    const credentials = fromRolesAnywhere(rest);
    expect((await credentials()).accessKeyId).toMatch(/^ASIA/);
  });

  it.each([
    ['of another key', () => remote('rsa-2048.key.pem'), 'ERR_KEY_MISMATCH', /same key/],
    ['with r and s side by side', () => remote('ec-p256.key.pem', 'ieee-p1363'), 'ERR_KEY_MISMATCH', /DER SEQUENCE/],
    ['that fails', () => ({ sign: () => Promise.reject(new Error('no network')) }), 'ERR_SIGN', /cause/],
  ])('says what is wrong with a signer %s', async (_, signer, code, hint) => {
    const { privateKey, ...rest } = options({ signer: signer() });
    expect(privateKey).toBeDefined();
    const error = await refusal(() => fromRolesAnywhere(rest)());
    expect(error.code).toBe(code);
    expect(error.hint).toMatch(hint);
  });

  it('makes one request for a hundred callers, and gives them one set', async () => {
    const made = counting();
    const credentials = fromRolesAnywhere(options());
    const all = await Promise.all(Array.from({ length: 100 }, () => credentials()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    await credentials();
    expect(made()).toBe(1);
  });

  it('goes through a proxy, and says when that is none', async () => {
    const proxy = await startConnectProxy({ auth: 'me:pass' });
    try {
      const through = fromRolesAnywhere(options({ proxy: `http://me:pass@127.0.0.1:${proxy.port}` }));
      expect((await through()).accessKeyId).toMatch(/^ASIA/);
      expect(proxy.targets).toHaveLength(1);
      const none = await refusal(() => fromRolesAnywhere(options({ proxy: 'ftp://me:pass@127.0.0.1' }))());
      expect(none.code).toBe('ERR_PROXY_URL');
      expect(none.message).not.toContain('pass@');
    } finally {
      await proxy.close();
    }
  });

  it('does nothing before it is called', () => {
    const made = counting();
    fromRolesAnywhere(options({ certificate: '/no/such/file' }));
    expect(made()).toBe(0);
  });

  it('reads files anew for each request', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'library-'));
    const clock = new FakeClock(Date.now());
    const now = (): Date => new Date(clock.now());
    const own = await startTestEmulator({ now });
    try {
      for (const part of ['crt', 'key']) copyFileSync(path(`ec-p256.${part}.pem`), join(folder, `${part}.pem`));
      const told: string[] = [];
      const credentials = fromRolesAnywhere(
        options({
          clock,
          endpoint: own.url,
          certificate: join(folder, 'crt.pem'),
          privateKey: join(folder, 'key.pem'),
          onError: ({ code }) => told.push(code),
        }),
      );
      const first = await credentials();
      rmSync(join(folder, 'key.pem'));
      await clock.advance(56 * 60_000);
      expect(await credentials()).toEqual(first);
      await vi.waitFor(() => expect(told).toEqual(['ERR_FILE_NOT_FOUND']));
      copyFileSync(path('ec-p256.key.pem'), join(folder, 'key.pem'));
      await clock.advance(60_000);
      await credentials();
      await vi.waitFor(async () => expect(await credentials()).not.toEqual(first));
    } finally {
      rmSync(folder, { recursive: true });
      await own.close();
    }
  });

  it('is over when it is closed, and when its signal fires', async () => {
    const controller = new AbortController();
    const closed = fromRolesAnywhere(options());
    const aborted = fromRolesAnywhere(options({ signal: controller.signal }));
    await Promise.all([closed(), aborted()]);
    closed.close();
    closed.close();
    controller.abort();
    expect((await refusal(() => closed())).code).toBe('ERR_INTERRUPTED');
    expect((await refusal(() => aborted())).code).toBe('ERR_INTERRUPTED');
    expect((await refusal(() => fromRolesAnywhere(options({ signal: controller.signal }))())).code).toBe(
      'ERR_INTERRUPTED',
    );
  });

  it('adds one listener to a signal, however many providers share it', async () => {
    const controller = new AbortController();
    const add = vi.spyOn(controller.signal, 'addEventListener');
    const providers = Array.from({ length: 20 }, () => fromRolesAnywhere(options({ signal: controller.signal })));
    expect(add).toHaveBeenCalledTimes(1);
    providers[0]?.close();
    controller.abort();
    for (const provider of providers) expect((await refusal(() => provider())).code).toBe('ERR_INTERRUPTED');
  });

  it('vends though what it warns of it throws', async () => {
    const near = fromRolesAnywhere(
      options({
        intermediates: `${text('intermediate.pem')}${text('root.pem')}${text('rsa-2048.crt.pem')}`,
        onWarning: (message) => {
          throw new Error(message);
        },
      }),
    );
    expect(await near()).toMatchObject({ accessKeyId: expect.stringMatching(/^ASIA/) as string });
  });

  it('tells of each renewal and each failure', async () => {
    const told: string[] = [];
    const watch = {
      onRefresh: ({ accessKeyId }: { accessKeyId: string }) => told.push(accessKeyId),
      onError: ({ code }: RolesAnywhereError) => told.push(code),
    };
    const { accessKeyId } = await fromRolesAnywhere(options(watch))();
    await refusal(() => fromRolesAnywhere(options({ ...watch, certificate: '/no/such/file' }))());
    expect(told).toEqual([accessKeyId, 'ERR_FILE_NOT_FOUND']);
  });

  it.each<[string, string, Partial<RolesAnywhereOptions>]>([
    ['a trust anchor that is none', 'ERR_ARN', { trustAnchorArn: 'x' }],
    ['a profile of another region', 'ERR_ARN_MISMATCH', otherRegion()],
    ['899 seconds', 'ERR_DURATION', { durationSeconds: 899 }],
    ['a session name with a space', 'ERR_SESSION_NAME', { roleSessionName: 'a b' }],
    ['a region that is none', 'ERR_REGION', { region: 'nowhere' }],
    ['plain http to another machine', 'ERR_ENDPOINT', { endpoint: 'http://example.com' }],
    ['an endpoint that is no URL', 'ERR_ENDPOINT', { endpoint: 'localhost' }],
    ['a key and a signer', 'ERR_USAGE', { signer: { sign: () => Promise.resolve(new Uint8Array()) } }],
  ])('refuses at once %s', (_, code, given) => {
    expect(outcome(() => fromRolesAnywhere(options(given)))).toEqual({ code });
  });

  it.each<[string, string, Partial<RolesAnywhereOptions>]>([
    ['a certificate without its key', 'ERR_KEY_MISMATCH', { privateKey: path('rsa-2048.key.pem') }],
    ['a key object that is no private one', 'ERR_KEY_MISSING', { privateKey: createSecretKey(Buffer.alloc(16)) }],
    ['no bytes', 'ERR_PEM_EMPTY', { certificate: new Uint8Array() }],
    ['a file that is not there', 'ERR_FILE_NOT_FOUND', { certificate: '/no/such/file' }],
  ])('rejects for %s', async (_, code, given) => {
    expect((await refusal(() => fromRolesAnywhere(options(given))())).code).toBe(code);
  });

  it("shows nothing of a key's text in an error", async () => {
    const secret = text('ec-p256.key.pem')
      .replaceAll(/-----.*-----|\s/g, '')
      .slice(20, 60);
    const broken = text('ec-p256.key.pem').replace('-----END', '*-----END');
    const error = await refusal(() => fromRolesAnywhere(options({ privateKey: broken }))());
    expect(`${error.message} ${error.hint} ${String(error.cause)} ${error.stack}`).not.toContain(secret);
  });
});

function otherRegion(): Partial<RolesAnywhereOptions> {
  return { profileArn: 'arn:aws:rolesanywhere:eu-west-1:123456789012:profile/11111111-1111-1111-1111-111111111111' };
}
