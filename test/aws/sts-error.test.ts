import { describe, expect, it } from 'vitest';
import { stsError } from '../../src/aws/sts-error.ts';
import type { StsRequestFacts } from '../../src/aws/sts-error.ts';
import { errorXml } from '../support/sts.ts';

const ROLE = 'arn:aws:iam::111122223333:role/Target';
const CALLER = 'User: arn:aws:sts::111122223333:assumed-role/A/b is not authorized to perform:';

function explain(status: number, code: string, message: string, facts: Partial<StsRequestFacts> = {}) {
  const response = { status, headers: {}, body: errorXml(code, message) };
  return stsError('AssumeRole', response, { roleArn: ROLE, region: 'eu-west-1', ...facts });
}

describe('stsError', () => {
  it.each<[string, number, string, string, string, RegExp, Partial<StsRequestFacts>?]>([
    [
      'a trust policy',
      403,
      'AccessDenied',
      `${CALLER} sts:AssumeRole on resource: ${ROLE}`,
      'ERR_ACCESS_DENIED',
      /trust policy of arn:.*neither an external id nor MFA nor session tags/,
    ],
    [
      'a trust policy, with all sent',
      403,
      'AccessDenied',
      `${CALLER} sts:AssumeRole on resource: x`,
      'ERR_ACCESS_DENIED',
      /check the values that were sent/,
      { externalId: true, mfa: true, tags: true },
    ],
    [
      'a tag session',
      403,
      'AccessDenied',
      `${CALLER} sts:TagSession on resource: x`,
      'ERR_ACCESS_DENIED',
      /sts:TagSession in the permissions/,
    ],
    [
      'a source identity',
      403,
      'AccessDenied',
      `${CALLER} sts:SetSourceIdentity on resource: x`,
      'ERR_ACCESS_DENIED',
      /sts:SetSourceIdentity.*Roles Anywhere always/,
    ],
    [
      'a web identity',
      403,
      'AccessDenied',
      'Not authorized to perform sts:AssumeRoleWithWebIdentity',
      'ERR_ACCESS_DENIED',
      /Federated principal/,
    ],
    [
      'a wrong MFA code',
      403,
      'AccessDenied',
      'MultiFactorAuthentication failed with invalid MFA one time pass code. ',
      'ERR_ACCESS_DENIED',
      /the next one that the device shows/,
    ],
    [
      'a wrong MFA device',
      403,
      'AccessDenied',
      'MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.',
      'ERR_ACCESS_DENIED',
      /serial number of the MFA device/,
    ],
    [
      'a deny',
      403,
      'AccessDenied',
      `${CALLER} sts:AssumeRole with an explicit deny in a service control policy`,
      'ERR_ACCESS_DENIED',
      /a policy denies it/,
    ],
    [
      'a chained duration',
      400,
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      'ERR_VALIDATION',
      /ends after an hour/,
    ],
    [
      'a long duration',
      400,
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      'ERR_VALIDATION',
      /raise the maximum session duration/,
    ],
    [
      'another value',
      400,
      'ValidationError',
      '1 validation error detected',
      'ERR_VALIDATION',
      /that the message names/,
    ],
    [
      'a policy',
      400,
      'MalformedPolicyDocument',
      'Syntax error at position (2,14)',
      'ERR_VALIDATION',
      /at that place: "\[\{\}\]/,
      { policy: '{\n "Statement":[{}]}' },
    ],
    [
      'a policy without a place',
      400,
      'MalformedPolicyDocument',
      'This policy contains invalid Json',
      'ERR_VALIDATION',
      /^correct the session policy: its/,
    ],
    [
      'a packed size',
      400,
      'PackedPolicyTooLarge',
      'Packed size of session tags consumes 112% of allotted space.',
      'ERR_VALIDATION',
      /\(112% of what is allowed\)/,
    ],
    [
      'a region',
      403,
      'RegionDisabledException',
      'STS is not activated in this region',
      'ERR_ACCESS_DENIED',
      /not active in eu-west-1.*another region/,
    ],
    ['an expired web token', 400, 'ExpiredTokenException', 'Token expired', 'ERR_SERVICE_REFUSED', /get a new one/],
    [
      'an expired caller',
      403,
      'ExpiredToken',
      'The security token included in the request is expired',
      'ERR_ACCESS_DENIED',
      /new credentials for the source/,
    ],
    [
      'a token that cannot be verified',
      400,
      'InvalidIdentityToken',
      'Incorrect token audience',
      'ERR_SERVICE_REFUSED',
      /OIDC provider/,
    ],
    [
      'a key that cannot be retrieved now',
      400,
      'InvalidIdentityToken',
      "Couldn't retrieve verification key from your identity provider",
      'ERR_SERVICE_FAILED',
      /may pass/,
    ],
    ['a rejected claim', 403, 'IDPRejectedClaim', 'rejected', 'ERR_ACCESS_DENIED', /rejects the token/],
    ['a provider out of reach', 400, 'IDPCommunicationError', 'unreachable', 'ERR_SERVICE_FAILED', /cannot reach/],
    [
      'an unknown key',
      403,
      'InvalidClientTokenId',
      'The security token included in the request is invalid.',
      'ERR_ACCESS_DENIED',
      /knows no such access key/,
    ],
    [
      'a signature',
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match',
      'ERR_ACCESS_DENIED',
      /secret access key/,
    ],
    [
      'a clock',
      403,
      'SignatureDoesNotMatch',
      'Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z (20260101T011500Z - 15 min.)',
      'ERR_ACCESS_DENIED',
      /set the clock/,
    ],
    ['a clock, in other words', 400, 'RequestExpired', 'Request has expired.', 'ERR_SERVICE_REFUSED', /set the clock/],
    ['throttling', 400, 'Throttling', 'Rate exceeded', 'ERR_THROTTLED', /try later/],
    ['throttling by status', 429, 'Other', 'x', 'ERR_THROTTLED', /try later/],
    ['a failing service', 500, 'InternalFailure', 'x', 'ERR_SERVICE_FAILED', /try later/],
  ])('explains %s', (_, status, serviceCode, message, code, hint, facts) => {
    const error = explain(status, serviceCode, message, facts);
    expect(error).toMatchObject({ code, serviceCode, status, requestId: 'request-7' });
    expect(error.hint).toMatch(hint);
    expect(error.message).toContain(message.trim().replace(/ {2}/g, ' ').slice(0, 30));
  });

  it('says what there is to say of a page that is not from STS', () => {
    const error = stsError(
      'AssumeRole',
      { status: 502, headers: {}, body: '<html>Bad\u0000Gateway' },
      { roleArn: ROLE },
    );
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_FAILED',
      message: 'AssumeRole failed: no reason given (status 502)',
    });
  });

  it('takes a redirect for an answer of something else', () => {
    const error = stsError('AssumeRole', { status: 302, headers: {}, body: '' }, { roleArn: ROLE });
    expect(error.code).toBe('ERR_RESPONSE_INVALID');
  });

  it('lets no control characters through', () => {
    const response = {
      status: 403,
      headers: {},
      body: errorXml('AccessDenied', 'a&#27;[31mb').replace('&amp;#27;', '&#133;'),
    };
    expect(stsError('AssumeRole', response, { roleArn: ROLE }).message).not.toMatch(/[\u0080-\u009f]/);
  });
});
