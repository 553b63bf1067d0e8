/** What goes wrong with a Workload API, in words: the socket's errors, gRPC's statuses, and answers that are none. */
// Tests: test/identity/spiffe/workload-api.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { systemCode } from '../../platform/files.ts';

/** gRPC, "Status codes and their use in gRPC". */
const STATUS_NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;

const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;

/** An agent's text is shown up to here. */
const MAX_MESSAGE = 300;

/**
 * The error of a status that is not OK.
 *
 * @param status as it stood in the answer, in decimal
 * @param message percent-encoded, as gRPC has it (gRPC over HTTP2, "Responses")
 */
export function statusError(where: string, status: string, message: string): RolesAnywhereError {
  const number = /^\d{1,2}$/.test(status) ? Number(status) : -1;
  const name = STATUS_NAMES[number];
  if (name === undefined) return answerError(where, `a gRPC status that there is not`);
  const said = shownText(percentDecoded(message));
  const text = `${name}${said === '' ? '' : `: ${said}`}`;
  switch (number) {
    case PERMISSION_DENIED:
      return new RolesAnywhereError(
        'ERR_SPIFFE_DENIED',
        `the Workload API at ${where} has no identity for this process: ${text}`,
        {
          hint: 'register this workload: with SPIRE, an entry whose selectors fit the user, the group or the pod that this program runs as',
        },
      );
    case UNIMPLEMENTED:
      return new RolesAnywhereError(
        'ERR_SPIFFE_FAILED',
        `what listens at ${where} has not what is asked for: ${text}`,
        {
          hint: "name the agent's public socket, not its admin socket, and check that the agent gives identities of this kind",
        },
      );
    case UNAVAILABLE:
      return new RolesAnywhereError('ERR_SPIFFE_CONNECT', `the Workload API at ${where} is not ready: ${text}`, {
        hint: 'it may be starting: try again soon, and see its own log',
      });
    default:
      return new RolesAnywhereError('ERR_SPIFFE_FAILED', `the Workload API at ${where} refused: ${text}`, {
        hint: "see the agent's own log",
      });
  }
}

const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'start the SPIFFE agent, or name the socket that it listens on',
  ECONNREFUSED: 'start the SPIFFE agent: nobody listens there',
  EACCES: 'let this user into the folder of the socket, and write to the socket',
  EPERM: 'let this user into the folder of the socket, and write to the socket',
  ENOTSOCK: 'name the socket of the agent, not another file',
};

/** That the other end closed a stream or a session, by the letter of the protocol. */
const BROKEN_OFF: ReadonlySet<string> = new Set([
  'ERR_HTTP2_STREAM_CANCEL',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ECONNRESET',
  'EPIPE',
]);

/** The error of a connection that could not be made, or broke. */
export function connectionError(where: string, cause: unknown): RolesAnywhereError {
  // Of a session that broke, streams tell that they were cancelled, and the session's error below that.
  const below = cause instanceof Error && systemCode(cause) === 'ERR_HTTP2_STREAM_CANCEL' ? cause.cause : undefined;
  const code = systemCode(below ?? cause);
  if (code !== undefined && BROKEN_OFF.has(code)) return endedError(where);
  if (code?.startsWith('ERR_HTTP2_') === true)
    return answerError(where, 'something that is not gRPC over HTTP/2', cause);
  return new RolesAnywhereError(
    'ERR_SPIFFE_CONNECT',
    `the Workload API at ${where} cannot be reached: ${code ?? 'unknown reason'}`,
    { hint: SYSTEM_HINTS[code ?? ''] ?? 'check that the SPIFFE agent runs', cause },
  );
}

/** The error of a stream that ended without a status. */
export function endedError(where: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SPIFFE_CONNECT', `the Workload API at ${where} ended the connection`, {
    hint: 'the agent may have been stopped: try again when it runs',
  });
}

/** The error of an answer that did not come. */
export function timeoutError(where: string, timeoutMs: number): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_SPIFFE_TIMEOUT',
    `the Workload API at ${where} did not answer within ${Math.ceil(timeoutMs)} ms`,
    { hint: "see the agent's own log: it may be waiting for its server" },
  );
}

/** The error of an answer that breaks the rules. Nothing of it is shown: it may hold a key or a token. */
export function answerError(where: string, what: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SPIFFE_ANSWER', `the Workload API at ${where} sent ${what}`, {
    hint: 'check that it is a SPIFFE Workload API that listens there',
    cause,
  });
}

/** Whether an error says that the agent is there and gives this process no identity. */
export function isDenial(code: ErrorCode): boolean {
  return code === 'ERR_SPIFFE_DENIED';
}

/** What is not well-formed stays as it is (gRPC over HTTP2, "Responses"). */
function percentDecoded(text: string): string {
  const octets = Buffer.from(text, 'latin1')
    .toString('latin1')
    .replaceAll(/%([\da-fA-F]{2})/g, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(octets, 'latin1').toString('utf8');
}

/** An agent's text on one line: what steers a terminal, and what looks like a token or PEM, is left out. */
function shownText(text: string): string {
  return text
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll(/-----BEGIN.*|ey[\w-]{16,}(?:\.[\w-]*)*/g, '<redacted>')
    .slice(0, MAX_MESSAGE)
    .trim();
}
