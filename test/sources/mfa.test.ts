import { describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { oneTimeCodes } from '../../src/sources/mfa.ts';
import type { TokenProvider, TokenRequest } from '../../src/sources/mfa.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { refusal } from '../support/refusal.ts';

const SERIAL = 'arn:aws:iam::111122223333:mfa/me';

/** A provider that gives each of `codes` in turn, the last one for ever; and what it was told. */
function scripted(...codes: string[]): { provider: TokenProvider; requests: TokenRequest[] } {
  const requests: TokenRequest[] = [];
  const provider: TokenProvider = (request) =>
    Promise.resolve(codes[Math.min(requests.push(request), codes.length) - 1] ?? '');
  return { provider, requests };
}

describe('oneTimeCodes', () => {
  it('asks the provider for each code, and says which device it is', async () => {
    const { provider, requests } = scripted('111111', '222222');
    const next = oneTimeCodes(provider, { serialNumber: SERIAL });
    expect([await next(), await next()]).toEqual(['111111', '222222']);
    expect(requests.map(({ serialNumber, used }) => ({ serialNumber, used }))).toEqual([
      { serialNumber: SERIAL, used: false },
      { serialNumber: SERIAL, used: true },
    ]);
  });

  it('waits for the next step of the device when a code was used', async () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 1, 0, 0, 12));
    const { provider, requests } = scripted('111111', '111111', '222222');
    const next = oneTimeCodes(provider, { serialNumber: SERIAL, clock });
    await next();
    const second = next();
    await clock.advance(18_000);
    expect(requests).toHaveLength(2);
    await clock.advance(1000);
    expect(await second).toBe('222222');
    expect(new Date(clock.now()).getUTCSeconds()).toBe(31);
  });

  it('gives up on a provider that gives the used code for ever', async () => {
    const clock = new FakeClock();
    const next = oneTimeCodes(scripted('111111').provider, { serialNumber: SERIAL, clock });
    await next();
    const failed = refusal(() => next());
    await clock.advance(5 * 60_000);
    expect(await failed).toMatchObject({
      code: 'ERR_MFA_CODE',
      message: expect.stringContaining('was used') as string,
    });
  });

  it.each(['', '12345', '1234567', '12345a', ' 123456', '１２３４５６'])(
    'refuses %j, without showing it',
    async (code) => {
      const error = await refusal(() => oneTimeCodes(scripted(code).provider, { serialNumber: SERIAL })());
      expect(error.code).toBe('ERR_MFA_CODE');
      expect(`${error.message} ${error.hint}`).not.toContain(code === '' ? '\0' : code);
    },
  );

  it('is an error when the provider rejects, or throws', async () => {
    const rejects = oneTimeCodes(() => Promise.reject(new Error('the code is 123456')), { serialNumber: SERIAL });
    const throws = oneTimeCodes(
      () => {
        throw new Error('the code is 123456');
      },
      { serialNumber: SERIAL },
    );
    for (const next of [rejects, throws]) {
      const error = await refusal(() => next());
      expect(error).toMatchObject({ code: 'ERR_MFA_CODE', message: 'the token provider failed' });
    }
  });

  it('passes errors of this project on', async () => {
    const own = new RolesAnywhereError('ERR_INTERRUPTED', 'the prompt was cancelled');
    const next = oneTimeCodes(() => Promise.reject(own), { serialNumber: SERIAL });
    expect(await refusal(() => next())).toBe(own);
  });

  it('gives up on a provider that hangs, and tells it', async () => {
    const clock = new FakeClock();
    let told: AbortSignal | undefined;
    const hangs: TokenProvider = ({ signal }) => {
      told = signal;
      return new Promise(() => {});
    };
    const failed = refusal(() => oneTimeCodes(hangs, { serialNumber: SERIAL, timeoutMs: 5000, clock })());
    await clock.advance(4999);
    expect(told?.aborted).toBe(false);
    await clock.advance(1);
    expect(await failed).toMatchObject({ code: 'ERR_MFA_CODE', message: 'no MFA code came within 5 s' });
    expect(told?.aborted).toBe(true);
    expect(clock.timers.all).toBe(0);
  });

  it('gives up when nobody waits any more', async () => {
    const controller = new AbortController();
    const failed = refusal(() =>
      oneTimeCodes(() => new Promise(() => {}), { serialNumber: SERIAL })(controller.signal),
    );
    await settle();
    controller.abort();
    expect((await failed).code).toBe('ERR_INTERRUPTED');
  });
});
