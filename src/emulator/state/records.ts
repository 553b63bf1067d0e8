/**
 * Everything that the emulator knows, as plain JSON: one immutable record a
 * thing, keyed by its ARN within its kind. A record is never changed; another
 * is put in its place (see state.ts). Names are those of the `rolesanywhere`
 * service model (version 2018-05-10) and of IAM where they have the thing.
 * Times are ISO 8601 in UTC, by the emulator's clock.
 */
// Tests: test/emulator/state/state.test.ts

export interface Tag {
  readonly key: string;
  readonly value: string;
}

interface Timed {
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What can be named by an alias, too: see {@link aliasArn} of aliases.ts. */
interface Aliased {
  readonly aliasName?: string | undefined;
}

/** A notification setting: when the service is to say that a certificate expires. It is kept and handed out, and nobody is notified. */
export interface NotificationSetting {
  readonly enabled: boolean;
  readonly event: 'CA_CERTIFICATE_EXPIRY' | 'END_ENTITY_CERTIFICATE_EXPIRY';
  readonly channel?: 'ALL' | undefined;
  /** Days before the end: 1 to 360. */
  readonly threshold?: number | undefined;
  /** `rolesanywhere.amazonaws.com` for those that every anchor begins with. */
  readonly configuredBy?: string | undefined;
}

export interface TrustAnchorRecord extends Timed, Aliased {
  readonly arn: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly sourceType: 'CERTIFICATE_BUNDLE' | 'AWS_ACM_PCA' | 'SELF_SIGNED_REPOSITORY';
  /** PEM of one or two CA certificates; for a private CA the certificate that it has here. */
  readonly certificates: string;
  /** The ARN of a private CA; only such an anchor has one. */
  readonly acmPcaArn?: string | undefined;
  readonly notificationSettings: readonly NotificationSetting[];
  /** Whether certificates are looked up in the lists of their CRL distribution points. Default false. */
  readonly crlDpRevocationEnabled?: boolean | undefined;
  readonly tags: readonly Tag[];
}

export type CertificateField = 'x509Subject' | 'x509Issuer' | 'x509SAN';

/** A mapping of parts of a certificate's field to session tags: User Guide, "Certificate attribute mapping". */
export interface AttributeMapping {
  readonly certificateField: CertificateField;
  readonly mappingRules: readonly { readonly specifier: string }[];
}

export interface ProfileRecord extends Timed, Aliased {
  readonly arn: string;
  readonly name: string;
  readonly enabled: boolean;
  /** ARN of who made it; empty for those of a world. */
  readonly createdBy: string;
  /** The roles that sessions may be for: 250 at most. */
  readonly roleArns: readonly string[];
  /** The longest session in seconds, and the default: 900 to 43200. */
  readonly durationSeconds: number;
  /** Whether a request may name its session. */
  readonly acceptRoleSessionName: boolean;
  /** Kept and handed out, and of no effect: API Reference, "CreateProfile", calls it unused. */
  readonly requireInstanceProperties: boolean;
  /** A policy as JSON text that limits each session. */
  readonly sessionPolicy?: string | undefined;
  /** Further policies that limit each session, by ARN. */
  readonly managedPolicyArns: readonly string[];
  /** One for each field at most; what is not named in them is not mapped. */
  readonly attributeMappings: readonly AttributeMapping[];
  readonly tags: readonly Tag[];
}

export interface CrlRecord extends Timed, Aliased {
  readonly arn: string;
  readonly name: string;
  readonly enabled: boolean;
  /** PEM or base64 of DER. */
  readonly crlData: string;
  readonly trustAnchorArn: string;
  readonly tags: readonly Tag[];
}

/** A certificate that a subject was seen with. */
export interface SeenCredential {
  readonly serialNumber: string;
  readonly issuer: string;
  readonly seenAt: string;
  readonly enabled: boolean;
  /** Whether the last request with it was refused. */
  readonly failed: boolean;
  /** PEM. */
  readonly x509CertificateData: string;
}

export interface SeenInstanceProperties {
  readonly seenAt: string;
  readonly failed: boolean;
  readonly properties: Readonly<Record<string, string>>;
}

/** A subject: the holder of a certificate that a trust anchor vouches for, who asked for a session. Only requests make subjects. */
export interface SubjectRecord extends Timed {
  readonly arn: string;
  readonly enabled: boolean;
  readonly x509Subject: string;
  readonly lastSeenAt: string;
  /** Latest first, 50 at most. */
  readonly credentials: readonly SeenCredential[];
  /** Latest first, 50 at most. */
  readonly instanceProperties: readonly SeenInstanceProperties[];
  readonly tags: readonly Tag[];
}

export interface RoleRecord {
  readonly arn: string;
  /** Without the path. */
  readonly name: string;
  readonly account: string;
  readonly partition: string;
  /** `AROA...`, always the same for an ARN. */
  readonly roleId: string;
  /** The longest session in seconds: 3600 to 43200. */
  readonly maxSessionDuration: number;
  /** The trust policy as JSON text. Without one: {@link defaultTrustPolicy} of policy/defaults.ts. */
  readonly trustPolicy?: string | undefined;
  /** The permissions of its sessions, as JSON texts. Without any: everything. */
  readonly policies?: readonly string[] | undefined;
  readonly tags: readonly Tag[];
}

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** An IAM user with long-term credentials, to call the control plane and GetSessionToken with. */
export interface UserRecord {
  readonly arn: string;
  readonly name: string;
  readonly account: string;
  readonly partition: string;
  /** `AIDA...`, always the same for an ARN. */
  readonly userId: string;
  readonly accessKeys: readonly AccessKey[];
  /** The permissions of the user, as JSON texts. Without any: everything. */
  readonly policies?: readonly string[] | undefined;
  readonly tags: readonly Tag[];
}

export interface OidcProviderRecord {
  /** `arn:PARTITION:iam::ACCOUNT:oidc-provider/HOST/PATH` */
  readonly arn: string;
  /** The issuer, as tokens spell it: `https://HOST/PATH`. */
  readonly url: string;
  /** The audiences that are accepted. */
  readonly clientIds: readonly string[];
  /** A JSON Web Key Set (RFC 7517) with the issuer's public keys, as JSON text. */
  readonly jwks: string;
}

export interface MfaDeviceRecord {
  /** The serial number, which for a virtual device is an ARN. */
  readonly arn: string;
  /** ARN of the user that may present its codes; without it, any user of the account may. */
  readonly owner?: string | undefined;
  /** Base32 (RFC 4648), the seed of the codes (RFC 6238: SHA-1, 6 digits, 30 seconds). */
  readonly secret: string;
  /** The time step of the last code that was taken: a code is good once. */
  readonly lastStep?: number | undefined;
}

export interface ManagedPolicyRecord {
  readonly arn: string;
  /** JSON text. */
  readonly document: string;
}

export interface BucketRecord {
  /** `arn:PARTITION:s3:::NAME` */
  readonly arn: string;
  readonly name: string;
  /** The account of the owner. */
  readonly account: string;
  readonly createdAt: string;
}

/** A key of the emulator's own; there is one, `sessions`, under which session tokens are sealed. */
export interface OwnKeyRecord {
  readonly arn: 'sessions';
  /** 32 bytes in base64. */
  readonly key: string;
}

/** The record of each kind. */
export interface Records {
  readonly trustAnchors: TrustAnchorRecord;
  readonly profiles: ProfileRecord;
  readonly crls: CrlRecord;
  readonly subjects: SubjectRecord;
  readonly roles: RoleRecord;
  readonly users: UserRecord;
  readonly oidcProviders: OidcProviderRecord;
  readonly mfaDevices: MfaDeviceRecord;
  readonly managedPolicies: ManagedPolicyRecord;
  readonly buckets: BucketRecord;
  readonly ownKeys: OwnKeyRecord;
}

export type Kind = keyof Records;

/** Every kind, in the order of {@link Records}. */
export const KINDS: readonly Kind[] = [
  'trustAnchors',
  'profiles',
  'crls',
  'subjects',
  'roles',
  'users',
  'oidcProviders',
  'mfaDevices',
  'managedPolicies',
  'buckets',
  'ownKeys',
];

/** Records by kind, such as those that a world file describes. */
export type RecordSet = { readonly [K in Kind]?: readonly Records[K][] };

/** One CreateSession request of a certificate that is vouched for. */
export interface Sighting {
  readonly subjectArn: string;
  readonly x509Subject: string;
  readonly at: string;
  readonly serialNumber: string;
  readonly issuer: string;
  /** PEM. */
  readonly certificate: string;
  readonly failed: boolean;
  readonly instanceProperties?: Readonly<Record<string, string>> | undefined;
}

/** Puts a record in the place of the one with its ARN, or beside the others. */
export type PutChange = { [K in Kind]: { readonly op: 'put'; readonly kind: K; readonly record: Records[K] } }[Kind];

/** The only ways in which the state changes; the journal is a list of these. */
export type Change =
  | PutChange
  | { readonly op: 'delete'; readonly kind: Kind; readonly arn: string }
  /** A request came from a subject. */
  | { readonly op: 'saw'; readonly sighting: Sighting }
  /**
   * A world was loaded. What differs from the world that was loaded before is
   * put or deleted; what was changed otherwise in the meantime stays.
   */
  | { readonly op: 'load'; readonly world: RecordSet }
  /** Everything, in place of everything: how a compacted journal begins. */
  | { readonly op: 'snapshot'; readonly records: RecordSet; readonly loaded: RecordSet };
