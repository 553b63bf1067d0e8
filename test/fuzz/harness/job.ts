/** What passes between the fuzzer and the processes that run its targets. */

export interface Job {
  readonly target: string;
  readonly seed: string;
  readonly inputs: number;
  readonly seconds: number;
  /** A file with the one input to run, in place of all others. */
  readonly input?: string | undefined;
  /** Where the input stands that is being run, behind {@link HEADER_BYTES}: its number, its length, the number of the run. */
  readonly file: string;
  readonly edges: number;
  /** Words of the sources, by the counter of the function that they stand in. */
  readonly words: Readonly<Record<number, readonly (string | number)[]>>;
  readonly maxMib: number;
}

export const HEADER_BYTES = 12;

export interface Find {
  readonly kind: 'error' | 'broken' | 'secret' | 'hang' | 'memory' | 'rejection' | 'crash';
  readonly text: string;
  /** base64 */
  readonly input: string;
}

export interface Report {
  readonly inputs: number;
  readonly seconds: number;
  /** What the process had of the processor. */
  readonly cpuSeconds: number;
  readonly edges: number;
  readonly corpus: number;
  readonly slowestMs: number;
  readonly peakMib: number;
  readonly finds: readonly Find[];
}

/** What is written down of the runs of a target, together. */
export interface Result {
  readonly seeds: readonly string[];
  readonly inputs: number;
  readonly cpuSeconds: number;
  readonly edges: number;
  readonly slowestMs: number;
  readonly peakMib: number;
  readonly finds: number;
}

/** In place of a report: why a target cannot be run here. */
export interface Skipped {
  readonly skipped: string;
}
