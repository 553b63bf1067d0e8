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

/** Attempts that are made when nobody says how many, and the time for all of them, in milliseconds. */
export const DEFAULT_ATTEMPTS = 3;
export const DEFAULT_TIMEOUT_MS = 60_000;

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
  const { attempts, timeoutMs = DEFAULT_TIMEOUT_MS } = retry;
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
      const delay = delayAfter(made, error.retryAfterMs ?? 0, budget.remaining(), random());
      if (delay === undefined) throw error;
      tell(connection.onRetry, error, delay);
      await sleep(delay, signal).catch((cause: unknown) => {
        throw new RolesAnywhereError('ERR_INTERRUPTED', 'interrupted while waiting to try again', { cause });
      });
    }
  }
}

/**
 * The wait before an operation's next request, in milliseconds; undefined where it does not fit into the time that is left.
 *
 * @param made requests so far, at least 1
 * @param askedMs what the service asked for (Retry-After); 0 where it did not
 * @param random uniform in [0, 1)
 */
export function delayAfter(made: number, askedMs: number, leftMs: number, random: number): number | undefined {
  const spread = Math.max(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (made - 1)), askedMs / 2);
  // What the service asks for fits, though not every random time behind it does.
  const delay = askedMs > 0 ? Math.min(askedMs + random * spread, Math.max(askedMs, leftMs - 1)) : random * spread;
  return delay < leftMs ? delay : undefined;
}

function sleepUntil(ms: number, signal?: AbortSignal): Promise<unknown> {
  const { setTimeout: sleepFor } = process.getBuiltinModule('node:timers/promises');
  return sleepFor(ms, undefined, { signal });
}
