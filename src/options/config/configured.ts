/**
 * Lines that take more than the command line into account: the environment's
 * `ROLES_ANYWHERE_` variables, a profile of the AWS config file, or
 * `--print-config`. Loaded for those only.
 */
import { RolesAnywhereError } from '../../platform/errors.ts';
import { commandRow, isCommand, isFlag, takesFlag } from '../flags.ts';
import type { CommandName, FlagName } from '../flags.ts';
import { complete, findProblem, readValues, scan } from '../pflag.ts';
import type { Given, Line, Parsed, Problem } from '../pflag.ts';
import { problemError } from '../problems.ts';
import { strictly, telling } from './attempt.ts';
import type { Attempt } from './attempt.ts';
import { ConfigFile, readConfigText } from './file.ts';
import type { ConfigText } from './file.ts';
import { namedProfile, retryMode, sdkEnvironment, sdkProfile, usualProfile } from './sdk-settings.ts';
import type { OtherSetting } from './sdk-settings.ts';
import { configPath } from './shared.ts';
import { settle, valuesOf } from './settle.ts';
import type { Settled, Unused } from './settle.ts';
import { describeOrigin, environmentSource, profileSource, strayVariables, withOrigins } from './sources.ts';
import type { Origin, Setting, Source } from './sources.ts';

/** A line, together with where each of its values is from. */
export interface Configured {
  readonly parsed: Parsed;
  /** By flag, defaults among them. */
  readonly settings: Source;
  readonly unused: readonly Unused[];
  /** Settings of AWS's SDKs that no flag stands for. */
  readonly others: readonly OtherSetting[];
  readonly warnings: readonly string[];
}

export interface Surroundings {
  readonly program: string;
  /** Whether the program was called as `aws_signing_helper`. */
  readonly compat: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of the config file, where it is to be looked at for AWS's own keys; empty: it cannot be read. */
  readonly shared?: string | undefined;
  readonly readConfig?: (path: string) => ConfigText;
  /**
   * Takes the faults of the environment and of the config file one by one, where a line is looked at for them: what has a
   * fault is left out then. Default: the first fault ends the reading, and of `doctor`, which
   * reads its line once more and reports them, none does.
   */
  readonly tellFault?: ((fault: RolesAnywhereError) => void) | undefined;
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
  if ((surroundings.compat || given.compat === true) && line.dashesAt === 0) return undefined;
  if (problem !== undefined || alien || given.help === true || given.version === true) return undefined;

  const takes = (flag: FlagName): boolean => takesFlag(command, flag);
  const own = commandLine(given);
  const isExamined = surroundings.tellFault !== undefined || (command === 'doctor' && !own.has('print-config'));
  const tell = surroundings.tellFault ?? (() => undefined);
  const attempt = isExamined ? telling(tell) : strictly;
  const environment = environmentSource(env, command, attempt);
  const profile = own.get('config-profile') ?? environment.get('config-profile');
  const { sources, others, warnings } = outside(command, profile?.value, surroundings, takes, attempt);
  let all = [own, environment, sdkEnvironment(env, takes, attempt), ...sources];
  let settled: Settled;
  let compat: boolean;
  for (;;) {
    settled = settle(all);
    const merged = valuesOf(settled.settings);
    compat = surroundings.compat || merged.compat === true;
    const found = problemOf(command, merged, { args, dashesAt: line.dashesAt }, compat, settled);
    if (found === undefined) break;
    const origins = originsOf(settled.conflict?.source ?? settled.settings);
    const error = withOrigins(problemError(found, command, program, merged), origins);
    const without = flagsOf(found).filter((flag) => isOutside(origins.get(flag)));
    if (!isExamined || without.length === 0) throw error;
    tell(error);
    all = all.map((source) =>
      source === own ? own : new Map([...source].filter(([flag]) => !without.includes(flag))),
    );
  }
  const merged = valuesOf(settled.settings);
  const parsed = complete(command, merged, args, compat);
  return {
    parsed,
    settings: withDefaults(parsed, settled.settings),
    unused: settled.unused,
    others,
    warnings: [...strayVariables(env), ...warnings],
  };
}

/** Where each flag's value is from. */
function originsOf(settings: Iterable<readonly [FlagName, Setting]>): ReadonlyMap<string, Origin> {
  return new Map([...settings].map(([flag, { origin }]) => [flag, origin]));
}

/** The flags that a problem is about. */
function flagsOf(problem: Problem): readonly FlagName[] {
  if (problem.kind === 'conflict') return problem.flags;
  return problem.kind === 'empty' ? [problem.flag] : [];
}

function isOutside(origin: Origin | undefined): boolean {
  return origin?.kind === 'environment' || origin?.kind === 'profile';
}

