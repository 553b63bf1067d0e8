/** MFA codes, each used once. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { checkMfa } from '../aws/sts-input.ts';
import type { NameOf } from '../aws/session-limits.ts';
import { systemClock } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';

/** What a token provider is told. */
export interface TokenRequest {
  /** Of the MFA device. */
  readonly serialNumber: string;
  /** Whether the code that was given last has been used: the next one is wanted. */
  readonly used: boolean;
  /** Aborted when nobody waits for the code any more. */
  readonly signal: AbortSignal;
}

/** Gives the code that the MFA device shows now: six digits. It is called once for each request. */
export type TokenProvider = (request: TokenRequest) => Promise<string>;

export interface OneTimeOptions {
  readonly serialNumber: string;
  /** Longest time for one call of the provider, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * The codes of an MFA device; undefined without one.
 *
 * @param provider undefined when nothing gives codes
 * @throws RolesAnywhereError `ERR_MFA_SERIAL` when one of device and provider is missing
 */
export function codesOf(
  serialNumber: string | undefined,
  provider: TokenProvider | undefined,
  options: Omit<OneTimeOptions, 'serialNumber'> = {},
  nameOf?: NameOf,
): ReturnType<typeof oneTimeCodes> | undefined {
  checkMfa(serialNumber, provider !== undefined, nameOf);
  return serialNumber === undefined || provider === undefined
    ? undefined
    : oneTimeCodes(provider, { ...options, serialNumber });
}

export const DEFAULT_TOKEN_TIMEOUT_MS = 60_000;

/** How long a code stands (RFC 6238, section 5.2): AWS's devices show the next one then. */
const STEP_MS = 30_000;
/** A provider that gave a used code is asked again this often, a step later each time. */
const MAX_REPEATS = 2;

/**
 * Codes that were not used before: AWS takes each for one request. When the
 * provider gives the last one again, it is asked once more when the device
 * shows another.
 *
 * @returns gives a code; `ERR_MFA_CODE` when none comes, or one that cannot be
 */
export function oneTimeCodes(
  provider: TokenProvider,
  { serialNumber, timeoutMs = DEFAULT_TOKEN_TIMEOUT_MS, clock = systemClock }: OneTimeOptions,
): (signal?: AbortSignal) => Promise<string> {
  let last: string | undefined;
  return async (signal) => {
    for (let repeats = 0; ; repeats++) {
      const request = { serialNumber, used: last !== undefined };
      const code = await bounded((inner) => provider({ ...request, signal: inner }), timeoutMs, clock, signal);
      if (typeof code !== 'string' || !/^\d{6}$/.test(code))
        throw mfaError('the token provider gave no code of six digits', 'give the code that the MFA device shows');
      if (code !== last) {
        last = code;
        return code;
      }
      if (repeats === MAX_REPEATS)
        throw mfaError('the token provider gives a code that was used', 'AWS takes each code once: give the next one');
      const untilNext = STEP_MS - (clock.now() % STEP_MS);
      await bounded((inner) => sleep(untilNext + 500, clock, inner), STEP_MS * 2, clock, signal);
    }
  };
}

/** `work`, given up when it takes too long or the signal fires. */
async function bounded<T>(
  work: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<T> {
  const inner = new AbortController();
  return await new Promise<T>((resolve, reject) => {
    const giveUp = (error: RolesAnywhereError): void => {
      inner.abort(error);
      reject(error);
    };
    const interrupt = (): void =>
      giveUp(new RolesAnywhereError('ERR_INTERRUPTED', 'waiting for an MFA code was given up'));
    const timer = clock.setTimer(
      () => giveUp(mfaError(`no MFA code came within ${timeoutMs / 1000} s`, 'give it sooner, or allow more time')),
      timeoutMs,
      false,
    );
    const settle = (finish: () => void): void => {
      timer.cancel();
      signal?.removeEventListener('abort', interrupt);
      finish();
    };
    signal?.addEventListener('abort', interrupt);
    if (signal?.aborted === true) interrupt();
    // In a later turn, so that a provider that throws at once rejects too.
    Promise.resolve()
      .then(() => work(inner.signal))
      .then(
        (value) => settle(() => resolve(value)),
        (cause: unknown) => settle(() => reject(providerError(cause))),
      );
  });
}

function sleep(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(resolve, ms);
    signal.addEventListener('abort', () => timer.cancel(), { once: true });
  });
}

/** What the provider says is not repeated: it may hold the code. */
function providerError(cause: unknown): RolesAnywhereError {
  if (cause instanceof RolesAnywhereError) return cause;
  return new RolesAnywhereError('ERR_MFA_CODE', 'the token provider failed', {
    hint: 'see the cause of this error',
    cause,
  });
}

export function mfaError(message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_MFA_CODE', message, { hint });
}
