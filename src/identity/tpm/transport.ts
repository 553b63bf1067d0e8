/** How commands reach a TPM and answers come back: one at a time, on one connection, each wait bounded. */
import { RolesAnywhereError } from '../../platform/errors.ts';

/** A connection to a TPM. After an error it is of no use any more. */
export interface Transport {
  /**
   * Sends one command and reads its answer.
   *
   * @param deadline when to give up, in milliseconds of processAge of platform/clock.ts
   * @returns exactly one answer: its length is the one in its header
   * @throws RolesAnywhereError `ERR_TPM_TIMEOUT`, `ERR_TPM_CLOSED`, `ERR_TPM_ANSWER`, `ERR_TPM_FAILED`
   */
  transmit(command: Uint8Array, deadline: number): Promise<Uint8Array>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** A header: the tag, the length of all of it, and a code (TPM 2.0 Library, part 1, section 18). */
const HEADER_BYTES = 10;

/** No TPM of today takes or gives more; the simulators' limit is the same. */
export const MAX_MESSAGE_BYTES = 4096;

/** The wait is over. */
export function timeoutError(where: string, what = 'did not answer in time'): RolesAnywhereError {
  return new RolesAnywhereError('ERR_TPM_TIMEOUT', `the TPM at ${where} ${what}`, {
    hint: 'see whether another program holds it, and whether its own tools work (tpm2_getcap properties-fixed); restart the simulator or the resource manager',
  });
}

/** The connection ended before the answer did. */
export function closedError(where: string, received: number, cause?: unknown): RolesAnywhereError {
  const when = received === 0 ? 'instead of an answer' : `in the middle of an answer, after ${received} bytes`;
  return new RolesAnywhereError('ERR_TPM_CLOSED', `the TPM at ${where} closed the connection ${when}`, {
    hint: 'the simulator or resource manager ended, or threw this program out: see its log; a long-running command connects again by itself',
    cause,
  });
}

/** Something came that is no answer. */
export function answerError(where: string, what: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_TPM_ANSWER', `the TPM at ${where} gave no proper answer: ${what}`, {
    hint: 'see what is behind that path or port: it must be a TPM 2.0, and nothing in between may change its answers',
    cause,
  });
}

/** Whether an error says that nothing more will come on this connection, and not that the TPM refused. */
export function isConnectionLoss(error: unknown): boolean {
  return (
    error instanceof RolesAnywhereError &&
    ['ERR_TPM_CLOSED', 'ERR_TPM_TIMEOUT', 'ERR_TPM_ANSWER', 'ERR_TPM_FAILED'].includes(error.code)
  );
}

/** Gathers an answer from the pieces in which it comes. */
export class AnswerBuffer {
  readonly #where: string;
  readonly #bytes = new Uint8Array(MAX_MESSAGE_BYTES);
  #length = 0;

  constructor(where: string) {
    this.#where = where;
  }

  get length(): number {
    return this.#length;
  }

  /**
   * @returns the answer as soon as it is whole
   * @throws RolesAnywhereError `ERR_TPM_ANSWER` for a length that cannot be, and for bytes behind the end
   */
  add(piece: Uint8Array): Uint8Array | undefined {
    if (this.#length + piece.length > MAX_MESSAGE_BYTES)
      throw answerError(this.#where, `more than ${MAX_MESSAGE_BYTES} bytes`);
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
    if (this.#length < HEADER_BYTES) return undefined;
    const size = new DataView(this.#bytes.buffer).getUint32(2);
    if (size < HEADER_BYTES || size > MAX_MESSAGE_BYTES) throw answerError(this.#where, `a length of ${size} bytes`);
    if (this.#length > size) throw answerError(this.#where, `${this.#length - size} bytes behind its end`);
    return this.#length === size ? this.#bytes.slice(0, size) : undefined;
  }
}
