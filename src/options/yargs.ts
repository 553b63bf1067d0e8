/**
 * The full parser and the help, by yargs. An ordinary line never gets here,
 * because loading yargs costs more than the rest of a run.
 *
 * yargs cannot be set up to read pflag's grammar: it takes the `false` of
 * `--debug false` for a value, `--debug=1` for false, a single dash for two,
 * and strips quotes from values. So it gets each flag and its value as pflag.ts
 * tells them apart, in a form that leaves it nothing to guess.
 */
import yargs from 'yargs';
import type { Argv } from 'yargs';
import { RolesAnywhereError } from '../platform/errors.ts';
import { COMMANDS, COMMON, flagsOf, isCommand, isFlag, takesFlag } from './flags.ts';
import type { CommandName, FlagName } from './flags.ts';
import { describeFlag, groupOf, label } from './describe.ts';
import { COMMAND_HELP, EXIT_STATUS_HELP, FLAG_HELP, GROUPS } from './help.ts';
import { complete, findProblem, readValues, scan } from './pflag.ts';
import type { Line, Parsed } from './pflag.ts';
import { problemError, unknownCommand } from './problems.ts';

/** What a line comes to: a command to run, or text to show. */
export type Outcome =
  | { readonly kind: 'run'; readonly parsed: Parsed }
  /** Help that was asked for, or `usage`: help because there was nothing to do. */
  | { readonly kind: 'help' | 'usage'; readonly text: string }
  | { readonly kind: 'version' };

export interface FullParserOptions {
  /** The name that the program was called by. */
  readonly program: string;
  /** Whether that is `aws_signing_helper`. */
  readonly compat: boolean;
  /** Width of the terminal. Help is 80 to 100 columns wide; default 80. */
  readonly columns?: number | undefined;
}

/**
 * Reads any line.
 *
 * @throws RolesAnywhereError of class `usage`: the first thing that is wrong, in the order in which a person would
 * want to know: the command, its flags one by one, what excludes each other, what is missing
 */
export async function parseFully(tokens: readonly string[], options: FullParserOptions): Promise<Outcome> {
  const { program } = options;
  const line = scan(tokens);
  const wantsHelp = readValues(line.flags.filter(([flag]) => flag === 'help')).given.help === true;
  const [first, ...rest] = line.args;
  const asked = first === 'help';
  const name = asked ? rest[0] : first;
  if (name !== undefined && !isCommand(name)) throw unknownCommand(name, program);
  if (wantsHelp || asked) return { kind: 'help', text: await helpText(name, options) };
  if (line.problem !== undefined) throw problemError(line.problem, name, program);

  const { given, problem } = readValues(name === undefined ? line.flags : readByYargs(name, line, program), name);
  if (problem !== undefined) throw problemError(problem, name, program);
  if (given.version === true) return { kind: 'version' };
  if (name === undefined) {
    if (tokens.length === 0) return { kind: 'usage', text: await helpText(undefined, options) };
    throw new RolesAnywhereError('ERR_USAGE', 'no command is given', { hint: `see ${program} --help` });
  }
  const selector = given['cert-selector'];
  if (typeof selector === 'string' && selector !== '' && takesFlag(name, 'cert-selector')) {
    const { loadSelector } = await import('./selector.ts');
    await loadSelector(selector);
  }
  const compat = options.compat || given.compat === true;
  const found = findProblem(name, given, rest, compat);
  if (found !== undefined) throw problemError(found, name, program);
  return { kind: 'run', parsed: complete(name, given, rest, compat) };
}

/** The flags of a line as yargs understands them, in the order in which each first appears. */
function readByYargs(command: CommandName, line: Line, program: string): Line['flags'] {
  const alien = line.flags.find(([flag]) => !takesFlag(command, flag));
  if (alien !== undefined) throw problemError({ kind: 'not-here', flag: alien[0] }, command, program);
  const parser = bare(program)
    .strictOptions()
    .fail((message: string, error: Error | undefined) => {
      throw error ?? new RolesAnywhereError('ERR_USAGE', message);
    });
  for (const flag of flagsOf(command)) parser.option(flag, { string: true, nargs: 1 });
  const argv = parser.parseSync(line.flags.flatMap(([flag, value]) => [`--${flag}`, value]));
  return Object.entries(argv).flatMap(([key, values]) =>
    isFlag(key) ? [values].flat().map((value): [FlagName, string] => [key, String(value)]) : [],
  );
}

/** A yargs that adds nothing of its own: no negation, no other spellings, no numbers, no language but English. */
function bare(program: string): Argv {
  return yargs([])
    .scriptName(program)
    .locale('en')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'nargs-eats-options': true,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .help(false)
    .version(false)
    .exitProcess(false);
}

const MIN_COLUMNS = 80;
const MAX_COLUMNS = 100;

/** Help about a command, or about the program. */
async function helpText(name: CommandName | undefined, { program, columns = 0 }: FullParserOptions): Promise<string> {
  const parser = bare(program).wrap(Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, columns)));
  let example = '';
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
    // Not by yargs, which would wrap it where a shell does not continue a line.
    example = `\nExample:\n  ${program} ${COMMAND_HELP[name].example.join(' \\\n    ')}\n`;
  }
  parser.epilogue(`Exit status:\n${EXIT_STATUS_HELP.map(([status, text]) => `  ${status}\t  ${text}`).join('\n')}`);
  return `${await parser.getHelp()}\n${example}`;
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
