import type { SessionCredentials } from '../credentials/credentials.ts';
import { formatExpiration } from '../credentials/expiration.ts';

/**
 * The output of a `credential_process`: one JSON object on one line.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
 * Version is a number (botocore and the JavaScript SDK compare strictly), and
 * AccountId is left out where it is not known, as JSON.stringify leaves out undefined.
 */
export function processJson(credentials: SessionCredentials): string {
  const { accessKeyId, secretAccessKey, sessionToken, expiration, accountId } = credentials;
  return `${JSON.stringify({
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: formatExpiration(expiration),
    AccountId: accountId,
  })}\n`;
}
