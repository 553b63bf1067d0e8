/** What `serve` takes besides what every command takes that obtains credentials. */
import type { FlagValues } from '../commands/command.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { servedRoles } from './served-roles.ts';
import type { RoleOptions } from './served-roles.ts';
import { tokenOptions } from './token.ts';
import type { TokenOptions } from './token.ts';

export interface ServeOptions {
  /** The first one is the default. There is at least one. */
  readonly roles: readonly [RoleOptions, ...RoleOptions[]];
  readonly port: number;
  /** Empty: the loopback addresses. */
  readonly listen: readonly string[];
  readonly allowedHosts: readonly string[];
  /** Life left at which a set is renewed, in milliseconds; undefined: as its life says. */
  readonly refreshBeforeMs: number | undefined;
  readonly imds: boolean;
  readonly hopLimit: number;
  /** Where to write the token. */
  readonly tokenFile: string | undefined;
  /** Where to read a token that something else made. */
  readonly tokenSource: string | undefined;
  readonly printToken: boolean;
  /** Files. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly metricsListen: string | undefined;
  readonly auditLog: string | undefined;
  readonly logFormat: string | undefined;
  readonly shell: string | undefined;
  readonly token: TokenOptions;
}

/** AWS's helper does so; both set nothing that matters on the loopback. */
export const DEFAULT_HOP_LIMIT = 64;

/**
 * Checks the flags of `serve`.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function serveOptions(flags: FlagValues, env: Readonly<Record<string, string | undefined>>): ServeOptions {
  const [first, ...others] = servedRoles(flags, env);
  if (first === undefined) throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --role-arn or --role');
  const tokenFile = text(flags, 'token-file');
  const tokenSource = text(flags, 'token-source');
  if (tokenFile !== undefined && tokenFile === tokenSource)
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--token-file and --token-source name the same file', {
      hint: 'give --token-source alone: clients can read that file too',
    });
  const refreshBefore = refreshBeforeSeconds(flags, [first, ...others]);
  const cert = text(flags, 'tls-cert');
  const key = text(flags, 'tls-key');
  if ((cert === undefined) !== (key === undefined))
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `--tls-${cert === undefined ? 'cert' : 'key'} is not given`, {
      hint: 'give --tls-cert and --tls-key together, or neither for plain http',
    });
  return {
    roles: [first, ...others],
    token: tokenOptions(flags),
    refreshBeforeMs: refreshBefore === undefined ? undefined : refreshBefore * 1000,
    port: number(flags, 'port', 9911, 0, 65_535),
    hopLimit: number(flags, 'hop-limit', DEFAULT_HOP_LIMIT, 1, 255),
    listen: list(flags, 'listen'),
    allowedHosts: list(flags, 'allowed-host').map((host) => checkHost(host)),
    imds: flags['no-imds'] !== true,
    printToken: flags['print-token'] === true,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    tokenFile,
    tokenSource,
    metricsListen: text(flags, 'metrics-listen'),
    auditLog: text(flags, 'audit-log'),
    logFormat: text(flags, 'log-format'),
    shell: posixShell(text(flags, 'shell')),
  };
}

/** Where variables are set, these do not differ. */
function posixShell(shell: string | undefined): string | undefined {
  return shell === 'bash' || shell === 'zsh' ? 'sh' : shell;
}

/** A set that is renewed as soon as it comes would be asked for again and again. */
function refreshBeforeSeconds(flags: FlagValues, roles: readonly RoleOptions[]): number | undefined {
  if (flags['refresh-before'] === undefined) return undefined;
  const seconds = number(flags, 'refresh-before', 0, 1, 43_199);
  const short = roles.find(({ vending }) => (vending.session.durationSeconds ?? Infinity) <= seconds);
  if (short === undefined) return seconds;
  throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--refresh-before is no less than the session of ${short.name}`, {
    hint: 'give fewer seconds than --session-duration',
  });
}

function checkHost(host: string): string {
  if (/^(?:\[[0-9a-f:]+\]|[\w.-]+)(?::\d{1,5})?$|^[0-9a-f:]+$/i.test(host)) return host;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--allowed-host is not a host: ${JSON.stringify(host)}`, {
    hint: 'give a name or an address, with a port when it is another one than that of the server',
  });
}

function number(flags: FlagValues, name: string, byDefault: number, least: number, most: number): number {
  const value = flags[name];
  if (value === undefined) return byDefault;
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name} is out of range`, { hint: `give ${least} to ${most}` });
}

function text(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function list(flags: FlagValues, name: string): readonly string[] {
  const value = flags[name];
  return typeof value === 'object' ? value.filter((item) => item !== '') : [];
}
