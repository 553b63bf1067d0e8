/** The options of `serve` besides those of every command that obtains credentials. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { FlagsOf } from './flag-values.ts';
import type { FlagName } from './flags.ts';
import { renewalSettings } from './renewal.ts';
import { refuseControls, servedRoles } from './served-roles.ts';
import type { RolesToServe } from './served-roles.ts';

export interface ServeOptions {
  readonly roles: RolesToServe;
  readonly port: number;
  /** The addresses to listen on; empty for those of the loopback. */
  readonly listen: readonly string[];
  readonly allowedHosts: readonly string[];
  /** EC2's addresses of IMDS to listen on too. */
  readonly imdsAddresses: readonly string[];
  /** The life left at which a set is renewed, in milliseconds; undefined to let its whole life decide. */
  readonly refreshBeforeMs: number | undefined;
  /** How long a request waits for credentials that are on their way, in milliseconds; undefined for what its client would. */
  readonly waitMs: number | undefined;
  readonly imds: boolean;
  readonly hopLimit: number;
  /** The file to write the token to. */
  readonly tokenFile: string | undefined;
  /** The file of a token that something else made. */
  readonly tokenSource: string | undefined;
  readonly printToken: boolean;
  /** The files of the server's own certificate and key. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly metricsListen: string | undefined;
  readonly auditLog: string | undefined;
  readonly console: ConsoleFlags | undefined;
  /** The shell to print lines for. sh, bash and zsh set variables in the same words. */
  readonly shell: 'sh' | 'fish' | 'powershell' | 'cmd' | undefined;
}

/** The web console, as its flags want it. */
export interface ConsoleFlags {
  /** Whether there is a passphrase, without which it stays on the loopback. */
  readonly passphrase: boolean;
}

/** The flags whose values are files of the server's own. */
const FILE_FLAGS = [
  'token-file',
  'token-source',
  'audit-log',
  'tls-cert',
  'tls-key',
  'console-passphrase-file',
] as const;

/**
 * Checks the flags of `serve`.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function serveOptions(flags: FlagsOf<'serve'>, env: Readonly<Record<string, string | undefined>>): ServeOptions {
  for (const name of FILE_FLAGS) checkIsFile(name, flags[name]);
  const roles = servedRoles(flags, env);
  const {
    'token-file': tokenFile,
    'token-source': tokenSource,
    'tls-cert': cert,
    'tls-key': key,
    'credentials-wait': wait,
  } = flags;
  if (tokenFile !== undefined && tokenSource !== undefined && placeOf(tokenFile) === placeOf(tokenSource))
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--token-file and --token-source name the same file', {
      flag: '--token-file',
      hint: 'give --token-source alone: clients can read that file too',
    });
  checkOwnTokens(roles, [tokenFile, tokenSource]);
  // A wrong value is refused before anything is asked for, and also where it would have no effect yet.
  if (flags.renew === true || flags['renew-from'] !== undefined || flags['renew-command'] !== undefined)
    renewalSettings(flags);
  const refreshBeforeMs = refreshBefore(flags['refresh-before'], roles);
  if ((cert === undefined) !== (key === undefined)) {
    const flag = cert === undefined ? '--tls-cert' : '--tls-key';
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `${flag} is not given`, {
      flag,
      hint: 'give --tls-cert and --tls-key together, or neither for plain http',
    });
  }
  return {
    roles,
    refreshBeforeMs,
    waitMs: wait === undefined ? undefined : 1000 * inRange('credentials-wait', wait, 1, 60),
    port: inRange('port', flags.port, 0, 65_535),
    hopLimit: inRange('hop-limit', flags['hop-limit'], 1, 255),
    listen: flags.listen ?? [],
    allowedHosts: (flags['allowed-host'] ?? []).map((host) => checkHost(host)),
    imds: flags['no-imds'] !== true,
    imdsAddresses: flags['imds-address'] ?? [],
    printToken: flags['print-token'] === true,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    tokenFile,
    tokenSource,
    metricsListen: flags['metrics-listen'],
    auditLog: flags['audit-log'],
    console: consoleFlags(flags),
    shell: flags.shell === 'bash' || flags.shell === 'zsh' ? 'sh' : flags.shell,
  };
}

/** One token would be written over another: of two roles, one nobody could have, and the other whoever was to have the first. */
function checkOwnTokens(roles: RolesToServe, shared: readonly (string | undefined)[]): void {
  const taken = new Map<string, string>();
  for (const path of shared) if (path !== undefined) taken.set(placeOf(path), 'the other roles');
  for (const { name, tokenFile } of roles) {
    if (tokenFile === undefined) continue;
    const other = taken.get(placeOf(tokenFile));
    if (other !== undefined)
      throw new RolesAnywhereError(
        'ERR_FLAG_CONFLICT',
        `--role: the token of ${name} would be in the file of ${other}: ${tokenFile}`,
        { flag: '--role', hint: 'give each role that has a token of its own a file of its own' },
      );
    taken.set(placeOf(tokenFile), name);
  }
}

/** A file by its folder without links, and its name. */
function placeOf(path: string): string {
  const folder = dirname(resolve(path));
  try {
    return join(realpathSync(folder), basename(path));
  } catch {
    return join(folder, basename(path)); // it is made later
  }
}

/** @throws RolesAnywhereError `ERR_FLAG_REQUIRED` for what has no effect without a console */
function consoleFlags(flags: FlagsOf<'serve'>): ConsoleFlags | undefined {
  const passphrase = flags['console-passphrase-file'] !== undefined;
  if (flags.console === true) return { passphrase };
  const idle = passphrase ? 'console-passphrase-file' : flags['console-open'] === true ? 'console-open' : undefined;
  if (idle === undefined) return undefined;
  throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `--${idle} has no effect without --console`, {
    flag: `--${idle}`,
    hint: 'add --console',
  });
}

/** Refuses a flag for a file: `--token-file --no-imds` would take the second flag as a value, and it would have no effect. */
function checkIsFile(name: FlagName, value: string | undefined): void {
  refuseControls(`--${name}`, value);
  if (value?.startsWith('--') !== true) return;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name}: ${JSON.stringify(value)} is a flag, not a file`, {
    flag: `--${name}`,
    hint: `--${name} lacks its value; for a file of that name, write ./${value}`,
  });
}

/**
 * The life left at which a set is renewed, in milliseconds.
 *
 * @throws RolesAnywhereError also for a time no shorter than a session: a set that is renewed as soon as it comes would be
 * asked for again and again
 */
export function refreshBefore(given: number | undefined, roles: RolesToServe): number | undefined {
  if (given === undefined) return undefined;
  const seconds = inRange('refresh-before', given, 1, 43_199);
  const short = roles.find(({ vending }) => (vending.session.durationSeconds ?? Infinity) <= seconds);
  if (short === undefined) return seconds * 1000;
  throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--refresh-before is no less than the session of ${short.name}`, {
    flag: '--refresh-before',
    hint: 'give fewer seconds than --session-duration',
  });
}

function checkHost(host: string): string {
  if (/^(?:\[[0-9a-f:]+\]|[\w.-]+)(?::\d{1,5})?$|^[0-9a-f:]+$/i.test(host)) return host;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--allowed-host is not a host: ${JSON.stringify(host)}`, {
    flag: '--allowed-host',
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
