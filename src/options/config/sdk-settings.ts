/** The values that AWS's own variables and keys give to flags here. They rank below this program's own of the same source. */
// Tests: test/options/config/configured.test.ts
import type { FlagName } from '../flags.ts';
import type { ConfigFile, ConfigValue } from './file.ts';
import { keyError } from './ini.ts';
import type { Setting, Source } from './sources.ts';

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
];
const SWITCHES: ReadonlySet<FlagName> = new Set(['use-fips', 'use-dualstack']);

/** AWS's variables for flags that a command takes. */
export function sdkEnvironment(env: Environment, takes: (flag: FlagName) => boolean): Source {
  const ignored = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true';
  return new Map(
    ROWS.flatMap(({ flag, variables, service }): [FlagName, Setting][] => {
      const name = variables.find((variable) => (env[variable] ?? '') !== '');
      if (name === undefined || !takes(flag) || (ignored && service !== undefined)) return [];
      return [[flag, { value: env[name] ?? '', origin: { kind: 'environment', name }, passive: true }]];
    }),
  );
}

/**
 * The SDKs' keys of a profile.
 *
 * @throws RolesAnywhereError `ERR_CONFIG_KEY`
 */
export function sdkProfile(
  file: ConfigFile,
  profile: string,
  env: Environment,
  takes: (flag: FlagName) => boolean,
): Source {
  const section = file.profile(profile);
  const ignore = section.get('ignore_configured_endpoint_urls')?.value ?? env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'];
  const services = section.get('services')?.value;
  const source = new Map<FlagName, Setting>();
  for (const { flag, key, service } of ROWS) {
    if (!takes(flag) || (service !== undefined && ignore?.toLowerCase() === 'true')) continue;
    const special =
      service === undefined || services === undefined ? undefined : file.find('services', services)?.get(service, key);
    const found = special ?? section.get(key);
    if (found === undefined) continue;
    const name = special === undefined ? key : `${key} of ${service} in services ${services}`;
    source.set(flag, {
      value: SWITCHES.has(flag) ? switchOf(file, key, found) : found.value,
      origin: { kind: 'profile', name, profile, file: file.path, line: found.line },
    });
  }
  return source;
}

/** Anything but true and false is read differently by the SDKs. */
function switchOf(file: ConfigFile, key: string, { value, line }: ConfigValue): boolean {
  const word = value.toLowerCase();
  if (word === 'true' || word === 'false') return word === 'true';
  throw keyError(file.path, line, `${key} is true or false, not ${JSON.stringify(value)}`, 'correct or remove it');
}
