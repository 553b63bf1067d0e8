/** `assume-role --cache` and `web-identity --cache`: what decides which credentials a line of theirs gets. */
// Tests: test/cli/kept-sts.heavy.test.ts
import { resolve } from 'node:path';
import type { WebIdentityInput } from '../aws/sts-input.ts';
import { CACHE_VERSION } from '../credentials/cache/entry.ts';
import { bootOf, stampOf } from '../credentials/cache/safe-file.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { readConfigText } from '../options/config/file.ts';
import { readIni } from '../options/config/ini.ts';
import { configPath, credentialsPath } from '../options/config/shared.ts';
import { connectionSettings } from '../options/connection.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { hopsOf } from '../options/hops.ts';
import type { HopFlags } from '../options/hops.ts';
import { regionOf } from '../sources/region.ts';
import { keptCredentials, reachedBy } from './kept-session.ts';
import type { Io } from './command.ts';
import type { Vended } from './kept-session.ts';

/**
 * Variables by which the credentials are found that a role is assumed with, secrets apart; but a container endpoint may tell
 * whose credentials it gives by its token alone.
 */
const OF_SOURCES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_ROLE_ARN',
  'AWS_ROLE_SESSION_NAME',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
  'AWS_EC2_METADATA_DISABLED',
  'AWS_EC2_METADATA_SERVICE_ENDPOINT',
  'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE',
];

/**
 * Gives the credentials that are kept for a line of `assume-role`, or gets them and keeps them. Other credentials to start
 * from, and AWS's files once they were changed, make another line of it; so does an access key that is renewed. A hit asks
 * for no code of an MFA device.
 *
 * @param vend asks the service, with the flags as they are after the wait for others
 * @throws RolesAnywhereError of class `usage`, and those of `vend`
 */
export async function keptAssumeRole(
  flags: FlagsOf<'assume-role'>,
  io: Io,
  vend: (flags: FlagsOf<'assume-role'>) => Promise<Vended>,
): Promise<SessionCredentials> {
  const { env } = io;
  const region = regionOf(flags.region, env);
  const connection = connectionSettings(flags, env, ['sts'], true);
  const hops = inputsOf(flags, false);
  const tokenFiles = [env['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '', env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? ''];
  const shared = [configPath(env), credentialsPath(env)];
  const files = [...shared, ...tokenFiles.filter((file) => file !== ''), ...shared.flatMap(tokenFilesIn)];
  return await keptCredentials(flags, io, {
    effective: async () => [
      CACHE_VERSION,
      'assume-role',
      region,
      hops,
      [flags.source, flags['source-profile']],
      OF_SOURCES.map((name) => env[name] ?? null),
      files.map((file) => [resolve(file), stampOf(file) ?? null]),
      // Whose instance metadata those are.
      bootOf(),
      reachedBy(connection),
    ],
    role: hops.at(-1)?.roleArn ?? '',
    file: undefined,
    timeoutMs: connection.retry.timeoutMs,
    // What a role is assumed with is in variables and files that no line is remembered with.
    paths: undefined,
    vend: async (timeoutMs) => await vend({ ...flags, timeout: inSeconds(timeoutMs) }),
  });
}

/**
 * Gives the credentials that are kept for a line of `web-identity`, or gets them and keeps them. A token file that was
 * replaced ends the use of what was obtained with the old one.
 *
 * @param vend asks the service, with the flags as they are after the wait for others
 * @throws RolesAnywhereError of class `usage`, and those of `vend`
 */
export async function keptWebIdentity(
  { flags, input, tokenFile }: KeptWebIdentity,
  io: Io,
  vend: (flags: FlagsOf<'web-identity'>) => Promise<Vended>,
): Promise<SessionCredentials> {
  const { env } = io;
  const region = regionOf(flags.region, env);
  const connection = connectionSettings(flags, env, ['sts'], true);
  const hops = flags['assume-role-arn'] === undefined ? [] : inputsOf(flags, true);
  const path = resolve(tokenFile);
  return await keptCredentials(flags, io, {
    effective: async () => [CACHE_VERSION, 'web-identity', region, input, path, hops, reachedBy(connection)],
    role: hops.at(-1)?.roleArn ?? input.roleArn,
    file: path,
    timeoutMs: connection.retry.timeoutMs,
    paths: [tokenFile, flags['ca-bundle'], env['AWS_CA_BUNDLE']],
    vend: async (timeoutMs) => await vend({ ...flags, timeout: inSeconds(timeoutMs) }),
  });
}

/** A line of `web-identity`. */
export interface KeptWebIdentity {
  readonly flags: FlagsOf<'web-identity'>;
  readonly input: WebIdentityInput;
  readonly tokenFile: string;
}

/** The token files that the profiles of a file name. */
function tokenFilesIn(path: string): string[] {
  try {
    const { text } = readConfigText(path);
    return readIni(text, path).flatMap(({ keys }) => keys.get('web_identity_token_file')?.value ?? []);
  } catch {
    return []; // it is not there, or says so when it is read for its profiles
  }
}

/** What AssumeRole is asked for each hop: all but codes. */
function inputsOf(flags: HopFlags, fromRole: boolean): ReturnType<typeof hopsOf>[number]['input'][] {
  return hopsOf(flags, fromRole).map(({ input }) => input);
}

/** At least a second: what is left after a wait for others is a part of the time for all. */
function inSeconds(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined ? undefined : Math.max(1, Math.ceil(timeoutMs / 1000));
}
