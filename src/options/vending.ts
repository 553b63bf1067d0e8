/** What every command takes that obtains credentials: from the values of flags to options that were checked. */
import type { FlagValues } from '../commands/command.ts';
import { RolesAnywhereError } from '../errors.ts';
import { checkArnsAgree, isRegion, parseArn } from './arn.ts';
import type { ArnKind } from './arn.ts';

/** Everything that can be checked without reading a file or sending anything was. */
export interface VendingOptions {
  /** Where the identity is, as the user wrote it. */
  readonly identity: {
    readonly certificate: string;
    readonly privateKey?: string;
    readonly intermediates?: string;
  };
  readonly session: {
    readonly trustAnchorArn: string;
    readonly profileArn: string;
    readonly roleArn: string;
    readonly region: string;
    readonly endpoint?: URL;
    readonly durationSeconds?: number;
    readonly roleSessionName?: string;
  };
  readonly trust: {
    /** False: the server's certificate is not checked. */
    readonly verify: boolean;
    /** A file of roots that replace Node's own, and what named it. */
    readonly caBundle?: { readonly path: string; readonly source: string };
  };
}

/** IAM Roles Anywhere API Reference, "CreateSession", durationSeconds. */
const MIN_DURATION_SECONDS = 900;
const MAX_DURATION_SECONDS = 43_200;

/**
 * Checks the flags of a command that obtains credentials. A flag with an empty
 * value counts as not given, as it does upstream.
 *
 * @param env for AWS_CA_BUNDLE
 * @throws RolesAnywhereError of class `usage`
 */
export function vendingOptions(flags: FlagValues, env: Readonly<Record<string, string | undefined>>): VendingOptions {
  const trustAnchorArn = required(flags, 'trust-anchor-arn');
  const profileArn = required(flags, 'profile-arn');
  const roleArn = required(flags, 'role-arn');
  const trustAnchor = arn('trust-anchor', trustAnchorArn);
  checkArnsAgree(trustAnchor, arn('profile', profileArn), arn('role', roleArn));
  const endpoint = text(flags, 'endpoint');
  const durationSeconds = flags['session-duration'];
  const roleSessionName = text(flags, 'role-session-name');
  const privateKey = text(flags, 'private-key');
  const intermediates = text(flags, 'intermediates');
  const ownBundle = text(flags, 'ca-bundle');
  const caBundle = ownBundle ?? env['AWS_CA_BUNDLE'];
  return {
    session: {
      trustAnchorArn,
      profileArn,
      roleArn,
      region: checkRegion(text(flags, 'region') ?? trustAnchor.region),
      ...(endpoint === undefined ? {} : { endpoint: checkEndpoint(endpoint) }),
      ...(typeof durationSeconds === 'number' ? { durationSeconds: checkDuration(durationSeconds) } : {}),
      ...(roleSessionName === undefined ? {} : { roleSessionName: checkSessionName(roleSessionName) }),
    },
    identity: {
      certificate: required(flags, 'certificate'),
      ...(privateKey === undefined ? {} : { privateKey }),
      ...(intermediates === undefined ? {} : { intermediates }),
    },
    trust: {
      verify: flags['no-verify-ssl'] !== true,
      ...(caBundle === undefined || caBundle === ''
        ? {}
        : { caBundle: { path: caBundle, source: ownBundle === undefined ? 'AWS_CA_BUNDLE' : '--ca-bundle' } }),
    },
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

function checkEndpoint(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const secure = url?.protocol === 'https:';
  if (url === undefined || (!secure && url.protocol !== 'http:')) {
    throw new RolesAnywhereError('ERR_ENDPOINT', '--endpoint is not an http or https URL', {
      hint: 'give https://HOST[:PORT][/PATH]',
    });
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new RolesAnywhereError('ERR_ENDPOINT', '--endpoint holds a user name, a query or a fragment', {
      hint: 'give https://HOST[:PORT][/PATH]',
    });
  }
  // URL writes every form of an IPv4 address as four decimal numbers.
  if (!secure && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) {
    throw new RolesAnywhereError('ERR_ENDPOINT', `--endpoint is plain http to ${url.hostname}`, {
      hint: 'use https: credentials would cross the network in the clear (http is for this machine alone)',
    });
  }
  return url;
}
