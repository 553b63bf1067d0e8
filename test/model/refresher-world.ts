/** The refreshing provider among callers, a service and clocks that do their worst, one step after the other. */
import type { SessionCredentials } from '../../src/credentials/credentials.ts';
import type { CredentialsProvider } from '../../src/credentials/provider.ts';
import { DEFAULT_REFRESH } from '../../src/credentials/refresh-policy.ts';
import { createProvider } from '../../src/credentials/refresher.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { ModelClock, settled } from './model-clock.ts';
import type { World } from './explorer.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const RETRY_AFTER_MS = 2 * MINUTE;
const VEND_TIMEOUT_MS = MINUTE;
/** Longer than until a renewal is due, so that the next timer is that. */
const CLOCK_CHECK_MS = 40 * MINUTE;
/**
 * Longest time until a service that is well again has given a set: until a suspend is noticed, an attempt that hangs, the
 * wait that was asked for, the shortest interval.
 */
const RECOVERY_MS = CLOCK_CHECK_MS + VEND_TIMEOUT_MS + 1.5 * RETRY_AFTER_MS + DEFAULT_REFRESH.minIntervalMs + 1;
/** There are few reasons for a timer until then. */
const MOST_TIMERS = 100;
const { expiryMarginMs: MARGIN_MS, minIntervalMs: INTERVAL_MS } = DEFAULT_REFRESH;

/** One moment on both clocks. */
interface Moment {
  readonly wall: number;
  readonly elapsed: number;
}

/** One call of the service. */
interface Call extends Moment {
  readonly signal: AbortSignal;
  answered: boolean;
  resolve(credentials: SessionCredentials): void;
  reject(error: RolesAnywhereError): void;
}

/** One who waits for a set. */
interface Caller {
  readonly abort: AbortController;
  done: boolean;
}

/** Situations to begin with, as actions that lead there. */
export const SITUATIONS: Readonly<Record<string, readonly string[]>> = {
  'nothing asked yet': [],
  'a set in hand': ['start', 'good'],
  'a set in hand that is due, and a renewal on its way': ['start', 'good', 'timer'],
  'no set, after a failure': ['get', 'down'],
};

export class RefresherWorld implements World {
  readonly #clock = new ModelClock();
  readonly #provider: CredentialsProvider;
  readonly #background: boolean;
  readonly #calls: Call[] = [];
  readonly #callers: Caller[] = [];
  readonly #arrivals = new Map<SessionCredentials, Moment & { begun: Moment }>();
  #newest: SessionCredentials | undefined;
  #closed = false;
  #healthy = false;
  /** Whether somebody has asked for a set. */
  #used = false;
  /** The wait that the last failure imposes. */
  #hold: { since: Moment; ms: number; byService: boolean } | undefined;
  #broken: string | undefined;
  /** How often anything was given: a model in which nothing happens keeps every promise. */
  given = 0;

