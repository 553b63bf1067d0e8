/** What `serve` takes besides what every command takes that obtains credentials. */
import type { FlagsOf } from './flag-values.ts';
import type { FlagName } from './flags.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { servedRoles } from './served-roles.ts';
import type { RoleOptions } from './served-roles.ts';

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
  /** Whose words the variables are set in. sh, bash and zsh do not differ there. */
  readonly shell: 'sh' | 'fish' | 'powershell' | 'cmd' | undefined;
}

/** AWS's helper does so; both set nothing that matters on the loopback. */
export const DEFAULT_HOP_LIMIT = 64;

/**
 * Checks the flags of `serve`.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function serveOptions(flags: FlagsOf<'serve'>, env: Readonly<Record<string, string | undefined>>): ServeOptions {
  const [first, ...others] = servedRoles(flags, env);
  if (first === undefined) throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --role-arn or --role');
  const { 'token-file': tokenFile, 'token-source': tokenSource, 'tls-cert': cert, 'tls-key': key } = flags;
  if (tokenFile !== undefined && tokenFile === tokenSource)
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--token-file and --token-source name the same file', {
      hint: 'give --token-source alone: clients can read that file too',
    });
  const refreshBefore = refreshBeforeSeconds(flags, [first, ...others]);
  if ((cert === undefined) !== (key === undefined))
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `--tls-${cert === undefined ? 'cert' : 'key'} is not given`, {
      hint: 'give --tls-cert and --tls-key together, or neither for plain http',
    });
  return {
    roles: [first, ...others],
    refreshBeforeMs: refreshBefore === undefined ? undefined : refreshBefore * 1000,
    port: inRange('port', flags.port, 0, 65_535),
    hopLimit: inRange('hop-limit', flags['hop-limit'], 1, 255),
    listen: flags.listen ?? [],
    allowedHosts: (flags['allowed-host'] ?? []).map((host) => checkHost(host)),
    imds: flags['no-imds'] !== true,
    printToken: flags['print-token'] === true,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    tokenFile,
    tokenSource,
    metricsListen: flags['metrics-listen'],
    auditLog: flags['audit-log'],
    shell: flags.shell === 'bash' || flags.shell === 'zsh' ? 'sh' : flags.shell,
  };
}

/** A set that is renewed as soon as it comes would be asked for again and again. */
function refreshBeforeSeconds(flags: FlagsOf<'serve'>, roles: readonly RoleOptions[]): number | undefined {
  if (flags['refresh-before'] === undefined) return undefined;
  const seconds = inRange('refresh-before', flags['refresh-before'], 1, 43_199);
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

function inRange(name: FlagName, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name} is out of range`, {
    flag: `--${name}`,
    hint: `give ${least} to ${most}`,
  });
}
