import { describe, expect, it } from 'vitest';
import { ERROR_CLASSES, RolesAnywhereError } from '../../src/platform/errors.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { createBudget } from '../../src/aws/budget.ts';
import { delayAfter, withRetries } from '../../src/aws/retry.ts';

/** A clock that only `sleep` and the attempts move. */
function fakeTime(random = 0.5) {
  let time = 0;
  const slept: number[] = [];
  return {
    slept,
    pass: (ms: number): void => void (time += ms),
    monotonic: (): number => time,
    random: (): number => random,
    sleep: (ms: number): Promise<void> => {
      slept.push(ms);
      time += ms;
      return Promise.resolve();
    },
  };
}

const failing = (code: ErrorCode, status?: number): RolesAnywhereError =>
  new RolesAnywhereError(code, 'failed', status === undefined ? {} : { status });

/** How often a service is asked that throttles for ever. */
const throttled = (retry: { attempts?: number; timeoutMs: number }): Promise<number> => {
  let attempts = 0;
  const run = withRetries(
    () => {
      attempts++;
      return Promise.reject(failing('ERR_THROTTLED'));
    },
    { ...fakeTime(), retry },
  );
  return run.then(
    () => 0,
    () => attempts,
  );
};

/** How long is waited for a service that asks to be left alone for so long. */
async function sleptFor(retryAfterMs: number): Promise<number[]> {
  const time = fakeTime();
  const asks = new RolesAnywhereError('ERR_SERVICE_FAILED', 'failed', { retryAfterMs });
  await expect(withRetries(() => Promise.reject(asks), time)).rejects.toThrow('failed');
  return time.slept;
}

