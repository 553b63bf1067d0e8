/**
 * Authentication by SigV4 (IAM User Guide, "Create a signed AWS API request"),
 * in a header or presigned, with the credentials that this emulator knows.
 */
// Tests: test/emulator/services/sts/sts.test.ts
import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Caller, callerOfSession, callerOfUser } from './caller.ts';
import { type ReceivedRequest, singleHeader } from '../wire/received.ts';
import { type Compared, Refusal, type Refuse } from '../wire/refusal.ts';
import { findMistake } from '../wire/signature-mistakes.ts';
import {
  type Authorization,
  basicDate,
  canonicalParts,
  checkSignedHeaders,
  formatCanonical,
  readAuthorization,
  readRequestDate,
  stringToSign,
} from '../wire/signature-v4.ts';
import type { State } from '../state/state.ts';
import type { SessionTokens } from './sessions.ts';

/** The things in which a caller is looked up. */
interface Knowledge {
  readonly state: State;
  readonly tokens: SessionTokens;
  /** The emulator's clock. */
  readonly now: () => Date;
}

/** The difference that a request's time may have from the service's, as STS's own refusals say. */
export const DATE_WINDOW_MS = 15 * 60_000;

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. ' +
  'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';

/**
 * Finds the caller whose credentials signed the request.
 *
 * @param expected the name of the service in the credential scope
 * @param region what the scope's region must be; without it, any is good
 * @throws Refusal
 */
export function authenticate(request: ReceivedRequest, expected: string, context: Knowledge, region?: string): Caller {
  const now = context.now();
  const authorization = readAuthorization(request, incomplete);
  if (authorization === undefined)
    throw forbidden(
      'MissingAuthenticationToken',
      'Request is missing Authentication Token',
      'header authorization was not sent',
    );
  const { algorithm, signedHeaders, service, isPresigned } = authorization;
  if (algorithm !== 'AWS4-HMAC-SHA256') throw incomplete(`the algorithm is ${algorithm}, not AWS4-HMAC-SHA256`);
  singleHeader(request, 'x-amz-security-token', invalidToken);
  const found = findCaller(authorization, context);
  const required = isPresigned ? ['host'] : ['host', 'x-amz-date'];
  checkSignedHeaders(request, signedHeaders, { required }, mismatch);
  if (service !== expected)
    throw forbidden(
      'SignatureDoesNotMatch',
      `Credential should be scoped to correct service: '${expected}'.`,
      `the credential scope is of service ${service}, not ${expected}`,
    );
  if (region !== undefined && authorization.region !== region)
    throw forbidden(
      'SignatureDoesNotMatch',
      'Credential should be scoped to a valid region.',
      `the credential scope is of region ${authorization.region}, this endpoint of ${region}`,
    );
  checkDate(request, authorization, now);
  checkSignature(request, authorization, found);
  const { session } = found.caller;
  if (session !== undefined && session.expiresAt <= now.getTime())
    throw forbidden(
      'ExpiredToken',
      'The security token included in the request is expired',
      `the session expired at ${new Date(session.expiresAt).toISOString()}`,
    );
  return found.caller;
}

interface Found {
  readonly caller: Caller;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

function findCaller({ identifier, sessionToken: token }: Authorization, { state, tokens }: Knowledge): Found {
  if (!identifier.startsWith('ASIA')) return findUser(identifier, token, state);
  if (token === undefined) throw invalidToken('x-amz-security-token was not sent');
  const session = tokens.open(identifier, token);
  if (session === undefined)
    throw invalidToken('the session token is not one that was vended here with this access key id');
  const caller = callerOfSession(session.claims, state);
  if (caller === undefined) throw invalidToken(`${session.claims.principalArn} does not exist any more`);
  return { caller, secretAccessKey: session.secretAccessKey, sessionToken: token };
}

function findUser(identifier: string, token: string | undefined, state: State): Found {
  for (const user of state.list('users')) {
    const key = user.accessKeys.find(({ accessKeyId }) => accessKeyId === identifier);
    if (key === undefined) continue;
    if (token !== undefined) throw invalidToken('a session token was sent with a long-term access key');
    return { caller: callerOfUser(user), secretAccessKey: key.secretAccessKey, sessionToken: undefined };
  }
  throw invalidToken('no user has this access key id');
}

/**
 * A presigned request to S3 is good for as long as it says. STS takes one for
 * 15 minutes, whatever it says: tokens for EKS say 60 seconds and last so long
 * (aws-iam-authenticator, pkg/token).
 */
function checkDate(request: ReceivedRequest, authorization: Authorization, now: Date): void {
  const date = readRequestDate(request, authorization, mismatch);
  const { isPresigned, expires, service } = authorization;
  const age = now.getTime() - date.getTime();
  if (isPresigned && service === 's3') {
    if (expires === undefined) throw incomplete('X-Amz-Expires was not sent');
    if (age > expires * 1000)
      throw forbidden('AccessDenied', 'Request has expired', `the request was good for ${expires} seconds`);
    if (age >= -DATE_WINDOW_MS) return;
  }
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

function checkSignature(request: ReceivedRequest, authorization: Authorization, found: Found): void {
  const parts = canonicalParts(request, authorization, mismatch);
  const { date, region, service } = authorization;
  let key: string | Buffer = `AWS4${found.secretAccessKey}`;
  for (const part of [date, region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest();
  const fits = (bytes: Buffer): boolean => {
    const expected = createHmac('sha256', key).update(bytes).digest();
    return expected.length === authorization.signature.length && timingSafeEqual(expected, authorization.signature);
  };
  const expected = formatCanonical(parts);
  if (fits(stringToSign(authorization, expected))) return;
  const mistake = findMistake(request, authorization, parts, fits);
  const what = 'the signature is not that of the secret access key over this request';
  throw mistake === undefined
    ? mismatch(what, { expected: redacted(expected, found) })
    : mismatch(`${what}, but over one with ${mistake.what}`, {
        expected: redacted(expected, found),
        signed: redacted(mistake.canonicalRequest, found),
      });
}

/** In the query of a presigned request the token is percent-encoded. */
function redacted(text: string, { sessionToken }: Found): string {
  return sessionToken === undefined
    ? text
    : text.replaceAll(sessionToken, '<redacted>').replaceAll(encodeURIComponent(sessionToken), '<redacted>');
}

const invalidToken: Refuse = (reason) =>
  forbidden('InvalidClientTokenId', 'The security token included in the request is invalid.', reason);

const mismatch: Refuse = (reason, compared) => forbidden('SignatureDoesNotMatch', MISMATCH, reason, compared);

function incomplete(reason: string): Refusal {
  return new Refusal(400, 'IncompleteSignature', reason, reason);
}

function forbidden(code: string, message: string, reason: string, compared?: Compared): Refusal {
  return new Refusal(403, code, message, reason, compared);
}
