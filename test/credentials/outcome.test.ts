import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  abortable,
  asError,
  assertUsable,
  closedError,
  deferred,
  isOfFiles,
  throwIfAborted,
  timeoutError,
} from '../../src/credentials/outcome.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { session } from './support/scripted-service.ts';

const END = Date.UTC(2026, 0, 1);

/** What is thrown; undefined when nothing is. */
function thrown(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('a set that `vend` gave', () => {
  it('is usable up to its expiration, and not at it', () => {
    expect(thrown(() => assertUsable(session(END), END - 1))).toBeUndefined();
    for (const now of [END, END + 1])
      expect(thrown(() => assertUsable(session(END), now))).toMatchObject({
        code: 'ERR_CREDENTIALS_EXPIRED',
        message: 'the new credentials end at 2026-01-01T00:00:00Z, which is now or past',
        hint: "check this machine's clock",
      });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['one without access key', { ...session(END), accessKeyId: '' }],
    ['one without secret', { ...session(END), secretAccessKey: '' }],
    ['one without token', { ...session(END), sessionToken: undefined }],
  ])('is not complete when it is %s', (_what, set) => {
    expect(thrown(() => assertUsable(set as never, 0))).toMatchObject({
      code: 'ERR_CREDENTIALS_EMPTY',
      message: 'the new credentials are not complete',
    });
  });

  it.each([
    ['is none', undefined],
    ['is a text', '2999-01-01T00:00:00Z'],
    ['is a number', 1e15],
    ['is no date of any day', new Date(Number.NaN)],
  ])('has no expiration where that %s', (_what, expiration) => {
    expect(thrown(() => assertUsable({ ...session(END), expiration } as never, 0))).toMatchObject({
      code: 'ERR_RESPONSE_INVALID',
      message: 'the new credentials have no expiration',
    });
  });
});

describe('an error', () => {
  it.each<[ErrorCode, boolean]>([
    ['ERR_FILE_NOT_FOUND', true],
    ['ERR_VARIABLE_NOT_SET', true],
    ['ERR_FORMAT_UNKNOWN', true],
    ['ERR_PEM_MALFORMED', true],
    ['ERR_CERTIFICATE_EXPIRED', true],
    ['ERR_KEY_MISMATCH', true],
    ['ERR_PKCS12_MALFORMED', true],
    ['ERR_CHAIN_SIGNATURE', true],
    ['ERR_CONNECT', false],
    ['ERR_PKCS11_TIMEOUT', false],
  ])('is about what is in files or not: %s, %s', (code, expected) => {
    expect(isOfFiles(new RolesAnywhereError(code, 'x'))).toBe(expected);
  });

  it('is passed on as it is when it is of this project, and is the cause of one otherwise', () => {
    const own = closedError();
    expect(asError(own)).toBe(own);
    const cause = new TypeError('of a stranger');
    expect(asError(cause)).toMatchObject({
      code: 'ERR_INTERNAL',
      message: 'credentials could not be fetched: unexpected error',
      cause,
    });
  });

  it('says so when it is that too many files are open', () => {
    const cause = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', syscall: 'open' });
    expect(asError(cause)).toMatchObject({ code: 'ERR_FILE_UNREADABLE', message: 'too many files are open', cause });
  });

  it('says what was waited for', () => {
    expect(closedError()).toMatchObject({ code: 'ERR_INTERRUPTED', message: 'the credentials provider is closed' });
    expect(timeoutError(1500)).toMatchObject({ code: 'ERR_TIMEOUT', message: 'no credentials came within 1.5 s' });
  });
});

describe('waiting', () => {
  const interrupted = { code: 'ERR_INTERRUPTED', message: 'waiting for credentials was given up', cause: 'enough' };

  it('for a deferred promise ends as its holder says', async () => {
    const good = deferred<number>();
    good.resolve(7);
    await expect(good.promise).resolves.toBe(7);
    const bad = deferred<number>();
    bad.reject(closedError());
    await expect(bad.promise).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it('does not begin where the signal has fired', () => {
    expect(thrown(() => throwIfAborted(undefined))).toBeUndefined();
    expect(thrown(() => throwIfAborted(new AbortController().signal))).toBeUndefined();
    expect(thrown(() => throwIfAborted(AbortSignal.abort('enough')))).toMatchObject(interrupted);
  });

  it('is given up when the signal fires', async () => {
    const controller = new AbortController();
    const waiting = abortable(new Promise(() => undefined), controller.signal);
    controller.abort('enough');
    await expect(waiting).rejects.toMatchObject(interrupted);
  });

  it.each([
    ['good', () => Promise.resolve('good')],
    ['bad', () => Promise.reject(closedError())],
  ])('leaves nothing at the signal, with a %s outcome', async (how, outcome) => {
    const { signal } = new AbortController();
    const waiting = abortable(outcome(), signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await waiting.catch(() => undefined);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    await expect(abortable(outcome(), undefined).catch(() => 'bad')).resolves.toBe(how);
  });
});
