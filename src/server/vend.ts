/**
 * Vending: giving one client a role's credentials.
 * Tests: test/server/container-routes.test.ts, imds-routes.test.ts, audit.test.ts, stampede.test.ts
 */
import type { Socket } from 'node:net';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { errorAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { AuditLog } from './audit.ts';
import type { CredentialAnswer } from './credential-answers.ts';
import type { ServedRole } from './served-role.ts';

/** Gives an answer with credentials to one client. */
export type Vend = (socket: Socket, method: string) => Answer | Promise<Answer>;

/**
 * Makes the inner part of a route: the credentials in hand, their answer made
 * once per set; with none in hand, those of the attempt that the provider has
 * in flight; 503 when that fails.
 */
export function createVend(role: ServedRole, makeAnswer: CredentialAnswer, audit: AuditLog | undefined): Vend {
  let made: { credentials: SessionCredentials; answer: Answer } | undefined;
  const answerWith = (credentials: SessionCredentials): Answer => {
    if (made?.credentials !== credentials) made = { credentials, answer: makeAnswer(role, credentials) };
    return made.answer;
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

/** The answer when there are no credentials. Never one with empty keys: clients would take them for credentials. */
function unavailable(role: ServedRole, error: unknown): Answer {
  const code = error instanceof RolesAnywhereError ? error.code : 'ERR_INTERNAL';
  const message = error instanceof RolesAnywhereError ? error.message : 'internal error';
  return errorAnswer(503, code, `no valid credentials for ${role.name}: ${message}`);
}
