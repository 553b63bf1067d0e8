/** Answers to clients, and the verdicts that are kept of them. */
// Tests: test/emulator/emulator.test.ts

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string;
}

/** An answer to a request that was granted, with words for the log. */
export interface Granted {
  readonly answer: Answer;
  /** The words: what was granted, and to whom. */
  readonly reason: string;
}

/** The verdict on one request. It holds no secret. */
export interface Verdict {
  /** The time by the emulator's clock. */
  readonly time: Date;
  readonly requestId: string;
  readonly method: string;
  /** The path of the request's target. The query is left out: it may hold a session token. */
  readonly path: string;
  readonly accepted: boolean;
  readonly status: number;
  /** The service's error code, when it was refused. */
  readonly code?: string | undefined;
  /** The words on what was granted; or the true reason of a refusal, which the client is not told. */
  readonly reason: string;
  /** The canonical request that was expected when a signature did not fit, its session token `<redacted>`. */
  readonly expected?: string | undefined;
  /** The canonical request that the client signed instead, when its mistake was found out. */
  readonly signed?: string | undefined;
}
