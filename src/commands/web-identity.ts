/** `web-identity`: from an identity provider's token to credentials, printed as `credential-process` does. */
// Tests: test/cli/chain.test.ts, test/cli/kept-sts.heavy.test.ts
import { endpointOf } from '../aws/endpoints.ts';
import { checkWebIdentity } from '../aws/sts-input.ts';
import type { WebIdentityInput } from '../aws/sts-input.ts';
import type { AssumedRole } from '../aws/sts.ts';
import { assumeRoleWithWebIdentity } from '../aws/web-identity.ts';
import { isSpiffe } from '../identity/load.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import { flagOf, readPolicy } from '../options/hops.ts';
import { processJson } from '../output/process-json.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { readTokenFile } from '../sources/token-file.ts';
import { chainOf } from './chain.ts';
import type { Io, RunCommand } from './command.ts';
import type { Vended } from './kept-session.ts';
import { openSts } from './sts-command.ts';

/** The flags that are this command's alone, by the parameter that they give. */
const FLAG_OF: Readonly<Record<string, string>> = {
  roleArn: '--role-arn',
  roleSessionName: '--role-session-name',
  durationSeconds: '--session-duration',
  providerId: '--provider-id',
};

export const run: RunCommand<'web-identity'> = async (flags, io) => {
  const goesOn = flags['assume-role-arn'] !== undefined;
  const input = readInput(flags, io, goesOn);
  checkWebIdentity(input, (parameter) => FLAG_OF[parameter] ?? flagOf(parameter));
  const readToken = tokenReader(flags, io);
  const vend = async (asked: typeof flags): Promise<Vended> => {
    const { region, connection } = await openSts(asked, io, ['sts']);
    // Without a further role, the session policy is this session's.
    const chained = goesOn ? asked : { ...asked, policy: undefined, 'policy-arn': undefined };
    const further = isChained(chained)
      ? chainOf(chained, { region, connection: () => connection, fromRole: true, once: true })
      : undefined;
    const { roleArn } = input;
    const first = async (): Promise<AssumedRole> => {
      const [, partition = ''] = roleArn.split(':');
      io.log.debug(
        `AssumeRoleWithWebIdentity ${roleArn} in ${region} at ${endpointOf(connection, 'sts', partition, region).href}`,
      );
      const { token, sessionName } = await readToken(connection.budget?.remaining);
      const { roleSessionName = sessionName } = input;
      return await assumeRoleWithWebIdentity({ ...input, roleSessionName, region, token }, connection);
    };
    const credentials = await (further === undefined ? first() : further(first)(new AbortController().signal));
    return { credentials, clockOffset: connection.clock.offset() };
  };
  // A token of the Workload API is in no file by which a later run could tell that it is the same workload's.
  const tokenFile = flags.cache === true && flags['web-identity-token'] === undefined ? tokenPath(flags, io) : '';
  const { credentials } =
    tokenFile === ''
      ? await vend(flags)
      : { credentials: await (await import('./kept-sts.ts')).keptWebIdentity({ flags, input, tokenFile }, io, vend) };
  io.log.debug(`credentials until ${credentials.expiration.toISOString()}`);
  io.stdout(processJson(credentials, { accountId: flags['no-account-id'] !== true }));
};

/** The path of the token's file; empty where none is named. */
function tokenPath({ 'web-identity-token-file': file }: FlagsOf<'web-identity'>, { env }: Io): string {
  return file ?? env['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '';
}

/** A token, and the name of a session that goes by it, where it has one. */
interface Token {
  /** Called for each attempt. */
  readonly token: () => Promise<string>;
  readonly sessionName?: string | undefined;
}

/** @returns what gives the token, within the time that is left */
function tokenReader(
  flags: FlagsOf<'web-identity'>,
  io: Io,
): (remaining: (() => number) | undefined) => Promise<Token> {
  const { 'web-identity-token': value } = flags;
  const tokenFile = tokenPath(flags, io);
  if (value === undefined && tokenFile === '')
    throw missing('--web-identity-token-file', 'AWS_WEB_IDENTITY_TOKEN_FILE');
  if (value === undefined) return async () => ({ token: async () => await readTokenFile(tokenFile) });
  if (!isSpiffe(value))
    throw new RolesAnywhereError('ERR_FLAG_VALUE', '--web-identity-token is not spiffe:?audience=AUDIENCE', {
      hint: 'a token itself stays off the command line, which other users can see: put it into a file for --web-identity-token-file',
      flag: '--web-identity-token',
    });
  return async (timeoutMs) => {
    const { readJwtSvid, sessionNameOf } = await import('../identity/spiffe/index.ts');
    const { token, id } = await readJwtSvid(value, { env: io.env, timeoutMs });
    return { token: async () => token, sessionName: sessionNameOf(id) };
  };
}

function readInput(flags: FlagsOf<'web-identity'>, { env }: Io, goesOn: boolean): WebIdentityInput {
  const roleArn = flags['role-arn'] ?? env['AWS_ROLE_ARN'] ?? '';
  if (roleArn === '') throw missing('--role-arn', 'AWS_ROLE_ARN');
  return {
    roleArn,
    roleSessionName: flags['role-session-name'] ?? (env['AWS_ROLE_SESSION_NAME'] || undefined),
    durationSeconds: flags['session-duration'],
    providerId: flags['provider-id'],
    policy: goesOn ? undefined : readPolicy(flags.policy),
    policyArns: goesOn ? undefined : flags['policy-arn'],
  };
}

function missing(flag: string, variable: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_FLAG_REQUIRED', `missing flag: ${flag}`, {
    hint: `give it, or ${variable}`,
    flag,
  });
}
