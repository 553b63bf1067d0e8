/** The values that AWS's own variables and keys give to flags here. They rank below this program's own of the same source. */
// Tests: test/options/config/configured.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { FlagName, FlagValue } from '../flags.ts';
import type { Attempt } from './attempt.ts';
import type { ConfigFile, ConfigValue } from './file.ts';
import { keyError } from './ini.ts';
import { sharedProfile } from './shared-profile.ts';
import type { AwsKeys } from './shared-profile.ts';
import type { Origin, Setting, Source } from './sources.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * By flag: the variables, the first that is set counting, and the key of a profile. A service, where a section
 * `[services NAME]` may have an endpoint for it alone. Source: AWS SDKs and Tools Reference Guide, "Settings reference".
 */
const ROWS: readonly {
  readonly flag: FlagName;
  readonly variables: readonly string[];
  readonly key: string;
  readonly service?: string | undefined;
}[] = [
  {
    flag: 'endpoint',
    variables: ['AWS_ENDPOINT_URL_ROLESANYWHERE', 'AWS_ENDPOINT_URL'],
    key: 'endpoint_url',
    service: 'rolesanywhere',
  },
  {
    flag: 'sts-endpoint',
    variables: ['AWS_ENDPOINT_URL_STS', 'AWS_ENDPOINT_URL'],
    key: 'endpoint_url',
    service: 'sts',
  },
  { flag: 'use-fips', variables: ['AWS_USE_FIPS_ENDPOINT'], key: 'use_fips_endpoint' },
  { flag: 'use-dualstack', variables: ['AWS_USE_DUALSTACK_ENDPOINT'], key: 'use_dualstack_endpoint' },
  { flag: 'ca-bundle', variables: ['AWS_CA_BUNDLE'], key: 'ca_bundle' },
  { flag: 'max-attempts', variables: ['AWS_MAX_ATTEMPTS'], key: 'max_attempts' },
];
const ATTEMPTS = /^(?:[1-9]\d?|100)$/;
const RETRY_MODE = /^(?:standard|adaptive|legacy)$/i;
const RETRY_MODES = 'standard, adaptive or legacy';
const SWITCHES: ReadonlySet<FlagName> = new Set(['use-fips', 'use-dualstack']);

/**
 * AWS's variables for flags that a command takes.
 *
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`
 */
export function sdkEnvironment(env: Environment, takes: (flag: FlagName) => boolean, attempt: Attempt): Source {
  const ignored = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true';
  return new Map(
    ROWS.flatMap(({ flag, variables, service }): [FlagName, Setting][] => {
      const name = variables.find((variable) => (env[variable] ?? '') !== '');
      if (name === undefined || !takes(flag) || (ignored && service !== undefined)) return [];
      const value = env[name] ?? '';
      const origin: Origin = { kind: 'environment', name };
      if (flag !== 'max-attempts') return [[flag, { value, origin, passive: true }]];
      if (ATTEMPTS.test(value)) return [[flag, { value: Number(value), origin }]];
      attempt(() => {
        throw wrongVariable(name, value, '1 to 100');
      });
      return [];
    }),
  );
}

function wrongVariable(name: string, value: string, choices: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_FLAG_VALUE', `${name} is ${choices}, not ${JSON.stringify(value)}`, {
    hint: 'correct it, or unset it',
  });
}

/** A profile, and where it is. */
interface Profile {
  readonly keys: AwsKeys;
  readonly name: string;
  readonly path: string;
}

/**
 * The profile that was named to this program, read strictly.
 *
 * @throws RolesAnywhereError `ERR_CONFIG_PROFILE`
 */
export function namedProfile(file: ConfigFile, name: string): Profile {
  const section = file.profile(name);
  return {
    keys: {
      get: (key) => section.get(key),
      service: (services, service, key) => file.find('services', services)?.get(service, key),
    },
    name,
    path: file.path,
  };
}

/** The profile that every AWS tool takes: AWS_PROFILE, AWS_DEFAULT_PROFILE, `default`. One that is not there says nothing. */
export function usualProfile(text: string, path: string, env: Environment): Profile {
  const name = env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE'] || 'default';
  return { keys: sharedProfile(text, name), name, path };
}

/**
 * The SDKs' keys of a profile.
 *
 * @throws RolesAnywhereError `ERR_CONFIG_KEY`
 */
export function sdkProfile(
  { keys, name: profile, path }: Profile,
  env: Environment,
  takes: (flag: FlagName) => boolean,
  attempt: Attempt,
): Source {
  const ignore = keys.get('ignore_configured_endpoint_urls')?.value ?? env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'];
  const services = keys.get('services')?.value;
  const source = new Map<FlagName, Setting>();
  for (const { flag, key, service } of ROWS) {
    if (!takes(flag) || (service !== undefined && ignore?.toLowerCase() === 'true')) continue;
    const special = service === undefined || services === undefined ? undefined : keys.service(services, service, key);
    const found = special ?? keys.get(key);
    if (found === undefined) continue;
    const name = special === undefined ? key : `${key} of ${service} in services ${services}`;
    const value = attempt(() => valueOf(path, flag, key, found));
    if (value === undefined) continue;
    source.set(flag, {
      value,
      origin: { kind: 'profile', name, profile, file: path, line: found.line },
    });
  }
  return source;
}

/** A setting of AWS's SDKs that has no flag, since it has no effect here but to be checked. */
export interface OtherSetting {
  readonly name: string;
  readonly value: string;
  readonly origin: Origin;
}

/**
 * The retry mode that AWS's variable or a profile's key asks for.
 *
 * @throws RolesAnywhereError `ERR_CONFIG_KEY`, `ERR_FLAG_VALUE`
 */
export function retryMode(
  profile: Profile | undefined,
  env: Environment,
  takes: (flag: FlagName) => boolean,
): OtherSetting[] {
  const name = 'retry_mode';
  if (!takes('max-attempts')) return [];
  const value = env['AWS_RETRY_MODE'] ?? '';
  if (value !== '') {
    if (!RETRY_MODE.test(value)) throw wrongVariable('AWS_RETRY_MODE', value, RETRY_MODES);
    return [{ name, value, origin: { kind: 'environment', name: 'AWS_RETRY_MODE' } }];
  }
  const found = profile?.keys.get(name);
  if (profile === undefined || found === undefined) return [];
  if (!RETRY_MODE.test(found.value))
    throw keyError(
      profile.path,
      found.line,
      `${name} is ${RETRY_MODES}, not ${JSON.stringify(found.value)}`,
      'correct or remove it',
    );
  const origin = { kind: 'profile', name, profile: profile.name, file: profile.path, line: found.line } as const;
  return [{ name, value: found.value, origin }];
}

function valueOf(path: string, flag: FlagName, key: string, found: ConfigValue): FlagValue {
  if (SWITCHES.has(flag)) return switchOf(path, key, found);
  if (flag !== 'max-attempts') return found.value;
  if (ATTEMPTS.test(found.value)) return Number(found.value);
  throw keyError(path, found.line, `${key} is 1 to 100, not ${JSON.stringify(found.value)}`, 'correct or remove it');
}

/** Anything but true and false is read differently by the SDKs. */
function switchOf(path: string, key: string, { value, line }: ConfigValue): boolean {
  const word = value.toLowerCase();
  if (word === 'true' || word === 'false') return word === 'true';
  throw keyError(path, line, `${key} is true or false, not ${JSON.stringify(value)}`, 'correct or remove it');
}
