/** Authentication by SigV4 (IAM User Guide, "Create a signed AWS API request") with the credentials that this emulator knows. */
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
  parseAuthorization,
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
const DATE_WINDOW_MS = 15 * 60_000;

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
  const found = findCaller(request, authorization, context);
  checkSignedHeaders(request, signedHeaders, { required: ['host', 'x-amz-date'] }, mismatch);
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
  checkDate(readRequestDate(request, authorization, mismatch), now);
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

function findCaller(request: ReceivedRequest, { identifier }: Authorization, { state, tokens }: Knowledge): Found {
  const token = singleHeader(request, 'x-amz-security-token', invalidToken);
  if (!identifier.startsWith('ASIA')) return findUser(identifier, token, state);
  if (token === undefined) throw invalidToken('header x-amz-security-token was not sent');
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
  if (fits(stringToSign(request, authorization, expected))) return;
  const mistake = findMistake(request, authorization, parts, fits);
  const what = 'the signature is not that of the secret access key over this request';
  throw mistake === undefined
    ? mismatch(what, { expected: redacted(expected, found) })
    : mismatch(`${what}, but over one with ${mistake.what}`, {
        expected: redacted(expected, found),
        signed: redacted(mistake.canonicalRequest, found),
      });
}

function redacted(text: string, { sessionToken }: Found): string {
  return sessionToken === undefined ? text : text.replaceAll(sessionToken, '<redacted>');
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
