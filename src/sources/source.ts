/** Credentials to assume a role with, wherever a program has them from. */
// Tests: test/sources/sources.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { isCredentialText } from '../aws/credential-answer.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { AssumeRoleInput, WebIdentityInput } from '../aws/sts-input.ts';
import type { RetryEnvironment, RetrySettings } from '../aws/retry.ts';
import type { HttpTransport, TlsSettings } from '../http/http.ts';

/** Where the sources of this machine look. */
export interface SourceSurroundings extends RetryEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default: AWS_PROFILE, `default`. */
  readonly profile?: string | undefined;
  /** For the local endpoints, which no proxy leads to. */
  readonly transport: HttpTransport;
  /** Whom to believe there, where it is reached by https. */
  readonly tls?: TlsSettings | undefined;
  /** How often to ask. Default: as AWS's services are. */
  readonly retry?: RetrySettings | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Assumes the role of a profile. Default: such profiles are refused. */
  readonly assume?: ((input: AssumeRoleInput, from: AwsCredentials) => Promise<AwsCredentials>) | undefined;
  /** Assumes the role of a web identity token, which is read for each attempt. Default: such roles are refused. */
  readonly assumeWithToken?:
    | ((input: WebIdentityInput, token: () => Promise<string>) => Promise<AwsCredentials>)
    | undefined;
}

/** Gives credentials; undefined when there is no sign of any. */
export type Source = (surroundings: SourceSurroundings) => Promise<AwsCredentials | undefined>;

/** A provider of this library, of the AWS SDK v3 or of one's own; or an access key that never changes. */
export type CredentialsSource = AwsCredentials | (() => Promise<AwsCredentials>);

/**
 * Asks the source.
 *
 * @throws RolesAnywhereError `ERR_SOURCE_CREDENTIALS`
 */
export async function credentialsFrom(source: CredentialsSource): Promise<AwsCredentials> {
  let credentials: AwsCredentials;
  try {
    credentials = typeof source === 'function' ? await source() : source;
  } catch (cause) {
    if (cause instanceof RolesAnywhereError) throw cause;
    // Not repeated here: it is not ours, and may say more than it should.
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', 'the source gave no credentials', {
      hint: 'see the cause of this error',
      cause,
    });
  }
  const { accessKeyId, secretAccessKey, sessionToken }: Partial<AwsCredentials> = credentials ?? {};
  if (![accessKeyId, secretAccessKey, sessionToken ?? accessKeyId].every(isCredentialText))
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', 'what the source gave is no access key', {
      hint: 'it has accessKeyId and secretAccessKey, and for temporary credentials sessionToken',
    });
  return credentials;
}
