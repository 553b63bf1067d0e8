/** What goes back to a client, and what is remembered of it. */

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body: string;
}

/** An answer to a request that was granted, with words for the log. */
export interface Granted {
  readonly answer: Answer;
  /** What was granted, and to whom. */
  readonly reason: string;
}

/** What the emulator made of one request. It holds no secret. */
export interface Verdict {
  /** By the emulator's clock. */
  readonly time: Date;
  readonly requestId: string;
  readonly method: string;
  /** Of the request's target; the query is left out, which may hold a session token. */
  readonly path: string;
  readonly accepted: boolean;
  readonly status: number;
  /** The service's error code, when it was refused. */
  readonly code?: string | undefined;
  /** What was granted; or the true reason of a refusal, which the client is not told. */
  readonly reason: string;
  /** The canonical request that was expected when a signature did not fit, its session token `<redacted>`. */
  readonly expected?: string | undefined;
  /** The canonical request that the client signed instead, when its mistake was found out. */
  readonly signed?: string | undefined;
}
