/**
 * The candidate that `word` most likely was meant to be, if any is near:
 * at most a third of its letters, and never more than three, must change.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // A long enough beginning of just one candidate was meant to be that one.
  const longer = word.length >= 3 ? candidates.filter((candidate) => candidate.startsWith(word)) : [];
  if (longer.length === 1) return longer[0];
  let best: string | undefined;
  let least = Math.min(3, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    // Each letter too many is a change: no need to count further for what somebody pasted.
    if (Math.abs(word.length - candidate.length) >= least) continue;
    const changes = distance(word, candidate);
    if (changes < least) {
      least = changes;
      best = candidate;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, at(before, j - 2) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
