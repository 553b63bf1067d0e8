/** What the emulator knows: trust anchors, profiles and roles. The built-in world is one of each. */
import { createHash } from 'node:crypto';
import { RolesAnywhereError } from '../errors.ts';
import { type Certificate, readPemCertificates } from './certificate.ts';
import { authorityProblem } from './certificate-rules.ts';

interface TrustAnchorOptions {
  /**
   * Default: `arn:aws:rolesanywhere:REGION:123456789012:trust-anchor/22222222-2222-2222-2222-222222222222`;
   * the next anchor's ends in 3, and so on.
   */
  arn?: string;
  /** For people; default the subject of the first certificate. */
  name?: string;
  /** PEM text of one or two CA certificates. */
  certificates: string;
}

interface ProfileOptions {
  arn: string;
  /** The roles that sessions may be for. */
  roleArns: readonly string[];
  /** The longest session in seconds, and the default: 900 to 43200, default 3600. */
  durationSeconds?: number;
  /** Whether a request may name its session. Default false. */
  acceptRoleSessionName?: boolean;
}

interface RoleOptions {
  arn: string;
  /** MaxSessionDuration in seconds: 3600 to 43200, default 3600. */
  maxSessionDuration?: number;
}

export interface WorldOptions {
  /** The endpoint's region, which anchors and profiles must be of. Default `us-east-1`. */
  region?: string;
  trustAnchors: readonly TrustAnchorOptions[];
  /**
   * Default: `arn:aws:rolesanywhere:REGION:123456789012:profile/11111111-1111-1111-1111-111111111111`, which
   * holds every role and accepts session names.
   */
  profiles?: readonly ProfileOptions[];
  /** Default: `arn:aws:iam::123456789012:role/Demo`. */
  roles?: readonly RoleOptions[];
}

export interface TrustAnchor {
  readonly arn: string;
  readonly name: string;
  readonly certificates: readonly Certificate[];
}

export type Profile = Required<ProfileOptions>;

export interface Role {
  readonly arn: string;
  /** Without the path. */
  readonly name: string;
  readonly account: string;
  readonly partition: string;
  /** `AROA...`, always the same for an ARN. */
  readonly id: string;
  readonly maxSessionDuration: number;
}

export interface World {
  readonly region: string;
  readonly trustAnchors: ReadonlyMap<string, TrustAnchor>;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly roles: ReadonlyMap<string, Role>;
}

const ACCOUNT = '123456789012';
const FIRST_ANCHOR_ID = 222_222_222_222;
const MAX_ANCHOR_CERTIFICATES = 2;
const MAX_PEM_LENGTH = 16_000; // characters, by the service model

/**
 * Checks a description and completes it with the defaults.
 *
 * @throws RolesAnywhereError `ERR_CERTIFICATE_MALFORMED`, `ERR_ARN`, `ERR_ARN_MISMATCH`, `ERR_DURATION`, `ERR_USAGE`
 */
export function createWorld({ region = 'us-east-1', trustAnchors, ...options }: WorldOptions): World {
  if (trustAnchors.length === 0)
    throw new RolesAnywhereError('ERR_USAGE', 'the emulator has no trust anchor', {
      hint: 'give the certificate of a CA whose clients it is to trust',
    });
  const roles = (options.roles ?? [{ arn: `arn:aws:iam::${ACCOUNT}:role/Demo` }]).map(createRole);
  const profiles = options.profiles ?? [
    {
      arn: `arn:aws:rolesanywhere:${region}:${ACCOUNT}:profile/11111111-1111-1111-1111-111111111111`,
      roleArns: roles.map(({ arn }) => arn),
      acceptRoleSessionName: true,
    },
  ];
  return {
    region,
    trustAnchors: byArn(trustAnchors.map((anchor, index) => createAnchor(anchor, index, region))),
    profiles: byArn(profiles.map((profile) => createProfile(profile, region))),
    roles: byArn(roles),
  };
}

