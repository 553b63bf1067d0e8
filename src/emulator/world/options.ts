/** The description of a world, by callers of the library and by world files, whose schema (schema.json) has the same members. */
// Tests: test/emulator/world/file.test.ts
import type { AccessKey, AttributeMapping, NotificationSetting } from '../state/records.ts';

/** A policy document: JSON text, or what that text stands for. */
export type PolicyDocument = string | Readonly<Record<string, unknown>>;

interface AliasOptions {
  /** A name for use in an alias ARN, unique among resources of its type in an account. Default none. */
  aliasName?: string | undefined;
}

export interface CrlOptions extends AliasOptions {
  /** Default: `NAME of the trust anchor CRL 1`, and so on. */
  name?: string | undefined;
  /** Default: made from the trust anchor's ARN and the position. */
  arn?: string | undefined;
  /** Default true. */
  enabled?: boolean | undefined;
  /** PEM, or DER in base64. */
  crl: string;
}

export interface TrustAnchorOptions extends AliasOptions {
  /**
   * Default: `arn:aws:rolesanywhere:REGION:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111`;
   * the next anchor's ends in 2, and so on.
   */
  arn?: string | undefined;
  /** For people; default the subject of the first certificate. */
  name?: string | undefined;
  /** Default true. */
  enabled?: boolean | undefined;
  /** PEM text of one or two CA certificates. */
  certificates: string;
  /** Two at most. */
  crls?: readonly CrlOptions[] | undefined;
  notificationSettings?: readonly NotificationSetting[] | undefined;
  /** Whether certificates are looked up in the CRLs of their distribution points, as far as these are on the loopback. Default false. */
  crlDpRevocationEnabled?: boolean | undefined;
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface ProfileOptions extends AliasOptions {
  arn: string;
  /** For people; default the end of the ARN. */
  name?: string | undefined;
  /** Default true. */
  enabled?: boolean | undefined;
  /** The roles that sessions may be for: 250 at most. */
  roleArns: readonly string[];
  /** The longest session in seconds, and the default: 900 to 43200, default 3600. */
  durationSeconds?: number | undefined;
  /** Whether a request may name its session. Default false. */
  acceptRoleSessionName?: boolean | undefined;
  /** Kept and handed out, and of no effect, as in the service. Default false. */
  requireInstanceProperties?: boolean | undefined;
  /** Limits each session. */
  sessionPolicy?: PolicyDocument | undefined;
  /** Further policies that limit each session: of `managedPolicies`, or AWS's own. */
  managedPolicyArns?: readonly string[] | undefined;
  /** The attributes of a certificate that become session tags. Default: the service's default mapping. */
  attributeMappings?: readonly AttributeMapping[] | undefined;
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface RoleOptions {
  arn: string;
  /** MaxSessionDuration in seconds: 3600 to 43200, default 3600. */
  maxSessionDuration?: number | undefined;
  /** The trust policy: who may assume the role. Default: Roles Anywhere, and those to whom the role's account permits it. */
  trustPolicy?: PolicyDocument | undefined;
  /** The permissions of its sessions. Default: everything. */
  policies?: readonly PolicyDocument[] | undefined;
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface UserOptions {
  arn: string;
  accessKeys: readonly AccessKey[];
  /** The permissions of the user. Default: everything. */
  policies?: readonly PolicyDocument[] | undefined;
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface OidcProviderOptions {
  /** The issuer: `https://HOST/PATH`. */
  url: string;
  /** Default 123456789012. */
  account?: string | undefined;
  /** The audiences that are accepted. */
  clientIds: readonly string[];
  /** The issuer's public keys: a JSON Web Key Set, as JSON text or as what it stands for. */
  jwks: string | Readonly<Record<string, unknown>>;
}

export interface MfaDeviceOptions {
  /** An ARN, such as `arn:aws:iam::123456789012:mfa/alice`, or the serial number of a token. */
  serialNumber: string;
  /** The seed of the codes (RFC 6238) in base32. */
  secret: string;
  /**
   * ARN of the user that may present its codes; default: any user of the account. The session of a role cannot: IAM
   * gives devices to users alone.
   */
  owner?: string | undefined;
}

export interface ManagedPolicyOptions {
  arn: string;
  document: PolicyDocument;
}

export interface BucketOptions {
  name: string;
  /** The account of the owner; default 123456789012. */
  account?: string | undefined;
  /** ISO 8601; default 2026-01-01T00:00:00.000Z. */
  createdAt?: string | undefined;
}

/** The defaults are of account 123456789012, or of that of the first role. */
export interface WorldOptions {
  /** The endpoint's region, which anchors and profiles must be of. Default `us-east-1`. */
  region?: string | undefined;
  trustAnchors: readonly TrustAnchorOptions[];
  /**
   * Default: `arn:aws:rolesanywhere:REGION:123456789012:profile/22222222-2222-2222-2222-222222222222`, which
   * holds every role of its account.
   */
  profiles?: readonly ProfileOptions[] | undefined;
  /** Default: `arn:aws:iam::123456789012:role/Workload`. */
  roles?: readonly RoleOptions[] | undefined;
  /**
   * Default: `arn:aws:iam::123456789012:user/admin` with the access key of AWS's documentation,
   * `AKIAIOSFODNN7EXAMPLE` and `wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY`.
   */
  users?: readonly UserOptions[] | undefined;
  /** The providers whose tokens AssumeRoleWithWebIdentity takes. Default none. */
  oidcProviders?: readonly OidcProviderOptions[] | undefined;
  /** Default none. */
  mfaDevices?: readonly MfaDeviceOptions[] | undefined;
  /** Policies that sessions may be limited by. Default none; AWS's own are known by name. */
  managedPolicies?: readonly ManagedPolicyOptions[] | undefined;
  /** The buckets that ListBuckets lists. Default: one, `roles-anywhere-demo`. */
  buckets?: readonly BucketOptions[] | undefined;
}
