/** Who calls STS: SigV4 (IAM User Guide, "Create a signed AWS API request") with credentials that were vended here. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type ReceivedRequest, singleHeader } from './received.ts';
import { Refusal, type Refuse } from './refusal.ts';
import type { Session, SessionStore } from './sessions.ts';
import {
  type Authorization,
  basicDate,
  checkSignedHeaders,
  parseAuthorization,
  readRequestDate,
  rebuildSignedRequest,
} from './signature-v4.ts';

/** How far a request's time may be from the service's, as STS's own refusals say. */
const DATE_WINDOW_MS = 15 * 60_000;

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. ' +
  'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';

/**
 * Finds the session whose credentials signed the request.
 *
 * @throws Refusal
 */
export function authenticate(request: ReceivedRequest, sessions: SessionStore, now: Date): Session {
  const header = singleHeader(request, 'authorization', incomplete);
  if (header === undefined)
    throw forbidden(
      'MissingAuthenticationToken',
      'Request is missing Authentication Token',
      'header authorization was not sent',
    );
  const authorization = parseAuthorization(header, incomplete);
  const { algorithm, signedHeaders, service } = authorization;
  if (algorithm !== 'AWS4-HMAC-SHA256') throw incomplete(`the algorithm is ${algorithm}, not AWS4-HMAC-SHA256`);
  const session = findSession(request, authorization, sessions);
  checkSignedHeaders(request, signedHeaders, { required: ['host', 'x-amz-date'] }, mismatch);
  if (service !== 'sts')
    throw forbidden(
      'SignatureDoesNotMatch',
      "Credential should be scoped to correct service: 'sts'.",
      `the credential scope is of service ${service}, not sts`,
    );
  checkDate(readRequestDate(request, authorization, mismatch), now);
  checkSignature(request, authorization, session);
  if (session.expiration <= now)
    throw forbidden(
      'ExpiredToken',
      'The security token included in the request is expired',
      `the session expired at ${session.expiration.toISOString()}`,
    );
  return session;
}

/** All sessions are temporary: the access key id alone is not enough. */
function findSession(request: ReceivedRequest, { identifier }: Authorization, sessions: SessionStore): Session {
  const session = sessions.find(identifier);
  if (session === undefined) throw invalidToken('the access key id was not vended here, or long ago');
  const token = singleHeader(request, 'x-amz-security-token', invalidToken);
  if (token === undefined) throw invalidToken('header x-amz-security-token was not sent');
  if (!sameSecret(token, session.sessionToken))
    throw invalidToken('the session token is not that of the access key id');
  return session;
}

function checkDate(date: Date, now: Date): void {
  const age = now.getTime() - date.getTime();
  if (Math.abs(age) <= DATE_WINDOW_MS) return;
  const [wire, limit] = [basicDate(date), new Date(now.getTime() - Math.sign(age) * DATE_WINDOW_MS)];
  const message =
    age > 0
      ? `Signature expired: ${wire} is now earlier than ${basicDate(limit)} (${basicDate(now)} - 15 min.)`
      : `Signature not yet current: ${wire} is still later than ${basicDate(limit)} (${basicDate(now)} + 15 min.)`;
  const seconds = Math.round(Math.abs(age) / 1000);
  throw forbidden(
    'SignatureDoesNotMatch',
    message,
    `x-amz-date is ${seconds} seconds ${age > 0 ? 'behind' : 'ahead of'} this clock`,
  );
}

function checkSignature(request: ReceivedRequest, authorization: Authorization, session: Session): void {
  const { canonicalRequest, stringToSign } = rebuildSignedRequest(request, authorization, mismatch);
  const { date, region, service } = authorization;
  let key: string | Buffer = `AWS4${session.secretAccessKey}`;
  for (const part of [date, region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest();
  const expected = createHmac('sha256', key).update(stringToSign).digest();
  if (expected.length !== authorization.signature.length || !timingSafeEqual(expected, authorization.signature))
    throw mismatch(
      'the signature is not that of the secret access key over this request',
      canonicalRequest.replaceAll(session.sessionToken, '<redacted>'),
    );
}

/** Compares in a time that tells nothing about either. */
function sameSecret(given: string, own: string): boolean {
  return timingSafeEqual(digest(given), digest(own));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'latin1').digest();
}

const invalidToken: Refuse = (reason) =>
  forbidden('InvalidClientTokenId', 'The security token included in the request is invalid.', reason);

const mismatch: Refuse = (reason, expected) => forbidden('SignatureDoesNotMatch', MISMATCH, reason, expected);

function incomplete(reason: string): Refusal {
  return new Refusal(400, 'IncompleteSignature', reason, reason);
}

function forbidden(code: string, message: string, reason: string, expected?: string): Refusal {
  return new Refusal(403, code, message, reason, expected);
}