describe('withRetries', () => {
  /** As many as the waits (half of 0.5, 1, 2, 4, 8, 16, 20 s and so on) leave room for in a minute. */
  const THROTTLED_ATTEMPTS = 11;
  const RETRIED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
    'ERR_CONNECT',
    'ERR_DNS',
    'ERR_TIMEOUT',
    'ERR_THROTTLED',
    'ERR_SERVICE_FAILED',
    'ERR_RESPONSE_INVALID',
    'ERR_PROXY',
  ]);
  it.each(Object.keys(ERROR_CLASSES) as ErrorCode[])('counts the attempts of %s', async (code) => {
    let attempts = 0;
    const run = withRetries(() => {
      attempts++;
      return Promise.reject(failing(code));
    }, fakeTime());
    await expect(run).rejects.toMatchObject({ code });
    expect(attempts).toBe(code === 'ERR_THROTTLED' ? THROTTLED_ATTEMPTS : RETRIED.has(code) ? 3 : 1);
  });

  it('does not repeat what brought a whole but senseless answer', async () => {
    let attempts = 0;
    const run = withRetries(() => {
      attempts++;
      return Promise.reject(failing('ERR_RESPONSE_INVALID', 200));
    }, fakeTime());
    await expect(run).rejects.toThrow('failed');
    expect(attempts).toBe(1);
  });

  it('does not repeat a defect', async () => {
    const run = withRetries(() => Promise.reject(new TypeError('defect')), fakeTime());
    await expect(run).rejects.toThrow(TypeError);
  });

  it('returns the first success', async () => {
    let attempts = 0;
    const run = withRetries(
      () => (++attempts < 3 ? Promise.reject(failing('ERR_CONNECT')) : Promise.resolve('done')),
      fakeTime(),
    );
    expect(await run).toBe('done');
  });

  it('waits a random part of a limit that doubles up to twenty seconds', async () => {
    const time = fakeTime(0.5);
    const settings = { ...time, retry: { attempts: 9, timeoutMs: 1e9 } };
    await expect(withRetries(() => Promise.reject(failing('ERR_CONNECT')), settings)).rejects.toThrow('failed');
    expect(time.slept).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
  });

  it('gives each attempt its own time, within what is left of the whole', async () => {
    const time = fakeTime(0);
    const given: number[] = [];
    const run = withRetries(
      (timeoutMs) => {
        given.push(timeoutMs);
        time.pass(timeoutMs);
        return Promise.reject(failing('ERR_TIMEOUT'));
      },
      { ...time, retry: { attempts: 5, attemptTimeoutMs: 400, timeoutMs: 1000 } },
    );
    await expect(run).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    expect(given).toEqual([400, 400, 200]);
  });

  it('does not wait past the whole time', async () => {
    const time = fakeTime(0.9);
    const run = withRetries(() => Promise.reject(failing('ERR_THROTTLED')), { ...time, retry: { timeoutMs: 400 } });
    await expect(run).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
    expect(time.slept).toEqual([]);
  });

  it('waits as long as the service asks, and by chance up to half as long again', async () => {
    const time = fakeTime(0.5);
    const told: number[] = [];
    const asks = new RolesAnywhereError('ERR_THROTTLED', 'failed', { retryAfterMs: 7000 });
    const settings = {
      ...time,
      retry: { attempts: 3 },
      onRetry: (_failure: unknown, delayMs: number) => void told.push(delayMs),
    };
    await expect(withRetries(() => Promise.reject(asks), settings)).rejects.toThrow('failed');
    expect(time.slept).toEqual([8750, 8750]);
    expect(told).toEqual(time.slept);
  });

  it('gives up at once when the service asks for more than is left', async () => {
    const time = fakeTime();
    const asks = new RolesAnywhereError('ERR_SERVICE_FAILED', 'failed', { retryAfterMs: 60_000 });
    await expect(withRetries(() => Promise.reject(asks), time)).rejects.toThrow('failed');
    expect(time.slept).toEqual([]);
  });

  it('gives an attempt its share when the whole is longer than usual', async () => {
    const given: number[] = [];
    const attempt = (ms: number): Promise<never> => {
      given.push(ms);
      return Promise.reject(failing('ERR_CONNECT'));
    };
    await expect(withRetries(attempt, { ...fakeTime(0), retry: { attempts: 2, timeoutMs: 100_000 } })).rejects.toThrow(
      'failed',
    );
    expect(given).toEqual([50_000, 50_000]);
  });

  it('does not repeat what a proxy forbids', async () => {
    let attempts = 0;
    const run = withRetries(() => {
      attempts++;
      return Promise.reject(failing('ERR_PROXY', 403));
    }, fakeTime());
    await expect(run).rejects.toThrow('failed');
    expect(attempts).toBe(1);
  });

  it('retries throttling until the time is up, and counts it where attempts are limited', async () => {
    expect(await throttled({ timeoutMs: 600_000 })).toBeGreaterThan(50);
    expect(await throttled({ attempts: 4, timeoutMs: 600_000 })).toBe(4);
  });

  it('spends one budget on all operations that share it', async () => {
    const time = fakeTime(0);
    const budget = createBudget(6000, time.monotonic);
    const given: number[] = [];
    const operation = (takes: number): Promise<string> =>
      withRetries(
        (timeoutMs) => {
          given.push(timeoutMs);
          time.pass(takes);
          return Promise.resolve('done');
        },
        { ...time, budget },
      );
    await operation(4000);
    await budget.exclude(Promise.resolve(time.pass(0)));
    await operation(1500);
    await operation(0);
    expect(given).toEqual([6000, 2000, 500]);
  });

  it('stops waiting when the signal fires', async () => {
    const abort = new AbortController();
    const run = withRetries(
      () => {
        abort.abort();
        return Promise.reject(failing('ERR_CONNECT'));
      },
      { signal: abort.signal, random: () => 0.999 },
    );
    await expect(run).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it.each<[ErrorCode, { status?: number; serviceCode?: string }, number]>([
    ['ERR_PROXY', { status: 499 }, 1],
    ['ERR_PROXY', { status: 500 }, 3],
    ['ERR_ACCESS_DENIED', { serviceCode: 'InvalidIdentityToken' }, 3],
    ['ERR_ACCESS_DENIED', { serviceCode: 'AccessDenied' }, 1],
  ])('asks for %s with %j so often: %i', async (code, details, times) => {
    let attempts = 0;
    const run = withRetries(() => {
      attempts++;
      return Promise.reject(new RolesAnywhereError(code, 'failed', details));
    }, fakeTime());
    await expect(run).rejects.toThrow('failed');
    expect(attempts).toBe(times);
  });

  it('gives an attempt a quarter of a minute at least, and a millisecond when the time is over', async () => {
    const time = fakeTime(0);
    const given: number[] = [];
    const attempt = async (ms: number): Promise<void> => void given.push(ms);
    await withRetries(attempt, { ...time, retry: { attempts: 9 } });
    const budget = createBudget(6000, time.monotonic);
    await withRetries(attempt, { ...time, budget });
    time.pass(6000);
    await withRetries(attempt, { ...time, budget });
    time.pass(1);
    await withRetries(attempt, { ...time, budget });
    expect(given).toEqual([15_000, 6000, 1, 1]);
  });

  it('waits up to a minute in all', async () => {
    expect([await sleptFor(59_999), await sleptFor(60_000)]).toEqual([[59_999], []]);
  });
});

describe('the wait before the next request', () => {
  it.each([
    [1, 0, 10_000, 0.5, 250],
    [1, 1, 10_000, 0, 1],
    // What is asked for fits, though not all of the chance behind it.
    [1, 100, 200, 0.99, 199],
    [1, 199.5, 200, 0.99, 199.5],
    [1, 200, 200, 0, undefined],
    [1, 0, 250, 0.5, undefined],
    [1, 0, 251, 0.5, 250],
  ])('after %i requests, asked for %d ms of %d: with chance %d %j', (made, askedMs, leftMs, random, expected) => {
    expect(delayAfter(made, askedMs, leftMs, random)).toBe(expected);
  });
});
