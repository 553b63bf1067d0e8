/** From any credentials to those of another role: what stscreds.AssumeRoleProvider is in the AWS SDK for Go. */
import { requestRole } from '../aws/assume-role.ts';
import { checkAssumeRole } from '../aws/sts-input.ts';
import type { AssumeRoleInput } from '../aws/sts-input.ts';
import type { Connection } from '../aws/connection.ts';
import { assumeRoleWithWebIdentity } from '../aws/web-identity.ts';
import type { AssumedRole } from '../aws/sts.ts';
import type { CredentialsFunction } from '../credentials/cached.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import { DEFAULT_TOKEN_TIMEOUT_MS, codesOf } from '../sources/mfa.ts';
import type { TokenProvider } from '../sources/mfa.ts';
import { credentialsFrom } from '../sources/source.ts';
import type { CredentialsSource } from '../sources/source.ts';
import { SHARED_OPTIONS, callerRegion, connectionOf, keep } from './connection.ts';
import type { ConnectionOptions, KeepingOptions } from './connection.ts';
import { checkLists, refuseUnknown, requireGiven, requireOptions, requireRecord, taken } from './given.ts';

export interface AssumeRoleProviderOptions extends AssumeRoleInput, ConnectionOptions, KeepingOptions {
  /**
   * Who asks. Not closed when this provider is. Default: what this machine has, as the command `assume-role` finds it:
   * the variables, a web identity token, the profile (AWS_PROFILE), the container endpoint, the instance metadata service.
   */
  readonly source?: CredentialsSource | undefined;
  /** Default 900, as in the AWS SDK for Go. At most 3600 when a role session asks. */
  readonly durationSeconds?: number | undefined;
  /** Default: `roles-anywhere-` and the time in milliseconds. */
  readonly roleSessionName?: string | undefined;
  /** Gives the code of the MFA device `serialNumber`; called for each request, and no code is used twice. */
  readonly tokenProvider?: TokenProvider | undefined;
  /** Longest time for one call of `tokenProvider`, in milliseconds. Default 60,000. */
  readonly tokenTimeout?: number | undefined;
  /** The region in which STS is asked. Default: that of the SDK client which asks, then AWS_REGION, AWS_DEFAULT_REGION. */
  readonly region?: string | undefined;
}

const OPTIONS: Readonly<Record<keyof AssumeRoleProviderOptions, true>> = {
  ...SHARED_OPTIONS,
  source: true,
  tokenProvider: true,
  tokenTimeout: true,
  region: true,
  roleArn: true,
  roleSessionName: true,
  durationSeconds: true,
  policy: true,
  policyArns: true,
  externalId: true,
  serialNumber: true,
  sourceIdentity: true,
  tags: true,
  transitiveTagKeys: true,
  providedContexts: true,
};

const DEFAULT_DURATION_SECONDS = 900;
const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Credentials of a role that those of `source` may assume, kept and renewed as
 * {@link fromRolesAnywhere} does.
 *
 * @throws RolesAnywhereError of class `usage`, at once, for options that STS would refuse; calls reject with those of
 * the source, the token provider, the network and the service
 */
export function fromAssumeRole(options: AssumeRoleProviderOptions): CredentialsFunction {
  requireOptions(options);
  refuseUnknown(options, OPTIONS, 'the options object');
  options = taken(options, OPTIONS);
  const { source, tokenProvider, tokenTimeout = DEFAULT_TOKEN_TIMEOUT_MS, ...rest } = options;
  const input = { ...inputOf(rest), durationSeconds: options.durationSeconds ?? DEFAULT_DURATION_SECONDS };
  checkAssumeRole(input);
  const { heard, region } = callerRegion(options.region);
  const connection = connectionOf(options, 'sts');
  const codes = codesOf(options.serialNumber, tokenProvider, { timeoutMs: tokenTimeout, clock: connection.clock });
  const vend = async ({ signal }: { signal: AbortSignal }): Promise<AssumedRole> => {
    const tokenCode = codes && (async (): Promise<string> => await codes(signal));
    const reached = connection(signal);
    const inRegion = await region();
    const credentials = await credentialsFrom(source ?? (() => localSource(reached, inRegion)));
    return await requestRole({ ...input, credentials, region: inRegion, tokenCode }, reached);
  };
  // Of three codes at most, the second and the third need a wait for the device.
  return keep(
    vend,
    { ...options, clock: connection.clock },
    { timeout: codes === undefined ? DEFAULT_TIMEOUT_MS : DEFAULT_TIMEOUT_MS + 3 * tokenTimeout, heard },
  );
}

/** The machine's own credentials. Roles of profiles on the way are assumed over the same connection; nobody is asked for a code. */
async function localSource(connection: Connection, region: string): Promise<AwsCredentials> {
  const { localCredentials } = await import('../sources/index.ts');
  const { retry, signal } = connection;
  return await localCredentials(undefined, {
    env: process.env,
    retry,
    signal,
    assume: async (input, credentials) => await requestRole({ ...input, credentials, region }, connection),
    assumeWithToken: async (input, token) => await assumeRoleWithWebIdentity({ ...input, region, token }, connection),
  });
}

/** The members of AssumeRoleInput, and no others. */
function inputOf(options: AssumeRoleInput): AssumeRoleInput {
  requireGiven('roleArn', options.roleArn);
  const { roleArn, roleSessionName, durationSeconds, policy, policyArns, externalId, serialNumber } = options;
  const { sourceIdentity, tags, transitiveTagKeys, providedContexts } = options;
  checkLists({ policyArns, transitiveTagKeys, providedContexts });
  if (tags !== undefined) requireRecord('tags', tags);
  return {
    roleArn,
    roleSessionName,
    durationSeconds,
    policy,
    policyArns,
    externalId,
    serialNumber,
    sourceIdentity,
    tags,
    transitiveTagKeys,
    providedContexts,
  };
}
