/** How AWS's services are reached: endpoints, trust, proxy, retries. From flags and the variables that AWS's SDKs read. */
import { parseEndpoint } from '../aws/endpoints.ts';
import type { Endpoints, Service } from '../aws/endpoints.ts';
import type { RetrySettings } from '../aws/retry.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { FlagValues } from './flag-values.ts';
import type { FlagName } from './flags.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The flags about connections; a command takes those that concern the services that it asks. */
export type ConnectionFlags = FlagValues<
  | (typeof ENDPOINT_FLAG)[Service]
  | 'use-fips'
  | 'use-dualstack'
  | 'allow-http'
  | 'ca-bundle'
  | 'ca-store'
  | 'no-verify-ssl'
  | 'tls-min-version'
  | 'proxy'
  | 'with-proxy'
  | 'no-proxy'
  | 'max-attempts'
  | 'connect-timeout'
  | 'timeout'
  | 'user-agent-extra'
>;

/** What the flags and the environment say about connections. */
export interface ConnectionSettings {
  readonly endpoints: Endpoints;
  readonly trust: TrustSettings;
  /** `environment`: the one that HTTPS_PROXY and its companions name. A URL may hold a password. Default: none. */
  readonly proxy: 'environment' | { readonly url: string } | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly retry: RetrySettings;
  /** Text to put behind the User-Agent. */
  readonly userAgentExtra: string | undefined;
}

/** Whom to believe at the other end. */
export interface TrustSettings {
  /** False: the server's certificate is not checked. */
  readonly verify: boolean;
  /** A file of roots that replace Node's own, and what named it. */
  readonly caBundle: { readonly path: string; readonly source: string } | undefined;
  /** Roots by name, in place of Node's choice. */
  readonly caStore: 'bundled' | 'system' | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3' | undefined;
}

/** Without any of these, what finds a proxy is not loaded. */
const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

const ENDPOINT_FLAG = { rolesanywhere: 'endpoint', sts: 'sts-endpoint', signin: 'signin-endpoint' } as const;

/**
 * Checks what is said about the connections to `services`.
 *
 * @param asksSource whether a container's endpoint may be asked for credentials too
 * @throws RolesAnywhereError `ERR_ENDPOINT` for what is no endpoint, plain http to another machine, and FIPS or
 * dual-stack together with an endpoint of Roles Anywhere or STS, which AWS's SDKs refuse too; `ERR_FLAG_VALUE` for a number out
 * of range, and for a text that cannot be in a header
 */
export function connectionSettings(
  flags: ConnectionFlags,
  env: Environment,
  services: readonly Service[],
  asksSource = false,
): ConnectionSettings {
  const endpoints = endpointsOf(flags, env, services);
  const proxy = proxyOf(flags, env);
  const overTls =
    proxy !== undefined ||
    (asksSource && /^https:/i.test(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '')) ||
    services.some((name) => endpoints[name]?.protocol !== 'http:');
  return {
    endpoints,
    trust: trustOf(flags, env, overTls),
    proxy,
    connectTimeoutMs: milliseconds('connect-timeout', flags['connect-timeout']),
    retry: {
      attempts: inRange('max-attempts', flags['max-attempts'], 100),
      timeoutMs: milliseconds('timeout', flags.timeout),
    },
    userAgentExtra: printable('user-agent-extra', flags['user-agent-extra']),
  };
}

/** As every AWS tool does, the environment's proxy is used without being told to: `--with-proxy` has nothing left to say. */
function proxyOf({ proxy, 'no-proxy': direct }: ConnectionFlags, env: Environment): ConnectionSettings['proxy'] {
  if (proxy !== undefined) return { url: proxy };
  if (direct === true) return undefined;
  return PROXY_VARIABLES.some((name) => env[name]) ? 'environment' : undefined;
}

