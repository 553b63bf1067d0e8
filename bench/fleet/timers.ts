/** One timer a host, in whole milliseconds: what a simulation of many hosts goes through in order of time. */

/** The milliseconds of a block: those of the present one have a list each, those of a later one share a list. */
const BLOCK_MS = 2 ** 16;
const NONE = -1;

/** Timers that are due at the same millisecond go off in the order in which they were set, as Node's do. */
export class Timers {
  readonly #due: Float64Array;
  readonly #next: Int32Array;
  readonly #heads = new Int32Array(BLOCK_MS).fill(NONE);
  readonly #tails = new Int32Array(BLOCK_MS).fill(NONE);
  readonly #later: (number[] | undefined)[] = [];
  #now = 0;
  /** Timers of the present block. */
  #near = 0;
  #block = 0;

  constructor(hosts: number) {
    this.#due = new Float64Array(hosts).fill(NONE);
    this.#next = new Int32Array(hosts).fill(NONE);
  }

  /** The time at which a host's timer is due; undefined where it has none. */
  due(host: number): number | undefined {
    const at = this.#due[host] ?? NONE;
    return at === NONE ? undefined : at;
  }

  /** Sets the timer of a host that has none. */
  set(host: number, atMs: number): void {
    if (this.due(host) !== undefined) throw new Error(`host ${host} has a timer already`);
    if (atMs < this.#now || !Number.isInteger(atMs)) throw new Error(`${atMs} is no time to come`);
    this.#due[host] = atMs;
    const block = Math.floor(atMs / BLOCK_MS);
    if (block === this.#block) this.#append(host, atMs % BLOCK_MS);
    else (this.#later[block] ??= []).push(host);
  }

  /** Calls `fire` for each timer up to a time, that time included, and those that are set meanwhile. */
  run(untilMs: number, fire: (host: number, nowMs: number) => void): void {
    for (; this.#now <= untilMs; this.#now += 1) {
      if (this.#now % BLOCK_MS === 0) this.#enter(this.#now / BLOCK_MS);
      if (this.#near === 0) {
        this.#now = Math.min((this.#block + 1) * BLOCK_MS - 1, Math.max(untilMs, this.#now));
        continue;
      }
      const slot = this.#now % BLOCK_MS;
      for (let host = this.#heads[slot]!; host !== NONE; host = this.#heads[slot]!) {
        this.#heads[slot] = this.#next[host]!;
        if (this.#heads[slot] === NONE) this.#tails[slot] = NONE;
        this.#due[host] = NONE;
        this.#near -= 1;
        fire(host, this.#now);
      }
    }
  }

  #enter(block: number): void {
    this.#block = block;
    const hosts = this.#later[block] ?? [];
    this.#later[block] = undefined;
    for (const host of hosts) this.#append(host, this.#due[host]! % BLOCK_MS);
  }

  #append(host: number, slot: number): void {
    this.#near += 1;
    const tail = this.#tails[slot]!;
    if (tail === NONE) this.#heads[slot] = host;
    else this.#next[tail] = host;
    this.#tails[slot] = host;
    this.#next[host] = NONE;
  }
}
