/**
 * The library: what a Node program needs to obtain credentials from IAM Roles
 * Anywhere with an X.509 identity.
 */
export type { SessionCredentials } from './credentials/credentials.ts';
export { ERROR_CLASSES, EXIT_STATUS, RolesAnywhereError } from './errors.ts';
export type { ErrorClass, ErrorCode, ErrorDetails } from './errors.ts';
export { directTransport } from './http/direct.ts';
export type { HttpRequest, HttpResponse, HttpTransport, TlsSettings } from './http/http.ts';
export type { Digest, Identity, KeyType, Signer } from './identity/identity.ts';
export { loadIdentity } from './identity/load.ts';
export type { IdentitySpec } from './identity/load.ts';
export { processJson } from './output/process-json.ts';
export { createSession } from './session/create-session.ts';
export type { CreateSessionOptions } from './session/create-session.ts';
export { signRequest } from './signing/sigv4-x509.ts';
export type { SignableRequest, SigningContext } from './signing/sigv4-x509.ts';
export { VERSION } from './version.ts';
