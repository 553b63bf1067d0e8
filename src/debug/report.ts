/** What a person, or a program, is told of a failure. Loaded at one. */
import { RolesAnywhereError } from '../errors.ts';
import { jsonError } from './json-lines.ts';

/** How to tell it. */
export interface ReportOptions {
  /** The name that the program was called by. */
  readonly program: string;
  /** The command line, which may have failed before it was understood. */
  readonly argv: readonly string[];
  /** What was made of it, where that took more than the command line. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  readonly write: (text: string) => void;
}

/** Tells of a failure and gives it back as the error that it counts as. */
export function report(failure: unknown, { program, argv, flags, write }: ReportOptions): RolesAnywhereError {
  const debug = flags === undefined ? argv.includes('--debug') : flags['debug'] === true;
  const error =
    failure instanceof RolesAnywhereError
      ? failure
      : new RolesAnywhereError('ERR_INTERNAL', 'unexpected error: this is a defect', {
          hint: debug ? 'report it with what is shown here' : 'run it again with --debug to see where it happened',
          cause: failure,
        });
  const { cause } = error;
  const shownCause = debug && cause !== undefined ? trace(cause) : [];
  write(
    (flags === undefined ? wantsJson(argv) : flags['log-format'] === 'json')
      ? jsonError(error, shownCause)
      : text(program, error, shownCause),
  );
  return error;
}

function text(program: string, error: RolesAnywhereError, shownCause: readonly string[]): string {
  const { code, message, hint, serviceCode, status, requestId } = error;
  // A proxy's status is in the message.
  const ofService = code.startsWith('ERR_PROXY') ? undefined : status;
  const service = [serviceCode, ofService && `status ${ofService}`, requestId && `request id ${requestId}`].filter(
    // The service's own errors have them in the message already.
    (fact) => typeof fact === 'string' && !message.includes(fact),
  );
  const lines = [`${program}: error: ${message} [${code}]`];
  if (service.length > 0) lines.push(`service: ${service.join(', ')}`);
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  lines.push(...shownCause);
  // Control characters in what is quoted must not drive the terminal or pass for lines of ours.
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return lines.map((line) => `${line.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')}\n`).join('');
}

/** Whether the line asks for JSON. */
function wantsJson(argv: readonly string[]): boolean {
  const at = argv.findLastIndex((token) => /^--log-format(?:=|$)/.test(token));
  const token = argv[at] ?? '';
  return (token === '--log-format' ? argv[at + 1] : token.slice('--log-format='.length)) === 'json';
}

/** Where an error came from, without the message of one that quotes what it could not parse. */
function trace(cause: unknown): string[] {
  if (!(cause instanceof Error)) return [`cause: ${typeof cause}`];
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [cause instanceof SyntaxError ? `cause: ${cause.name}` : `cause: ${cause.name}: ${cause.message}`, ...frames];
}
