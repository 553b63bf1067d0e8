/** `--log-format json`: what commands say for people, as one JSON object a line. Loaded for it. */
import type { RolesAnywhereError } from './errors.ts';
import { createLog } from './log.ts';
import type { Log } from './log.ts';

/**
 * Turns texts into JSON lines. A text that begins with a level, as in
 * `warning: ...`, has that level; lines that are JSON already stay as they are.
 */
export function jsonLines(write: (line: string) => void): (text: string) => void {
  const log = createLog({ write, format: 'json', level: 'debug' });
  return (text) => {
    if (text.startsWith('{') && text.endsWith('}\n')) {
      write(text);
      return;
    }
    const [, word = '', message = ''] = /^(?:(debug|warning): )?(.*?)\n*$/s.exec(text) ?? [];
    if (message !== '') log[LEVEL_OF[word] ?? 'info'](message);
  };
}

const LEVEL_OF: Readonly<Record<string, keyof Log>> = { debug: 'debug', warning: 'warn' };

/** An error as one line, with the lines about its cause that are to be shown. */
export function jsonError(error: RolesAnywhereError, cause: readonly string[]): string {
  const { code, message, hint, serviceCode, status, requestId } = error;
  let line = '';
  const log = createLog({ write: (text) => (line = text), format: 'json' });
  log.error(message, {
    code,
    hint,
    serviceCode,
    status,
    requestId,
    cause: cause.length === 0 ? undefined : cause.join('\n'),
  });
  return line;
}
