/** Words for a failure, for a person or a program. Loaded when there is one. */
import { RolesAnywhereError, withoutPin } from './errors.ts';
import { createLog } from './log.ts';
import type { LogFormat, LogLevel } from './log.ts';
import { styleOf } from './terminal-style.ts';
import type { Style } from './terminal-style.ts';
import { asOurs } from './unexpected.ts';

export interface ReportOptions {
  /** The name that the program was called by. */
  readonly program: string;
  /** The command line, which may have failed before it was understood. */
  readonly argv: readonly string[];
  /** How the rest of standard error is written; undefined when the line was not understood. */
  readonly style?: { readonly level: LogLevel; readonly format: LogFormat } | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stderrIsTerminal: () => boolean;
  readonly write: (text: string) => void;
}

/** The word that says what a line is: an error, or what to do about it. */
const OPENING = /(?<=^[\w-]+: )error:|^hint:/;

/** Tells of a failure and gives it back as the error that it counts as. */
export function report(failure: unknown, options: ReportOptions): RolesAnywhereError {
  const { program, argv, style, write } = options;
  const debug = style === undefined ? argv.includes('--debug') : style.level === 'debug';
  const known = asOurs(
    failure,
    'unexpected error: this is a defect',
    debug ? 'report it with what is shown here' : 'run it again with --debug to see where it happened',
  );
  const error = withAdvice(withProxy(withEndpoint(known, options), options));
  const { cause } = error;
  const shownCause = debug && cause !== undefined ? trace(cause) : [];
  if ((style?.format ?? formatAskedFor(options)) === 'json') writeJson(error, shownCause, write);
  else write(text(program, error, shownCause, styleOf(options.stderrIsTerminal(), options.env)));
  return error;
}

/**
 * An error of the network or of a service, with the variable that gave the endpoint. Of the variables that flags have,
 * the reader of the configuration has said it before.
 */
function withEndpoint(error: RolesAnywhereError, { argv, env }: ReportOptions): RolesAnywhereError {
  if ((error.class !== 'refused' && error.class !== 'unavailable') || error.message.includes('AWS_ENDPOINT_URL'))
    return error;
  if (env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true') return error;
  const given = [
    ['endpoint', 'AWS_ENDPOINT_URL_ROLESANYWHERE'],
    ['sts-endpoint', 'AWS_ENDPOINT_URL_STS'],
  ].flatMap(([flag = '', own = '']) => {
    const from = [own, 'AWS_ENDPOINT_URL'].find((name) => env[name]);
    const isOutranked =
      argv.some((token) => token === `--${flag}` || token.startsWith(`--${flag}=`)) ||
      error.message.includes(`--${flag} (`);
    return from === undefined || isOutranked ? [] : [from];
  });
  // The message of the network names the host: only the variable that has it.
  const hosts = given.filter((name) => error.message.includes(hostOf(env[name])));
  const names = [...new Set(hosts.length > 0 ? hosts : error.class === 'refused' ? given : [])];
  if (names.length === 0) return error;
  return new RolesAnywhereError(error.code, `${error.message}; the endpoint is from ${names.join(', ')}`, error);
}

/** An error that names a proxy, with the variable that gave it: it may be left over from another network. */
function withProxy(error: RolesAnywhereError, { argv, env }: ReportOptions): RolesAnywhereError {
  const onLine = argv.some((token) => token === '--proxy' || token.startsWith('--proxy='));
  if (onLine || error.message.includes('--proxy (')) return error;
  const from = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find((name) => {
    const { [name]: value = '' } = env;
    const host = hostOf(value.includes('://') ? value : `http://${value}`);
    return value !== '' && `${error.message} `.includes(`the proxy ${host} `);
  });
  if (from === undefined) return error;
  return new RolesAnywhereError(error.code, `${error.message}; the proxy is from ${from}`, error);
}

/** Better advice on values of which a shell, or a reader of another format, would have made something else. */
function withAdvice(error: RolesAnywhereError): RolesAnywhereError {
  const { code, message } = error;
  const isValue = code === 'ERR_FILE_NOT_FOUND' || code === 'ERR_ARN' || code === 'ERR_REGION';
  const advise = (hint: string): RolesAnywhereError =>
    new RolesAnywhereError(code, message, { hint, flag: error.flag, cause: error.cause });
  if (isValue && /[ "'/]\$(?:\w+|\{\w+\})(?:[/" ]|$)/.test(message))
    return advise('variables such as $HOME are not expanded here: write the value itself');
  if (isValue && /(?:: "(?:\\"|')|[ /]["'].*["'] does not exist)/.test(message))
    return advise(
      'the quotes are part of the value: a config file, an env file and YAML take them as they are, so leave them out',
    );
  const [, before, after] = /\b(?:fips-([a-z]{2}(?:-[a-z]+)+-\d)|([a-z]{2}(?:-[a-z]+)+-\d)-fips)\b/.exec(message) ?? [];
  const region = before ?? after;
  if (region !== undefined && (error.class === 'usage' || code === 'ERR_DNS'))
    return advise(`FIPS is no part of a region's name: give --region ${region} and --use-fips`);
  return error;
}

function hostOf(url = ''): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function writeJson(error: RolesAnywhereError, shownCause: readonly string[], write: (text: string) => void): void {
  const { code, message, hint, flag, serviceCode, status, requestId } = error;
  const cause = shownCause.length === 0 ? undefined : shownCause.join('\n');
  createLog({ write, format: 'json' }).error(message, { code, hint, flag, serviceCode, status, requestId, cause });
}

function text(program: string, error: RolesAnywhereError, shownCause: readonly string[], style: Style): string {
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
  return lines
    .map((line) => {
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      const safe = line.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
      return `${safe.replace(OPENING, (word) => style(word === 'hint:' ? 'bold' : 'red', word))}\n`;
    })
    .join('');
}

/** The form that a line seems to ask for which was not understood. */
function formatAskedFor({ argv, env, stderrIsTerminal }: ReportOptions): string | undefined {
  const command = argv.slice(2).find((token) => !token.startsWith('-'));
  const isService = command === 'serve' || (command === 'update' && !argv.includes('--once'));
  return formatIn(argv) ?? env['ROLES_ANYWHERE_LOG_FORMAT'] ?? (isService && !stderrIsTerminal() ? 'json' : undefined);
}

function formatIn(argv: readonly string[]): string | undefined {
  const at = argv.findLastIndex((token) => /^--log-format(?:=|$)/.test(token));
  const token = argv[at];
  return token === '--log-format' ? argv[at + 1] : token?.slice('--log-format='.length);
}

/** Where an error came from, without the message of one that quotes what it could not parse. */
function trace(cause: unknown): string[] {
  if (!(cause instanceof Error)) return [`cause: ${typeof cause}`];
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const words = cause instanceof SyntaxError ? '' : `: ${withoutPin(cause.message)}`;
  return [`cause: ${cause.name}${words}`, ...frames];
}
