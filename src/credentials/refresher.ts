/** The provider at work: what is in hand, the attempt in flight, and one timer that looks at both. */
// Tests: test/credentials/refresher.test.ts, test/credentials/provider.test.ts
import { systemClock } from '../platform/clock.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { tell } from '../platform/listeners.ts';
import type { SessionCredentials } from './credentials.ts';
import {
  type Deferred,
  abortable,
  asError,
  assertUsable,
  closedError,
  deferred,
  isOfFiles,
  throwIfAborted,
  timeoutError,
} from './outcome.ts';
import type { CredentialsProvider, ProviderEvent, ProviderOptions, ProviderStatus, RefreshReason } from './provider.ts';
import { DEFAULT_REFRESH, backoff, refreshThreshold, untilAttempt } from './refresh-policy.ts';
import type { RefreshSettings } from './refresh-policy.ts';

/** One moment on both clocks. */
interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** A set that arrived, and what its timing follows from. */
interface Held {
  readonly credentials: SessionCredentials;
  readonly arrived: Moment;
  readonly lifeMs: number;
  /** What {@link Refresher} counts as remaining when the set is to be renewed. */
  readonly thresholdMs: number;
  expiryReported: boolean;
}

interface Attempt {
  readonly begun: Moment;
  readonly controller: AbortController;
  readonly outcome: Promise<SessionCredentials>;
}

/** Below this the clocks only drift: they are slewed, and a timer is late on a busy machine. */
const JUMP_MS = 5000;
const DEFAULT_VEND_TIMEOUT_MS = 60_000;
const DEFAULT_CLOCK_CHECK_MS = 15_000;

/** Makes a provider. It does nothing before `start` or `get` is called. */
export function createProvider(options: ProviderOptions): CredentialsProvider {
  return new Refresher(options);
}

class Refresher implements CredentialsProvider {
  readonly #vend: ProviderOptions['vend'];
  readonly #settings: RefreshSettings;
  readonly #vendTimeoutMs: number;
  readonly #clockCheckMs: number;
  readonly #background: boolean;
  readonly #keepAlive: boolean;
  readonly #clock: Clock;
  readonly #random: () => number;

  readonly #listeners = new Set<(event: ProviderEvent) => void>();
  readonly #starters = new Set<Deferred<SessionCredentials>>();
  #held: Held | undefined;
  #attempt: Attempt | undefined;
  #lastBegun: Moment | undefined;
  #failures = 0;
  #lastError: RolesAnywhereError | undefined;
  /** The wait after a failure. */
  #hold: { since: Moment; ms: number; byService: boolean } | undefined;
  #requested: 'rotated' | 'requested' | undefined;
  #timer: Timer | undefined;
  #clockOffset: number;
  /** Whether timers may begin attempts: from the first use on, until a first attempt fails for good. */
  #active = false;
  #closed = false;

  constructor(options: ProviderOptions) {
    this.#vend = options.vend;
    this.#settings = { ...DEFAULT_REFRESH, ...options.refresh };
    this.#vendTimeoutMs = options.vendTimeoutMs ?? DEFAULT_VEND_TIMEOUT_MS;
    this.#clockCheckMs = options.clockCheckMs ?? DEFAULT_CLOCK_CHECK_MS;
    this.#background = options.background ?? true;
    this.#keepAlive = options.keepAlive ?? true;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#clockOffset = this.#clock.now() - this.#clock.monotonic();
  }

  async start(signal?: AbortSignal): Promise<SessionCredentials> {
    this.#assertOpen();
    throwIfAborted(signal);
    const valid = this.peek();
    if (valid !== undefined) return valid;
    this.#active = true;
    const starter = deferred<SessionCredentials>();
    this.#starters.add(starter);
    this.#look('start');
    try {
      return await abortable(starter.promise, signal);
    } finally {
      this.#starters.delete(starter);
    }
  }

