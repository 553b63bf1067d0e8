/** From an identity provider's token to credentials: what stscreds.WebIdentityRoleProvider is in the AWS SDK for Go. */
import type { CredentialsFunction } from '../credentials/cached.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { checkWebIdentity } from '../aws/sts-input.ts';
import type { WebIdentityInput } from '../aws/sts-input.ts';
import { assumeRoleWithWebIdentity } from '../aws/web-identity.ts';
import type { WebIdentityRole } from '../aws/web-identity.ts';
import { readTokenFile } from '../sources/token-file.ts';
import { SHARED_OPTIONS, callerRegion, connectionOf, keep } from './connection.ts';
import type { ConnectionOptions, KeepingOptions } from './connection.ts';
import { checkLists, fromRoot, refuseUnknown, requireOptions, taken } from './given.ts';

/** Gives a token that is valid now; called for each request. */
export type TokenRetriever = (request: { readonly signal: AbortSignal }) => Promise<string>;

export interface WebIdentityProviderOptions
  extends Omit<WebIdentityInput, 'roleArn'>, ConnectionOptions, KeepingOptions {
  /** Default: AWS_ROLE_ARN. */
  readonly roleArn?: string | undefined;
  /** Default: AWS_ROLE_SESSION_NAME, or `roles-anywhere-` and the time in milliseconds. */
  readonly roleSessionName?: string | undefined;
  /** Default: an hour, STS's own. */
  readonly durationSeconds?: number | undefined;
  /** Excludes `tokenFile`. */
  readonly tokenRetriever?: TokenRetriever | undefined;
  /** A file that holds the token; read again for each request. Default: AWS_WEB_IDENTITY_TOKEN_FILE. */
  readonly tokenFile?: string | undefined;
  /** The region in which STS is asked. Default: that of the SDK client which asks, then AWS_REGION, AWS_DEFAULT_REGION. */
  readonly region?: string | undefined;
}

const OPTIONS: Readonly<Record<keyof WebIdentityProviderOptions, true>> = {
  ...SHARED_OPTIONS,
  tokenRetriever: true,
  tokenFile: true,
  region: true,
  roleArn: true,
  roleSessionName: true,
  durationSeconds: true,
  policy: true,
  policyArns: true,
  providerId: true,
};

/**
 * Credentials of a role that the bearer of a token may assume, kept and renewed
 * as {@link fromRolesAnywhere} does. The request is not signed.
 *
 * @throws RolesAnywhereError of class `usage`, at once, for options that STS would refuse; calls reject with
 * `ERR_WEB_IDENTITY_TOKEN` and those of the network and the service
 */
export function fromWebIdentity(options: WebIdentityProviderOptions = {}): CredentialsFunction {
  requireOptions(options);
  refuseUnknown(options, OPTIONS, 'the options object');
  options = taken(options, OPTIONS);
  const { AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME, AWS_WEB_IDENTITY_TOKEN_FILE } = process.env;
  const { durationSeconds, policy, policyArns, providerId } = options;
  const roleArn = given(options.roleArn, AWS_ROLE_ARN);
  if (roleArn === undefined)
    throw new RolesAnywhereError('ERR_ARN', 'no role is given', { hint: 'give roleArn or AWS_ROLE_ARN' });
  const roleSessionName = given(options.roleSessionName, AWS_ROLE_SESSION_NAME);
  checkLists({ policyArns });
  const input: WebIdentityInput = { roleArn, roleSessionName, durationSeconds, policy, policyArns, providerId };
  checkWebIdentity(input);
  const token = retrieverOf(options, AWS_WEB_IDENTITY_TOKEN_FILE);
  const { heard, region } = callerRegion(options.region);
  const connection = connectionOf(options, 'sts');
  const vend = async ({ signal }: { signal: AbortSignal }): Promise<WebIdentityRole> =>
    await assumeRoleWithWebIdentity(
      { ...input, region: await region(), token: () => retrieve(token, signal) },
      connection(signal),
    );
  return keep(vend, { ...options, clock: connection.clock }, { heard });
}

function given(option: string | undefined, variable: string | undefined): string | undefined {
  return option ?? (variable === '' ? undefined : variable);
}

function retrieverOf(
  { tokenRetriever, tokenFile }: WebIdentityProviderOptions,
  variable: string | undefined,
): TokenRetriever {
  if (tokenRetriever !== undefined && tokenFile !== undefined)
    throw new RolesAnywhereError('ERR_USAGE', 'tokenRetriever and tokenFile exclude each other', {
      hint: 'leave one of them out',
    });
  if (tokenRetriever !== undefined) return tokenRetriever;
  const named = given(tokenFile, variable);
  if (named !== undefined) {
    const path = fromRoot(named);
    return async () => await readTokenFile(path);
  }
  throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', 'no web identity token is given', {
    hint: 'give tokenRetriever, tokenFile or AWS_WEB_IDENTITY_TOKEN_FILE',
  });
}

/** What the retriever says is not repeated: it may hold the token. */
async function retrieve(retriever: TokenRetriever, signal: AbortSignal): Promise<string> {
  try {
    return await retriever({ signal });
  } catch (cause) {
    if (cause instanceof RolesAnywhereError) throw cause;
    throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', 'the web identity token cannot be retrieved', {
      hint: 'see the cause of this error',
      cause,
    });
  }
}
