/**
 * Lines that are not ordinary: those that ask for help or the version, and those with something wrong. Loaded for them
 * only.
 */
import { RolesAnywhereError } from '../platform/errors.ts';
import { isCommand, takesFlag } from './flags.ts';
import type { CommandName } from './flags.ts';
import { complete, findProblem, readValues, scan } from './pflag.ts';
import type { Parsed } from './pflag.ts';
import { isOfShell, problemError, unknownCommand } from './problems.ts';
import type { HelpOptions } from './yargs.ts';

/** The outcome of a line: a command to run, or text to show. */
export type Outcome =
  | { readonly kind: 'run'; readonly parsed: Parsed }
  /** Help that was asked for, or `usage`: help because there was nothing to do. */
  | { readonly kind: 'help' | 'usage'; readonly text: string }
  | { readonly kind: 'version'; readonly compat: boolean };

export interface LineOptions extends Omit<HelpOptions, 'style'> {
  /** Whether the program was called as `aws_signing_helper`. */
  readonly compat: boolean;
  /** Whether standard output and standard error are terminals. Default: they are not. */
  readonly terminals?: { readonly stdout: boolean; readonly stderr: boolean } | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Reads any line.
 *
 * @throws RolesAnywhereError of class `usage`: the first thing that is wrong, in the order in which a person would
 * want to know: the command, its flags one by one, what excludes each other, what is missing
 */
export async function parseAny(tokens: readonly string[], options: LineOptions): Promise<Outcome> {
  const { program } = options;
  const line = scan(tokens);
  const wantsHelp = readValues(line.flags.filter(([flag]) => flag === 'help')).given.help === true;
  const compat = options.compat || readValues(line.flags.filter(([flag]) => flag === 'compat')).given.compat === true;
  const [first, ...rest] = compat && line.dashesAt === 0 ? [] : line.args;
  const asked = first === 'help';
  const name = asked ? rest[0] : first;
  if (name !== undefined && !isCommand(name)) throw unknownCommand(name, program);
  if (wantsHelp || asked) return { kind: 'help', text: await help(name, options) };
  const alien = name === undefined ? undefined : line.flags.find(([flag]) => !takesFlag(name, flag));
  // The flags of a second command are wrong because it is one.
  const joint = line.problem === undefined && alien === undefined ? undefined : rest.find(isOfShell);
  if (joint !== undefined && !compat)
    throw problemError({ kind: 'argument', argument: joint, maybeSecret: false }, name, program);
  if (line.problem !== undefined) throw problemError(line.problem, name, program);

  if (alien !== undefined) throw problemError({ kind: 'not-here', flag: alien[0] }, name, program);
  const { given, problem } = readValues(line.flags, name);
  if (problem !== undefined) throw problemError(problem, name, program);
  if (given.version === true) return { kind: 'version', compat };
  if (name === undefined) {
    // AWS's helper answers with its help wherever there is no command.
    if (compat) return { kind: 'help', text: await help(undefined, options) };
    if (tokens.length === 0) return { kind: 'usage', text: await help(undefined, options, 'stderr') };
    throw new RolesAnywhereError('ERR_USAGE', 'no command is given', { hint: `see ${program} --help` });
  }
  const selector = given['cert-selector'];
  if (typeof selector === 'string' && selector !== '' && takesFlag(name, 'cert-selector')) {
    const { loadSelector } = await import('../identity/selector.ts');
    loadSelector(selector);
  }
  const found = findProblem(name, given, rest, compat, line.dashesAt);
  if (found !== undefined) throw problemError(found, name, program, given);
  return { kind: 'run', parsed: complete(name, given, rest, compat) };
}

async function help(
  name: CommandName | undefined,
  options: LineOptions,
  stream: 'stdout' | 'stderr' = 'stdout',
): Promise<string> {
  const { helpText } = await import('./yargs.ts');
  const { styleOf } = await import('../platform/terminal-style.ts');
  const { terminals, env = {} } = options;
  return await helpText(name, { ...options, style: styleOf(terminals?.[stream] === true, env) });
}
