/**
 * The emulator as a library: a local IAM Roles Anywhere, STS and control plane
 * for tests of programs that use them.
 */
// Tests: test/package/emulator-example.test.ts
export { startEmulator } from './emulator.ts';
export type { Emulator, EmulatorOptions, Verdict } from './emulator.ts';
export { createAuthority } from './certificates/authority.ts';
export type { Authority, AuthorityOptions, IssueOptions, IssuedCertificate } from './certificates/authority.ts';
export { createClock } from './clock.ts';
export type { Clock } from './clock.ts';
export { explain } from './wire/explain.ts';
export type { Fault } from './wire/faults.ts';
export type { TlsOptions } from './wire/listener.ts';
export type { ThrottleOptions } from './services/throttle.ts';
export type {
  BucketOptions,
  CrlOptions,
  ManagedPolicyOptions,
  MfaDeviceOptions,
  OidcProviderOptions,
  PolicyDocument,
  ProfileOptions,
  RoleOptions,
  TrustAnchorOptions,
  UserOptions,
  WorldOptions,
} from './world/world.ts';
