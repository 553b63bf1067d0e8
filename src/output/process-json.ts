import type { AwsCredentials } from '../credentials/credentials.ts';
import { formatExpiration } from '../credentials/expiration.ts';

export interface ProcessJsonOptions {
  /** Whether AccountId is printed, where it is known. Default true. */
  readonly accountId?: boolean | undefined;
  /** Whether a line feed ends it. Default true. */
  readonly lineFeed?: boolean | undefined;
}

/**
 * The output of a `credential_process`: one JSON object on one line.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
 * Version is a number (botocore and the JavaScript SDK compare strictly), and
 * AccountId, and SessionToken and Expiration of a user's own key, are left out where they are not known, as JSON.stringify
 * leaves out undefined.
 */
export function processJson(credentials: AwsCredentials, options?: ProcessJsonOptions): string {
  const { expiration } = credentials;
  return writtenJson({ ...credentials, expiration: expiration && formatExpiration(expiration) }, options);
}

/** The same for credentials whose expiration was written before, by {@link formatExpiration}. */
export function writtenJson(
  {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    expiration,
    accountId,
  }: Omit<AwsCredentials, 'expiration'> & { readonly expiration?: string | undefined },
  { accountId: withAccountId = true, lineFeed = true }: ProcessJsonOptions = {},
): string {
  const json = JSON.stringify({
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration,
    AccountId: withAccountId ? accountId : undefined,
  });
  return lineFeed ? `${json}\n` : json;
}
