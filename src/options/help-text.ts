/** The text of the help, in columns as wide as the terminal. Loaded when somebody asks for it. */
// Tests: test/options/any-line.test.ts
import { describeFlag, groupOf, label } from './describe.ts';
import { COMMANDS, COMMON, flagsOf, isCommand, isFlag } from './flags.ts';
import type { CommandName, FlagName } from './flags.ts';
import { plainStyle } from '../platform/terminal-style.ts';
import type { Style } from '../platform/terminal-style.ts';
import { COMMAND_HELP, EXIT_STATUS_HELP } from './command-help.ts';
import type { Example } from './command-help.ts';
import { GROUPS } from './flag-help.ts';
import { FLAG_HELP } from './help.ts';

export interface HelpOptions {
  /** The name that the program was called by. */
  readonly program: string;
  /** Width of the terminal. Help is 80 to 100 columns wide; default 80. */
  readonly columns?: number | undefined;
  /** How headings and flags are set off. Default: they are not. */
  readonly style?: Style | undefined;
}

const MIN_COLUMNS = 80;
const MAX_COLUMNS = 100;

/** The space on the left of a row, and between its two columns. */
const INDENT = 2;
const GAP = 2;

/** What starts a row, and the text about it. */
type Row = readonly [label: string, text: string];

/** Help about a command, or about the program. */
export function helpText(
  name: CommandName | undefined,
  { program, columns = 0, style = plainStyle }: HelpOptions,
): string {
  const width = Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, columns));
  const exitStatus = table(
    'Exit status',
    EXIT_STATUS_HELP.map(([status, text]) => [String(status), text]),
    width,
  );
  if (name === undefined) {
    const parts = [
      `usage: ${program} COMMAND [FLAGS]`,
      'Temporary AWS credentials from an X.509 certificate.',
      table(
        'Commands',
        Object.keys(COMMANDS)
          .filter(isCommand)
          .map((command) => [`${program} ${command}`, COMMAND_HELP[command].summary]),
        width,
      ),
      ...flagTables(COMMON, width),
      `More about a command: ${program} COMMAND --help`,
      exitStatus,
    ];
    return styled(`${parts.join('\n\n')}\n`, style);
  }
  const { args, summary, text = `${summary}.`, examples } = COMMAND_HELP[name];
  const parts = [
    wrapped(['usage:', program, name, '[FLAGS]', args].filter((word) => word !== undefined).join(' '), width).join(
      '\n',
    ),
    wrapped(`${text.charAt(0).toUpperCase()}${text.slice(1)}`, width).join('\n'),
    ...flagTables(flagsOf(name), width, name),
    exitStatus,
    // Not wrapped, which would be where a shell does not continue a line.
    `Examples:\n${examples.map((example) => shown(example, program)).join('\n')}`,
  ];
  return styled(parts.join('\n\n'), style);
}

/** An example with what it is for above it, as a comment of a shell. */
function shown({ text, line }: Example, program: string): string {
  return `  # ${text}\n  ${program} ${line.join(' \\\n    ')}\n`;
}

/** Sets off headings, flags and the comments of examples. */
function styled(text: string, style: Style): string {
  return text
    .replaceAll(/^[A-Z][\w ]*:$/gm, (heading) => style('bold', heading))
    .replace(/^usage:/, (heading) => style('bold', heading))
    .replaceAll(/(?<=^ {2})--[\w-]+/gm, (flag) => style('cyan', flag));
}

/** Tables of flags, one for each group, in equal columns. */
function flagTables(flags: readonly FlagName[], width: number, command?: CommandName): string[] {
  const column = Math.max(...flags.map((flag) => label(flag).length)) + '--'.length;
  return GROUPS.map((group) => {
    // In the order of the help's own table.
    const members = Object.keys(FLAG_HELP)
      .filter(isFlag)
      .filter((flag) => flags.includes(flag) && groupOf(flag) === group);
    const rows = members.map((flag): Row => [`--${label(flag)}`.padEnd(column), describeFlag(flag, command)]);
    return rows.length === 0 ? '' : table(group, rows, width);
  }).filter((text) => text !== '');
}

/** Rows under a heading, each text wrapped within its column. */
function table(heading: string, rows: readonly Row[], width: number): string {
  const column = Math.max(...rows.map(([start]) => start.length));
  const margin = INDENT + column + GAP;
  const lines = rows.flatMap(([start, text]) =>
    wrapped(text, width - margin).map(
      (line, at) => `${' '.repeat(INDENT)}${at === 0 ? start : ''}`.padEnd(margin) + line,
    ),
  );
  return [`${heading}:`, ...lines].join('\n');
}

/** The lines of a text, which is broken at spaces, so that none is wider than `width` but for a word that is. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
