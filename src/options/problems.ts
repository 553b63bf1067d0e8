/** Words for the faults of a command line, and what to do about each. */
// Tests: test/options/any-line.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { COMMANDS, FLAGS, choicesOf, flagRow, flagsOf, isCommand, isFlag } from './flags.ts';
import type { CommandName, FlagName } from './flags.ts';
import type { Given, Problem } from './pflag.ts';
import { nearest } from '../platform/suggest.ts';

/** An error for a word that is not a command. */
export function unknownCommand(name: string, program: string): RolesAnywhereError {
  const known = nearest(name, Object.keys(COMMANDS));
  return new RolesAnywhereError('ERR_UNKNOWN_COMMAND', `unknown command ${JSON.stringify(name)}`, {
    hint: known === undefined ? `see ${program} --help` : `did you mean ${known}`,
  });
}

/**
 * An error for a line of `command`, or of no command.
 *
 * @param given the values of its flags, as far as they were read
 */
export function problemError(
  problem: Problem,
  command: CommandName | undefined,
  program: string,
  given: Given = {},
): RolesAnywhereError {
  const [taker, taken] =
    (problem.kind === 'argument' || problem.kind === 'missing' ? takenFlag(given) : undefined) ?? [];
  if (taker !== undefined)
    return new RolesAnywhereError('ERR_FLAG_VALUE', `--${taker} needs a value, and --${taken} follows it`, {
      flag: `--${taker}`,
      hint: `a flag takes the word behind it for its value, whatever it is: give --${taker} one, or leave it out`,
    });
  const help = `see ${program} ${command === undefined ? '' : `${command} `}--help`;
  switch (problem.kind) {
    case 'unknown-flag': {
      const name = nameIn(problem.name);
      return new RolesAnywhereError('ERR_UNKNOWN_FLAG', `unknown flag ${shownFlag(`--${problem.name}`)}`, {
        hint: isFlag(name)
          ? `--${name} and its value are one word here: make two of it, or put = between them`
          : (suggestFlag(name, command) ?? help),
      });
    }
    case 'not-here':
      return new RolesAnywhereError('ERR_UNKNOWN_FLAG', `${command} does not take --${problem.flag}`, {
        flag: `--${problem.flag}`,
        hint: hintElsewhere(problem.flag, command) ?? suggestFlag(problem.flag, command) ?? help,
      });
    case 'syntax': {
      const name = nameIn(problem.token.replace(/^-+/, ''));
      return new RolesAnywhereError('ERR_UNKNOWN_FLAG', `${shownFlag(problem.token)} is not a flag`, {
        hint: isFlag(name) ? `flags have two dashes: --${name}` : help,
      });
    }
    case 'no-value':
      return new RolesAnywhereError('ERR_FLAG_VALUE', `--${problem.flag} needs a value, and the line ends after it`, {
        flag: `--${problem.flag}`,
        hint: help,
      });
    case 'bad-value':
      return badValue(problem.flag, problem.value, command);
    case 'argument':
      // It may be what a space cut off a password.
      if (problem.maybeSecret) {
        return new RolesAnywhereError('ERR_USAGE', 'unexpected argument', { hint: 'quote a value that holds spaces' });
      }
      return new RolesAnywhereError('ERR_USAGE', `unexpected argument ${JSON.stringify(problem.argument)}`, {
        hint: argumentHint(problem.argument, command, given),
      });
    case 'broken-line':
      return new RolesAnywhereError('ERR_USAGE', `blanks in front of ${problem.flag} make it an argument`, {
        hint: 'look for a backslash at the end of a line with a blank behind it, and take the blank away; in a folded text of YAML (>), which joins lines by itself, take the backslash away',
      });
    case 'conflict': {
      const [one, other] = problem.flags;
      return new RolesAnywhereError('ERR_FLAG_CONFLICT', `--${one} and --${other} exclude each other`, {
        flag: [`--${one}`, `--${other}`],
        hint: 'leave one of them out',
      });
    }
    case 'missing': {
      const names = problem.flags.map((need) => {
        return [need]
          .flat()
          .map((name) => `--${name}`)
          .join(' or ');
      });
      const what = names.length > 1 ? 'flags' : 'flag';
      return new RolesAnywhereError('ERR_FLAG_REQUIRED', `missing ${what}: ${names.join(', ')}`, { hint: help });
    }
    case 'no-command':
      return new RolesAnywhereError('ERR_USAGE', 'no command to run is given', {
        hint: `write it behind --: ${program} ${command} [FLAGS] -- COMMAND`,
      });
    case 'no-dashes':
      return new RolesAnywhereError('ERR_USAGE', 'the command to run stands behind --', {
        hint: `else its flags would be taken for those of ${program}: ${program} ${command} [FLAGS] -- COMMAND`,
      });
    case 'empty':
      break;
  }
  return new RolesAnywhereError('ERR_FLAG_VALUE', `--${problem.flag} is empty`, {
    flag: `--${problem.flag}`,
    hint: 'a variable that is not set is empty: give a value, or leave the flag out',
  });
}

