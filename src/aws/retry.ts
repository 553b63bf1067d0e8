/** When a request to AWS is made again, and after how long. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { tell } from '../platform/listeners.ts';
import type { ErrorCode } from '../platform/errors.ts';
import { createBudget, processAge } from './budget.ts';
import type { Budget } from './budget.ts';

/** How often and how long to try. */
export interface RetrySettings {
  /** The first try included, whatever they fail with. Default 3, of which too many requests (throttling) use up none. */
  attempts?: number | undefined;
  /** For each attempt, in milliseconds. Default 15 000, or its share of `timeoutMs` when that is more. */
  attemptTimeoutMs?: number | undefined;
  /** For all requests of an operation and the waits between them, in milliseconds. Default 60 000. */
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
const DEFAULT_ATTEMPTS = 3;

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
 * AWS Architecture Blog, "Exponential backoff and jitter"). Where the service
 * asks to be left alone (Retry-After) that comes first, and the random time is
 * up to half as long, so that those who were refused together do not come back
 * together; when what it asks for is more than what is left, it gives up at once.
 *
 * Too many requests pass: unless attempts were limited, throttling is retried until the time is up.
 *
 * @param attempt gets the milliseconds that it may take
 */
export async function withRetries<T>(
  attempt: (timeoutMs: number) => Promise<T>,
  connection: RetryEnvironment & {
    readonly retry?: RetrySettings | undefined;
    readonly budget?: Budget | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<T> {
  const { retry = {}, signal, monotonic = processAge, random = Math.random, sleep = sleepUntil } = connection;
  const { attempts, timeoutMs = 60_000 } = retry;
  const { attemptTimeoutMs = Math.max(15_000, timeoutMs / (attempts ?? DEFAULT_ATTEMPTS)) } = retry;
  const { budget = createBudget(timeoutMs, monotonic) } = connection;
  let counted = 0;
  for (let made = 1; ; made++) {
    try {
      return await attempt(Math.max(1, Math.ceil(Math.min(attemptTimeoutMs, budget.remaining()))));
    } catch (error) {
      if (!(error instanceof RolesAnywhereError) || !mayPass(error)) throw error;
      if (attempts !== undefined || error.code !== 'ERR_THROTTLED') counted++;
      if (counted >= (attempts ?? DEFAULT_ATTEMPTS)) throw error;
      const asked = error.retryAfterMs ?? 0;
      const spread = Math.max(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (made - 1)), asked / 2);
      const left = budget.remaining();
      // What the service asks for fits, though not every random time behind it does.
      const delay = asked > 0 ? Math.min(asked + random() * spread, Math.max(asked, left - 1)) : random() * spread;
      if (delay >= left) throw error;
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
