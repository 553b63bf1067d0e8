/**
 * From a canonical request to the Authorization header, one function a stage.
 * SigV4 and SigV4-X509 differ only in the algorithm's name, in who the
 * credential is, and in how the string is signed.
 *
 * Sources: IAM User Guide, "Create a signed AWS API request", steps 3 to 5;
 * IAM Roles Anywhere User Guide, "Signing process", tasks 2 and 4.
 */
// Tests: test/signing/vectors.test.ts
import { sha256Hex } from './canonical.ts';

/** `YYYYMMDDTHHMMSSZ`: the value of X-Amz-Date. */
export function amzDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '')}Z`;
}

/** What a signature is good for. */
export interface Scope {
  /** As in X-Amz-Date; the scope's day is its first eight digits. */
  readonly timestamp: string;
  readonly region: string;
  /** The signing name of the service: `rolesanywhere`, `sts`. */
  readonly service: string;
}

/** `DAY/REGION/SERVICE/aws4_request`. */
export function credentialScope({ timestamp, region, service }: Scope): string {
  return `${timestamp.slice(0, 8)}/${region}/${service}/aws4_request`;
}

/** Algorithm, time, scope and the canonical request's hash, one a line. */
export function stringToSign(algorithm: string, scope: Scope, canonicalRequest: string): string {
  return [algorithm, scope.timestamp, credentialScope(scope), sha256Hex(canonicalRequest)].join('\n');
}

/** What the Authorization header is made of. */
export interface AuthorizationParts {
  readonly algorithm: string;
  /** Who signs: a decimal serial number here, an access key id in plain SigV4. */
  readonly signedBy: string;
  readonly scope: Scope;
  /** Names joined with `;`, as the canonical request has them. */
  readonly signedHeaders: string;
  readonly signature: Uint8Array;
}

/** The value of the Authorization header. */
export function authorization({ algorithm, signedBy, scope, signedHeaders, signature }: AuthorizationParts): string {
  return [
    `${algorithm} Credential=${signedBy}/${credentialScope(scope)}`,
    `SignedHeaders=${signedHeaders}`,
    `Signature=${Buffer.from(signature).toString('hex')}`,
  ].join(', ');
}
