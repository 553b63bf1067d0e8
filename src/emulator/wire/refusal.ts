/** A request that a service turns down: what the client is told, and what is really the matter. */
// Tests: test/emulator/services/create-session/signature.test.ts

export interface RefusalDetails {
  /** HTTP status. */
  status: number;
  /** The service's error code. */
  code: string;
  /** The text for the client, in the service's words where they are known. */
  message: string;
  /** The true reason, for the log. It never holds a secret. */
  reason: string;
  /** The canonical request that was expected, without secrets, when the signature did not fit it. */
  expected?: string | undefined;
  /** The canonical request that the client signed instead, when its mistake was found out. */
  signed?: string | undefined;
}

/** Canonical requests that differ, without secrets. */
export type Compared = Pick<RefusalDetails, 'expected' | 'signed'>;

/** Ends the handling of a request. It never leaves the emulator: the server makes an answer and a verdict of it. */
export class Refusal extends Error {
  readonly details: RefusalDetails;

  /** The parameters are those of {@link RefusalDetails}. */
  constructor(status: number, code: string, message: string, reason: string, compared: Compared = {}) {
    super(reason);
    this.details = { status, code, message, reason, ...compared };
  }
}

/** Says no in a service's way; `reason` is for the log. */
export type Refuse = (reason: string, compared?: Compared) => Refusal;
