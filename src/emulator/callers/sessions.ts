/**
 * Sessions: temporary credentials and whom they stand for. As with STS, the
 * session token holds it all, sealed: nothing is kept of a session, so that
 * any number of them costs no memory, and they outlive a restart together with
 * the key.
 */
// Tests: test/emulator/services/sts/sts.test.ts
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { RoleRecord, UserRecord } from '../state/records.ts';

/** The content of a session token. */
export interface SessionClaims {
  /** ARN of the role, or of the user whose session it is (GetSessionToken). */
  readonly principalArn: string;
  /** The name of a role's session. */
  readonly sessionName?: string | undefined;
  /** Milliseconds since the epoch, as are the other times. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly sourceIdentity?: string | undefined;
  /** Session tags, transitive ones of earlier sessions included. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Keys of those tags that the next session of a chain inherits. */
  readonly transitiveTagKeys?: readonly string[] | undefined;
  /** Session policies as JSON texts, and by ARN. */
  readonly policies?: readonly string[] | undefined;
  readonly policyArns?: readonly string[] | undefined;
  /** The time at which a code of an MFA device was presented. Only GetSessionToken sets it. */
  readonly mfaAt?: number | undefined;
  /** Whether it was assumed with the credentials of another role's session. */
  readonly chained?: boolean | undefined;
  /** ARN of the OIDC provider whose token it was made of. */
  readonly federatedProvider?: string | undefined;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

export interface SessionTokens {
  issue(claims: SessionClaims): Credentials;
  /** Undefined: the token was not issued here with that access key id. An expired one is opened like any other. */
  open(accessKeyId: string, sessionToken: string): { claims: SessionClaims; secretAccessKey: string } | undefined;
  /** Seals anything else, such as a sign-in token; `purpose` keeps apart what is not the same. */
  seal(purpose: string, value: object): string;
  unseal(purpose: string, sealed: string): unknown;
}

const MIN_TOKEN_BYTES = 384; // in base64 512 characters, about what STS gives
const [IV_BYTES, TAG_BYTES, LENGTH_BYTES] = [12, 16, 4];

/** @param key 32 bytes */
export function createSessionTokens(key: Uint8Array): SessionTokens {
  const seal = (purpose: string, value: object): string => {
    const content = deflateRawSync(JSON.stringify(value));
    const overhead = IV_BYTES + TAG_BYTES + LENGTH_BYTES;
    // A multiple of three bytes fills its base64.
    const size = Math.ceil(Math.max(MIN_TOKEN_BYTES, content.length + overhead) / 3) * 3 - overhead;
    const plain = Buffer.alloc(LENGTH_BYTES + size);
    plain.writeUInt32BE(content.length);
    content.copy(plain, LENGTH_BYTES);
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(purpose));
    return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64');
  };

  const unseal = (purpose: string, sealed: string): unknown => {
    const bytes = Buffer.from(sealed, 'base64');
    if (bytes.length < MIN_TOKEN_BYTES || bytes.toString('base64') !== sealed) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES))
      .setAAD(Buffer.from(purpose))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const plain = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
      const content = plain.subarray(LENGTH_BYTES, LENGTH_BYTES + plain.readUInt32BE());
      return JSON.parse(inflateRawSync(content).toString()) as unknown;
    } catch {
      return undefined;
    }
  };

  const secretOf = (accessKeyId: string): string =>
    createHmac('sha256', key).update(`secret of ${accessKeyId}`).digest().subarray(0, 30).toString('base64');

  return {
    issue(claims) {
      const accessKeyId = `ASIA${base32(randomBytes(10))}`;
      return {
        accessKeyId,
        secretAccessKey: secretOf(accessKeyId),
        sessionToken: seal(`session ${accessKeyId}`, claims),
        expiration: new Date(claims.expiresAt),
      };
    },
    open(accessKeyId, sessionToken) {
      const claims = unseal(`session ${accessKeyId}`, sessionToken);
      return isClaims(claims) ? { claims, secretAccessKey: secretOf(accessKeyId) } : undefined;
    },
    seal,
    unseal,
  };
}

/** The seal vouches for the rest. */
function isClaims(value: unknown): value is SessionClaims {
  return typeof value === 'object' && value !== null && 'principalArn' in value && 'expiresAt' in value;
}

/** The ARN of a role's session. The role's path is not part of it. */
export function assumedRoleArn({ partition, account, name }: RoleRecord, sessionName: string): string {
  return `arn:${partition}:sts::${account}:assumed-role/${name}/${sessionName}`;
}

/** The unique id of a role's session. */
export function assumedRoleId({ roleId }: RoleRecord, sessionName: string): string {
  return `${roleId}:${sessionName}`;
}

/** The end of a session that begins at `now`, in whole seconds, as both services give it. */
export function expiryOf(now: Date, seconds: number): number {
  return (Math.floor(now.getTime() / 1000) + seconds) * 1000;
}

/** The form in which both services write a time: `YYYY-MM-DDTHH:MM:SSZ`. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** An id that is always the same for an ARN, such as `AROA...` of a role. */
export function uniqueId(prefix: string, { arn }: Pick<UserRecord, 'arn'>): string {
  return `${prefix}${base32(createHash('sha256').update(arn).digest()).slice(0, 17)}`;
}

/** RFC 4648, section 6, without padding: the alphabet of IAM's unique ids. Bits that fill no character are left out. */
function base32(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{5}/g) ?? [])
    .map((group) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(Number.parseInt(group, 2)))
    .join('');
}