  async get(signal?: AbortSignal): Promise<SessionCredentials> {
    this.#assertOpen();
    throwIfAborted(signal);
    this.#active = true;
    this.#look('demand');
    this.#assertOpen();
    const valid = this.peek();
    if (valid !== undefined) return valid;
    if (this.#attempt !== undefined) return abortable(this.#attempt.outcome, signal);
    // Nothing valid and nothing in flight: the wait after a failure holds the next attempt back.
    throw this.#lastError ?? new RolesAnywhereError('ERR_INTERNAL', 'no attempt to get credentials was made');
  }

  async renew(signal?: AbortSignal): Promise<SessionCredentials> {
    this.#assertOpen();
    throwIfAborted(signal);
    this.#active = true;
    if (this.#attempt === undefined) {
      this.refresh('requested');
      this.#look('demand');
    }
    if (this.#attempt !== undefined) return await abortable(this.#attempt.outcome, signal);
    // The wait after a failure holds the attempt back, and the set in hand is not what was asked for.
    if (this.#lastError !== undefined) throw this.#lastError;
    return await this.get(signal);
  }

  peek(): SessionCredentials | undefined {
    return this.#remaining() > 0 ? this.#held?.credentials : undefined;
  }

  status(): ProviderStatus {
    const refreshing = this.#attempt !== undefined;
    const planned = this.#retriesUnasked() && !refreshing;
    return {
      state: this.#state(),
      refreshing,
      expiration: this.#held?.credentials.expiration,
      refreshedAt: this.#held === undefined ? undefined : new Date(this.#held.arrived.wall),
      lastError: this.#lastError,
      failures: this.#failures,
      nextAttempt: planned ? new Date(this.#clock.now() + this.#untilAttempt()) : undefined,
    };
  }

  refresh(reason: 'rotated' | 'requested'): void {
    if (this.#closed) return;
    this.#requested = reason;
    if (this.#hold?.byService === false) this.#hold = undefined;
    this.#look(reason);
  }

  subscribe(listener: (event: ProviderEvent) => void): () => void {
    // A function of its own, so that subscribing twice needs ending twice.
    const entry = (event: ProviderEvent): void => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#held = undefined;
    this.#attempt?.controller.abort(closedError());
    for (const starter of this.#starters) starter.reject(closedError());
    this.#listeners.clear();
  }

  #state(): ProviderStatus['state'] {
    if (this.#closed) return 'closed';
    if (this.#remaining() > 0) return this.#lastError === undefined ? 'valid' : 'degraded';
    if (this.#held === undefined) {
      if (this.#starters.size > 0) return 'starting';
      if (this.#failures === 0) return this.#attempt === undefined ? 'idle' : 'starting';
    }
    return 'unavailable';
  }

  /** Looks at clocks, set and attempt, does what is due, and sets the timer for the next look. */
  #look(reason: RefreshReason): void {
    if (this.#closed) return;
    this.#noticeClockJump();
    this.#noticeExpiry();
    // A listener that heard of either may have closed the provider.
    if (this.#isClosed()) return;
    if (this.#attempt !== undefined) {
      if (this.#elapsed(this.#attempt.begun) >= this.#vendTimeoutMs) {
        this.#attempt.controller.abort(timeoutError(this.#vendTimeoutMs));
      }
    } else if (this.#mayBegin(reason) && this.#untilAttempt() === 0) {
      this.#begin(this.#reasonFor(reason));
    }
    this.#setTimer();
  }

  #mayBegin(reason: RefreshReason): boolean {
    return reason === 'demand' || this.#retriesUnasked();
  }

  /** Whether attempts are made without anyone asking. */
  #retriesUnasked(): boolean {
    return !this.#closed && (this.#starters.size > 0 || (this.#background && this.#active));
  }

  #reasonFor(cause: RefreshReason): RefreshReason {
    if (this.#requested !== undefined) return this.#requested;
    if (this.#failures > 0 && cause !== 'demand') return 'retry';
    return this.#remaining() > 0 ? 'due' : cause;
  }

  #setTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const unasked = this.#retriesUnasked();
    if (this.#closed || (!unasked && this.#attempt === undefined)) return;
    let delay = this.#clockCheckMs;
    if (this.#attempt === undefined) delay = Math.min(delay, this.#untilAttempt());
    else delay = Math.min(delay, this.#vendTimeoutMs - this.#elapsed(this.#attempt.begun));
    const remaining = this.#remaining();
    if (remaining > 0) delay = Math.min(delay, remaining);
    // A millisecond at least: whatever the settings, the event loop gets its turn.
    // Without it a source that hangs would let the process end under a caller who waits for the timeout.
    const keepAlive =
      this.#keepAlive || this.#starters.size > 0 || (this.#attempt !== undefined && this.#remaining() <= 0);
    this.#timer = this.#clock.setTimer(() => this.#look('due'), Math.max(1, Math.ceil(delay)), keepAlive);
  }

  #begin(reason: RefreshReason): void {
    const requested = this.#requested;
    this.#requested = undefined;
    const begun = this.#moment();
    this.#lastBegun = begun;
    const controller = new AbortController();
    // In a later turn, so that the attempt is in its place before anyone else's code runs.
    const outcome = Promise.resolve()
      .then(() => this.#ask(reason, controller))
      .then(
        (credentials) => this.#succeeded(reason, begun, credentials),
        (cause: unknown) => {
          this.#requested ??= requested;
          throw this.#failed(reason, begun, asError(cause));
        },
      );
    // Those who wait for it see the failure; when nobody does, the event says it.
    outcome.catch(() => undefined);
    this.#attempt = { begun, controller, outcome };
  }

  /** One call of `vend`, given up as soon as the signal is aborted, whether `vend` minds it or not. */
  async #ask(reason: RefreshReason, { signal }: AbortController): Promise<SessionCredentials> {
    signal.throwIfAborted();
    const givenUp = deferred<never>();
    signal.addEventListener('abort', () => givenUp.reject(asError(signal.reason)), { once: true });
    this.#emit({ type: 'attempt', reason });
    const credentials = await Promise.race([this.#vend(signal), givenUp.promise]);
    assertUsable(credentials, this.#clock.now() + this.#settings.expiryMarginMs);
    return credentials;
  }

  #succeeded(reason: RefreshReason, begun: Moment, credentials: SessionCredentials): SessionCredentials {
    this.#attempt = undefined;
    if (this.#closed) throw closedError();
    const arrived = this.#moment();
    const lifeMs = credentials.expiration.getTime() - arrived.wall;
    const thresholdMs = refreshThreshold(lifeMs, this.#random(), this.#settings) - this.#settings.expiryMarginMs;
    this.#held = { credentials, arrived, lifeMs, thresholdMs, expiryReported: false };
    this.#failures = 0;
    this.#lastError = undefined;
    this.#hold = undefined;
    for (const starter of this.#starters) starter.resolve(credentials);
    this.#starters.clear();
    const { expiration } = credentials;
    this.#emit({ type: 'refreshed', reason, durationMs: arrived.monotonic - begun.monotonic, expiration });
    this.#setTimer();
    return credentials;
  }

  #failed(reason: RefreshReason, begun: Moment, error: RolesAnywhereError): RolesAnywhereError {
    this.#attempt = undefined;
    if (this.#closed) return error;
    const now = this.#moment();
    this.#failures += 1;
    this.#lastError = error;
    const { retryAfterMs } = error;
    const failure = { failures: this.#failures, throttled: error.code === 'ERR_THROTTLED', retryAfterMs };
    this.#hold = {
      since: now,
      // Files may have been mended since, and looking at them costs nobody anything: only what asks by itself waits.
      ms: !this.#background && isOfFiles(error) ? 0 : backoff(failure, this.#random(), this.#settings),
      byService: failure.throttled || retryAfterMs !== undefined,
    };
    if (this.#held === undefined && error.class !== 'unavailable') {
      // Wrong from the start, and time does not mend it: the next one to ask may try again.
      this.#active = false;
      for (const starter of this.#starters) starter.reject(error);
      this.#starters.clear();
    }
    const inUse = this.peek()?.expiration;
    this.#emit({
      type: 'failed',
      reason,
      durationMs: now.monotonic - begun.monotonic,
      error,
      failures: this.#failures,
      retryInMs: this.#retriesUnasked() ? this.#untilAttempt() : undefined,
      expiration: inUse,
    });
    this.#setTimer();
    return error;
  }

  #untilAttempt(): number {
    return untilAttempt(
      {
        remainingMs: this.#remaining(),
        thresholdMs: this.#held?.thresholdMs ?? 0,
        requested: this.#requested !== undefined,
        sinceAttemptMs: this.#lastBegun === undefined ? Infinity : this.#elapsed(this.#lastBegun),
        holdMs: this.#hold === undefined ? 0 : this.#hold.ms - this.#elapsed(this.#hold.since),
      },
      this.#settings,
    );
  }

  /**
   * Validity left of the set in hand, up to the margin before its expiration. The wall clock counts what was slept; the
   * monotonic one keeps a set from living longer because the clock was put back.
   */
  #remaining(): number {
    if (this.#held === undefined) return 0;
    const { credentials, arrived, lifeMs } = this.#held;
    const byWall = credentials.expiration.getTime() - this.#clock.now();
    const byMonotonic = lifeMs - (this.#clock.monotonic() - arrived.monotonic);
    return Math.min(byWall, byMonotonic) - this.#settings.expiryMarginMs;
  }

  /** Time since a moment, suspended time included. */
  #elapsed(since: Moment): number {
    return Math.max(this.#clock.monotonic() - since.monotonic, this.#clock.now() - since.wall);
  }

  #moment(): Moment {
    return { wall: this.#clock.now(), monotonic: this.#clock.monotonic() };
  }

  #noticeClockJump(): void {
    const offset = this.#clock.now() - this.#clock.monotonic();
    const byMs = offset - this.#clockOffset;
    this.#clockOffset = offset;
    if (Math.abs(byMs) >= JUMP_MS) this.#emit({ type: 'clock-jump', byMs });
  }

  #noticeExpiry(): void {
    if (this.#held === undefined || this.#held.expiryReported || this.#remaining() > 0) return;
    this.#held.expiryReported = true;
    this.#emit({ type: 'expired', expiration: this.#held.credentials.expiration });
  }

  #emit(event: ProviderEvent): void {
    for (const listener of this.#listeners) tell(listener, event);
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}