function byArn<T extends { readonly arn: string }>(items: readonly T[]): Map<string, T> {
  const map = new Map(items.map((item) => [item.arn, item]));
  if (map.size !== items.length)
    throw new RolesAnywhereError('ERR_ARN', 'two things of the emulator have the same ARN');
  return map;
}

function createAnchor({ certificates: pem, ...given }: TrustAnchorOptions, index: number, region: string): TrustAnchor {
  const arn =
    given.arn ??
    `arn:aws:rolesanywhere:${region}:${ACCOUNT}:trust-anchor/22222222-2222-2222-2222-${FIRST_ANCHOR_ID + index}`;
  checkArn(arn, 'trust-anchor', region);
  const malformed = (what: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_CERTIFICATE_MALFORMED', `the trust anchor ${given.name ?? arn} ${what}`, {
      hint: 'a trust anchor is one or two CA certificates in PEM, with CA:TRUE, key usage keyCertSign and SHA-256',
    });
  const certificates = readPemCertificates(pem).map((certificate) => {
    if (certificate === undefined) throw malformed('holds a certificate that cannot be read');
    const problem = authorityProblem(certificate);
    if (problem !== undefined) throw malformed(`holds "${certificate.subject}", which cannot be one: ${problem}`);
    return certificate;
  });
  const [first] = certificates;
  if (first === undefined) throw malformed('holds no certificate');
  if (certificates.length > MAX_ANCHOR_CERTIFICATES) throw malformed(`holds ${certificates.length} certificates`);
  if (pem.length > MAX_PEM_LENGTH) throw malformed(`is longer than ${MAX_PEM_LENGTH} characters`);
  return { arn, name: given.name ?? first.subject, certificates };
}

function createProfile(options: ProfileOptions, region: string): Profile {
  checkArn(options.arn, 'profile', region);
  const { durationSeconds = 3600, acceptRoleSessionName = false } = options;
  checkDuration(durationSeconds, 900, options.arn);
  return { ...options, durationSeconds, acceptRoleSessionName };
}

function createRole({ arn, maxSessionDuration = 3600 }: RoleOptions): Role {
  const [, partition, account, name] =
    /^arn:(aws[a-z-]*):iam::(\d{12}):role\/(?:[!-.0-~]+\/)*([\w+=,.@-]{1,64})$/.exec(arn) ?? [];
  if (partition === undefined || account === undefined || name === undefined)
    throw new RolesAnywhereError('ERR_ARN', `${arn} is not the ARN of a role`, {
      hint: 'such an ARN is arn:aws:iam::ACCOUNT:role/NAME',
    });
  checkDuration(maxSessionDuration, 3600, arn);
  return { arn, name, account, partition, id: roleId(arn), maxSessionDuration };
}

function checkArn(arn: string, type: string, region: string): void {
  const [, own] =
    new RegExp(`^arn:aws[a-z-]*:rolesanywhere:([a-z0-9-]+):\\d{12}:${type}/[0-9a-f-]{36}$`).exec(arn) ?? [];
  if (own === undefined)
    throw new RolesAnywhereError('ERR_ARN', `${arn} is not the ARN of a ${type}`, {
      hint: `such an ARN is arn:aws:rolesanywhere:REGION:ACCOUNT:${type}/UUID`,
    });
  if (own !== region)
    throw new RolesAnywhereError('ERR_ARN_MISMATCH', `${arn} is not of the emulator's region ${region}`, {
      hint: 'an endpoint knows what is of its own region alone',
    });
}

function checkDuration(seconds: number, least: number, arn: string): void {
  if (!Number.isInteger(seconds) || seconds < least || seconds > 43_200)
    throw new RolesAnywhereError('ERR_DURATION', `the duration of ${arn} is ${seconds}`, {
      hint: `give whole seconds from ${least} to 43200`,
    });
}

function roleId(arn: string): string {
  return `AROA${base32(createHash('sha256').update(arn).digest()).slice(0, 17)}`;
}

/** RFC 4648, section 6, without padding: the alphabet of IAM's unique ids. Bits that fill no character are left out. */
export function base32(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{5}/g) ?? [])
    .map((group) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(Number.parseInt(group, 2)))
    .join('');
}
