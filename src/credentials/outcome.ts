/** What an attempt to get credentials comes to: a usable set or an error of this project; and waiting for it. */
// Tests: test/credentials/outcome.test.ts, test/credentials/provider.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { asOurs } from '../platform/unexpected.ts';
import type { SessionCredentials } from './credentials.ts';
import { formatExpiration } from './expiration.ts';

/**
 * Checks what `vend` gave, whoever wrote it.
 *
 * @param now in milliseconds since the epoch; the set must be valid after it
 * @throws RolesAnywhereError `ERR_CREDENTIALS_EMPTY`, `ERR_RESPONSE_INVALID`, `ERR_CREDENTIALS_EXPIRED`
 */
export function assertUsable(credentials: SessionCredentials, now: number): void {
  // They may come from a program without types.
  const { accessKeyId, secretAccessKey, sessionToken, expiration }: Partial<SessionCredentials> = credentials ?? {};
  if (!accessKeyId || !secretAccessKey || !sessionToken)
    throw new RolesAnywhereError('ERR_CREDENTIALS_EMPTY', 'the new credentials are not complete');
  const end = isDate(expiration) ? expiration.getTime() : Number.NaN;
  if (Number.isNaN(end)) throw new RolesAnywhereError('ERR_RESPONSE_INVALID', 'the new credentials have no expiration');
  if (end <= now)
    throw new RolesAnywhereError(
      'ERR_CREDENTIALS_EXPIRED',
      `the new credentials end at ${formatExpiration(expiration)}, which is now or past`,
      { hint: "check this machine's clock" },
    );
}

/** Also one of another realm, such as that of a test runner. */
export function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]';
}

/** Whether an error is about what is in files, which may be other files by now. */
export function isOfFiles({ code }: RolesAnywhereError): boolean {
  return /^ERR_(?:FILE|VARIABLE|FORMAT|PEM|CERTIFICATE|KEY|PKCS12|CHAIN)_/.test(code);
}

/** The error itself when it is one of this project, else one that has it as its cause. */
export function asError(cause: unknown): RolesAnywhereError {
  return asOurs(cause, 'credentials could not be fetched: unexpected error');
}

export function closedError(): RolesAnywhereError {
  return new RolesAnywhereError('ERR_INTERRUPTED', 'the credentials provider is closed');
}

export function timeoutError(timeoutMs: number): RolesAnywhereError {
  return new RolesAnywhereError('ERR_TIMEOUT', `no credentials came within ${timeoutMs / 1000} s`);
}

/** A promise with its ends in other hands (Promise.withResolvers needs Node 22). */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: RolesAnywhereError) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: Deferred<T>['resolve'];
  let reject!: Deferred<T>['reject'];
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** @throws RolesAnywhereError `ERR_INTERRUPTED` */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interrupted(signal);
}

/** Waits for `outcome` no longer than until the signal is aborted. */
export async function abortable<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return outcome;
  const aborted = deferred<never>();
  const giveUp = (): void => aborted.reject(interrupted(signal));
  signal.addEventListener('abort', giveUp);
  try {
    return await Promise.race([outcome, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

function interrupted({ reason }: AbortSignal): RolesAnywhereError {
  return new RolesAnywhereError('ERR_INTERRUPTED', 'waiting for credentials was given up', { cause: reason });
}
