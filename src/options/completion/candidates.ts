/** The words that could stand where a person presses Tab, from the table of flags. */
import { ConfigFile, readConfigText } from '../config/file.ts';
import { configPath } from '../config/shared.ts';
import { COMMANDS, CONFLICTS, choicesOf, flagRow, flagsOf, isCommand, isFlag } from '../flags.ts';
import type { CommandName, FlagName } from '../flags.ts';
import { COMMAND_HELP } from '../command-help.ts';
import { FLAG_HELP } from '../help.ts';
import { COMPLETION_SHELLS } from './scripts.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Candidate = readonly [value: string, description: string];

/** Answers in place of candidates: the shell completes names of files, or of folders, by itself. */
const FILES = ':files\n';
const FOLDERS = ':folders\n';

/**
 * The candidates for the last of `words`, which follow the program's name:
 * a line each, with a tab and a description behind. A candidate replaces the
 * whole word, `--flag=` and all; only where bash has broken words at `=`, what
 * follows it.
 */
export function candidates(words: readonly string[], env: Environment): string {
  const before = words.slice(0, -1);
  const word = words.at(-1) ?? '';
  // bash makes words of their own of =, and of what follows.
  const assigned = word === '=' ? before.at(-1) : before.at(-1) === '=' ? before.at(-2) : undefined;
  if (assigned?.startsWith('--') === true) return values(assigned.slice(2), before, word === '=' ? '' : word, env);
  const attached = /^--([\w-]+)=(.*)$/s.exec(word);
  if (attached !== null) return values(attached[1] ?? '', before, attached[2] ?? '', env, `--${attached[1]}=`);
  const last = before.at(-1) ?? '';
  const flag = last.startsWith('--') ? last.slice(2) : '';
  if (isFlag(flag) && flagRow(flag).kind !== 'boolean' && flagRow(flag).bare === undefined)
    return values(flag, before, word, env);

  const args = positional(before);
  const [command] = args;
  const flags = (): string =>
    list(flagCandidates(command !== undefined && isCommand(command) ? command : undefined, before), word);
  if (command === 'exec' && before.includes('--')) return FILES;
  if (word.startsWith('-')) return flags();
  if (command === undefined) return list(commandCandidates(), word);
  if (args.length > 1) return flags();
  if (command === 'help') return list(commandCandidates(), word);
  if (command === 'completion')
    return list(
      COMPLETION_SHELLS.map((shell): Candidate => [shell, '']),
      word,
    );
  if (command === 'cache')
    return list(
      ['list', 'clear', 'path'].map((action): Candidate => [action, '']),
      word,
    );
  return command === 'link' ? FOLDERS : flags();
}

function values(flag: string, before: readonly string[], word: string, env: Environment, prefix = ''): string {
  if (!isFlag(flag)) return '';
  const [command] = positional(before);
  const choices = choicesOf(flag, command !== undefined && isCommand(command) ? command : undefined);
  if (choices !== undefined)
    return list(
      choices.map((choice): Candidate => [choice, '']),
      word,
      prefix,
    );
  if (flagRow(flag).kind === 'boolean')
    return list(
      [
        ['true', ''],
        ['false', ''],
      ],
      word,
      prefix,
    );
  const { value } = FLAG_HELP[flag];
  if (value === 'PROFILE')
    return list(
      profiles(env).map((name): Candidate => [name, '']),
      word,
      prefix,
    );
  return value === 'FILE' ? FILES : '';
}

/** A file that cannot be read has none: nobody wants an error at Tab. */
function profiles(env: Environment): string[] {
  try {
    return new ConfigFile(readConfigText(configPath(env))).profiles();
  } catch {
    return [];
  }
}

/** Words that are neither flags nor their values. */
function positional(words: readonly string[]): string[] {
  const found: string[] = [];
  const rest = words.values();
  for (const word of rest) {
    const name = word.slice(2);
    if (!word.startsWith('--')) found.push(word);
    else if (isFlag(name) && flagRow(name).kind !== 'boolean' && flagRow(name).bare === undefined) {
      // bash: --flag = value
      if (rest.next().value === '=') rest.next();
    } else if (word === '--') return [...found, ...rest];
  }
  return found;
}

function commandCandidates(): Candidate[] {
  return Object.keys(COMMANDS)
    .filter(isCommand)
    .map((command): Candidate => [command, COMMAND_HELP[command].summary]);
}

/** Flags that may still be given. */
function flagCandidates(command: CommandName | undefined, before: readonly string[]): Candidate[] {
  const given = new Set(before.flatMap((word) => (word.startsWith('--') ? [word.slice(2).replace(/=.*$/s, '')] : [])));
  const excluded = (flag: FlagName): boolean =>
    CONFLICTS.some(([one, other]) => (one === flag && given.has(other)) || (other === flag && given.has(one)));
  const flags = command === undefined ? (['help', 'version'] as const) : flagsOf(command);
  return flags
    .filter((flag) => (flagRow(flag).kind === 'list' || !given.has(flag)) && !excluded(flag))
    .map((flag): Candidate => [`--${flag}`, FLAG_HELP[flag].text]);
}

function list(all: readonly Candidate[], word: string, prefix = ''): string {
  return all
    .filter(([value]) => value.startsWith(word))
    .map(([value, description]) => `${prefix}${value}${description === '' ? '' : `\t${description}`}\n`)
    .join('');
}
