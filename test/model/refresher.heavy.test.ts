/** Every sequence of calls, answers, failures and clock steps up to a depth, run against the refreshing provider itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SITUATIONS, exploreRefresher } from './refresher.ts';
import { importWithFault } from './seeded.ts';

/** Actions after the situation to begin with. MODEL_DEPTH gives another bound; each further one takes ten times as long. */
const DEPTH = Number(process.env['MODEL_DEPTH'] ?? (process.env['ROLES_ANYWHERE_LONG'] === '1' ? 5 : 4));

const stackTraceLimit = Error.stackTraceLimit;
beforeAll(() => {
  // Most errors here are the service's, and nobody reads where they are from: two thirds of the time.
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

const refresher = 'credentials/refresher.ts';
const policy = 'credentials/refresh-policy.ts';
/** Each is found within so many actions. */
const FAULTS = [
  {
    name: 'a second attempt while one is in flight',
    file: refresher,
    from: '} else if (this.#mayBegin(reason)',
    to: '}\n    if (this.#mayBegin(reason)',
    sees: /refreshing is|two calls/,
  },
  {
    name: 'a set that has ended is given out',
    file: refresher,
    from: 'return this.#remaining() > 0 ? this.#held?.credentials : undefined;',
    to: 'return this.#held?.credentials;',
    sees: /ms are left/,
  },
  {
    name: 'the wall clock alone counts: a set lives longer when it is put back',
    file: refresher,
    from: 'return Math.min(byWall, byMonotonic) -',
    to: 'return byWall -',
    sees: /ms are left|not valid|state/,
  },
  {
    name: 'the monotonic clock alone counts: a suspend is not noticed',
    file: refresher,
    from: 'return Math.min(byWall, byMonotonic) -',
    to: 'return byMonotonic -',
    sees: /ms are left/,
  },
  {
    name: 'the margin before the end is left out',
    file: refresher,
    from: 'return Math.min(byWall, byMonotonic) - this.#settings.expiryMarginMs;',
    to: 'return Math.min(byWall, byMonotonic);',
    sees: /ms are left/,
  },
  {
    name: 'a set of no use is taken from the service',
    file: refresher,
    from: 'assertUsable(credentials, this.#clock.now() + this.#settings.expiryMarginMs);',
    to: '',
    sees: /ms are left|not the newest|after a failure that imposes/,
  },
  {
    name: 'an attempt that hangs is never given up',
    file: refresher,
    from: 'this.#attempt.controller.abort(timeoutError(this.#vendTimeoutMs));',
    to: '',
    sees: /a timer fires again and again/,
  },
  {
    name: 'an answer that comes after its attempt was given up is taken',
    file: refresher,
    from: 'await Promise.race([this.#vend(signal), givenUp.promise])',
    to: '(givenUp.promise.catch(() => undefined), await this.#vend(signal))',
    sees: /refreshing is|waits|did not give in time/,
  },
  {
    name: 'close leaves the attempt in flight',
    file: refresher,
    from: 'this.#attempt?.controller.abort(closedError());',
    to: '',
    sees: /after close|did not end/,
  },
  {
    name: 'close leaves those who wait for the first set',
    file: refresher,
    from: 'for (const starter of this.#starters) starter.reject(closedError());',
    to: '',
    sees: /waits after close/,
  },
  {
    name: 'a timer is set beside the one before',
    file: refresher,
    from: 'this.#timer?.cancel();\n    this.#timer = undefined;',
    to: 'this.#timer = undefined;',
    sees: /timers of one provider/,
  },
  {
    name: 'a request cuts the wait short that the service asked for',
    file: refresher,
    from: 'if (this.#hold?.byService === false) this.#hold = undefined;',
    to: 'this.#hold = undefined;',
    sees: /after a failure that imposes 120000 ms/,
  },
  {
    name: 'a timer does nothing when it fires',
    file: refresher,
    from: "() => this.#look('due')",
    to: '() => undefined',
    sees: /nothing was renewed|gives nothing|waits for ever/,
  },
  {
    name: 'a renewal by force gives the old set while a wait holds it back',
    file: refresher,
    from: 'if (this.#lastError !== undefined) throw this.#lastError;\n    return await this.get(signal);',
    to: 'return await this.get(signal);',
    sees: /is not new/,
  },
  {
    name: 'no shortest interval',
    file: policy,
    from: 'Math.max(due, settings.minIntervalMs - situation.sinceAttemptMs, hold)',
    to: 'Math.max(due, hold)',
    sees: /shortest interval/,
  },
  {
    name: 'no wait after a failure',
    file: policy,
    from: 'Math.max(situation.remainingMs, hold)',
    to: 'Math.max(situation.remainingMs, 0)',
    sees: /after a failure that imposes/,
  },
];

interface Model {
  exploreRefresher: typeof exploreRefresher;
}

describe('the model of the refreshing provider', () => {
  it.each(Object.keys(SITUATIONS).map((situation) => ({ situation })))(
    `keeps every promise in every sequence of ${DEPTH} actions from: $situation`,
    async ({ situation }) => {
      for (const background of [true, false]) {
        const { sequences, steps, given } = await exploreRefresher(DEPTH, background, [situation]);
        console.log(`${situation}${background ? ', in the background' : ''}: ${sequences} sequences, ${steps} steps`);
        expect(sequences).toBeGreaterThan(4 ** DEPTH);
        expect(given).toBeGreaterThan(sequences);
      }
    },
    3_600_000,
  );

  it.each(FAULTS)(
    'sees a fault that is put in: $name',
    async ({ sees, ...fault }) => {
      const { module, remove } = await importWithFault('refresher.ts', fault);
      try {
        const found = await firstCounterexample((module as Model).exploreRefresher);
        expect(found).toMatch(sees);
      } finally {
        remove();
      }
    },
    120_000,
  );
});

/** What an exploration in rising depth says first. */
async function firstCounterexample(run: typeof exploreRefresher): Promise<string> {
  for (let depth = 1; depth <= 4; depth++) {
    for (const background of [true, false]) {
      try {
        await run(depth, background);
      } catch (error) {
        return String(error);
      }
    }
  }
  return 'none';
}
