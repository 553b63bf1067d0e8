/**
 * Lines that take more than the command line into account: the environment's
 * `ROLES_ANYWHERE_` variables, a profile of the AWS config file, or
 * `--print-config`. Loaded for those only.
 */
import { RolesAnywhereError } from '../../platform/errors.ts';
import { commandRow, isCommand, isFlag, takesFlag } from '../flags.ts';
import type { CommandName, FlagName } from '../flags.ts';
import { complete, findProblem, readValues, scan } from '../pflag.ts';
import type { Given, Parsed } from '../pflag.ts';
import { problemError } from '../problems.ts';
import { ConfigFile, configPath, readConfigText } from './file.ts';
import type { ConfigText } from './file.ts';
import { sdkEnvironment, sdkProfile } from './sdk-settings.ts';
import { settle, valuesOf } from './settle.ts';
import type { Settled, Unused } from './settle.ts';
import { environmentSource, profileSource, strayVariables, withOrigins } from './sources.ts';
import type { Origin, Setting, Source } from './sources.ts';

/** A line, together with where each of its values is from. */
export interface Configured {
  readonly parsed: Parsed;
  /** By flag, defaults among them. */
  readonly settings: Source;
  readonly unused: readonly Unused[];
  readonly warnings: readonly string[];
}

export interface Surroundings {
  readonly program: string;
  /** Whether the program was called as `aws_signing_helper`. */
  readonly compat: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readConfig?: (path: string) => ConfigText;
}

/**
 * Reads a line and what is said outside of it. Lines that ask for help, or
 * are wrong by themselves, give undefined: any-line.ts answers those.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function parseConfigured(tokens: readonly string[], surroundings: Surroundings): Configured | undefined {
  const { env, program } = surroundings;
  const line = scan(tokens);
  const [command, ...args] = line.args;
  if (line.problem !== undefined || command === undefined || !isCommand(command) || command === 'completion')
    return undefined;
  const { given, problem } = readValues(line.flags, command);
  const alien = line.flags.some(([flag]) => !takesFlag(command, flag));
  if ((surroundings.compat || given.compat === true) && line.endedEarly === true) return undefined;
  if (problem !== undefined || alien || given.help === true || given.version === true) return undefined;

  const takes = (flag: FlagName): boolean => takesFlag(command, flag);
  const own = commandLine(given);
  const environment = environmentSource(env, command);
  const profile = own.get('config-profile') ?? environment.get('config-profile');
  const { sources, warnings } = outside(command, profile?.value, surroundings, takes);
  const settled = settle([own, environment, sdkEnvironment(env, takes), ...sources]);
  const merged = valuesOf(settled.settings);
  const compat = surroundings.compat || merged.compat === true;
  const found = problemOf(command, merged, args, compat, settled);
  if (found !== undefined) {
    throw withOrigins(problemError(found, command, program), originsOf(settled.conflict?.source ?? settled.settings));
  }
  const parsed = complete(command, merged, args, compat);
  return {
    parsed,
    settings: withDefaults(parsed, settled.settings),
    unused: settled.unused,
    warnings: [...strayVariables(env), ...warnings],
  };
}

/** Where each flag's value is from. */
export function originsOf(settings: Iterable<readonly [FlagName, Setting]>): ReadonlyMap<string, Origin> {
  return new Map([...settings].map(([flag, { origin }]) => [flag, origin]));
}

/** An error of a command, with the origin of the flags that it is about. */
export function explain(error: unknown, { settings }: Configured): unknown {
  return error instanceof RolesAnywhereError ? withOrigins(error, originsOf(settings)) : error;
}

function commandLine(given: Given): Source {
  const origin: Origin = { kind: 'command line' };
  return new Map(
    Object.entries(given).flatMap(([flag, value]): [FlagName, Setting][] =>
      isFlag(flag) && value !== undefined ? [[flag, { value, origin }]] : [],
    ),
  );
}

/** The sources in the config file. */
function outside(
  command: CommandName,
  profile: unknown,
  { env, readConfig = readConfigText }: Surroundings,
  takes: (flag: FlagName) => boolean,
): { sources: Source[]; warnings: string[] } {
  if (typeof profile !== 'string' || profile === '') return { sources: [], warnings: [] };
  const text = readConfig(configPath(env));
  const file = new ConfigFile(text);
  const { settings, secretKey } = profileSource(file, profile, command);
  const warnings =
    secretKey !== undefined && text.exposed
      ? [`${text.path} holds ${secretKey}, and others than its owner can read the file: run chmod 600 on it`]
      : [];
  return { sources: [settings, sdkProfile(file, profile, env, takes)], warnings };
}

function problemOf(
  command: CommandName,
  given: Given,
  args: readonly string[],
  compat: boolean,
  { conflict }: Settled,
): ReturnType<typeof findProblem> {
  if (conflict !== undefined) return { kind: 'conflict', flags: conflict.flags };
  const problem = findProblem(command, given, args, compat);
  // Looking at an unfinished configuration is what --print-config is for.
  const harmless = given['print-config'] !== undefined && (problem?.kind === 'missing' || problem?.kind === 'later');
  return harmless ? undefined : problem;
}

function withDefaults({ command, compat }: Parsed, settings: Source): Source {
  const { defaults, compatDefaults } = commandRow(command);
  const all = new Map(settings);
  for (const [flag, value] of Object.entries({ ...defaults, ...(compat ? compatDefaults : {}) })) {
    if (isFlag(flag) && !all.has(flag)) all.set(flag, { value, origin: { kind: 'default' } });
  }
  return all;
}
