/**
 * The library: credentials from IAM Roles Anywhere and STS for Node programs,
 * and the parts that they are made of, each usable alone.
 */
// Tests: test/package/api-report.test.ts

// providers for AWS SDK v3 clients
export { fromAssumeRole } from './providers/assume-role.ts';
export type { AssumeRoleProviderOptions } from './providers/assume-role.ts';
export { fromRolesAnywhere } from './providers/roles-anywhere.ts';
export type { RolesAnywhereOptions } from './providers/roles-anywhere.ts';
export { fromWebIdentity } from './providers/web-identity.ts';
export type { TokenRetriever, WebIdentityProviderOptions } from './providers/web-identity.ts';
export { spiffe, spiffeToken } from './providers/spiffe.ts';
export type { SpiffeOptions, SpiffeTokenOptions } from './providers/spiffe.ts';
export { cached } from './credentials/cached.ts';
export type { SharingOptions } from './providers/cache.ts';
export type { CredentialsStore, LockRequest, StoreLock } from './credentials/cache/store.ts';
export type { CacheOptions, CredentialsFunction, CredentialsRequest } from './credentials/cached.ts';
export type { ConnectionOptions, KeepingOptions, ProviderLog } from './providers/connection.ts';
export type { MaterialOptions, Pkcs11Options, RemoteSigner, TpmOptions } from './providers/material.ts';
export type { CredentialsSource } from './sources/source.ts';

// a container credentials endpoint
export { serveContainerCredentials } from './providers/container-endpoint.ts';
export type { ContainerEndpoint, ContainerEndpointOptions } from './providers/container-endpoint.ts';
export { createLog, silentLog } from './platform/log.ts';
export type { Log, LogFields, LogLevel, LogOptions } from './platform/log.ts';

// MFA codes
export { commandTokenProvider, stdinTokenProvider, terminalTokenProvider } from './sources/token-providers.ts';
export type { CommandTokenOptions } from './sources/token-providers.ts';
export type { TokenProvider, TokenRequest } from './sources/mfa.ts';

// one call each
export { assumeRole, assumeRoleWithWebIdentity, createSession, signinUrl } from './providers/calls.ts';
export type { CallConnection, CallEndpoints, CreateSessionCall } from './providers/calls.ts';
export type { AssumeRoleRequest } from './aws/assume-role.ts';
export type { Connection } from './aws/connection.ts';
export type { CreateSessionInput, CreateSessionRequest } from './aws/create-session.ts';
export type { Endpoints, EndpointVariant } from './aws/endpoints.ts';
export type { RetryEnvironment, RetrySettings } from './aws/retry.ts';
export { createServiceClock } from './aws/service-clock.ts';
export type { ServiceClock } from './aws/service-clock.ts';
export type { SigninUrlRequest } from './aws/signin-url.ts';
export type { AssumeRoleInput, ProvidedContext, RoleSessionInput, WebIdentityInput } from './aws/sts-input.ts';
export type { AssumedRole } from './aws/sts.ts';
export type { WebIdentityRequest, WebIdentityRole } from './aws/web-identity.ts';
export type { AwsCredentials, SessionCredentials } from './credentials/credentials.ts';

// a provider with events, for programs that serve or write credentials
export { credentialsFunction } from './credentials/cached.ts';
export { createProvider } from './credentials/refresher.ts';
export type {
  CredentialsProvider,
  ProviderEvent,
  ProviderOptions,
  ProviderStatus,
  RefreshReason,
} from './credentials/provider.ts';
export type { RefreshSettings } from './credentials/refresh-policy.ts';
export { systemClock } from './platform/clock.ts';
export type { Clock, Timer } from './platform/clock.ts';

// identities
export type { Digest, Identity, Signer } from './identity/identity.ts';
export type { KeyType } from './x509/algorithms.ts';
export { loadIdentityFrom as loadIdentity } from './providers/material.ts';

// signing, stage by stage
export { canonicalHeaders, canonicalPath, canonicalQuery, canonicalRequest } from './signing/canonical.ts';
export type { CanonicalHeaders, CanonicalRequestParts, QueryParameter } from './signing/canonical.ts';
export { signRequest } from './signing/sigv4-x509.ts';
export type { SignableRequest, SigningContext } from './signing/sigv4-x509.ts';
export { signingKey, signWithAccessKey } from './signing/sigv4.ts';
export { authorization, credentialScope, stringToSign } from './signing/string-to-sign.ts';
export type { AuthorizationParts, Scope } from './signing/string-to-sign.ts';

// transports
export { directTransport } from './http/direct.ts';
export type { HttpRequest, HttpResponse, HttpTransport, TlsSettings } from './http/http.ts';
export { createPooledTransport } from './http/pooled.ts';
export type { PooledOptions, PooledTransport } from './http/pooled.ts';

// output, errors
export { writeCredentialsFile } from './output/credentials-file.ts';
export type { CredentialsFileOptions } from './output/credentials-file.ts';
export type { LockTimes } from './platform/file-lock.ts';
export { processJson } from './output/process-json.ts';
export { ERROR_CLASSES, EXIT_STATUS, RolesAnywhereError } from './platform/errors.ts';
export type { ErrorClass, ErrorCode, ErrorDetails } from './platform/errors.ts';
export { VERSION } from './platform/version.ts';
