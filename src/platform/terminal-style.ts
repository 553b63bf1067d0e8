/** Colour for people at a terminal. Loaded for help and for failures only. */

const BEGIN = { bold: '\u001b[1m', red: '\u001b[1;31m', yellow: '\u001b[33m', cyan: '\u001b[36m' } as const;
const END = '\u001b[0m';

/** Puts a text into a style. */
export type Style = (name: keyof typeof BEGIN, text: string) => string;

/**
 * The style of a stream: none where it is no terminal, where `NO_COLOR` is set to anything but the empty string
 * (no-color.org), and where `TERM` says that the terminal has none.
 */
export function styleOf(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style {
  const isPlain = !isTerminal || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return isPlain ? plainStyle : (name, text) => `${BEGIN[name]}${text}${END}`;
}

/** Leaves texts as they are. */
export const plainStyle: Style = (_, text) => text;
