/** From any credentials to those of another role: what stscreds.AssumeRoleProvider is in the AWS SDK for Go. */
import { systemClock } from '../platform/clock.ts';
import type { Clock } from '../platform/clock.ts';
import type { CredentialsFunction } from '../credentials/cached.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { isRegion } from '../options/arn.ts';
import { assumeRole } from '../aws/assume-role.ts';
import type { AssumedRole } from '../aws/assume-role.ts';
import { checkAssumeRole } from '../aws/sts-input.ts';
import type { AssumeRoleInput } from '../aws/sts-input.ts';
import { connectionOf, keep } from './connection.ts';
import type { ConnectionOptions, KeepingOptions } from './connection.ts';
import { checkLists, requireGiven, requireOptions } from './given.ts';
import { DEFAULT_TOKEN_TIMEOUT_MS, oneTimeCodes } from '../sources/mfa.ts';
import type { TokenProvider } from '../sources/mfa.ts';
import { credentialsFrom } from '../sources/source.ts';
import type { CredentialsSource } from '../sources/source.ts';

export interface AssumeRoleProviderOptions extends AssumeRoleInput, ConnectionOptions, KeepingOptions {
  /** Who asks. Not closed when this provider is. */
  readonly source: CredentialsSource;
  /** Default 900, as in the AWS SDK for Go. At most 3600 when a role session asks. */
  readonly durationSeconds?: number | undefined;
  /** Default: `roles-anywhere-` and the time in milliseconds. */
  readonly roleSessionName?: string | undefined;
  /** Gives the code of the MFA device `serialNumber`; called for each request, and no code is used twice. */
  readonly tokenProvider?: TokenProvider | undefined;
  /** Longest time for one call of `tokenProvider`, in milliseconds. Default 60,000. */
  readonly tokenTimeout?: number | undefined;
  /** Of STS. Default: AWS_REGION, AWS_DEFAULT_REGION. */
  readonly region?: string | undefined;
}

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
  const { source, tokenProvider, tokenTimeout = DEFAULT_TOKEN_TIMEOUT_MS, ...rest } = options;
  const input = { ...inputOf(rest), durationSeconds: options.durationSeconds ?? DEFAULT_DURATION_SECONDS };
  checkAssumeRole(input);
  const region = regionOf(options.region);
  const connection = connectionOf(options);
  const { clock = systemClock } = options;
  const codes = codesOf(options.serialNumber, tokenProvider, { timeoutMs: tokenTimeout, clock });

  const vend = async ({ signal }: { signal: AbortSignal }): Promise<AssumedRole> =>
    await assumeRole({
      ...input,
      ...connection,
      credentials: await credentialsFrom(source),
      region,
      signal,
      now: () => clock.now(),
      ...(codes === undefined ? {} : { tokenCode: async () => await codes(signal) }),
    });
  // Of three codes at most, the second and the third need a wait for the device.
  return keep(vend, options, codes === undefined ? DEFAULT_TIMEOUT_MS : DEFAULT_TIMEOUT_MS + 3 * tokenTimeout);
}

/** The members of AssumeRoleInput, and no others. */
function inputOf(options: AssumeRoleInput): AssumeRoleInput {
  requireGiven('roleArn', options.roleArn);
  const { roleArn, roleSessionName, durationSeconds, policy, policyArns, externalId, serialNumber } = options;
  const { sourceIdentity, tags, transitiveTagKeys, providedContexts } = options;
  checkLists({ policyArns, transitiveTagKeys, providedContexts });
  if (tags !== undefined) requireOptions(tags, 'tags');
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

function codesOf(
  serialNumber: string | undefined,
  provider: TokenProvider | undefined,
  surroundings: { readonly timeoutMs: number; readonly clock: Clock },
): ReturnType<typeof oneTimeCodes> | undefined {
  if (serialNumber !== undefined && provider !== undefined)
    return oneTimeCodes(provider, { serialNumber, ...surroundings });
  if (serialNumber === undefined && provider === undefined) return undefined;
  throw new RolesAnywhereError('ERR_MFA_SERIAL', 'of serialNumber and tokenProvider, one is missing', {
    hint: 'give both for MFA, or neither',
  });
}

/** The region in which to ask STS. */
export function regionOf(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const region = given ?? (env['AWS_REGION'] || env['AWS_DEFAULT_REGION']);
  if (region !== undefined && region !== '' && isRegion(region)) return region;
  throw new RolesAnywhereError(
    'ERR_REGION',
    region === undefined || region === '' ? 'no region is given' : `not a region: ${JSON.stringify(region)}`,
    { hint: 'give one such as us-east-1 with the option region (--region) or AWS_REGION' },
  );
}
