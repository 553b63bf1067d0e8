/** The text of the help, which yargs lays out. Loaded when somebody asks for it. */
// Tests: test/options/any-line.test.ts
import yargs from 'yargs';
import type { Argv } from 'yargs';
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

/** Help about a command, or about the program. */
export async function helpText(
  name: CommandName | undefined,
  { program, columns = 0, style = plainStyle }: HelpOptions,
): Promise<string> {
  // By default it asks for the working directory, of which nothing here has a use: it may be gone.
  const parser = yargs([], '/')
    .scriptName(program)
    .locale('en')
    .help(false)
    .version(false)
    .wrap(Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, columns)));
  let examples = '';
  if (name === undefined) {
    parser.usage(`usage: ${program} COMMAND [FLAGS]\n\nTemporary AWS credentials from an X.509 certificate.`);
    for (const command of Object.keys(COMMANDS).filter(isCommand)) {
      parser.command(command, COMMAND_HELP[command].summary);
    }
    describeFlags(parser, COMMON);
    parser.epilogue(`More about a command: ${program} COMMAND --help\n`);
  } else {
    const { args, summary, text = `${summary}.` } = COMMAND_HELP[name];
    const usage = [program, name, '[FLAGS]', args].filter((word) => word !== undefined).join(' ');
    parser.usage(`usage: ${usage}\n\n${text.charAt(0).toUpperCase()}${text.slice(1)}`);
    describeFlags(parser, flagsOf(name), name);
    // Not by yargs, which would wrap them where a shell does not continue a line.
    examples = `\nExamples:\n${COMMAND_HELP[name].examples.map((example) => shown(example, program)).join('\n')}`;
  }
  parser.epilogue(`Exit status:\n${EXIT_STATUS_HELP.map(([status, text]) => `  ${status}\t  ${text}`).join('\n')}`);
  return styled(`${await parser.getHelp()}\n${examples}`, style);
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

/** Adds flags to the help, by group. */
function describeFlags(parser: Argv, flags: readonly FlagName[], command?: CommandName): void {
  // yargs aligns each group by itself.
  const width = Math.max(...flags.map((flag) => label(flag).length));
  for (const group of GROUPS) {
    // In the order of the help's own table.
    const members = Object.keys(FLAG_HELP)
      .filter(isFlag)
      .filter((flag) => flags.includes(flag) && groupOf(flag) === group);
    for (const flag of members) parser.option(label(flag).padEnd(width), { describe: describeFlag(flag, command) });
    if (members.length > 0) {
      parser.group(
        members.map((flag) => label(flag).padEnd(width)),
        `${group}:`,
      );
    }
  }
}
