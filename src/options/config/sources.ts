/**
 * The sources of values besides the command line: the environment and a profile of the AWS config file. Names and forms follow
 * from the table of flags.
 */
// Tests: test/options/config/configured.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { FLAGS, HOP, flagRow, isFlag, takesFlag } from '../flags.ts';
import type { CommandName, FlagItem, FlagName, FlagValue } from '../flags.ts';
import { readValues } from '../pflag.ts';
import { badValue, flagOfAws } from '../problems.ts';
import { nearest } from '../../platform/suggest.ts';
import { strictly } from './attempt.ts';
import type { Attempt } from './attempt.ts';
import type { ConfigFile, ConfigSection } from './file.ts';
import { keyError } from './ini.ts';
import { SECTION_KEYS, rolesInSections } from './role-sections.ts';
import type { ProfileText } from './role-sections.ts';
import { splitWords } from './words.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The origin of a value: the command line, a variable, a key of a profile, or the table. */
export interface Origin {
  readonly kind: 'command line' | 'environment' | 'profile' | 'default';
  readonly name?: string | undefined;
  readonly profile?: string;
  readonly file?: string;
  readonly line?: number;
}

export interface Setting {
  readonly value: FlagValue;
  readonly origin: Origin;
  /** One of AWS's own variables, which is read where its flag is: here it only outranks. */
  readonly passive?: true;
}

/** All that one source gives. */
export type Source = ReadonlyMap<FlagName, Setting>;

/** Flags that are not left out by being empty. */
const MEANT: ReadonlySet<string> = new Set(HOP);
const NOT_OUTSIDE: ReadonlySet<FlagName> = new Set(['help', 'version', 'print-config']);
const PREFIX = 'ROLES_ANYWHERE_';
const KEY_PREFIX = 'rolesanywhere_';
/** Other spellings of it, which would be passed over in silence. */
const LIKE_KEY = /^(?!rolesanywhere_)roles[-_.]?anywhere[-_.]?(?=\w)/i;
/** Variables under the prefix that stand for no flag. */
const OTHER_VARIABLES = new Set(['PKCS11_PIN', 'STATE_DIR']);

/** The environment variable of a flag; undefined for the few that only a command line takes. */
export function variableOf(flag: FlagName): string | undefined {
  return NOT_OUTSIDE.has(flag) ? undefined : `${PREFIX}${flag.toUpperCase().replaceAll('-', '_')}`;
}

/** The key of a flag in a profile; undefined for the few that a profile cannot set. */
export function keyOf(flag: FlagName): string | undefined {
  return NOT_OUTSIDE.has(flag) || flag === 'config-profile' ? undefined : `${KEY_PREFIX}${flag.replaceAll('-', '_')}`;
}

/**
 * The values that the environment gives to the flags of a command. An empty variable counts as not set, but for those of
 * a role to go on to, where it is the mistake that an empty flag is.
 */
export function environmentSource(env: Environment, command: CommandName, attempt: Attempt): Source {
  const source = new Map<FlagName, Setting>();
  for (const flag of Object.keys(FLAGS).filter(isFlag)) {
    const name = variableOf(flag);
    const text = name === undefined ? undefined : env[name];
    if (name === undefined || text === undefined || !takesFlag(command, flag)) continue;
    const origin: Origin = { kind: 'environment', name };
    if (text !== '') {
      const value = attempt(() => valueOf(flag, text, command, origin));
      if (value !== undefined) source.set(flag, { value, origin });
    } else if (MEANT.has(flag)) source.set(flag, { value: '', origin });
  }
  return source;
}

/** Warnings about variables that look like a flag's and are none's. */
export function strayVariables(env: Environment): string[] {
  const known = Object.keys(FLAGS)
    .filter(isFlag)
    .flatMap((flag) => variableOf(flag)?.slice(PREFIX.length) ?? []);
  return Object.keys(env).flatMap((name) => {
    const rest = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
    if (rest === '' || known.includes(rest) || OTHER_VARIABLES.has(rest)) return [];
    const meant = nearest(rest, known);
    return meant === undefined ? [] : [`${name} is the variable of no flag: did you mean ${PREFIX}${meant}`];
  });
}

/** The values that a profile gives to the flags of a command, and the first of all its keys that holds a secret. */
export interface ProfileSource {
  readonly settings: Source;
  readonly secretKey: string | undefined;
}

/**
 * Reads a profile's `rolesanywhere_` keys. Those of flags that the command does not take are left alone.
 *
 * @throws RolesAnywhereError `ERR_CONFIG_PROFILE`, `ERR_CONFIG_KEY`, `ERR_CONFIG_FILE`, `ERR_FLAG_VALUE`
 */
export function profileSource(
  file: ConfigFile,
  profile: string,
  command: CommandName,
  attempt: Attempt,
): ProfileSource {
  const settings = new Map<FlagName, Setting>();
  let secretKey: string | undefined;
  const texts = profileTexts(file, profile, attempt);
  for (const { flag, text, name, line } of texts) {
    if (flagRow(flag).secret === true) secretKey ??= name;
    if (!takesFlag(command, flag)) continue;
    const origin: Origin = { kind: 'profile', name, profile, file: file.path, line };
    const value = attempt(() =>
      SECTION_KEYS.get(name) === flag
        ? rolesInSections(file, flag, text, line, (of, named) => profileTexts(of, named, strictly))
        : valueOf(flag, text, command, origin),
    );
    if (value === undefined) continue;
    const before = settings.get(flag);
    if (before === undefined || !Array.isArray(before.value) || !Array.isArray(value))
      settings.set(flag, { value, origin });
    // Roles in a list of their own come before those in sections.
    else settings.set(flag, { value: [...list(before.value), ...list(value)], origin: before.origin });
  }
  return { settings, secretKey };
}