/** A flag whose value is the name of another, which was to follow it: its own is missing. */
function takenFlag(given: Given): readonly [taker: string, taken: string] | undefined {
  for (const [flag, value] of Object.entries(given))
    for (const text of [value].flat()) {
      const name = typeof text === 'string' ? /^--([\w-]+)(?:=|$)/.exec(text)?.[1] : undefined;
      if (name !== undefined && isFlag(name)) return [flag, name];
    }
  return undefined;
}

/** Whether an argument is what a shell would have read as the end of a command, as a pipe or as a redirection. */
export function isOfShell(argument: string): boolean {
  return /^(?:;|&&?|\|\|?|\d?>{1,2}(?:&\d|\S*)|<\S*)$/.test(argument);
}

/** What an argument that belongs to no flag may be there for. */
function argumentHint(argument: string, command: CommandName | undefined, given: Given): string {
  if (/^(?:true|false)$/i.test(argument)) return `a flag that is on or off takes its value as in --debug=${argument}`;
  if (/^(?:\s*\\\s*|\s+)$/.test(argument))
    return 'a backslash joins lines only as the last character of one, and for a shell: in a folded text of YAML (>), a unit or a config file, look where the line ends';
  if (isOfShell(argument))
    return 'what starts this line is no shell, so a second command, a pipe or a redirection is an argument: call a script that does it';
  if (isCommand(argument)) return `a line has one command: give ${argument} a line of its own`;
  const flag =
    command === undefined
      ? undefined
      : flagFor(
          argument,
          flagsOf(command).filter((name) => given[name] === undefined),
        );
  return flag === undefined
    ? 'quote a value that holds spaces'
    : `a value stands behind its flag: --${flag} ${argument}`;
}

/** By the end of a file's name, the flags that it is the first of a command's for. */
const FILES: readonly (readonly [RegExp, readonly FlagName[]])[] = [
  [/\.(?:pem|crt|cer|der|p12|pfx)$/i, ['certificate', 'trust-anchor']],
  [/\.key$/i, ['private-key']],
  [/\.(?:ya?ml|json)$/i, ['world']],
];

/** The flag that an argument looks like the value of. */
function flagFor(argument: string, flags: readonly FlagName[]): FlagName | undefined {
  const kind = /^arn:[\w-]+:(?:iam|rolesanywhere):[^:]*:\d*:(role|profile|trust-anchor)\/[\w+=,.@/-]+$/.exec(
    argument,
  )?.[1];
  if (kind !== undefined) return flags.find((flag) => flag === `${kind}-arn` || flag === `assume-${kind}-arn`);
  const ofFile = FILES.find(([end]) => end.test(argument))?.[1];
  if (ofFile !== undefined)
    return /^[\w./~-]+$/.test(argument) ? flags.find((flag) => ofFile.includes(flag)) : undefined;
  return /^[\w.-]+$/.test(argument) && flags.includes('profile') ? 'profile' : undefined;
}

/** Names that AWS's CLI, SDKs and config files have for our flags, and that no misspelling leads to. */
const AWS_NAMES: Readonly<Record<string, FlagName>> = {
  'use-fips-endpoint': 'use-fips',
  'use-dualstack-endpoint': 'use-dualstack',
  'use-dual-stack-endpoint': 'use-dualstack',
  'endpoint-url': 'endpoint',
};

