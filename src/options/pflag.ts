/**
 * The grammar of the command line, which is that of Go's pflag (the lines that
 * people already have were written for it), and what the table asks of a line.
 * It says what is wrong as a value; problems.ts, which an ordinary run does
 * not load, says it in words.
 */
import type { FlagValues } from './flag-values.ts';
import {
  CONFLICTS,
  HOP,
  STORE_CONFLICTS,
  choicesOf,
  commandRow,
  flagRow,
  isCommand,
  isFlag,
  takesFlag,
} from './flags.ts';
import type { CommandName, FlagName, FlagValue } from './flags.ts';

/** A fault of a command line. */
export type Problem =
  | { readonly kind: 'unknown-flag'; readonly name: string }
  | { readonly kind: 'syntax'; readonly token: string }
  | { readonly kind: 'no-value'; readonly flag: FlagName }
  | { readonly kind: 'bad-value'; readonly flag: FlagName; readonly value: string }
  | { readonly kind: 'not-here'; readonly flag: FlagName }
  | { readonly kind: 'argument'; readonly argument: string; readonly maybeSecret: boolean }
  | { readonly kind: 'broken-line'; readonly flag: string }
  | { readonly kind: 'conflict'; readonly flags: readonly [FlagName, FlagName] }
  | { readonly kind: 'missing'; readonly flags: readonly (FlagName | readonly FlagName[])[] }
  | { readonly kind: 'empty'; readonly flag: FlagName }
  | { readonly kind: 'no-command' }
  | { readonly kind: 'no-dashes' };

/** A line taken apart: each flag with the text of its value, in order; the first fault ends it. */
export interface Line {
  readonly flags: readonly (readonly [FlagName, string])[];
  readonly args: readonly string[];
  readonly problem?: Problem;
  /** How many arguments stand before `--`, if it is there. None: upstream sees no command behind it. */
  readonly dashesAt?: number | undefined;
}

/** The values of the flags that were given, empty ones among them. */
export type Given = { readonly [F in FlagName]?: FlagValue | undefined };

/** A line that a command can run with. */
export interface Parsed {
  readonly command: CommandName;
  /** The values that were given and are not empty, and the table's defaults. */
  readonly flags: FlagValues;
  /** Positional arguments, without the command's name. */
  readonly args: readonly string[];
  /** Whether the program stands in for `aws_signing_helper`. */
  readonly compat: boolean;
}

/**
 * Takes a line apart. `--flag value`, `--flag=value` and, for a boolean,
 * `--flag` alone: a boolean (or a flag with a value for standing bare) never takes the next token, any other flag takes
 * it whatever it looks like. `-` is an argument or a value, `--` ends the
 * flags, and flags and arguments may be mixed.
 */
export function scan(tokens: readonly string[]): Line {
  const flags: [FlagName, string][] = [];
  const args: string[] = [];
  let dashesAt: number | undefined;
  const rest = tokens.values();
  for (const token of rest) {
    if (token === '--') {
      dashesAt = args.length;
      args.push(...rest);
    } else if (token.length < 2 || !token.startsWith('-')) {
      args.push(token);
    } else if (token === '-h' || token === '-v') {
      flags.push([token === '-h' ? 'help' : 'version', 'true']);
    } else {
      const equals = token.indexOf('=');
      const name = equals < 0 ? token.slice(2) : token.slice(2, equals);
      if (!token.startsWith('--') || name === '' || name.startsWith('-')) {
        return { flags, args, problem: { kind: 'syntax', token } };
      }
      if (!isFlag(name)) return { flags, args, problem: { kind: 'unknown-flag', name } };
      const value = equals < 0 ? valueAfter(name, rest) : token.slice(equals + 1);
      if (value === undefined) return { flags, args, problem: { kind: 'no-value', flag: name } };
      flags.push([name, value]);
    }
  }
  return { flags, args, dashesAt };
}

/** The value of a flag that has none attached. */
function valueAfter(name: FlagName, rest: Iterator<string, undefined>): string | undefined {
  const { kind, bare } = flagRow(name);
  return kind === 'boolean' ? 'true' : (bare ?? rest.next().value);
}

/** The words of Go's strconv.ParseBool. */
const TRUE = /^(?:1|[tT]|true|TRUE|True)$/;
const FALSE = /^(?:0|[fF]|false|FALSE|False)$/;

/** The values that texts mean to `command`, if there is one: the last repeat of a flag wins, and a list gathers all. */
export function readValues(flags: Line['flags'], command?: CommandName): { given: Given; problem?: Problem } {
  const given: Partial<Record<FlagName, FlagValue>> = {};
  for (const [flag, text] of flags) {
    const value = readValue(flag, text, given[flag], choicesOf(flag, command));
    if (value === undefined) return { given, problem: { kind: 'bad-value', flag, value: text } };
    given[flag] = value;
  }
  return { given };
}

