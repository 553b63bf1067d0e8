/**
 * The emulator as a library: a local IAM Roles Anywhere, STS and control plane
 * for tests of programs that use them.
 */
export { startEmulator } from './emulator.ts';
export type { Emulator, EmulatorOptions, Verdict } from './emulator.ts';
export { createAuthority } from './authority.ts';
export type { Authority, AuthorityOptions, IssueOptions, IssuedCertificate } from './authority.ts';
export { createClock } from './clock.ts';
export type { Clock } from './clock.ts';
export { explain } from './explain.ts';
export type { Fault } from './faults.ts';
export type { TlsOptions } from './listener.ts';
export type { ThrottleOptions } from './throttle.ts';
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
} from './world.ts';
