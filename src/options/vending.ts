/** What every command takes that obtains credentials: from the values of flags to options that were checked. */
import type { FlagValues } from '../commands/command.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { checkArnsAgree, checkRegionOf, isRegion, parseArn } from './arn.ts';
import type { ArnKind } from './arn.ts';
import { checkEndpoint, endpointSettings, networkOptions, trustOptions } from './network.ts';
import type { EndpointOptions, NetworkOptions, TrustOptions } from './network.ts';
import { passwordSources } from './passwords.ts';
import type { PasswordSources } from './passwords.ts';

/** Everything that can be checked without reading a file or sending anything was. */
export interface VendingOptions {
  /** Where the identity is, as the user wrote it. */
  readonly identity: {
    readonly certificate: string;
    readonly privateKey?: string | undefined;
    readonly intermediates?: string | undefined;
    readonly skipChecks?: boolean | undefined;
  };
  /** Of encrypted keys and containers. */
  readonly passwords: PasswordSources;
  readonly session: EndpointOptions & {
    readonly trustAnchorArn: string;
    readonly profileArn: string;
    readonly roleArn: string;
    readonly region: string;
    readonly durationSeconds?: number | undefined;
    readonly roleSessionName?: string | undefined;
  };
  readonly trust: TrustOptions;
  readonly network: NetworkOptions;
}

/** IAM Roles Anywhere API Reference, "CreateSession", durationSeconds. */
const MIN_DURATION_SECONDS = 900;
const MAX_DURATION_SECONDS = 43_200;

/** In the order in which they are missed. */
const NEEDED = ['certificate', 'trust-anchor-arn', 'profile-arn', 'role-arn'];

/**
 * Checks the flags of a command that obtains credentials. A flag with an empty
 * value counts as not given, as it does upstream.
 *
 * @param env for passwords and the variables that AWS's SDKs read
 * @throws RolesAnywhereError of class `usage`
 */
export function vendingOptions(flags: FlagValues, env: Readonly<Record<string, string | undefined>>): VendingOptions {
  // All that are missing are named, not the first alone.
  const missing = NEEDED.filter((name) => text(flags, name) === undefined);
  if (missing.length > 1)
    throw new RolesAnywhereError(
      'ERR_FLAG_REQUIRED',
      `missing flags: ${missing.map((name) => `--${name}`).join(', ')}`,
    );
  const trustAnchorArn = required(flags, 'trust-anchor-arn');
  const profileArn = required(flags, 'profile-arn');
  const roleArn = required(flags, 'role-arn');
  const trustAnchor = arn('trust-anchor', trustAnchorArn);
  checkArnsAgree(trustAnchor, arn('profile', profileArn), arn('role', roleArn));
  const durationSeconds = flags['session-duration'];
  const roleSessionName = text(flags, 'role-session-name');
  const privateKey = text(flags, 'private-key');
  const intermediates = text(flags, 'intermediates');
  const region = checkRegion(text(flags, 'region') ?? trustAnchor.region);
  checkRegionOf(trustAnchor, region);
  return {
    session: {
      trustAnchorArn,
      profileArn,
      roleArn,
      region,
      ...checkEndpoint(endpointSettings(flags, env)),
      ...(typeof durationSeconds === 'number' ? { durationSeconds: checkDuration(durationSeconds) } : {}),
      ...(roleSessionName === undefined ? {} : { roleSessionName: checkSessionName(roleSessionName) }),
    },
    identity: {
      certificate: required(flags, 'certificate'),
      privateKey,
      intermediates,
      ...(flags['skip-checks'] === true ? { skipChecks: true } : {}),
    },
    passwords: passwordSources(flags, env),
    trust: trustOptions(flags, env),
    network: networkOptions(flags),
  };
}

function text(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function required(flags: FlagValues, name: string): string {
  const value = text(flags, name);
  if (value === undefined) throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `missing flag: --${name}`);
  return value;
}

function arn(kind: ArnKind, value: string): ReturnType<typeof parseArn> {
  return parseArn(kind, value, `--${kind}-arn`);
}

function checkRegion(region: string): string {
  if (isRegion(region)) return region;
  throw new RolesAnywhereError('ERR_REGION', `--region is not a region: ${JSON.stringify(region)}`, {
    hint: 'leave it out: the ARN of the trust anchor names the region',
  });
}

function checkDuration(seconds: number): number {
  if (seconds >= MIN_DURATION_SECONDS && seconds <= MAX_DURATION_SECONDS) return seconds;
  throw new RolesAnywhereError('ERR_DURATION', `--session-duration is out of range: ${seconds}`, {
    hint: `give ${MIN_DURATION_SECONDS} to ${MAX_DURATION_SECONDS} seconds`,
  });
}

/** STS API Reference, "AssumeRole", RoleSessionName. */
function checkSessionName(name: string): string {
  if (/^[\w+=,.@-]{2,64}$/.test(name)) return name;
  throw new RolesAnywhereError(
    'ERR_SESSION_NAME',
    `--role-session-name is not a session name: ${JSON.stringify(name)}`,
    {
      hint: 'give 2 to 64 letters, digits and characters of _+=,.@-',
    },
  );
}