function endpointsOf(flags: ConnectionFlags, env: Environment, services: readonly Service[]): Endpoints {
  const allowHttp = flags['allow-http'] === true;
  const useFips = choice(flags, env, 'use-fips', 'AWS_USE_FIPS_ENDPOINT');
  const useDualStack = choice(flags, env, 'use-dualstack', 'AWS_USE_DUALSTACK_ENDPOINT');
  const urls: { [name in Service]?: URL } = {};
  for (const service of services) {
    const given = endpointGiven(service, flags, env);
    if (given === undefined) continue;
    const variant = [useFips, useDualStack].find((setting) => setting?.value === true);
    if (variant !== undefined && service !== 'signin')
      throw new RolesAnywhereError('ERR_ENDPOINT', `${variant.from} and ${given.from} exclude each other`, {
        hint: `leave one of them out${variant.from.startsWith('AWS_') ? `, or give --${variant.flag}=false` : ''}${given.from.startsWith('AWS_') ? ', or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true' : ''}`,
        flag: [variant.from, given.from].find((from) => from.startsWith('--')),
      });
    urls[service] = parseEndpoint(given.value, given.from, allowHttp);
  }
  return { ...urls, useFips: useFips?.value, useDualStack: useDualStack?.value, allowHttp };
}

/** The endpoint of a service that a flag or a variable gives, and which. */
function endpointGiven(
  service: Service,
  flags: ConnectionFlags,
  env: Environment,
): { readonly value: string; readonly from: string } | undefined {
  const flag = ENDPOINT_FLAG[service];
  const value = flags[flag];
  if (value !== undefined) return { value, from: `--${flag}` };
  if (service === 'signin' || env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true') return undefined;
  const from = [`AWS_ENDPOINT_URL_${service.toUpperCase()}`, 'AWS_ENDPOINT_URL'].find((name) => env[name]);
  return from === undefined ? undefined : { value: env[from] ?? '', from };
}

/** Anything but true and false is an error: what is meant to switch FIPS on must not leave it off unseen. */
function choice(
  flags: ConnectionFlags,
  env: Environment,
  flag: 'use-fips' | 'use-dualstack',
  variable: string,
): { readonly value: boolean; readonly from: string; readonly flag: string } | undefined {
  const given = flags[flag];
  if (given !== undefined) return { value: given, from: `--${flag}`, flag };
  const text = env[variable]?.toLowerCase() ?? '';
  if (text === '') return undefined;
  if (text === 'true' || text === 'false') return { value: text === 'true', from: variable, flag };
  throw new RolesAnywhereError('ERR_ENDPOINT', `${variable} is true or false, not ${JSON.stringify(env[variable])}`, {
    hint: 'correct it, or unset it',
  });
}

/** AWS_CA_BUNDLE gives way to each of the flags, and need not be good where no certificate is checked. */
function trustOf(flags: ConnectionFlags, env: Environment, overTls: boolean): TrustSettings {
  const { 'ca-bundle': bundle, 'ca-store': caStore, 'tls-min-version': minVersion } = flags;
  const verify = flags['no-verify-ssl'] !== true;
  const path = bundle ?? (caStore === undefined && verify && overTls ? env['AWS_CA_BUNDLE'] : undefined);
  return {
    verify,
    caBundle: path ? { path, source: bundle === undefined ? 'AWS_CA_BUNDLE' : '--ca-bundle' } : undefined,
    caStore,
    minVersion: minVersion && `TLSv${minVersion}`,
  };
}

/** A text that a header takes as it is: printable ASCII, with no blanks around it. */
function printable(name: FlagName, text: string | undefined): string | undefined {
  if (text === undefined || /^(?! )[ -~]{1,200}(?<! )$/.test(text)) return text;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name} is not a text of printable ASCII characters`, {
    hint: 'give 200 characters at most, with no blanks before or behind them',
    flag: `--${name}`,
  });
}

function milliseconds(name: FlagName, seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : 1000 * (inRange(name, seconds, 3600) ?? 0);
}

function inRange(name: FlagName, value: number | undefined, most: number): number | undefined {
  if (value === undefined || (value >= 1 && value <= most)) return value;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name} is out of range: ${value}`, {
    hint: `give 1 to ${most}`,
    flag: `--${name}`,
  });
}