function list(value: FlagValue): readonly (string | FlagItem)[] {
  return typeof value === 'object' ? value : [];
}

/** All `rolesanywhere_` keys of a profile, checked to be keys of flags. */
function profileTexts(file: ConfigFile, profile: string, attempt: Attempt): ProfileText[] {
  const section: ConfigSection = file.profile(profile);
  const flags = new Map(
    Object.keys(FLAGS)
      .filter(isFlag)
      .flatMap((flag) => {
        const name = keyOf(flag);
        return name === undefined ? [] : [[name, flag] as const];
      }),
  );
  for (const [name, flag] of SECTION_KEYS) if (isFlag(flag)) flags.set(name, flag);
  const unknown: UnknownKey[] = [...section.lines(LIKE_KEY)].map(([name, line]) => {
    const rest = name.replace(LIKE_KEY, '').replaceAll(/[-.]/g, '_').toLowerCase();
    return { name, rest, line };
  });
  const texts: ProfileText[] = [];
  for (const [name, { value: text, line }] of section.all(KEY_PREFIX)) {
    const flag = flags.get(name);
    if (flag === undefined) unknown.push({ name, rest: name.slice(KEY_PREFIX.length), line });
    else texts.push({ flag, text, name, line });
  }
  attempt(() => {
    if (unknown.length > 0) throw unknownKeys(unknown, file.path, [...flags.keys()]);
  });
  for (const [name, line] of section.lines(new RegExp(`^${KEY_PREFIX}`))) {
    const flag = flags.get(name);
    if (flag !== undefined && MEANT.has(flag) && !texts.some((text) => text.name === name))
      attempt(() => {
        throw keyError(file.path, line, `${name} is empty`, 'give a value, or remove the line');
      });
  }
  return texts;
}

/** A key that looks like a flag's, and what follows its prefix, as a key would have it. */
interface UnknownKey {
  readonly name: string;
  readonly rest: string;
  readonly line: number;
}

/** The error for keys of no flag: all of them, in the order of their lines, for they are often of one mistake. */
function unknownKeys(unknown: readonly UnknownKey[], path: string, known: readonly string[]): RolesAnywhereError {
  const faults = unknown
    .toSorted((one, other) => one.line - other.line)
    .map(({ name, rest, line }) => {
      const own = rest.replaceAll('_', '-');
      if (isFlag(own) && keyOf(own) === undefined)
        return {
          name,
          line,
          message: `--${own} cannot be set in a profile: ${name}`,
          hint: `give --${own} on the command line`,
        };
      const aws = flagOfAws(own);
      const meant =
        (aws === undefined ? undefined : keyOf(aws)?.slice(KEY_PREFIX.length)) ??
        nearest(
          rest,
          known.map((key) => key.slice(KEY_PREFIX.length)),
        );
      return {
        name,
        line,
        message: `unknown key ${name}`,
        hint: meant === undefined ? 'keys are named after flags: see --help' : `did you mean ${KEY_PREFIX}${meant}`,
      };
    });
  const [first, ...others] = faults;
  const more = others.map(({ message, line }) => `, line ${line}: ${message}`).join('');
  const hints =
    others.length === 0 ? (first?.hint ?? '') : faults.map(({ name, hint }) => `${name}: ${hint}`).join('; ');
  return keyError(path, first?.line ?? 0, `${first?.message}${more}`, hints);
}

/** Gives a text the meaning that it has for a flag on the command line. */
function valueOf(flag: FlagName, text: string, command: CommandName, origin: Origin): FlagValue {
  const words = flagRow(flag).kind === 'list' ? splitWords(text) : [text];
  if (words === undefined)
    throw withOrigins(
      new RolesAnywhereError('ERR_FLAG_VALUE', `--${flag} holds a quote that does not end`, {
        flag: `--${flag}`,
        hint: 'it is a list of words: quote those that hold spaces or quotes',
      }),
      new Map([[flag, origin]]),
    );
  const { given, problem } = readValues(
    words.map((word) => [flag, word] as const),
    command,
  );
  if (problem?.kind === 'bad-value') {
    const error = badValue(flag, problem.value, command);
    // A variable or key has no form without a value.
    const own =
      flagRow(flag).kind === 'boolean'
        ? new RolesAnywhereError(error.code, error.message, { flag: error.flag, hint: 'it takes true or false' })
        : error;
    throw withOrigins(own, new Map([[flag, origin]]));
  }
  return given[flag] ?? [];
}

/** An origin in words; of a profile with its line. */
export function describeOrigin({ kind, name, profile, file, line }: Origin): string {
  if (kind === 'environment') return name ?? kind;
  return kind === 'profile' ? `${name} in line ${line} of ${file}, profile ${profile}` : kind;
}

/** Says where the values of the flags that an error is about are from, when that is not the command line. */
export function withOrigins(error: RolesAnywhereError, origins: ReadonlyMap<string, Origin>): RolesAnywhereError {
  const words = error.message.split(' ');
  for (const flag of [error.flag ?? []].flat()) {
    const origin = origins.get(flag.replace(/^--/, ''));
    if (origin === undefined || origin.kind === 'command line' || origin.kind === 'default') continue;
    const at = words.findIndex((word) => word === flag || word === `${flag},` || word === `${flag}:`);
    const note = `(${describeOrigin(origin)})`;
    if (at < 0) words.push(note);
    else words[at] = (words[at] ?? '').replace(flag, `${flag} ${note}`);
  }
  return new RolesAnywhereError(error.code, words.join(' '), error);
}
