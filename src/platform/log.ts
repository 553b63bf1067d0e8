/** The log: what is said to people, or to what collects logs, beside the result. */

/** Least severe first. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Facts that accompany a message. Never a secret; of an access key id, the last four characters at most. A list is
 * text of several lines, which follow the message.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Log {
  /** The least severe level that is written. */
  readonly level: LogLevel;
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
}

/** Takes a message and the facts that accompany it. It needs no `this`. */
export type LogFunction = (message: string, fields?: LogFields) => void;

export type LogFormat = 'plain' | 'text' | 'json';

export interface LogOptions {
  /** Takes each finished line, its line feed included. */
  write: (line: string) => void;
  /**
   * Default `text`: `time level message key=value`. `json`: an object a line, with `time`, `level`, `message` and the
   * fields. `plain`: the message behind `warning: `, `debug: ` or nothing, for a command that runs once.
   */
  format?: LogFormat | undefined;
  /** Messages below it are dropped. Default `info`. */
  level?: LogLevel | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  now?: (() => number) | undefined;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

const PLAIN: Readonly<Record<LogLevel, string>> = { debug: 'debug: ', info: '', warn: 'warning: ', error: 'error: ' };

/** Makes a log. */
export function createLog({ write, format = 'text', level = 'info', now = Date.now }: LogOptions): Log {
  const least = LEVELS.indexOf(level);
  const at =
    (own: LogLevel): LogFunction =>
    (message, fields = {}) => {
      if (LEVELS.indexOf(own) < least) return;
      if (format === 'plain') return write(lines(`${PLAIN[own]}${message}`, fields));
      const time = new Date(now()).toISOString();
      write(
        format === 'json'
          ? `${quoted({ time, level: own, message, ...fields })}\n`
          : lines(`${time.slice(0, 19)}Z ${own.padEnd(5)} ${oneLine(message)}`, fields),
      );
    };
  return { level, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A log that keeps nothing. */
export const silentLog: Log = createLog({ write: () => undefined, level: 'error' });

/** Text with its fields behind it, and below it those that are lists. */
function lines(text: string, fields: LogFields): string {
  let [first, rest] = [text, ''];
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'object') rest += value.map((line) => `  ${oneLine(line)}\n`).join('');
    else if (value !== undefined) first += ` ${name}=${bare(value)}`;
  }
  return `${first}\n${rest}`;
}

/** A value that cannot be mistaken for more than one, nor write a line of its own. */
function bare(value: string | number | boolean): string {
  const text = String(value);
  return /^[\w.:/+@,\-[\]]+$/.test(text) ? text : quoted(text);
}

/** JSON without what drives a terminal or hides in a line, which JSON itself leaves as it is: C1 controls and marks of direction. */
function quoted(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Control characters of a message would let what it quotes forge lines or drive the terminal. */
function oneLine(message: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return message.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, ' ');
}
