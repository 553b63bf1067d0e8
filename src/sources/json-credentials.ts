/** The JSON in which local endpoints and credential processes give credentials. */
// Tests: test/sources/sources.test.ts
import { parseExpiration } from '../credentials/expiration.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { member, parseJson } from '../aws/json.ts';
import { isCredentialText } from '../aws/credential-answer.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';

/**
 * Reads them. Nothing of the text gets into an error.
 *
 * @param tokenName `Token` at endpoints, `SessionToken` from processes
 * @param from for messages
 * @throws RolesAnywhereError `ERR_SOURCE_CREDENTIALS`
 */
export function readJsonCredentials(text: string, tokenName: 'Token' | 'SessionToken', from: string): AwsCredentials {
  const json = parseJson(text);
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = [
    'AccessKeyId',
    'SecretAccessKey',
    tokenName,
    'Expiration',
  ].map((name) => member(json, name));
  if (!isCredentialText(accessKeyId) || !isCredentialText(secretAccessKey))
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', `${from} gave no credentials`, {
      flag: from,
      hint: 'its answer is JSON with AccessKeyId and SecretAccessKey',
    });
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken: typeof sessionToken === 'string' && sessionToken !== '' ? sessionToken : undefined,
    expiration: typeof expiration === 'string' ? parseExpiration(expiration) : undefined,
  };
}
