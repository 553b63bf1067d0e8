/**
 * The federation endpoint, by which temporary credentials become a URL that
 * signs in to the console: IAM User Guide, "Enable custom identity broker
 * access to the AWS console".
 */
import type { Answer, Granted } from '../wire/answer.ts';
import { callerOfSession } from '../callers/caller.ts';
import type { RequestContext } from './context.ts';
import { type ReceivedRequest, parseQuery, utf8 } from '../wire/received.ts';
import { Refusal, type RefusalDetails } from '../wire/refusal.ts';
import { isoSeconds } from '../callers/sessions.ts';
import { escapeXml } from '../wire/xml.ts';

const SIGN_IN = 'sign-in token';
const TOKEN_LIFETIME_MS = 15 * 60_000;
const [MIN_SECONDS, MAX_SECONDS] = [900, 43_200];

/** Hosts of the console, where a sign-in may lead. */
const CONSOLE =
  /^https:\/\/(?:[a-z0-9-]+\.)*(?:console\.aws\.amazon\.com|console\.amazonaws-us-gov\.com|console\.amazonaws\.cn)(?:[:/?#]|$)/;

/** @throws Refusal */
export function federation(request: ReceivedRequest, context: RequestContext): Granted {
  const { method, query, body } = request;
  if (method !== 'GET' && method !== 'POST') throw bad('Method not allowed', `${method} is neither GET nor POST`);
  const parts = [query, ...(method === 'POST' ? [body.toString('latin1')] : [])];
  const parameters = new Map(
    parts
      .flatMap((part) => parseQuery(part, (reason) => bad('Invalid request', reason)))
      .map(([name, value]) => [utf8(name), utf8(value)]),
  );
  const action = parameters.get('Action') ?? '';
  if (action === 'getSigninToken') return signinToken(parameters, context);
  if (action === 'login') return login(parameters, context);
  throw bad('Invalid action', `Action is "${action}", not getSigninToken or login`);
}

function signinToken(parameters: ReadonlyMap<string, string>, { state, tokens, now }: RequestContext): Granted {
  const moment = now();
  const { sessionId, sessionKey, sessionToken } = readSession(
    parameters.get('Session') ?? parameters.get('SessionJson'),
  );
  const opened = tokens.open(sessionId, sessionToken);
  if (opened === undefined || opened.secretAccessKey !== sessionKey)
    throw bad('Invalid credentials parameter', 'these are no temporary credentials that were vended here');
  const { claims } = opened;
  const caller = callerOfSession(claims, state);
  if (caller === undefined || claims.expiresAt <= moment.getTime())
    throw bad('Invalid credentials parameter', 'the session has expired, or its role is gone');
  if (!('role' in caller.principal))
    throw bad('Invalid credentials parameter', 'credentials of GetSessionToken cannot sign in');
  const duration = parameters.get('SessionDuration');
  if (duration !== undefined) checkDuration(duration, claims.chained === true);
  const token = tokens.seal(SIGN_IN, { arn: caller.arn, expiresAt: moment.getTime() + TOKEN_LIFETIME_MS });
  return {
    answer: { status: 200, contentType: 'application/json', body: JSON.stringify({ SigninToken: token }) },
    reason: `getSigninToken of ${caller.arn}`,
  };
}

/** AWS's knowledge centre, "Invalid credentials parameter": a chained session has an hour, and must not ask for a time. */
function checkDuration(text: string, isChained: boolean): void {
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds < MIN_SECONDS || seconds > MAX_SECONDS)
    throw bad('Invalid SessionDuration', `SessionDuration is not from ${MIN_SECONDS} to ${MAX_SECONDS}`);
  if (isChained)
    throw bad('Invalid credentials parameter', 'SessionDuration was sent with credentials of role chaining');
}

function readSession(text: string | undefined): { sessionId: string; sessionKey: string; sessionToken: string } {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    throw bad('Invalid credentials parameter', 'Session is not JSON');
  }
  const { sessionId, sessionKey, sessionToken }: Record<string, unknown> =
    typeof value === 'object' && value !== null ? { ...value } : {};
  if (typeof sessionId !== 'string' || typeof sessionKey !== 'string' || typeof sessionToken !== 'string')
    throw bad('Invalid credentials parameter', 'Session lacks sessionId, sessionKey or sessionToken');
  return { sessionId, sessionKey, sessionToken };
}

function login(parameters: ReadonlyMap<string, string>, { tokens, now }: RequestContext): Granted {
  const token = tokens.unseal(SIGN_IN, parameters.get('SigninToken') ?? '');
  const { arn, expiresAt }: Record<string, unknown> = typeof token === 'object' && token !== null ? { ...token } : {};
  if (typeof arn !== 'string' || typeof expiresAt !== 'number')
    throw bad('Invalid SigninToken', 'the sign-in token was not made here');
  if (expiresAt <= now().getTime())
    throw bad('Invalid SigninToken', `the sign-in token expired at ${isoSeconds(new Date(expiresAt))}`);
  const destination = parameters.get('Destination') ?? '';
  if (!CONSOLE.test(destination)) throw bad('Invalid Destination', 'Destination is not a URL of the console');
  return {
    answer: { status: 302, contentType: 'text/html', headers: { Location: destination }, body: '' },
    reason: `login of ${arn}`,
  };
}

/** The endpoint answers with a page. */
export function federationError({ status, message }: RefusalDetails): Answer {
  const page = `<!DOCTYPE html>\n<title>Amazon Web Services Sign-In</title>\n<p>${escapeXml(message)}</p>\n`;
  return { status, contentType: 'text/html', body: page };
}

function bad(message: string, reason: string): Refusal {
  return new Refusal(400, 'BadRequest', message, reason);
}