  constructor(background = true) {
    this.#background = background;
    this.#provider = createProvider({
      vend: (signal) => this.#vend(signal),
      clock: this.#clock,
      random: () => 0.5,
      background,
      vendTimeoutMs: VEND_TIMEOUT_MS,
      clockCheckMs: CLOCK_CHECK_MS,
    });
  }

  actions(): string[] {
    const live = this.#live();
    const waiting = this.#callers.filter(({ done }) => !done);
    const asks = ['get', 'renew', ...(this.#arrivals.size === 0 ? ['start'] : [])];
    if (this.#closed) return live === undefined && this.#late() === undefined ? [] : ['get', 'good', 'late answer'];
    return [
      ...(waiting.length < 3 ? asks : []),
      'rotated',
      ...(waiting.length > 0 ? ['give up'] : []),
      ...(this.#clock.timers > 0 ? ['timer'] : []),
      ...(this.#untilEnd() > 0 ? ['to the end, no timer fires'] : []),
      'suspend for 2 h',
      'clock back by 2 h',
      ...(live === undefined ? [] : ['good', 'good for 90 s', 'ended set', 'down', 'throttled', 'refused']),
      ...(this.#late() === undefined ? [] : ['late answer']),
      'close',
    ];
  }

  async take(action: string): Promise<void> {
    this.#act(action);
    await settled();
  }

  #act(action: string): void {
    const clock = this.#clock;
    switch (action) {
      case 'get':
        return this.#ask((signal) => this.#provider.get(signal));
      case 'start':
        return this.#ask((signal) => this.#provider.start(signal));
      case 'renew': {
        this.#cutHold();
        const asked = this.#now();
        const onItsWay = this.#live() !== undefined;
        return this.#ask(
          (signal) => this.#provider.renew(signal),
          (set) => {
            const { begun } = this.#arrivals.get(set) ?? { begun: asked };
            if (!onItsWay && begun.elapsed < asked.elapsed && elapsedSince(begun, asked) >= INTERVAL_MS)
              this.#breaks('renew gave a set that was there before and is not new');
          },
        );
      }
      case 'rotated':
        this.#cutHold();
        return this.#provider.refresh('rotated');
      case 'give up':
        return this.#callers.find(({ done }) => !done)?.abort.abort();
      case 'timer':
        return clock.fireNext();
      case 'to the end, no timer fires':
        return clock.pass(this.#untilEnd());
      case 'suspend for 2 h':
        clock.wall += 2 * HOUR;
        return;
      case 'clock back by 2 h':
        clock.wall -= 2 * HOUR;
        return;
      case 'good':
        return this.#answer(this.#live(), HOUR);
      case 'good for 90 s':
        return this.#answer(this.#live(), 90_000);
      case 'ended set':
        return this.#answer(this.#live(), MARGIN_MS);
      case 'late answer':
        return this.#answer(this.#late(), HOUR);
      case 'down':
        return this.#fail('ERR_CONNECT');
      case 'throttled':
        return this.#fail('ERR_THROTTLED', RETRY_AFTER_MS);
      case 'refused':
        return this.#fail('ERR_ACCESS_DENIED');
      case 'close':
        this.#closed = true;
        return this.#provider.close();
      default:
        throw new Error(`no such action: ${action}`);
    }
  }

  check(): void {
    const inHand = this.#provider.peek();
    if (inHand !== undefined) this.#gives(inHand, 'peek');
    const { state, refreshing } = this.#provider.status();
    const live = this.#calls.filter(isLive);
    if (live.length > 1) this.#breaks('two calls of the service at once');
    if (!this.#closed && refreshing !== live.length > 0)
      this.#breaks(`refreshing is ${refreshing} with ${live.length} calls`);
    if ((state === 'valid' || state === 'degraded') !== (inHand !== undefined))
      this.#breaks(`state ${state} while a set in hand is ${inHand === undefined ? 'not valid' : 'valid'}`);
    if (this.#clock.timers > 1) this.#breaks(`${this.#clock.timers} timers of one provider`);
    if (this.#closed) {
      if (this.#clock.timers > 0) this.#breaks('a timer after close');
      if (live.length > 0) this.#breaks('a call that close did not end');
      if (this.#callers.some(({ done }) => !done)) this.#breaks('somebody waits after close');
    }
    if (this.#broken !== undefined) throw new Error(this.#broken);
  }

  /** The service is well again, and answers new calls at once; what hangs goes on hanging. */
  async finish(): Promise<void> {
    if (this.#closed) return;
    this.#healthy = true;
    const end = this.#clock.elapsed + RECOVERY_MS;
    for (let fired = 0; ; fired++) {
      const next = this.#clock.nextTimer;
      if (next === undefined || next > end) break;
      if (fired > MOST_TIMERS) throw new Error('a timer fires again and again, and nothing comes of it');
      this.#clock.fireNext();
      await settled();
      this.check();
    }
    this.#clock.pass(Math.max(0, end - this.#clock.elapsed));
    if (this.#callers.some(({ done }) => !done)) throw new Error('somebody waits for ever');
    if (this.#background && this.#used && this.#newest !== undefined && this.#provider.peek() === undefined)
      throw new Error('the service is well, and nothing was renewed in the background');
    const before = this.given;
    this.#act('get');
    await settled();
    this.check();
    if (this.given === before || this.#provider.peek() === undefined)
      throw new Error('the service is well, and get gives nothing');
  }

  #vend(signal: AbortSignal): Promise<SessionCredentials> {
    const begun = this.#now();
    if (this.#closed) this.#breaks('a call after close');
    if (this.#calls.some(isLive)) this.#breaks('two calls of the service at once');
    const last = this.#calls.at(-1);
    if (last !== undefined && this.#provider.peek() !== undefined && elapsedSince(last, begun) < INTERVAL_MS)
      this.#breaks('two calls within the shortest interval, with a valid set in hand');
    if (this.#hold !== undefined && elapsedSince(this.#hold.since, begun) < this.#hold.ms)
      this.#breaks(
        `a call ${elapsedSince(this.#hold.since, begun)} ms after a failure that imposes ${this.#hold.ms} ms`,
      );
    // It is over, and a clock that is put back later does not bring it back.
    this.#hold = undefined;
    return new Promise((resolve, reject) => {
      const call = { ...begun, signal, answered: false, resolve, reject };
      this.#calls.push(call);
      if (this.#healthy) this.#answer(call, HOUR);
    });
  }

  #answer(call: Call | undefined, lifeMs: number): void {
    if (call === undefined) return;
    call.answered = true;
    const serial = this.#calls.indexOf(call);
    const credentials = {
      accessKeyId: `key-${serial}`,
      secretAccessKey: `secret-${serial}`,
      sessionToken: `token-${serial}`,
      expiration: new Date(this.#clock.wall + lifeMs),
    };
    if (!call.signal.aborted) {
      this.#arrivals.set(credentials, { ...this.#now(), begun: call });
      if (lifeMs > MARGIN_MS) {
        this.#newest = credentials;
        this.#hold = undefined;
      } else this.#hold = { since: this.#now(), ms: DEFAULT_REFRESH.backoffBaseMs / 4, byService: false };
    }
    call.resolve(credentials);
  }

  #fail(code: ErrorCode, retryAfterMs?: number): void {
    const call = this.#live();
    if (call === undefined) return;
    call.answered = true;
    this.#hold = {
      since: this.#now(),
      ms: retryAfterMs ?? DEFAULT_REFRESH.backoffBaseMs / 4,
      byService: retryAfterMs !== undefined,
    };
    call.reject(new RolesAnywhereError(code, 'of the model', { retryAfterMs }));
  }

  /** Who asks for a new set does not wait, unless the service itself asked for that. */
  #cutHold(): void {
    if (this.#hold?.byService === false) this.#hold = undefined;
  }

  #ask(how: (signal: AbortSignal) => Promise<SessionCredentials>, judge?: (set: SessionCredentials) => void): void {
    this.#used = true;
    const caller: Caller = { abort: new AbortController(), done: false };
    this.#callers.push(caller);
    void this.#follow(how(caller.abort.signal), caller, judge);
  }

  async #follow(
    outcome: Promise<SessionCredentials>,
    caller: Caller,
    judge?: (set: SessionCredentials) => void,
  ): Promise<void> {
    try {
      const set = await outcome;
      this.#gives(set, 'an answer');
      judge?.(set);
    } catch (error) {
      if (!(error instanceof RolesAnywhereError)) this.#breaks(`a rejection with ${String(error)}`);
      else if (error.code === 'ERR_INTERNAL') this.#breaks('a rejection with ERR_INTERNAL');
    } finally {
      caller.done = true;
    }
  }

  #gives(set: SessionCredentials, how: string): void {
    this.given += 1;
    const arrival = this.#arrivals.get(set);
    if (arrival === undefined) return this.#breaks(`${how} is a set that the service did not give in time`);
    if (this.#closed) this.#breaks(`${how} after close`);
    // A service that is well answers before the one who asked hears of the set before.
    if (set !== this.#newest && !this.#healthy) this.#breaks(`${how} is not the newest set`);
    const end = set.expiration.getTime();
    const byWall = end - this.#clock.wall;
    const byMonotonic = end - arrival.wall - (this.#clock.elapsed - arrival.elapsed);
    const left = Math.min(byWall, byMonotonic);
    if (left <= MARGIN_MS) this.#breaks(`${how} is a set of which ${left} ms are left`);
  }

  /** What is left of the newest set. */
  #untilEnd(): number {
    const arrival = this.#newest === undefined ? undefined : this.#arrivals.get(this.#newest);
    if (this.#newest === undefined || arrival === undefined) return 0;
    const end = this.#newest.expiration.getTime();
    return Math.min(end - this.#clock.wall, end - arrival.wall - (this.#clock.elapsed - arrival.elapsed)) - MARGIN_MS;
  }

  #live(): Call | undefined {
    return this.#calls.find(isLive);
  }

  /** A call that was given up, and whose answer may still come. */
  #late(): Call | undefined {
    return this.#calls.find(({ answered, signal }) => !answered && signal.aborted);
  }

  #now(): Moment {
    return { wall: this.#clock.wall, elapsed: this.#clock.elapsed };
  }

  #breaks(promise: string): void {
    this.#broken ??= promise;
  }
}

function isLive({ answered, signal }: Call): boolean {
  return !answered && !signal.aborted;
}

/** Time since a moment, suspended time included. */
function elapsedSince(since: Moment, now: Moment): number {
  return Math.max(now.elapsed - since.elapsed, now.wall - since.wall);
}

/** A world in a situation to begin with. */
export async function situated(situation: string, background = true): Promise<RefresherWorld> {
  const world = new RefresherWorld(background);
  for (const action of SITUATIONS[situation] ?? []) await world.take(action);
  world.check();
  return world;
}
