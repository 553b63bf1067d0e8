/** Credentials to assume a role with, wherever a program has them from. */
import { RolesAnywhereError } from '../platform/errors.ts';
import type { CallerCredentials } from '../aws/assume-role.ts';

/** An access key as AWS SDK v3 providers give it. */
export interface SourceCredentials extends CallerCredentials {
  readonly expiration?: Date | undefined;
  readonly accountId?: string | undefined;
}

/** A provider of this library, of the AWS SDK v3 or of one's own; or an access key that never changes. */
export type CredentialsSource = SourceCredentials | (() => Promise<SourceCredentials>);

/**
 * Asks the source.
 *
 * @throws RolesAnywhereError `ERR_SOURCE_CREDENTIALS`
 */
export async function credentialsFrom(source: CredentialsSource): Promise<SourceCredentials> {
  let credentials: SourceCredentials;
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
  const { accessKeyId, secretAccessKey, sessionToken }: Partial<SourceCredentials> = credentials ?? {};
  const texts = [accessKeyId, secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])];
  if (!texts.every((text) => typeof text === 'string' && /^[\x21-\x7e]+$/.test(text)))
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', 'what the source gave is no access key', {
      hint: 'it has accessKeyId and secretAccessKey, and for temporary credentials sessionToken',
    });
  return credentials;
}
