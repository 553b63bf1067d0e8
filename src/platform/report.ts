/** What a person, or a program, is told of a failure. Loaded at one. */
import { RolesAnywhereError } from './errors.ts';
import { jsonError } from './json-lines.ts';

/** How to tell it. */
export interface ReportOptions {
  /** The name that the program was called by. */
  readonly program: string;
  /** The command line, which may have failed before it was understood. */
  readonly argv: readonly string[];
  /** What was made of it, where it was understood. */
  readonly parsed?: { readonly command: string; readonly flags: Readonly<Record<string, unknown>> } | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stderrIsTerminal: () => boolean;
  readonly write: (text: string) => void;
}

/** Tells of a failure and gives it back as the error that it counts as. */
export function report(failure: unknown, options: ReportOptions): RolesAnywhereError {
  const { program, argv, parsed, write } = options;
  const debug = parsed === undefined ? argv.includes('--debug') : parsed.flags['debug'] === true;
  const error =
    failure instanceof RolesAnywhereError
      ? failure
      : new RolesAnywhereError('ERR_INTERNAL', 'unexpected error: this is a defect', {
          hint: debug ? 'report it with what is shown here' : 'run it again with --debug to see where it happened',
          cause: failure,
        });
  const { cause } = error;
  const shownCause = debug && cause !== undefined ? trace(cause) : [];
  write(wantsJson(options) ? jsonError(error, shownCause) : text(program, error, shownCause));
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

/** Whether the rest of standard error is JSON: it is asked for, or it is what `serve` says to no terminal. */
function wantsJson({ argv, parsed, env, stderrIsTerminal }: ReportOptions): boolean {
  const format =
    parsed === undefined ? (formatIn(argv) ?? env['ROLES_ANYWHERE_LOG_FORMAT']) : parsed.flags['log-format'];
  if (format !== undefined) return format === 'json';
  const command = parsed?.command ?? argv.slice(2).find((token) => !token.startsWith('-'));
  return command === 'serve' && !stderrIsTerminal();
}

/** The format that a line asks for which was not understood. */
function formatIn(argv: readonly string[]): string | undefined {
  const at = argv.findLastIndex((token) => /^--log-format(?:=|$)/.test(token));
  const token = argv[at];
  return token === '--log-format' ? argv[at + 1] : token?.slice('--log-format='.length);
}

/** Where an error came from, without the message of one that quotes what it could not parse. */
function trace(cause: unknown): string[] {
  if (!(cause instanceof Error)) return [`cause: ${typeof cause}`];
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [cause instanceof SyntaxError ? `cause: ${cause.name}` : `cause: ${cause.name}: ${cause.message}`, ...frames];
}
