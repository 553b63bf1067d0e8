/**
 * Signature Version 4 with an access key: what every AWS service but Roles
 * Anywhere takes.
 *
 * Source: IAM User Guide, "Create a signed AWS API request".
 */
import { createHmac } from 'node:crypto';
import type { AwsCredentials } from '../credentials/credentials.ts';
import {
  canonicalHeaders,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  queryParameters,
  sha256Hex,
} from './canonical.ts';
import type { SignableRequest, SigningContext } from './sigv4-x509.ts';
import { amzDate, authorization, stringToSign } from './string-to-sign.ts';
import type { Scope } from './string-to-sign.ts';

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * The key that signs, derived for one day, region and service (step 4 of the
 * source).
 */
export function signingKey(secretAccessKey: string, { timestamp, region, service }: Scope): Uint8Array {
  const parts = [timestamp.slice(0, 8), region, service, 'aws4_request'];
  return parts.reduce<Uint8Array>((key, part) => hmac(key, part), Buffer.from(`AWS4${secretAccessKey}`));
}

/**
 * Signs a request with an access key. S3 also wants the body's hash in a
 * header of its own and its path encoded once: this is for the others.
 *
 * @returns every header to send: those given, Host, X-Amz-Date,
 * X-Amz-Security-Token for temporary credentials, and Authorization
 */
export function signWithAccessKey(
  { method, url, headers: given, body }: SignableRequest,
  { accessKeyId, secretAccessKey, sessionToken }: AwsCredentials,
  { date, region, service, onStage }: SigningContext,
): Record<string, string> {
  const scope: Scope = { timestamp: amzDate(date), region, service };
  const headers: Record<string, string> = { ...given, host: url.host, 'x-amz-date': scope.timestamp };
  if (sessionToken !== undefined) headers['x-amz-security-token'] = sessionToken;
  const signed = canonicalHeaders(headers);
  const canonical = canonicalRequest({
    method,
    path: canonicalPath(url.pathname),
    query: canonicalQuery(queryParameters(url.search)),
    headers: signed,
    bodyHash: sha256Hex(body),
  });
  const toSign = stringToSign(ALGORITHM, scope, canonical);
  onStage?.('canonical request', canonical);
  onStage?.('string to sign', toSign);
  const signature = hmac(signingKey(secretAccessKey, scope), toSign);
  return {
    ...headers,
    authorization: authorization({
      algorithm: ALGORITHM,
      signedBy: accessKeyId,
      scope,
      signedHeaders: signed.names,
      signature,
    }),
  };
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}
