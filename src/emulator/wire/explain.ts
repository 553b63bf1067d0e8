/** Words for people on why a signature was refused. */
// Tests: test/emulator/wire/signature-mistakes.test.ts
import type { Verdict } from './answer.ts';

/**
 * The first line in which the canonical request that a client signed differs
 * from that of the request that it sent; where its mistake was not found out,
 * the canonical request that was expected, to be compared with the client's.
 *
 * @returns nothing for a verdict that is not about a signature
 */
export function explain({ expected, signed }: Verdict): string | undefined {
  if (expected === undefined) return undefined;
  const right = expected.split('\n');
  if (signed === undefined)
    return [
      'the canonical request that was expected:',
      ...right.map((line, index) => `${String(index + 1).padStart(3)}  ${JSON.stringify(line).slice(1, -1)}`),
      'no mistake that clients often make fits: compare it with what the client signed, and the key with the certificate',
    ].join('\n');
  const wrong = signed.split('\n');
  const length = Math.max(right.length, wrong.length);
  const index = Array.from({ length }, (_, at) => at).find((at) => right[at] !== wrong[at]) ?? 0;
  return [
    `line ${index + 1} of the canonical request:`,
    `  the client signed  ${shown(wrong[index])}`,
    `  it sent            ${shown(right[index])}`,
  ].join('\n');
}

/** Control characters would drive the terminal. */
function shown(line: string | undefined): string {
  return line === undefined ? 'nothing: it ends before' : JSON.stringify(line);
}