/** Flags that may be why a connection failed, and those that only some failures have to do with. */
const OF_CONNECTION: readonly FlagName[] = [
  'endpoint',
  'sts-endpoint',
  'signin-endpoint',
  'region',
  'use-fips',
  'use-dualstack',
  'proxy',
];
const OF_TRUST: readonly FlagName[] = ['ca-bundle', 'ca-store', 'tls-min-version'];
const OF_TIME: readonly FlagName[] = ['connect-timeout', 'timeout'];
/** Flags that may be why a service refused. */
const OF_REQUEST: readonly FlagName[] = [
  ...(['endpoint', 'sts-endpoint', 'region', 'use-fips', 'trust-anchor-arn', 'profile-arn', 'role-arn'] as const),
  ...(['certificate', 'private-key', 'intermediates', 'assume-role-arn', 'session-duration'] as const),
];

/**
 * An error of a command, with the origin of the flags that it is about: those that it names, or, of the network and of
 * a service, which know no flags, all that had a part in the request.
 */
export function explain(error: RolesAnywhereError, { settings }: Pick<Configured, 'settings'>): RolesAnywhereError {
  if (error.flag !== undefined) return withOrigins(error, originsOf(settings));
  if (error.class === 'refused') return withParts(error, settings, OF_REQUEST);
  if (error.class !== 'unavailable') return error;
  const more = error.code.startsWith('ERR_TLS') ? OF_TRUST : error.code === 'ERR_TIMEOUT' ? OF_TIME : [];
  return withParts(error, settings, [...OF_CONNECTION, ...more]);
}

/** Says which of the flags have their value from somewhere else than the line, once for each origin. */
function withParts(error: RolesAnywhereError, settings: Source, flags: readonly FlagName[]): RolesAnywhereError {
  const notes = new Map<string, string>();
  for (const flag of flags) {
    const { value, origin } = settings.get(flag) ?? {};
    if (value === undefined || value === false || origin === undefined) continue;
    if (origin.kind === 'command line' || origin.kind === 'default') continue;
    const where = describeOrigin(origin);
    if (!notes.has(where)) notes.set(where, `--${flag} (${where})`);
  }
  if (notes.size === 0) return error;
  return new RolesAnywhereError(error.code, `${error.message}; asked with ${[...notes.values()].join(', ')}`, error);
}

function commandLine(given: Given): Source {
  const origin: Origin = { kind: 'command line' };
  return new Map(
    Object.entries(given).flatMap(([flag, value]): [FlagName, Setting][] =>
      isFlag(flag) && value !== undefined ? [[flag, { value, origin }]] : [],
    ),
  );
}

/** What the config file says. */
interface Outside {
  readonly sources: readonly Source[];
  readonly others: readonly OtherSetting[];
  readonly warnings: readonly string[];
}

/** The sources in the config file: the profile that was named, or else AWS's own keys of the one that every AWS tool takes. */
function outside(
  command: CommandName,
  profile: unknown,
  { env, shared, compat, readConfig = readConfigText }: Surroundings,
  takes: (flag: FlagName) => boolean,
  attempt: Attempt,
): Outside {
  const path = configPath(env);
  if (typeof profile !== 'string' || profile === '') {
    const usual = shared === undefined ? undefined : usualProfile(shared, path, env);
    return {
      sources: usual === undefined ? [] : [attempt(() => sdkProfile(usual, env, takes, attempt)) ?? new Map()],
      others: attempt(() => retryMode(usual, env, takes)) ?? [],
      warnings: shared === '' && !compat ? [`the config file ${path} cannot be read: nothing in it counts`] : [],
    };
  }
  const found = attempt(() => {
    const text = readConfig(path);
    const file = new ConfigFile(text);
    return { text, file, named: namedProfile(file, profile) };
  });
  if (found === undefined) return { sources: [], others: [], warnings: [] };
  const { text, file, named } = found;
  const { settings = new Map<FlagName, Setting>(), secretKey } =
    attempt(() => profileSource(file, profile, command, attempt)) ?? {};
  const warnings =
    secretKey !== undefined && text.exposed
      ? [`${text.path} holds ${secretKey}, and others than its owner can read the file: run chmod 600 on it`]
      : [];
  return {
    sources: [settings, attempt(() => sdkProfile(named, env, takes, attempt)) ?? new Map<FlagName, Setting>()],
    others: attempt(() => retryMode(named, env, takes)) ?? [],
    warnings,
  };
}

function problemOf(
  command: CommandName,
  given: Given,
  { args, dashesAt }: Pick<Line, 'args' | 'dashesAt'>,
  compat: boolean,
  { conflict }: Settled,
): ReturnType<typeof findProblem> {
  if (conflict !== undefined) return { kind: 'conflict', flags: conflict.flags };
  const problem = findProblem(command, given, args, compat, dashesAt);
  // Looking at an unfinished configuration is what --print-config is for.
  const harmless =
    given['print-config'] !== undefined && (problem?.kind === 'missing' || problem?.kind === 'no-command');
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
