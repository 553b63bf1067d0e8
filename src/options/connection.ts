/** How the service is reached: endpoint, trust, proxy, retries. From flags and the variables that AWS's SDKs read. */
import type { FlagValues } from '../commands/command.ts';
import { RolesAnywhereError } from '../platform/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A setting, and what gave it, for messages: a flag, a variable, a key of a profile. */
export interface Sourced<T> {
  readonly value: T;
  readonly from: string;
}

/** What was said about the endpoint, by whichever source said it first. */
export interface EndpointSettings {
  readonly endpoint?: Sourced<string> | undefined;
  readonly useFips?: Sourced<boolean> | undefined;
  readonly useDualStack?: Sourced<boolean> | undefined;
  /** Plain http is taken to any host. */
  readonly allowHttp: boolean;
}

/** Where to send requests: to `endpoint`, else to the region's host of this variant. */
export interface EndpointOptions {
  readonly endpoint?: URL | undefined;
  readonly useFips?: true | undefined;
  readonly useDualStack?: true | undefined;
}

/** Whom to believe at the other end. */
export interface TrustOptions {
  /** False: the server's certificate is not checked. */
  readonly verify: boolean;
  /** A file of roots that replace Node's own, and what named it. */
  readonly caBundle?: { readonly path: string; readonly source: string } | undefined;
  /** Roots by name, in place of Node's choice. */
  readonly caStore?: 'bundled' | 'system' | undefined;
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
}

/** How connections are made, and how often. What is left out has its default where it is used. */
export interface NetworkOptions {
  /** `environment`: the proxy that its variables name. A URL may hold a password. */
  readonly proxy?: 'environment' | { readonly url: string } | undefined;
  readonly connectTimeoutMs?: number | undefined;
  readonly retry: { readonly attempts?: number; readonly timeoutMs?: number };
}

/** The flags and the environment's part of the endpoint; a source that ranks lower can fill what they leave out. */
export function endpointSettings(flags: FlagValues, env: Environment): EndpointSettings {
  const flag = text(flags, 'endpoint');
  const ignored = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true';
  const variable = ignored
    ? undefined
    : ['AWS_ENDPOINT_URL_ROLESANYWHERE', 'AWS_ENDPOINT_URL'].find((name) => (env[name] ?? '') !== '');
  return {
    endpoint:
      flag !== undefined
        ? { value: flag, from: '--endpoint' }
        : variable === undefined
          ? undefined
          : { value: env[variable] ?? '', from: variable },
    useFips: boolean(flags, 'use-fips') ?? variableBoolean(env, 'AWS_USE_FIPS_ENDPOINT'),
    useDualStack: boolean(flags, 'use-dualstack') ?? variableBoolean(env, 'AWS_USE_DUALSTACK_ENDPOINT'),
    allowHttp: flags['allow-http'] === true,
  };
}

/**
 * Checks what was said about the endpoint.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT` for what is no endpoint, plain http to another machine, and FIPS or
 * dual-stack together with an endpoint, which AWS's SDKs refuse too
 */
export function checkEndpoint({ endpoint, useFips, useDualStack, allowHttp }: EndpointSettings): EndpointOptions {
  if (endpoint === undefined)
    return {
      ...(useFips?.value === true ? { useFips: true } : {}),
      ...(useDualStack?.value === true ? { useDualStack: true } : {}),
    };
  const variant = [useFips, useDualStack].find((setting) => setting?.value === true);
  if (variant !== undefined)
    throw new RolesAnywhereError('ERR_ENDPOINT', `${variant.from} and ${endpoint.from} exclude each other`, {
      hint: `leave one of them out${variant.from.startsWith('AWS_') ? `, or give --use-${variant === useFips ? 'fips' : 'dualstack'}=false` : ''}${endpoint.from.startsWith('AWS_') ? ', or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true' : ''}`,
    });
  return { endpoint: checkUrl(endpoint, allowHttp) };
}

function checkUrl({ value, from }: Sourced<string>, allowHttp: boolean): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const secure = url?.protocol === 'https:';
  if (url === undefined || (!secure && url.protocol !== 'http:')) {
    throw new RolesAnywhereError('ERR_ENDPOINT', `${from} is not an http or https URL`, {
      hint: 'give https://HOST[:PORT][/PATH]',
    });
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new RolesAnywhereError('ERR_ENDPOINT', `${from} holds a user name, a query or a fragment`, {
      hint: 'give https://HOST[:PORT][/PATH]',
    });
  }
  // URL writes every form of an IPv4 address as four decimal numbers.
  if (!secure && !allowHttp && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) {
    throw new RolesAnywhereError('ERR_ENDPOINT', `${from} is plain http to ${url.hostname}`, {
      hint: 'use https: credentials would cross the network in the clear (--allow-http takes that risk)',
    });
  }
  return url;
}

/** AWS_CA_BUNDLE gives way to each of the flags. */
export function trustOptions(flags: FlagValues, env: Environment): TrustOptions {
  const own = text(flags, 'ca-bundle');
  const store = text(flags, 'ca-store');
  const variable = store === undefined ? env['AWS_CA_BUNDLE'] : undefined;
  const path = own ?? variable ?? '';
  const minVersion = text(flags, 'tls-min-version');
  return {
    verify: flags['no-verify-ssl'] !== true,
    ...(path === '' ? {} : { caBundle: { path, source: own === undefined ? 'AWS_CA_BUNDLE' : '--ca-bundle' } }),
    ...(store === 'bundled' || store === 'system' ? { caStore: store } : {}),
    ...(minVersion === undefined ? {} : { minVersion: minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2' }),
  };
}

/** @throws RolesAnywhereError `ERR_FLAG_VALUE` for a number out of range */
export function networkOptions(flags: FlagValues): NetworkOptions {
  const proxy = text(flags, 'proxy');
  const attempts = number(flags, 'max-attempts', 100);
  const connectTimeout = number(flags, 'connect-timeout', 3600);
  const timeout = number(flags, 'timeout', 3600);
  return {
    ...(proxy !== undefined ? { proxy: { url: proxy } } : flags['with-proxy'] === true ? { proxy: 'environment' } : {}),
    ...(connectTimeout === undefined ? {} : { connectTimeoutMs: connectTimeout * 1000 }),
    retry: {
      attempts,
      ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
    },
  };
}

function number(flags: FlagValues, name: string, most: number): number | undefined {
  const value = flags[name];
  if (typeof value !== 'number' || (value >= 1 && value <= most)) return typeof value === 'number' ? value : undefined;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name} is out of range: ${value}`, { hint: `give 1 to ${most}` });
}

function boolean(flags: FlagValues, name: string): Sourced<boolean> | undefined {
  const value = flags[name];
  return typeof value === 'boolean' ? { value, from: `--${name}` } : undefined;
}

/** Anything but true and false is an error: what is meant to switch FIPS on must not leave it off unseen. */
function variableBoolean(env: Environment, name: string): Sourced<boolean> | undefined {
  const value = env[name]?.toLowerCase() ?? '';
  if (value === '') return undefined;
  if (value === 'true' || value === 'false') return { value: value === 'true', from: name };
  throw new RolesAnywhereError('ERR_ENDPOINT', `${name} is true or false, not ${JSON.stringify(env[name])}`, {
    hint: 'correct it, or unset it',
  });
}

function text(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
