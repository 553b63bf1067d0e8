import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { cached } from '../../src/credentials/cached.ts';
import type { CacheOptions, CredentialsFunction } from '../../src/credentials/cached.ts';
import type { SessionCredentials } from '../../src/credentials/credentials.ts';
import type { RolesAnywhereError } from '../../src/platform/errors.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { HOUR, MINUTE, ScriptedService } from './support/scripted-service.ts';

interface Bench {
  clock: FakeClock;
  service: ScriptedService;
  credentials: CredentialsFunction;
  refreshed: SessionCredentials[];
  errors: RolesAnywhereError[];
}

function bench(options: CacheOptions = {}): Bench {
  const clock = new FakeClock();
  const service = new ScriptedService(clock);
  const refreshed: SessionCredentials[] = [];
  const errors: RolesAnywhereError[] = [];
  const credentials = cached(({ signal }) => service.vend(signal), {
    clock,
    random: () => 0.5,
    onRefresh: (set) => refreshed.push(set),
    onError: (error) => errors.push(error),
    ...options,
  });
  return { clock, service, credentials, refreshed, errors };
}

describe('a cached source', () => {
  it('that gives nothing at all is an error', async () => {
    const nothing = (() => Promise.resolve()) as unknown as () => Promise<SessionCredentials>;
    await expect(cached(nothing)()).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_EMPTY' });
  });

  it('is called once for 100 callers at once, and told of once', async () => {
    const { credentials, service, refreshed } = bench();
    const sets = await Promise.all(Array.from({ length: 100 }, () => credentials()));
    expect(refreshed).toHaveLength(1);
    expect(sets).toEqual(Array.from(sets, () => refreshed[0]));
    expect(service.calls).toHaveLength(1);
  });

  it('is called again within the window, not before, and not waited for', async () => {
    const { credentials, service, clock } = bench({ expiryWindow: 10 * MINUTE });
    const old = await credentials();
    await clock.advance(49 * MINUTE);
    await credentials();
    await settle();
    expect(service.calls).toHaveLength(1);
    await clock.advance(MINUTE);
    expect(await credentials()).toEqual(old);
    await settle();
    expect(service.calls).toHaveLength(2);
    expect(await credentials()).not.toEqual(old);
  });

  it.each([
    ['when five minutes are left, where nobody says otherwise', {}, 55],
    // Half of the ten minutes before the window.
    ['no earlier by jitter than the credentials are new', { expiryWindow: 50 * MINUTE, jitter: 0.5 }, 5],
  ])('is called again %s', async (_what, options, minutes) => {
    const { credentials, service, clock } = bench(options);
    await credentials();
    await clock.advance(minutes * MINUTE - 1);
    await credentials();
    await settle();
    expect(service.calls).toHaveLength(1);
    await clock.advance(1);
    await credentials();
    await settle();
    expect(service.calls).toHaveLength(2);
  });

  it('is called earlier by jitter', async () => {
    const { credentials, service, clock } = bench({ expiryWindow: 10 * MINUTE, jitter: 0.5 });
    await credentials();
    await clock.advance(47.5 * MINUTE);
    await credentials();
    await settle();
    expect(service.calls).toHaveLength(2);
  });

  it('that fails leaves the old credentials in use until they expire', async () => {
    const { credentials, service, clock, errors } = bench();
    const old = await credentials();
    service.behaviour = service.failing('ERR_CONNECT');
    for (let minute = 0; minute < 59; minute++) {
      expect(await credentials()).toEqual(old);
      await clock.advance(MINUTE);
    }
    expect(errors.length).toBeGreaterThan(1);
    expect(new Set(errors.map((error) => error?.code))).toEqual(new Set(['ERR_CONNECT']));
    await clock.advance(MINUTE);
    await expect(credentials()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  });

  it('that hangs is an error after the timeout', async () => {
    const { credentials, service, clock } = bench({ timeout: 5000 });
    service.behaviour = service.hanging();
    const outcome = credentials().catch((error: unknown) => error);
    await clock.advance(5000);
    expect(await outcome).toMatchObject({ code: 'ERR_TIMEOUT' });
  });

  it('keeps the process alive for a caller who waits, and not for a renewal', async () => {
    const { credentials, clock, service } = bench();
    await credentials();
    expect(clock.timers.keepAlive).toBe(0);
    service.behaviour = service.hanging();
    await clock.advance(HOUR - 4 * MINUTE);
    await credentials();
    expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
    await clock.advance(4 * MINUTE);
    const outcome = credentials().catch((error: unknown) => error);
    await settle();
    expect(clock.timers).toEqual({ all: 1, keepAlive: 1 });
    credentials.close();
    expect(await outcome).toMatchObject({ code: 'ERR_INTERRUPTED' });
    expect(clock.timers.all).toBe(0);
  });
});

/** What somebody does who logs a set without its secrets. */
function spoil(set: SessionCredentials | undefined): void {
  Object.assign(set ?? {}, { secretAccessKey: '***', sessionToken: undefined });
  set?.expiration.setTime(0);
}

describe('the set that is given', () => {
  it('is each caller’s own: what one takes out of it or sets is there for the next', async () => {
    const { credentials, refreshed, service } = bench();
    const first = await credentials();
    const before = structuredClone(first);
    spoil(first);
    spoil(refreshed[0]);
    expect(await credentials()).toEqual(before);
    spoil(await credentials.refresh());
    expect(await credentials()).toEqual(before);
    expect(service.calls).toHaveLength(1);
  });

  it('is not changed by what the source does with its object afterwards', async () => {
    const set = {
      accessKeyId: 'ASIA1',
      secretAccessKey: 's',
      sessionToken: 't',
      expiration: new Date(Date.now() + HOUR),
    };
    const credentials = cached(async () => set);
    await credentials();
    Object.assign(set, { accessKeyId: 'ASIA2' });
    expect((await credentials()).accessKeyId).toBe('ASIA1');
  });

  it('is the object itself of a class of somebody’s own, and may have a Date of another realm', async () => {
    class Own {
      readonly accessKeyId = 'ASIA1';
      readonly sessionToken = 't';
      readonly expiration = runInNewContext('new Date(Date.now() + 3600000)') as Date;
      readonly #secret = 's';
      get secretAccessKey(): string {
        return this.#secret;
      }
    }
    const own = new Own();
    expect(await cached(async () => own)()).toBe(own);
  });
});

describe('a renewal by force', () => {
  it('gives a new set, also as the AWS SDK asks for it', async () => {
    const { credentials, service, clock } = bench();
    const old = await credentials();
    await clock.advance(MINUTE);
    const [one, other] = await Promise.all([credentials.refresh(), credentials({ forceRefresh: true })]);
    expect(one).not.toEqual(old);
    expect(other).toEqual(one);
    expect(await credentials()).toEqual(one);
    expect(service.calls).toHaveLength(2);
  });

  it('takes a set that has just come as new enough', async () => {
    const { credentials, service } = bench();
    const first = await credentials();
    expect(await credentials.refresh()).toEqual(first);
    expect(service.calls).toHaveLength(1);
  });

  it('that fails leaves the set in hand in use', async () => {
    const { credentials, service, clock } = bench();
    const old = await credentials();
    await clock.advance(MINUTE);
    service.behaviour = service.failing('ERR_CONNECT');
    await expect(credentials.refresh()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(await credentials()).toEqual(old);
  });

  it('that is held back after a failure fails as that did, and gives nobody the old set for a new one', async () => {
    const { credentials, service, clock } = bench();
    const old = await credentials();
    await clock.advance(MINUTE);
    service.behaviour = service.failing('ERR_CONNECT');
    await expect(credentials.refresh()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    await expect(credentials.refresh()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    expect(service.calls).toHaveLength(2);
    expect(await credentials()).toEqual(old);
  });

  it('is not what any other argument of an SDK asks for', async () => {
    const { credentials, service, clock } = bench();
    await credentials();
    await clock.advance(MINUTE);
    await credentials({ forceRefresh: false });
    await (credentials as (request: object) => Promise<unknown>)({ callerClientConfig: { region: 'eu-west-1' } });
    expect(service.calls).toHaveLength(1);
  });
});

describe('a failure', () => {
  it('of the identity is not remembered: the file may be there by now', async () => {
    const { credentials, service } = bench();
    service.behaviour = service.failing('ERR_FILE_NOT_FOUND');
    await expect(credentials()).rejects.toMatchObject({ code: 'ERR_FILE_NOT_FOUND' });
    service.behaviour = service.vending(HOUR);
    expect(await credentials()).toMatchObject({ sessionToken: 'token-2' });
  });

  it('of the network is, for the wait before the next attempt', async () => {
    const { credentials, service } = bench();
    service.behaviour = service.failing('ERR_CONNECT');
    await expect(credentials()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
    service.behaviour = service.vending(HOUR);
    await expect(credentials()).rejects.toMatchObject({ code: 'ERR_CONNECT' });
  });
});

const rejecting = (): unknown => Promise.reject(new Error('rejected'));

describe('what is told', () => {
  it('may throw or reject, and costs nobody their credentials', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const { credentials, service, clock } = bench({
      onRefresh: rejecting,
      onError: () => {
        throw new Error('thrown');
      },
    });
    const old = await credentials();
    await clock.advance(56 * MINUTE);
    service.behaviour = service.failing('ERR_CONNECT');
    expect(await credentials()).toEqual(old);
    await settle();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

it('calls what a source throws the error of that source', async () => {
  const cause = new TypeError('not mine');
  const source = cached(async () => await Promise.reject(cause));
  await expect(source()).rejects.toMatchObject({ code: 'ERR_SOURCE_CREDENTIALS', class: 'identity', cause });
});

it.each([
  ['neither an end nor a token', {}],
  ['no end', { sessionToken: 'token' }],
  ['no token', { expiration: new Date(Date.now() + 3_600_000) }],
])('refuses credentials that have %s, in words', async (_, rest) => {
  const user = cached(async () => ({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret', ...rest }));
  await expect(user()).rejects.toMatchObject({ code: 'ERR_RESPONSE_INVALID', message: /not temporary/ });
});

describe('static stability', () => {
  it('gives the last credentials out again while the source is down, and the new ones when it is back', async () => {
    const { credentials, service, clock } = bench({ staticStability: true });
    const old = await credentials();
    service.behaviour = service.failing('ERR_SERVICE_FAILED');
    await clock.advance(2 * HOUR);
    const extended = await credentials();
    expect(extended).toEqual({ ...old, expiration: new Date(clock.now() + 10 * MINUTE) });
    await clock.advance(9 * MINUTE);
    expect(await credentials()).toEqual(extended);
    service.behaviour = service.vending(HOUR);
    await clock.advance(MINUTE);
    expect((await credentials()).accessKeyId).not.toBe(old.accessKeyId);
  });

  it('begins in the very millisecond in which the last credentials end', async () => {
    const { credentials, service, clock } = bench({ staticStability: true });
    const old = await credentials();
    service.behaviour = service.failing('ERR_SERVICE_FAILED');
    await clock.advance(HOUR);
    expect(await credentials()).toEqual({ ...old, expiration: new Date(clock.now() + 10 * MINUTE) });
  });

  it.each(['ERR_CONNECT', 'ERR_INTERNAL', undefined] as const)('covers the error %s of the source', async (code) => {
    const { credentials, service, clock } = bench({ staticStability: true });
    const old = await credentials();
    service.behaviour =
      code === undefined ? () => Promise.reject(new Error('the source’s own')) : service.failing(code);
    await clock.advance(2 * HOUR);
    expect((await credentials()).accessKeyId).toBe(old.accessKeyId);
  });

  it.each(['ERR_FILE_NOT_FOUND', 'ERR_ACCESS_DENIED', 'ERR_FLAG_VALUE'] as const)('does not cover %s', async (code) => {
    const { credentials, service, clock } = bench({ staticStability: true });
    await credentials();
    service.behaviour = service.failing(code);
    await clock.advance(2 * HOUR);
    await expect(credentials()).rejects.toMatchObject({ code });
  });

  it('covers a source that hangs', async () => {
    const { credentials, service, clock } = bench({ staticStability: true, timeout: 5000 });
    const old = await credentials();
    service.behaviour = service.hanging();
    await clock.advance(2 * HOUR);
    const outcome = credentials();
    await clock.advance(5000);
    expect((await outcome).accessKeyId).toBe(old.accessKeyId);
  });

  it('does not outlast a refusal or the end', async () => {
    const { credentials, service, clock } = bench({ staticStability: true });
    await credentials();
    service.behaviour = service.failing('ERR_ACCESS_DENIED');
    await clock.advance(2 * HOUR);
    await expect(credentials()).rejects.toMatchObject({ code: 'ERR_ACCESS_DENIED' });
    credentials.close();
    await expect(credentials()).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it('gives nothing out before the first success', async () => {
    const { credentials, service } = bench({ staticStability: true });
    service.behaviour = service.failing('ERR_SERVICE_FAILED');
    await expect(credentials()).rejects.toMatchObject({ code: 'ERR_SERVICE_FAILED' });
  });
});
