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

/** What a target is given besides its seeds: each of these alone, before, within and behind a seed, and the seeds themselves. */
export function* largeInputs({ seeds, words = [], largeBytes = LARGE_BYTES }: Target): Generator<Uint8Array> {
  if (largeBytes === 0) return;
  const [seed = new Uint8Array()] = seeds.map((each) => Buffer.from(each));
  const half = seed.length >> 1;
  for (const text of [...BYTES, ...LINES, ...LABELS, ...PARTS, ...words]) {
    const filler = Buffer.alloc(Math.max(0, largeBytes - seed.length), text);
    yield filler;
    yield Buffer.concat([filler, seed]);
    yield Buffer.concat([seed.subarray(0, half), filler, seed.subarray(half)]);
    yield Buffer.concat([seed, filler]);
  }
  for (const each of seeds) if (each.length > 0) yield Buffer.alloc(largeBytes, each);
}
