/** What `doctor` writes down while it looks: findings, facts, and what could not be looked at. */
// Tests: test/doctor/notebook.test.ts
import { EXIT_STATUS, RolesAnywhereError } from '../platform/errors.ts';
import type { ErrorClass, ErrorCode } from '../platform/errors.ts';
import { AREAS, codeRow } from './codes.ts';
import type { Area, FindingCode } from './codes.ts';

/** An error: nothing will work. A warning: it may not, or not everywhere. A note: to be known. */
export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  /** Stable. */
  readonly code: ErrorCode | FindingCode;
  readonly severity: Severity;
  readonly area: Area;
  /** What is wrong, in lower case and without a full stop. Never a secret. */
  readonly cause: string;
  /** What to do about it. */
  readonly remedy: string;
  /** More to go by, line by line. */
  readonly details: readonly string[];
  /** Of an error, what decides on the exit status. */
  readonly class?: ErrorClass | undefined;
}

/** Something that was seen, and is as it should be. */
export interface Fact {
  readonly area: Area;
  readonly label: string;
  readonly value: string;
}

const SEVERITIES: readonly Severity[] = ['error', 'warning', 'note'];

/** What an error without a hint leaves to do. */
const NO_HINT = 'look up the code in the documentation of this program, under "When something goes wrong"';

export class Notebook {
  readonly #findings: Finding[] = [];
  readonly #facts: Fact[] = [];
  readonly #unchecked: string[] = [];
  /** Adds to an error where the values are from that it is about, as long as a set-up is looked at. */
  explain: (error: RolesAnywhereError) => RolesAnywhereError = (error) => error;

  /** A warning or a note of the table. */
  find(
    code: FindingCode,
    cause: string,
    more: { remedy?: string | undefined; details?: readonly string[] } = {},
  ): void {
    const { area, remedy } = codeRow(code);
    this.#add({
      code,
      severity: code.startsWith('WARN') ? 'warning' : 'note',
      area,
      cause,
      remedy: more.remedy ?? remedy,
      details: more.details ?? [],
    });
  }

  /** What a command would refuse to go on for. Anything but an error of this project is a defect, and is thrown. */
  fail(area: Area, error: unknown, details: readonly string[] = []): void {
    if (!(error instanceof RolesAnywhereError)) throw error;
    const { code, message: cause, hint: remedy = NO_HINT, class: kind } = this.explain(error);
    this.#add({ code, severity: 'error', area, cause, remedy, details, class: kind });
  }

  /** Runs a check, and writes down what it throws. Gives undefined then. */
  try<T>(area: Area, check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      this.fail(area, error);
      return undefined;
    }
  }

  fact(area: Area, label: string, value: string): void {
    this.#facts.push({ area, label, value });
  }

  /** What could not be looked at, and why. */
  leave(what: string): void {
    this.#unchecked.push(what);
  }

  /** Whether an error is written down, of one area or of any. */
  hasErrors(area?: Area): boolean {
    return this.#findings.some((one) => one.severity === 'error' && (area === undefined || one.area === area));
  }

  get facts(): readonly Fact[] {
    return this.#facts;
  }

  get unchecked(): readonly string[] {
    return this.#unchecked;
  }

  /** The findings: errors first, and of one severity causes before what follows from them. */
  findings(): Finding[] {
    const rank = ({ severity, area }: Finding): number => SEVERITIES.indexOf(severity) * 100 + AREAS.indexOf(area);
    return this.#findings.toSorted((one, other) => rank(one) - rank(other));
  }

  /** The exit status of the worst error, which is the first: what the others come from decides. */
  exitStatus(): number {
    const worst = this.findings()[0]?.class;
    return worst === undefined ? 0 : EXIT_STATUS[worst];
  }

  #add(finding: Finding): void {
    const isKnown = this.#findings.some(({ code, cause }) => code === finding.code && cause === finding.cause);
    if (!isKnown) this.#findings.push(finding);
  }
}
