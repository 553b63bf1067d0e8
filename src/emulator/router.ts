/** Which service a request is for, and how a refusal looks in that service's protocol. */
import type { Answer, Verdict } from './answer.ts';
import { createSession } from './create-session.ts';
import type { ReceivedRequest } from './received.ts';
import { Refusal, type RefusalDetails } from './refusal.ts';
import type { SessionStore } from './sessions.ts';
import { sts, stsError } from './sts.ts';
import type { World } from './world.ts';

export interface RouterContext {
  readonly world: World;
  readonly sessions: SessionStore;
  readonly now: () => Date;
}

/**
 * Handles one request. It answers whatever comes, a defect of the emulator's own included.
 *
 * @param problem why it cannot be handled, found when it was read
 */
export function route(
  request: ReceivedRequest,
  requestId: string,
  context: RouterContext,
  problem?: Refusal,
): { answer: Answer; verdict: Verdict } {
  const { method, path } = request;
  const about = { time: context.now(), requestId, method, path };
  const isSts = path === '/' && (method === 'POST' || method === 'GET');
  try {
    if (problem !== undefined) throw problem;
    const { answer, reason } = isSts ? sts(request, { ...context, requestId }) : rolesAnywhere(request, context);
    return { answer, verdict: { ...about, accepted: true, status: answer.status, reason } };
  } catch (error) {
    const details = error instanceof Refusal ? error.details : failure(error);
    const { status, code, reason, expected } = details;
    return {
      answer: isSts ? stsError(details, requestId) : restError(details),
      verdict: { ...about, accepted: false, status, code, reason, ...(expected === undefined ? {} : { expected }) },
    };
  }
}

function rolesAnywhere(request: ReceivedRequest, context: RouterContext): ReturnType<typeof createSession> {
  const { method, path } = request;
  if (method === 'POST' && path === '/sessions') return createSession(request, context);
  throw new Refusal(404, 'UnknownOperationException', 'Unknown operation', `nothing is emulated at ${method} ${path}`);
}

/** A refusal in the form of the rest-json protocol. */
function restError({ status, code, message }: RefusalDetails): Answer {
  return {
    status,
    contentType: 'application/json',
    headers: { 'X-Amzn-ErrorType': code },
    body: JSON.stringify({ message }),
  };
}

function failure(error: unknown): RefusalDetails {
  const reason = `a defect of the emulator: ${error instanceof Error ? error.message : String(error)}`;
  return { status: 500, code: 'InternalFailure', message: 'The request processing has failed', reason };
}
