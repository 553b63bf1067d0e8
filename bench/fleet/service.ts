/** The service of the simulation: a quota, and a time in which it is lost. */

/** What becomes of a request. `lost`: the service fails at once with a status of 503. */
export type Answer = 'granted' | 'throttled' | 'lost';

/** A token bucket: so many calls a second, and so many at once after a pause. What is refused takes nothing from it. */
export interface Quota {
  readonly perSecond: number;
  readonly burst: number;
}

/** In milliseconds from the start. */
export interface Outage {
  readonly fromMs: number;
  readonly untilMs: number;
}

export class Service {
  readonly counts: Record<Answer, number> = { granted: 0, throttled: 0, lost: 0 };
  readonly #quota: Quota;
  readonly #outage: Outage | undefined;
  /** Thousandths of a call, so that nothing is rounded. */
  #left: number;
  #at = 0;

  constructor(quota: Quota, outage: Outage | undefined) {
    this.#quota = quota;
    this.#outage = outage;
    this.#left = quota.burst * 1000;
  }

  ask(nowMs: number): Answer {
    const answer = this.#judge(nowMs);
    this.counts[answer] += 1;
    return answer;
  }

  #judge(nowMs: number): Answer {
    if (this.#outage !== undefined && nowMs >= this.#outage.fromMs && nowMs < this.#outage.untilMs) return 'lost';
    const { perSecond, burst } = this.#quota;
    this.#left = Math.min(burst * 1000, this.#left + (nowMs - this.#at) * perSecond);
    this.#at = nowMs;
    if (this.#left < 1000) return 'throttled';
    this.#left -= 1000;
    return 'granted';
  }
}
