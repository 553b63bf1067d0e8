/** The list of mutants that no test can tell from the source, or need not: test/mutation/equivalents.json. */
import type { Mutant } from './mutants.ts';

/** A mutant that may survive, and why. */
export interface Equivalent {
  readonly file: string;
  readonly code: string;
  readonly from: string;
  readonly to: string;
  readonly nth?: number;
  readonly why: string;
}

/** Whether an entry of the list is about this mutant. */
export function isListed(entry: Equivalent, file: string, { code, from, to, nth }: Mutant): boolean {
  return (
    entry.file === file && entry.code === code && entry.from === from && entry.to === to && (entry.nth ?? 0) === nth
  );
}
