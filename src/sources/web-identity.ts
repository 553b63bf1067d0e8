/** The role of a web identity token, as the variables of EKS and the profiles of the AWS CLI's files name it. */
// Tests: test/sources/web-identity.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { Source, SourceSurroundings } from './source.ts';
import { readTokenFile } from './token-file.ts';

/** AWS SDKs and Tools Reference Guide, "Assume role credential provider": a token's file and the role that it is for. */
export const fromWebIdentity: Source = async (surroundings) => {
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: roleArn, AWS_ROLE_SESSION_NAME: name } = surroundings.env;
  if (file === undefined || file === '') return undefined;
  if (roleArn === undefined || roleArn === '')
    throw new RolesAnywhereError(
      'ERR_SOURCE_CREDENTIALS',
      'AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not',
      {
        hint: 'set both, or neither',
      },
    );
  return await ofToken(
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    { file, roleArn, roleSessionName: name || undefined },
    surroundings,
  );
};

/** A role, and the file of the token that it is asked for with. */
interface TokenRole {
  readonly file: string;
  readonly roleArn: string;
  readonly roleSessionName: string | undefined;
  readonly durationSeconds?: number | undefined;
}

/**
 * Asks for the role of a token.
 *
 * @param from for messages
 * @throws RolesAnywhereError `ERR_SOURCE_CREDENTIALS`, `ERR_WEB_IDENTITY_TOKEN`, the service's refusal
 */
export async function ofToken(
  from: string,
  { file, ...input }: TokenRole,
  { assumeWithToken }: SourceSurroundings,
): Promise<AwsCredentials> {
  if (assumeWithToken === undefined)
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', `${from} names a role, which is not assumed here`, {
      hint: 'name a source with an access key',
    });
  return await assumeWithToken(input, async () => await readTokenFile(file));
}
