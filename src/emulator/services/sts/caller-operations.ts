/** GetCallerIdentity and GetSessionToken: STS API Reference. */
// Tests: test/emulator/services/sts/sts.test.ts
import type { Granted } from '../../wire/answer.ts';
import type { Caller } from '../../callers/caller.ts';
import type { RequestContext } from '../context.ts';
import { takeCode } from '../../callers/mfa.ts';
import { expiryOf, isoSeconds } from '../../callers/sessions.ts';
import { type StsParameters, duration, optional, refused } from './parameters.ts';
import { credentialElements, stsAnswer } from './xml.ts';

const DEFAULT_SECONDS = 43_200;
const MAX_SECONDS = 129_600;

/** Needs no permission, and no policy can deny it. */
export function getCallerIdentity({ arn, userId, account }: Caller, { requestId }: RequestContext): Granted {
  const result = { Arn: arn, UserId: userId, Account: account };
  return { answer: stsAnswer('GetCallerIdentity', result, requestId), reason: `GetCallerIdentity is ${arn}` };
}

/** @throws Refusal */
export function getSessionToken(
  parameters: StsParameters,
  caller: Caller,
  { state, tokens, requestId, ...context }: RequestContext,
): Granted {
  const now = context.now();
  if (caller.session !== undefined)
    throw refused(
      'AccessDenied',
      'Cannot call GetSessionToken with session credentials',
      `${caller.arn} called with temporary credentials`,
      403,
    );
  const seconds = duration(parameters, DEFAULT_SECONDS, MAX_SECONDS);
  const code = { serialNumber: optional(parameters, 'SerialNumber'), tokenCode: optional(parameters, 'TokenCode') };
  const hasCode = takeCode(code, caller, { state, now });
  const credentials = tokens.issue({
    principalArn: caller.arn,
    issuedAt: now.getTime(),
    expiresAt: expiryOf(now, seconds),
    mfaAt: hasCode ? now.getTime() : undefined,
  });
  return {
    answer: stsAnswer('GetSessionToken', { Credentials: credentialElements(credentials) }, requestId),
    reason: `GetSessionToken of ${caller.arn}${hasCode ? ' with MFA' : ''} until ${isoSeconds(credentials.expiration)}`,
  };
}
