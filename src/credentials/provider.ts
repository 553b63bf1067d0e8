/**
 * The refreshing provider: one set of credentials, renewed ahead of its expiry,
 * with one request in flight whoever asks. `serve`, `update`, `exec` and the
 * library all stand on it.
 */

import type { Clock } from '../platform/clock.ts';
import type { RolesAnywhereError } from '../platform/errors.ts';
import type { SessionCredentials } from './credentials.ts';
import type { RefreshSettings } from './refresh-policy.ts';

/** Why an attempt was made. */
export type RefreshReason =
  | 'start' // the first set
  | 'due' // the set in hand is near its end
  | 'demand' // someone asked while no valid set was in hand
  | 'retry' // the attempt before failed
  | 'rotated' // certificate or key changed
  | 'requested'; // an operator asked (SIGHUP)

/** What happened inside a provider. Holds no secret. */
export type ProviderEvent =
  | { readonly type: 'attempt'; readonly reason: RefreshReason }
  | {
      readonly type: 'refreshed';
      readonly reason: RefreshReason;
      readonly durationMs: number;
      readonly expiration: Date;
    }
  | {
      readonly type: 'failed';
      readonly reason: RefreshReason;
      readonly durationMs: number;
      readonly error: RolesAnywhereError;
      /** Failures in a row, this one included. */
      readonly failures: number;
      /** Until the next attempt is made unasked; absent when none will be. */
      readonly retryInMs?: number | undefined;
      /** Expiration of the set that is still in use; absent when there is none. */
      readonly expiration?: Date | undefined;
    }
  /** The last set ceased to be valid and there is no other. Once per set. */
  | { readonly type: 'expired'; readonly expiration: Date }
  /** Wall clock and monotonic clock went apart: suspend, or the clock was set. Negative: it went back. */
  | { readonly type: 'clock-jump'; readonly byMs: number };

/** A snapshot for `/readyz`, `/metrics` and status lines. Holds no secret. */
export interface ProviderStatus {
  /**
   * `idle`: nothing was asked yet. `starting`: no set yet, and at work on it.
   * `valid`: a valid set is in hand, and no attempt failed since it came.
   * `degraded`: a valid set is in hand, but the last attempt failed.
   * `unavailable`: no valid set in hand. `closed`: for good.
   */
  readonly state: 'idle' | 'starting' | 'valid' | 'degraded' | 'unavailable' | 'closed';
  /** Whether an attempt is in flight. */
  readonly refreshing: boolean;
  /** Of the last set, valid or not. */
  readonly expiration: Date | undefined;
  /** When the last set came, by the wall clock. */
  readonly refreshedAt: Date | undefined;
  /** Of the last attempt; undefined when it succeeded. */
  readonly lastError: RolesAnywhereError | undefined;
  /** Failures in a row. */
  readonly failures: number;
  /** When the next attempt is due, by the wall clock; undefined when none is planned. */
  readonly nextAttempt: Date | undefined;
}

export interface CredentialsProvider {
  /**
   * Gets the first set. Transient failures (class `unavailable`) are tried
   * again, with backoff, until it comes; watch {@link subscribe} or
   * {@link status} meanwhile.
   *
   * @param signal gives up waiting; the provider itself goes on until {@link close}
   * @throws RolesAnywhereError of class `usage`, `identity`, `refused` or
   * `internal`, at once; `ERR_INTERRUPTED` by `signal` or {@link close}
   */
  start(signal?: AbortSignal): Promise<SessionCredentials>;

  /**
   * The set in hand when it is valid, at once; it never waits for a refresh
   * that is only ahead of time. With none in hand: waits for the attempt in
   * flight, or starts one unless the backoff after a failure holds it back.
   * The same object is given to all until the next refresh. Never gives an
   * expired set.
   *
   * @param signal gives up waiting; the attempt goes on for the others
   * @throws RolesAnywhereError the attempt's; during the backoff, the last
   * attempt's, at once; `ERR_INTERRUPTED` by `signal` or after {@link close}
   */
  get(signal?: AbortSignal): Promise<SessionCredentials>;

  /**
   * Asks for a new set and gives that one, whatever is in hand: after a role's sessions were revoked, say. A set that is
   * younger than the shortest interval is new enough, and one that is on its way is waited for.
   *
   * @param signal gives up waiting
   * @throws RolesAnywhereError the attempt's, or, where the rules hold one back after a failure, the last attempt's, at once;
   * the set in hand stays in use
   */
  renew(signal?: AbortSignal): Promise<SessionCredentials>;

  /** The set in hand when it is valid, else undefined. Starts nothing: for a hot path, before {@link get}. */
  peek(): SessionCredentials | undefined;

  status(): ProviderStatus;

  /**
   * Asks for a new set as soon as the rules allow: at once, unless a valid set
   * is in hand that is younger than the shortest interval. A failure's backoff
   * is cut short, unless the service itself asked for the wait. An attempt in
   * flight is followed by another one. The outcome shows in the events.
   */
  refresh(reason: 'rotated' | 'requested'): void;

  /**
   * Calls `listener` with each event, synchronously; what becomes of that is ignored.
   *
   * @returns a function that ends the subscription
   */
  subscribe(listener: (event: ProviderEvent) => void): () => void;

  /** Cancels timers and the attempt in flight; those who wait are rejected with `ERR_INTERRUPTED`. Safe to call twice. */
  close(): void;
}

export interface ProviderOptions {
  /**
   * Gets a new set from the service. Never called twice at a time, except when
   * a call goes on after its signal was aborted. The signal is aborted on
   * timeout and on close.
   */
  vend: (signal: AbortSignal) => Promise<SessionCredentials>;
  /** When to refresh and how long to wait after failures; defaults in `refresh-policy.ts`. */
  refresh?: Partial<RefreshSettings> | undefined;
  /** Longest time for one `vend`, in milliseconds. Default 60,000. */
  vendTimeoutMs?: number | undefined;
  /**
   * Default true: refreshes by itself, with timers, from the first
   * `start` or `get` on. False: only when `get` is called near the end of the
   * set in hand, which is given at once while the new one is fetched.
   */
  background?: boolean | undefined;
  /** Whether the timers keep the process alive. Default true; the library passes false. */
  keepAlive?: boolean | undefined;
  /** Longest time between two looks at the clocks, in milliseconds: a suspend or a clock change is noticed within it. Default 15,000. */
  clockCheckMs?: number | undefined;
  /** Default: the system's. */
  clock?: Clock | undefined;
  /** Uniform in [0, 1). Default `Math.random`: it only spreads load. */
  random?: (() => number) | undefined;
}