/** The flag that AWS's tools call by another name. */
export function flagOfAws(name: string): FlagName | undefined {
  return Object.hasOwn(AWS_NAMES, name) ? AWS_NAMES[name] : undefined;
}

/** Of an identity, to a command that starts from credentials. */
const IDENTITY: ReadonlySet<FlagName> = new Set([
  'certificate',
  'private-key',
  'intermediates',
  'trust-anchor-arn',
  'profile-arn',
]);

/** What a flag is called in this command, or which command takes it. */
function hintElsewhere(flag: FlagName, command: CommandName | undefined): string | undefined {
  if (command !== 'assume-role') return undefined;
  if (flag === 'role-arn') return 'did you mean --assume-role-arn';
  return IDENTITY.has(flag)
    ? 'it starts from credentials that are there: to start from a certificate, give --assume-role-arn to credential-process'
    : undefined;
}

function suggestFlag(name: string, command: CommandName | undefined): string | undefined {
  // Other spellings of the dashes between words are nearer than any other mistake.
  const plain = name.replaceAll(/[A-Z]/g, '-$&').replaceAll('_', '-').toLowerCase();
  const flags: readonly string[] = command === undefined ? Object.keys(FLAGS) : flagsOf(command);
  const known = flags.find((flag) => flag === flagOfAws(plain)) ?? nearest(plain, flags);
  return known === undefined ? undefined : `did you mean --${known}`;
}

/** An error for a value that a flag does not take. */
export function badValue(flag: FlagName, value: string, command: CommandName | undefined): RolesAnywhereError {
  const { kind } = flagRow(flag);
  const error = (what: string, hint: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_FLAG_VALUE', `--${flag} ${what}`, { flag: `--${flag}`, hint });
  if (kind === 'boolean')
    return error(`is true or false, not ${JSON.stringify(value)}`, `give --${flag} or --${flag}=false`);
  if (kind === 'integer')
    return error(`is not a whole number in decimal digits: ${JSON.stringify(value)}`, decimalHint(flag, value));
  const choices = choicesOf(flag, command) ?? [];
  const known = choices.find((choice) => choice.toLowerCase() === value.toLowerCase());
  return error(
    `does not take ${JSON.stringify(value)}`,
    known === undefined ? `it takes ${choices.join(', ')}` : `did you mean ${known}`,
  );
}

/** AWS's helper reads numbers as Go does, in any base that their beginning names: 03600 is octal there. */
function decimalHint(flag: FlagName, value: string): string {
  const [, sign = '', digits = ''] = /^([+-]?)(\w+)$/.exec(value) ?? [];
  const plain = digits.replaceAll('_', '');
  const octal = /^0[0-7]+$/.test(plain) ? `0o${plain.slice(1)}` : plain;
  const number = /^(?:0x[\da-f]+|0o[0-7]+|0b[01]+|\d+)$/i.test(octal) ? Number(octal) : Number.NaN;
  if (!Number.isSafeInteger(number)) return 'write it in decimal digits';
  const written = `${sign === '-' ? '-' : ''}${number}`;
  const other = octal === plain ? '' : `, which aws_signing_helper takes it for, or --${flag} ${Number(plain)}`;
  return `write --${flag} ${written}${other}`;
}

/** The beginning of a token that can be a flag's name: what follows may be its value, where a blank or a colon is for `=`. */
function nameIn(token: string): string {
  return /^[\w.$-]*/.exec(token)?.[0] ?? '';
}

/** A token in a message, without its value, which may be a password: also where it has one letter, as in `-psecret`. */
function shownFlag(token: string): string {
  if (token.includes('=')) return token.replace(/[^\w.$-].*$/s, '=...');
  const name = nameIn(token);
  const isLetter = /^-\w/.test(name) && !isFlag(name.slice(1)) && suggestFlag(name.slice(1), undefined) === undefined;
  const shown = isLetter ? name.slice(0, 2) : name;
  return shown === token ? token : `${shown}...`;
}
