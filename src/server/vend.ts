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

/** Told that a client was given credentials of a role: on the path of every such answer, so it must be quick. */
export type Vended = (role: ServedRole, credentials: SessionCredentials, socket: Socket) => void;

/** What vending depends on, besides the role and the form of its answer. */
export interface VendOptions {
  readonly audit: AuditLog | undefined;
  readonly vended?: Vended | undefined;
  /** Longest time that a client waits for an attempt in flight, in milliseconds. */
  readonly waitMs: number;
  /** Those who wait, to be called when nobody is to wait any more. A set, since there may be thousands. */
  readonly waiting: Set<() => void>;
}

/**
 * Makes the inner part of a route: the credentials in hand, their answer made
 * once per set; with none in hand, those of the attempt that the provider has
 * in flight; 503 when that fails, or takes longer than the client would wait for an answer.
 */
export function createVend(
  role: ServedRole,
  makeAnswer: CredentialAnswer,
  { audit, vended, waitMs, waiting }: VendOptions,
): Vend {
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
    vended?.(role, credentials, socket);
    return answerWith(credentials);
  };
  const given = (credentials: SessionCredentials, socket: Socket, head: boolean): Answer => {
    if (!head) vended?.(role, credentials, socket);
    return answerWith(credentials);
  };
  return (socket, method) => {
    const credentials = role.provider.peek();
    // HEAD takes nothing away, so there is nothing to record.
    const head = method === 'HEAD';
    const plain = audit === undefined || head;
    if (credentials !== undefined) return plain ? given(credentials, socket, head) : recorded(credentials, socket);
    return outcomeWithin(role.provider.get(), waitMs, waiting).then(
      (fetched) => {
        if (typeof fetched === 'string') return late(role, fetched);
        return plain ? given(fetched, socket, head) : recorded(fetched, socket);
      },
      (error: unknown) => unavailable(role, error),
    );
  };
}

/** The credentials, or the words for having stopped to wait for them. */
function outcomeWithin(
  outcome: Promise<SessionCredentials>,
  waitMs: number,
  waiting: Set<() => void>,
): Promise<SessionCredentials | string> {
  return new Promise((resolve, reject) => {
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      waiting.delete(onStop);
      finish();
    };
    const onStop = (): void => end(() => resolve('this server stops'));
    const timer = setTimeout(() => end(() => resolve(`none have come within ${waitMs / 1000} s`)), waitMs);
    waiting.add(onStop);
    outcome.then(
      (credentials) => end(() => resolve(credentials)),
      (error: unknown) => end(() => reject(error instanceof Error ? error : new TypeError('not an error'))),
    );
  });
}

/** The answer while an attempt is still in flight: clients wait for a second or two, and then know no reason. */
function late(role: ServedRole, words: string): Answer {
  const { lastError } = role.provider.status();
  const before = lastError === undefined ? '' : `; the attempt before: ${lastError.message}`;
  return errorAnswer(
    503,
    lastError?.code ?? 'ERR_TIMEOUT',
    `no valid credentials for ${role.name}: they were asked for, and ${words}${before}`,
  );
}

/** The answer when there are no credentials. Never one with empty keys: clients would take them for credentials. */
function unavailable(role: ServedRole, error: unknown): Answer {
  const code = error instanceof RolesAnywhereError ? error.code : 'ERR_INTERNAL';
  const message = error instanceof RolesAnywhereError ? error.message : 'internal error';
  return errorAnswer(503, code, `no valid credentials for ${role.name}: ${message}`);
}
