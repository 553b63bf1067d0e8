/** How commands reach a TPM and answers come back: one at a time, on one connection, each wait bounded. */
import { setTimeout as sleep } from 'node:timers/promises';
import { processAge } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { type TpmLocation, describeLocation } from './location.ts';

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
export const HEADER_BYTES = 10;

/** No TPM of today takes or gives more; the simulators' limit is the same. */
export const MAX_MESSAGE_BYTES = 4096;

/**
 * Opens a connection, and waits while the place is taken: /dev/tpm0 and simulators serve one program at a time.
 *
 * @throws RolesAnywhereError `ERR_TPM_NOT_FOUND`, `ERR_TPM_ACCESS`, `ERR_TPM_NOT_PERMITTED`, `ERR_TPM_BUSY`,
 * `ERR_TPM_CONNECT`, `ERR_TPM_TIMEOUT`
 */
export async function openTransport(location: TpmLocation, deadline: number): Promise<Transport> {
  const where = describeLocation(location);
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    try {
      return await openOnce(location, deadline);
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && (error.code === 'EBUSY' || error.code === 'EAGAIN');
      if (!isTaken || processAge() + pauseMs > deadline) throw openError(error, where);
    }
    // Others poll too: whoever waits for a different time each does not always lose.
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

async function openOnce(location: TpmLocation, deadline: number): Promise<Transport> {
  switch (location.kind) {
    case 'device': {
      const { openDevice } = await import('./device-file.ts');
      return await openDevice(location.path);
    }
    case 'tabrmd': {
      const { openSender } = await import('./sender.ts');
      return openSender(location.configuration);
    }
    case 'unix':
    case 'tcp':
    case 'mssim':
    default: {
      const { openSocket } = await import('./socket.ts');
      return await openSocket(location, deadline);
    }
  }
}

/** What each refusal of the system means here. */
const OPEN_ERRORS: Readonly<Record<string, readonly [code: ErrorCode, what: string, hint: string]>> = {
  ENOENT: [
    'ERR_TPM_NOT_FOUND',
    'is not there',
    'check the path; a container sees only the devices that it was given (--device /dev/tpmrm0), and a simulator makes its socket when it starts',
  ],
  ENXIO: ['ERR_TPM_NOT_FOUND', 'has no device behind it', 'see whether the TPM is switched on in the firmware'],
  ENODEV: ['ERR_TPM_NOT_FOUND', 'has no device behind it', 'see whether the TPM is switched on in the firmware'],
  EACCES: [
    'ERR_TPM_ACCESS',
    'may not be opened by this user',
    'add the user to the group of the file (tss, most often): usermod -aG tss USER, then log in anew; for a service, SupplementaryGroups=tss',
  ],
  EPERM: [
    'ERR_TPM_NOT_PERMITTED',
    'may not be opened in here',
    'a container or a sandbox forbids the device: start it with --device /dev/tpmrm0, or allow it in the device policy (DeviceAllow= of systemd)',
  ],
  EBUSY: [
    'ERR_TPM_BUSY',
    'is held by another program',
    'use the resource manager, /dev/tpmrm0, which many programs can open; or see who holds it: fuser -v /dev/tpm0',
  ],
  EAGAIN: [
    'ERR_TPM_BUSY',
    'has more programs waiting than it takes',
    'a simulator serves one program at a time: see which one holds its connection',
  ],
  ECONNREFUSED: [
    'ERR_TPM_CONNECT',
    'has nobody who listens',
    'start the simulator again; what it left there is an empty socket',
  ],
};

/** What the system said when a TPM was opened, in words. */
export function openError(error: unknown, where: string): RolesAnywhereError {
  if (error instanceof RolesAnywhereError) return error;
  const system = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
  const [code, what, hint] = OPEN_ERRORS[system] ?? [
    'ERR_TPM_CONNECT',
    `cannot be opened (${system})`,
    'check --tpm-device, TPM_DEVICE and TPM2TOOLS_TCTI, and what the system says of the device',
  ];
  return new RolesAnywhereError(code, `the TPM at ${where} ${what}`, { hint, cause: error });
}

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
