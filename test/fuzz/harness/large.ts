/**
 * Inputs of many times the size of any real one, of one thing over and over: they cost a reader that looks at each byte once
 * some milliseconds, and one that looks again at what it has passed, minutes.
 */
import type { Target } from './target.ts';

/** Enough that the square of it takes seconds, and that what is counted as it goes by, as all is here, does not. */
const LARGE_BYTES = 1 << 17;

const BYTES = ' \t\n\r"\'\\=:;,.-/<>{}[]()%#&A0\u0000\u00ff'.split('');
const LINES = [' \n', '\r\n', '\\\n', 'a\n', 'a=b\n', 'a: b\n', '[a]\n', ' a = b\n', '# a\n'];
const LABELS = ['-----', '-----BEGIN A-----\n', '-----END A-----\n'];
const PARTS = 'a=b, "" \\" a- <a> <a/> <!-- &lt; {"a": [[ [{ "a", 1, a. a/ %00 %25 AQ \u00e9 \ufeff'
  .split(' ')
  .concat('a ', '- ');

/**
 * What a target is given besides its seeds: each of these alone, before and behind the first seed and within each of the first
 * few, and the seeds themselves over and over.
 */
export function* largeInputs({ seeds, words = [], largeBytes = LARGE_BYTES }: Target): Generator<Uint8Array> {
  if (largeBytes === 0) return;
  const few = seeds.slice(0, 3).map((seed) => Buffer.from(seed));
  for (const text of [...BYTES, ...LINES, ...LABELS, ...PARTS, ...words]) {
    const filler = Buffer.alloc(largeBytes, text);
    yield filler;
    for (const [index, seed] of few.entries()) {
      const [half, part] = [seed.length >> 1, filler.subarray(seed.length)];
      yield Buffer.concat([seed.subarray(0, half), part, seed.subarray(half)]);
      if (index > 0) continue;
      yield Buffer.concat([part, seed]);
      yield Buffer.concat([seed, part]);
    }
  }
  for (const seed of seeds) if (seed.length > 0) yield Buffer.alloc(largeBytes, seed);
}
