/** A small generator with a seed (sfc32), so that a run can be repeated. */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: string) {
    let hash = 0x811c9dc5;
    const next = (): number => {
      for (const unit of `${seed}:`) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), 0x01000193) >>> 0;
      return hash;
    };
    this.#state = Uint32Array.from([next(), next(), next(), 1]);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 random bits. */
  next(): number {
    const s = this.#state;
    const [a, b, c, d] = [s[0] ?? 0, s[1] ?? 0, s[2] ?? 0, s[3] ?? 0];
    const t = (a + b + d) | 0;
    s[3] = d + 1;
    s[0] = b ^ (b >>> 9);
    s[1] = (c + (c << 3)) | 0;
    s[2] = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  }

  /** A whole number from 0, below `limit`. */
  below(limit: number): number {
    return limit <= 1 ? 0 : this.next() % limit;
  }

  /** A length: small ones far more often than large ones. */
  length(limit: number): number {
    return 1 + this.below(Math.min(limit, 2 ** (1 + this.below(10))));
  }

  of<T>(values: readonly T[]): T | undefined {
    return values[this.below(values.length)];
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }
}
