/** Structured logs for long-running commands: lines for people on a terminal, one JSON object a line otherwise. */

/** Least severe first. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What accompanies a message. Never a secret; of an access key id, the last four characters at most. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** Takes each finished line, its line feed included. */
  write: (line: string) => void;
  /** Default `text`: `time level message key=value`. `json`: `time`, `level`, `message` and the fields. */
  format?: 'text' | 'json';
  /** Messages below it are dropped. Default `info`. */
  level?: LogLevel;
  /** Milliseconds since the epoch. Default `Date.now`. */
  now?: () => number;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Makes a log. */
export function createLog({ write, format = 'text', level = 'info', now = Date.now }: LogOptions): Log {
  const least = LEVELS.indexOf(level);
  const line = format === 'json' ? jsonLine : textLine;
  const at =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LEVELS.indexOf(own) >= least) write(line(new Date(now()), own, message, fields));
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A log that keeps nothing. */
export const silentLog: Log = createLog({ write: () => undefined });

function jsonLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  return `${JSON.stringify({ time: time.toISOString(), level, message, ...fields })}\n`;
}

function textLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  const shown = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${bare(value)}`,
  );
  return `${[`${time.toISOString().slice(0, 19)}Z`, level.padEnd(5), oneLine(message), ...shown].join(' ')}\n`;
}

/** A value that cannot be mistaken for more than one, nor write a line of its own. */
function bare(value: string | number | boolean): string {
  const text = String(value);
  return /^[\w.:/+@,\-[\]]+$/.test(text) ? text : JSON.stringify(text);
}

/** Control characters of a message would let what it quotes forge lines or drive the terminal. */
function oneLine(message: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return message.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
