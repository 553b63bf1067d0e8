/** What the two processes of a mutation run tell each other. */

/** What to mutate, and the tests that must notice. */
export interface Job {
  readonly root: string;
  readonly file: string;
  readonly tests: readonly string[];
  /** The mutants to try, by their place in the list of all. */
  readonly mutants: readonly number[];
  /** How many tests pass with the source as it is; 0 where that is asked. */
  readonly passing: number;
}

/** What became of one mutant; -1 is the source as it is. */
export interface Report {
  readonly mutant: number;
  readonly outcome: Outcome;
  readonly ms: number;
  /** Why, in one line: the test that failed. */
  readonly why: string;
  readonly passed: number;
}

/** `killed` by a test that failed or a process that ended, by `timeout` of a test or of the process, or `survived`. */
export type Outcome = 'killed' | 'timeout' | 'survived';

/** What was counted of one file: test/mutation/results.json. */
export interface Figures {
  readonly mutants: number;
  readonly killed: number;
  readonly timeout: number;
  readonly equivalent: number;
  /** Of the mutants that there were: see `digestOf`. */
  readonly digest: string;
}
