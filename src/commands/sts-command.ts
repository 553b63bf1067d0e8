/** What commands share that ask STS first, not Roles Anywhere. */
// Tests: test/cli/chain.test.ts
import { regionOf } from '../sources/region.ts';
import { assumeRole } from '../aws/assume-role.ts';
import type { Service } from '../aws/endpoints.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { FirstStage } from '../credentials/chain.ts';
import { connectionSettings } from '../options/connection.ts';
import type { ConnectionFlags } from '../options/connection.ts';
import type { FlagValues } from '../options/flag-values.ts';
import type { AssumeRoleInput, WebIdentityInput } from '../aws/sts-input.ts';
import { assumeRoleWithWebIdentity } from '../aws/web-identity.ts';
import { codesOf } from '../sources/mfa.ts';
import { terminalTokenProvider } from '../sources/token-providers.ts';
import { localCredentials } from '../sources/index.ts';
import { credentialsFrom } from '../sources/source.ts';
import type { HttpTransport } from '../http/http.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Io } from './command.ts';
import { openConnection } from './connection.ts';
import type { CommandConnection } from './connection.ts';

/**
 * Checks the flags and makes the connection.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export async function openSts(
  flags: ConnectionFlags & FlagValues<'region'>,
  io: Io,
  services: readonly Service[] = ['sts'],
): Promise<{ readonly region: string; readonly connection: CommandConnection }> {
  const region = regionOf(flags.region, io.env);
  const settings = connectionSettings(flags, io.env, services, true);
  return { region, connection: await openConnection(settings, io, true) };
}

/**
 * Asks the credentials that `--source` and `--source-profile` name. Roles of profiles on the way are assumed over the
 * same connection as those of the flags, and in the same region.
 */
export function localSource(
  flags: FlagValues<'source' | 'source-profile'>,
  connection: CommandConnection,
  { env, log }: Io,
  region: string,
): FirstStage {
  const { source, 'source-profile': profile } = flags;
  const assume = async (input: AssumeRoleInput, credentials: AwsCredentials): Promise<AwsCredentials> => {
    const codes = codesOf(input.serialNumber, input.serialNumber === undefined ? undefined : terminalTokenProvider());
    return await assumeRole({ ...input, credentials, region, tokenCode: codes && (() => codes()) }, connection);
  };
  const assumeWithToken = async (input: WebIdentityInput, token: () => Promise<string>): Promise<AwsCredentials> =>
    await assumeRoleWithWebIdentity({ ...input, region, token }, connection);
  return async (): Promise<AwsCredentials> => {
    if (profile !== undefined && source !== undefined && source !== 'profile')
      throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--source-profile and --source ${source} exclude each other`, {
        hint: 'leave one of them out',
        flag: '--source-profile',
      });
    const transport = told(connection.local, log);
    const surroundings = { ...connection, transport, env, profile, assume, assumeWithToken };
    return await credentialsFrom(() => localCredentials(profile === undefined ? source : 'profile', surroundings));
  };
}

/** Of these requests `--debug` shows where they go, and how they end: tokens and credentials are all that they hold. */
function told(transport: HttpTransport, log: Log): HttpTransport {
  return async (request) => {
    const { method, url } = request;
    log.debug(`request for credentials: ${method} ${url.host}`);
    const response = await transport(request);
    log.debug(`response: ${response.status}`);
    return response;
  };
}