function readValue(
  flag: FlagName,
  text: string,
  before: FlagValue | undefined,
  choices: readonly string[] | undefined,
): FlagValue | undefined {
  const { kind } = flagRow(flag);
  if (kind === 'boolean') return TRUE.test(text) || (FALSE.test(text) ? false : undefined);
  // Decimal, and nothing that Go would read as octal; no longer than what a JavaScript number holds exactly.
  if (kind === 'integer') return /^(?:0|-?[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
  if (kind === 'list') return [...(typeof before === 'object' ? before : []), text];
  return choices === undefined || choices.includes(text) ? text : undefined;
}

/** The first fault of a well-formed line that `command` cannot run with. The most telling kind comes first. */
export function findProblem(
  command: CommandName,
  given: Given,
  args: readonly string[],
  compat: boolean,
  dashesAt?: number,
): Problem | undefined {
  const row = commandRow(command);
  const names = Object.keys(given).filter(isFlag);
  const alien = names.find((name) => !takesFlag(command, name));
  if (alien !== undefined) return { kind: 'not-here', flag: alien };
  if (row.runs === true) {
    // The first is this program's own command.
    if (args.length === 0) return { kind: 'no-command' };
    if (dashesAt !== 1) return { kind: 'no-dashes' };
  }
  // A backslash with a blank behind it joins the next line to that blank: what was to be a flag would do nothing unseen.
  const own = row.runs === true ? [] : args;
  const [, broken] = own.map((arg) => /^\s+(--[\w-]*)/.exec(arg)).find((found) => found !== null) ?? [];
  if (broken !== undefined) return { kind: 'broken-line', flag: broken };
  const extra = args[row.args ?? 0];
  // Upstream lets stray arguments pass, as in `--debug false`; cli.ts warns of them.
  if (extra !== undefined && !compat) {
    return { kind: 'argument', argument: extra, maybeSecret: names.some((name) => flagRow(name).secret === true) };
  }
  // Not taken apart as a pattern, which goes by an iterator: of the pairs, few ever have their first.
  const conflicting = (pair: readonly [FlagName, FlagName]): boolean =>
    given[pair[0]] !== undefined && given[pair[1]] !== undefined;
  const has = (name: FlagName): boolean => {
    const value = given[name];
    return value !== undefined && !isEmpty(value);
  };
  const flags =
    CONFLICTS.find(conflicting) ?? (compat || !has('certificate') ? STORE_CONFLICTS.find(conflicting) : undefined);
  if (flags !== undefined) return { kind: 'conflict', flags };
  // What a shell makes of a variable that is not set: without it, more would be allowed than was meant.
  const hollow = HOP.find((name) => [given[name]].flat().includes(''));
  if (hollow !== undefined) return { kind: 'empty', flag: hollow };
  const { required = [], perRole } = row;
  const missing = required.filter((need) =>
    typeof need === 'string'
      ? !has(need) && !(perRole?.includes(need) === true && has('role'))
      : !need.some((name) => has(name)),
  );
  return missing.length > 0 ? { kind: 'missing', flags: missing } : undefined;
}

/** Leaves out what is empty, which counts as not given, as upstream, and puts the defaults in. */
export function complete(command: CommandName, given: Given, args: readonly string[], compat: boolean): Parsed {
  const { defaults, compatDefaults } = commandRow(command);
  const flags: Partial<Record<FlagName, FlagValue>> = { ...defaults, ...(compat ? compatDefaults : {}) };
  for (const name of Object.keys(given).filter(isFlag)) {
    const value = given[name];
    if (value !== undefined && !isEmpty(value))
      flags[name] = typeof value === 'object' ? value.filter((item) => item !== '') : value;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- readValue gave each the type of its kind
  return { command, flags: flags as FlagValues, args, compat };
}

function isEmpty(value: FlagValue): boolean {
  return value === '' || (typeof value === 'object' && value.every((item) => item === ''));
}

/**
 * Reads an ordinary line, on which everything is right. Anything else gives
 * undefined: any-line.ts then decides what it comes to.
 *
 * @param compat whether the program was called as `aws_signing_helper`
 */
export function parseOrdinary(tokens: readonly string[], compat: boolean): Parsed | undefined {
  const line = scan(tokens);
  const [command, ...args] = line.args;
  if (line.problem !== undefined || command === undefined || !isCommand(command)) return undefined;
  const { given, problem } = readValues(line.flags, command);
  if (problem !== undefined || given.help === true || given.version === true) return undefined;
  // It has a grammar of its own, which is looked at there.
  if (given['cert-selector'] !== undefined) return undefined;
  const asHelper = compat || given.compat === true;
  if (asHelper && line.dashesAt === 0) return undefined;
  return findProblem(command, given, args, asHelper, line.dashesAt) === undefined
    ? complete(command, given, args, asHelper)
    : undefined;
}
