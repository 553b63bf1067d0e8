/**
 * SigV4-X509: Signature Version 4 with a certificate's private key in place of
 * a secret access key. The key signs the string to sign itself; there is no
 * derived signing key.
 *
 * Source: IAM Roles Anywhere User Guide, "Authentication" and "Signing process".
 */
import type { KeyType } from '../x509/algorithms.ts';
import type { Identity } from '../identity/identity.ts';
import {
  canonicalHeaders,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  queryParameters,
  sha256Hex,
} from './canonical.ts';
import { amzDate, authorization, stringToSign } from './string-to-sign.ts';

/** A request as it will be sent. */
export interface SignableRequest {
  readonly method: string;
  /** Its host, path and query are signed as they stand. */
  readonly url: URL;
  /** All of them are signed: add what must stay unsigned, such as User-Agent, afterwards. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Where and when a signature is good. */
export interface SigningContext {
  readonly region: string;
  /** Signing name of the service. */
  readonly service: string;
  readonly date: Date;
  /** Told each stage, for debugging. A canonical request may hold a session token. */
  readonly onStage?: ((stage: 'canonical request' | 'string to sign', text: string) => void) | undefined;
}

/** The signing algorithm's name for each kind of key. */
const SIGNING_ALGORITHM: Readonly<Record<KeyType, string>> = {
  RSA: 'AWS4-X509-RSA-SHA256',
  EC: 'AWS4-X509-ECDSA-SHA256',
  'ML-DSA-44': 'AWS4-X509-MLDSA',
  'ML-DSA-65': 'AWS4-X509-MLDSA',
  'ML-DSA-87': 'AWS4-X509-MLDSA',
};

/** The headers that carry an identity's certificates: base64 of the DER, the chain joined with commas. */
function certificateHeaders(identity: Identity): Record<string, string> {
  const headers: Record<string, string> = { 'x-amz-x509': base64(identity.certificate) };
  if (identity.chain.length > 0) headers['x-amz-x509-chain'] = identity.chain.map(base64).join(',');
  return headers;
}

/**
 * Signs a request as `identity`.
 *
 * @returns every header to send: those given, Host, X-Amz-Date, the
 * certificates and Authorization, with names in lower case where they were added
 * @throws RolesAnywhereError `ERR_SIGN` from the identity's signer
 */
export async function signRequest(
  request: SignableRequest,
  identity: Identity,
  context: SigningContext,
): Promise<Record<string, string>> {
  const { method, url, body } = request;
  const scope = { timestamp: amzDate(context.date), region: context.region, service: context.service };
  const algorithm = SIGNING_ALGORITHM[identity.signer.keyType];
  const headers = {
    ...request.headers,
    host: url.host,
    'x-amz-date': scope.timestamp,
    ...certificateHeaders(identity),
  };

  const signed = canonicalHeaders(headers);
  const canonical = canonicalRequest({
    method,
    path: canonicalPath(url.pathname),
    query: canonicalQuery(queryParameters(url.search)),
    headers: signed,
    bodyHash: sha256Hex(body),
  });
  const toSign = stringToSign(algorithm, scope, canonical);
  context.onStage?.('canonical request', canonical);
  context.onStage?.('string to sign', toSign);
  const signature = await identity.signer.sign(Buffer.from(toSign));

  return {
    ...headers,
    authorization: authorization({
      algorithm,
      signedBy: identity.serialNumber,
      scope,
      signedHeaders: signed.names,
      signature,
    }),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
