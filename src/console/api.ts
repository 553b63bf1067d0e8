/** What the page and the server tell each other, as JSON. Types alone: both sides check what they get. */
// Tests: test/console/console.heavy.test.ts

/** A session that was opened, or is still open. */
export interface SessionAnswer {
  readonly csrf: string;
  /** Milliseconds until it ends if nothing is asked. */
  readonly idleMs: number;
}

/** A failure, in any answer with a status from 400. */
export interface ErrorAnswer {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** After a locked-out attempt: how long to wait, in milliseconds. */
  readonly waitMs?: number | undefined;
  /** Of an answer that asks to unlock: whether a passphrase does. */
  readonly passphrase?: boolean | undefined;
}

export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  /** In octets, as openssl shows it. */
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly key: string;
  readonly signature: string;
  readonly fingerprint: string;
}

export interface IdentityFacts extends CertificateFacts {
  /** What the service knows the certificate by. */
  readonly serialDecimal: string;
  readonly alternativeNames: readonly { readonly kind: string; readonly text: string }[];
  /** The kind of place where the private key is, and the place itself, which names no PIN. */
  readonly keyHome: { readonly kind: string; readonly place: string };
  /** Issuer of the leaf first. */
  readonly chain: readonly CertificateFacts[];
  readonly trustAnchorArn: string;
  readonly sessionName: string;
  readonly sourceIdentity: string;
  readonly sourceIdentityProblem?: string | undefined;
  readonly tags: readonly { readonly key: string; readonly value: string; readonly problem?: string | undefined }[];
}

export interface RoleFacts {
  readonly name: string;
  readonly roleArn: string;
  readonly profileArn: string;
  readonly region: string;
  /** Of its sessions, as `serve` asks for them, in seconds; undefined where the profile decides. */
  readonly durationSeconds?: number | undefined;
}

export interface Overview {
  readonly version: string;
  /** Another one after each start. */
  readonly instance: string;
  /** The server's time. */
  readonly now: string;
  readonly identity: IdentityFacts;
  readonly roles: readonly RoleFacts[];
  /** The roles that every session goes on to, by `--assume-role-arn`: then AWS's hour is the most. */
  readonly furtherRoleArn?: string | undefined;
  readonly auditLog: boolean;
}

/** How one role stands. */
export interface RoleHealth {
  readonly name: string;
  readonly state: string;
  readonly refreshing: boolean;
  readonly refreshedAt?: string | undefined;
  readonly nextAttempt?: string | undefined;
  readonly expiration?: string | undefined;
  readonly failures: number;
  readonly lastError?:
    | { readonly code: string; readonly message: string; readonly hint?: string | undefined }
    | undefined;
}

export interface Health {
  readonly now: string;
  readonly certificateEnd: string;
  readonly connections: number;
  readonly roles: readonly RoleHealth[];
}

/** One message of the stream of events. */
export type StreamMessage =
  | { readonly type: 'rows'; readonly rows: readonly NumberedRow[]; readonly skipped: number }
  | { readonly type: 'minutes'; readonly minutes: readonly Minute[] }
  | { readonly type: 'health'; readonly health: Health }
  /** The certificate is another one. */
  | { readonly type: 'identity' }
  | { readonly type: 'locked' };

/** Another role, from one of the server's. */
export interface FurtherRole {
  readonly roleArn: string;
  readonly roleSessionName?: string | undefined;
  readonly externalId?: string | undefined;
  readonly policy?: string | undefined;
  readonly tags?: readonly (readonly [key: string, value: string])[] | undefined;
}

/** What is asked for. */
export interface IssueRequest {
  /** The name of one of the server's roles. */
  readonly role: string;
  readonly durationSeconds: number;
  readonly further?: FurtherRole | undefined;
}

/** Credentials in every form. */
export interface Issued {
  /** Names them for the sign-in. */
  readonly id: string;
  readonly roleArn: string;
  readonly assumedRoleArn?: string | undefined;
  readonly accessKeyId: string;
  readonly expiration: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly packedPolicySize?: number | undefined;
  /** Texts with the secrets in them, by form. */
  readonly forms: Readonly<Record<FormName, string>>;
  /** A command line that gets the same by itself; it holds no secret. */
  readonly exec: string;
}

export type FormName = 'sh' | 'fish' | 'powershell' | 'cmd' | 'file' | 'json';

/** `vend`: an SDK was given credentials; `issue`: the console gave some; `sign-in`: a URL for AWS's own console. */
export type ActivityEvent =
  | 'vend'
  | 'issue'
  | 'sign-in'
  | 'refused'
  | 'refresh'
  | 'failure'
  | 'expired'
  | 'unlock'
  | 'locked-out';

export interface ActivityRow {
  /** ISO 8601, in UTC. */
  readonly time: string;
  readonly event: ActivityEvent;
  /** The ARN, or the name where that is all that is known. */
  readonly role?: string | undefined;
  /** The last four characters of the access key id. */
  readonly key?: string | undefined;
  /** Address and port. */
  readonly client?: string | undefined;
  uid?: number | undefined;
  readonly session?: string | undefined;
  /** Of the credentials; ISO 8601. */
  readonly expiration?: string | undefined;
  readonly duration_ms?: number | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
}

/** A row and its place in the order of all. */
export interface NumberedRow extends ActivityRow {
  readonly id: number;
}

/** Counts of one minute. */
export interface Minute {
  /** Its beginning, in seconds since the epoch. */
  readonly at: number;
  requests: number;
  issued: number;
  refreshed: number;
  failed: number;
}
