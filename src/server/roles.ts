/** A role as the server sees it, and the answers that hold its credentials. */

import type { Socket } from 'node:net';
import { formatExpiration } from '../credentials/expiration.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { CredentialsProvider } from '../credentials/provider.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { errorAnswer, jsonAnswer, textAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { AuditLog } from './audit.ts';
import type { Authorization } from './authorization.ts';

export interface ServedRole {
  /** In paths: `/role/NAME` and `security-credentials/NAME`. Unique. */
  readonly name: string;
  /** Of the role whose credentials they are. */
  readonly roleArn: string;
  /** The region of its profile and trust anchor. */
  readonly region: string;
  readonly provider: Pick<CredentialsProvider, 'get' | 'peek' | 'status'>;
  /** What the container endpoint asks for; replaced when the token file was read again. */
  readonly authorization: () => Authorization;
  /** Whether IMDS gives it too: not when it has a token of its own, which IMDS would sidestep. */
  readonly imds: boolean;
}

/** The twelve digits of an ARN's account. */
export function accountOf(arn: string): string {
  return arn.split(':')[4] ?? '';
}

/** Gives an answer with credentials to one client. */
export type Vend = (socket: Socket, method: string) => Answer | Promise<Answer>;

export interface VendOptions {
  readonly role: ServedRole;
  readonly render: (role: ServedRole, credentials: SessionCredentials) => Answer;
  readonly audit?: AuditLog | undefined;
}

/**
 * Makes the route's inner part: the credentials in hand, rendered once per
 * set; with none in hand, those of the attempt that the provider has in
 * flight; 503 when that fails.
 */
export function createVend({ role, render, audit }: VendOptions): Vend {
  let rendered: { credentials: SessionCredentials; answer: Answer } | undefined;
  const answerWith = (credentials: SessionCredentials): Answer => {
    if (rendered?.credentials !== credentials) rendered = { credentials, answer: render(role, credentials) };
    return rendered.answer;
  };
  const recorded = async (credentials: SessionCredentials, socket: Socket): Promise<Answer> => {
    try {
      await audit?.record(role, credentials, socket);
    } catch {
      // The log has reported it. What is not recorded is not given out.
      return errorAnswer(503, 'AuditLogUnavailable', 'the audit log cannot be written');
    }
    return answerWith(credentials);
  };
  return (socket, method) => {
    const credentials = role.provider.peek();
    // HEAD takes nothing away, so there is nothing to record.
    const plain = audit === undefined || method === 'HEAD';
    if (credentials !== undefined) return plain ? answerWith(credentials) : recorded(credentials, socket);
    return role.provider.get().then(
      (fetched) => (plain ? answerWith(fetched) : recorded(fetched, socket)),
      (error: unknown) => unavailable(role, error),
    );
  };
}

/** Never empty keys: clients would take them for credentials. */
function unavailable(role: ServedRole, error: unknown): Answer {
  const code = error instanceof RolesAnywhereError ? error.code : 'ERR_INTERNAL';
  const message = error instanceof RolesAnywhereError ? error.message : 'internal error';
  return errorAnswer(503, code, `no valid credentials for ${role.name}: ${message}`);
}

/** As EC2 has it (protocol of `security-credentials`); EC2 says text/plain too. */
export function renderImds(role: ServedRole, credentials: SessionCredentials): Answer {
  return textAnswer(200, JSON.stringify(imdsBody(role, credentials), null, 1));
}

/** The same with `AccountId`, which newer SDKs use. */
export function renderImdsExtended(role: ServedRole, credentials: SessionCredentials): Answer {
  const accountId = credentials.accountId ?? accountOf(role.roleArn);
  return textAnswer(200, JSON.stringify({ ...imdsBody(role, credentials), AccountId: accountId }, null, 1));
}

function imdsBody(role: ServedRole, credentials: SessionCredentials): Record<string, string> {
  return {
    Code: 'Success',
    LastUpdated: formatExpiration(role.provider.status().refreshedAt ?? new Date()),
    Type: 'AWS-HMAC',
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: formatExpiration(credentials.expiration),
  };
}

/** As the container credentials endpoint of ECS and EKS has it. */
export function renderContainer(role: ServedRole, credentials: SessionCredentials): Answer {
  return jsonAnswer(200, {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: formatExpiration(credentials.expiration),
    AccountId: credentials.accountId ?? accountOf(role.roleArn),
    RoleArn: role.roleArn,
  });
}
