/** When a request to AWS is made again, and after how long. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { tell } from '../platform/listeners.ts';
import type { ErrorCode } from '../platform/errors.ts';

/** How often and how long to try. */
export interface RetrySettings {
  /** The first try included. Default 3. */
  attempts?: number | undefined;
  /** For each attempt, in milliseconds. Default 15 000, or its share of `timeoutMs` when that is more. */
  attemptTimeoutMs?: number | undefined;
  /** For all attempts and the waits between them, in milliseconds. Default 60 000. */
  timeoutMs?: number | undefined;
}

/** What time and chance are; each has a real default. */
export interface RetryEnvironment {
  /** Milliseconds on a clock that is never set. Default: the process's age. */
  monotonic?: (() => number) | undefined;
  /** At least 0 and below 1. Default `Math.random`. */
  random?: (() => number) | undefined;
  /** Waits; rejects when the signal fires. Default: a timer. */
  sleep?: ((ms: number, signal?: AbortSignal) => Promise<unknown>) | undefined;
  /** Told before each wait. */
  onRetry?: ((failure: RolesAnywhereError, delayMs: number) => void) | undefined;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 20_000;

/** Not `performance.now`: Node 20 loads a module for it, for a millisecond and a half of every one-shot. */
const processAge = (): number => process.uptime() * 1000;

/** Codes of failures that may pass: no answer, too many requests, or a failing service. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'ERR_CONNECT',
  'ERR_DNS',
  'ERR_TIMEOUT',
  'ERR_THROTTLED',
  'ERR_SERVICE_FAILED',
]);

/**
 * Whether the same request may succeed later. An invalid answer without a
 * status never came whole, which may pass; one with a status will come again.
 */
function mayPass({ code, status, serviceCode }: RolesAnywhereError): boolean {
  // STS says so of a key that it could not retrieve, and of a provider that it has not heard of yet.
  if (serviceCode === 'InvalidIdentityToken') return true;
  if (code === 'ERR_PROXY') return (status ?? 500) >= 500;
  return PASSING.has(code) || (code === 'ERR_RESPONSE_INVALID' && status === undefined);
}

/**
 * Runs `attempt` until it succeeds, fails for good, or attempts or time run
 * out; the last failure is what is thrown then. Between attempts it waits for
 * a random time below a limit that doubles from half a second ("full jitter",
 * AWS Architecture Blog, "Exponential backoff and jitter"), and for as long as
 * the service asks (Retry-After); when that is more than what is left of the
 * total, it gives up at once.
 *
 * @param attempt gets the milliseconds that it may take
 */
export async function withRetries<T>(
  attempt: (timeoutMs: number) => Promise<T>,
  connection: RetryEnvironment & {
    readonly retry?: RetrySettings | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<T> {
  const { retry = {}, signal, monotonic = processAge, random = Math.random, sleep = sleepUntil } = connection;
  const { attempts = 3, timeoutMs = 60_000 } = retry;
  const { attemptTimeoutMs = Math.max(15_000, timeoutMs / attempts) } = retry;
  const end = monotonic() + timeoutMs;
  for (let made = 1; ; made++) {
    try {
      return await attempt(Math.max(1, Math.ceil(Math.min(attemptTimeoutMs, end - monotonic()))));
    } catch (error) {
      if (!(error instanceof RolesAnywhereError) || !mayPass(error) || made >= attempts) throw error;
      const jitter = random() * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (made - 1));
      const delay = Math.max(jitter, error.retryAfterMs ?? 0);
      if (monotonic() + delay >= end) throw error;
      tell(connection.onRetry, error, delay);
      await sleep(delay, signal).catch((cause: unknown) => {
        throw new RolesAnywhereError('ERR_INTERRUPTED', 'interrupted while waiting to try again', { cause });
      });
    }
  }
}

function sleepUntil(ms: number, signal?: AbortSignal): Promise<unknown> {
  const { setTimeout: sleepFor } = process.getBuiltinModule('node:timers/promises');
  return sleepFor(ms, undefined, { signal });
}
