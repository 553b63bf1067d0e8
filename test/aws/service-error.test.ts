import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { serviceError } from '../../src/aws/service-error.ts';

const answer = (status: number, body: string | object = '', headers: Record<string, string> = {}) =>
  serviceError('CreateSession', { status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

const named = (name: string): Record<string, string> => ({ 'x-amzn-errortype': name });

describe('serviceError', () => {
  const CODES: readonly [string, number, string, ErrorCode][] = [
    ['AccessDeniedException', 403, 'AccessDeniedException', 'ERR_ACCESS_DENIED'],
    ['a 403 of another name', 403, 'InvalidSignatureException', 'ERR_ACCESS_DENIED'],
    ['ValidationException', 400, 'ValidationException', 'ERR_VALIDATION'],
    ['ResourceNotFoundException', 404, 'ResourceNotFoundException', 'ERR_NOT_FOUND'],
    ['a 404 without a name', 404, '', 'ERR_NOT_FOUND'],
    ['ThrottlingException as a 400', 400, 'ThrottlingException', 'ERR_THROTTLED'],
    ['TooManyRequestsException', 429, 'TooManyRequestsException', 'ERR_THROTTLED'],
    ['a 429 without a name', 429, '', 'ERR_THROTTLED'],
    ['SlowDown as a 503', 503, 'SlowDown', 'ERR_THROTTLED'],
    ['InternalFailure', 500, 'InternalFailure', 'ERR_SERVICE_FAILED'],
    ['a denial as a 500', 500, 'AccessDeniedException', 'ERR_SERVICE_FAILED'],
    ['a 502 without a name', 502, '', 'ERR_SERVICE_FAILED'],
    ['another 400', 400, 'SerializationException', 'ERR_SERVICE_REFUSED'],
    ['a 407', 407, '', 'ERR_SERVICE_REFUSED'],
    ['a name of Object.prototype', 400, 'constructor', 'ERR_SERVICE_REFUSED'],
    ['a redirect', 307, '', 'ERR_RESPONSE_INVALID'],
    ['a 304', 304, '', 'ERR_RESPONSE_INVALID'],
  ];
  it.each(CODES)('of %s (%i %s) has code %s', (_what, status, name, code) => {
    expect(answer(status, '', name === '' ? {} : named(name))).toMatchObject({ code, status });
  });

  it.each([
    ['the header before the body', named('A'), { code: 'B', __type: 'C' }, 'A'],
    ['code before __type', {}, { code: 'B', __type: 'C' }, 'B'],
    ['__type', {}, { __type: 'C' }, 'C'],
    ['no URI after a colon', named('A:http://internal.amazon.com/coral/x#y'), {}, 'A'],
    ['no namespace before a number sign', {}, { __type: 'aws.rolesanywhere#A' }, 'A'],
    ['the last of several number signs', {}, { __type: 'a#b#A' }, 'A'],
    ['no name that is not one', named('<b>A</b>'), {}, undefined],
    ['no name that is not text', {}, { code: { a: 1 } }, undefined],
    ['no name without end', named('A'.repeat(129)), {}, undefined],
  ])('takes %s', (_what, headers, body, serviceCode) => {
    expect(answer(400, body, headers).serviceCode).toBe(serviceCode);
  });

  it('shows name, message, status and request id', () => {
    const error = answer(403, { message: 'No way' }, { ...named('AccessDeniedException'), 'x-amzn-requestid': 'id-1' });
    expect(error.message).toBe(
      'CreateSession was refused: AccessDeniedException: No way (status 403, request id id-1)',
    );
    expect(error.requestId).toBe('id-1');
    expect(answer(403, { Message: 'Capital' }).message).toContain('Capital');
  });

  it.each([
    ['HTML', '<html><body>Forbidden</body></html>'],
    ['nothing', ''],
    ['an array', '[1]'],
    ['a number', '7'],
    ['null', 'null'],
    ['JSON cut off', '{"message":"x'],
    ['a message that is not text', '{"message":{"a":1}}'],
  ])('does not stumble over %s, nor repeat it', (_what, body) => {
    expect(answer(403, body)).toMatchObject({
      code: 'ERR_ACCESS_DENIED',
      message: 'CreateSession was refused: no reason given (status 403)',
      serviceCode: undefined,
    });
  });

  it('does not repeat a signature that the service repeats', () => {
    const message = `bad header: Credential=1/2, Signature=${'0a'.repeat(32)}; ${'3045'.repeat(40)} but digest ${'0b'.repeat(32)}`;
    const { message: shown } = serviceError('CreateSession', {
      status: 403,
      headers: {},
      body: JSON.stringify({ message }),
    });
    expect(shown).not.toMatch(/(?:0a){8}|(?:3045){4}/);
    expect(shown).toContain('0b'.repeat(32));
  });

  it('strips what could steer a terminal, and bounds the rest', () => {
    const message = 'a\u001b[31mb\r\nc\u0000d\u009be\u202ef\u2028g';
    expect(answer(400, { message }).message).toBe('CreateSession was refused: a [31mb c d e f g (status 400)');
    expect(answer(400, { message: 'x'.repeat(100_000) }).message.length).toBeLessThan(1100);
    expect(answer(400, '', { 'x-amzn-requestid': 'x'.repeat(10_000) }).message.length).toBeLessThan(300);
  });

  it.each([
    ['Untrusted certificate. Insufficient certificate', /digitalSignature/],
    ['Untrusted signing certificate', /--intermediates/],
    ['Invalid signature', /private key/],
    ['Unable to assume role for arn:aws:iam::1:role/R', /sts:TagSession/],
    ['Unable to assume role for arn:aws:iam::1:role/R', /is the role in the profile's list, and is it in this account/],
    [
      'Unable to assume role for arn:aws:iam::1:role/R: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      /--session-duration/,
    ],
    [
      'Unable to assume role for arn:aws:iam::1:role/R, Some attributes failed to be mapped into session tags. Subject: [CN]',
      /attribute mapping/,
    ],
    ['Not authorized to set roleSessionName.', /--role-session-name/],
    ['something new', /not revoked/],
  ])('advises on %j', (message, hint) => {
    expect(answer(403, { message }, named('AccessDeniedException')).hint).toMatch(hint);
  });
});

const told = (status: number, name: string, skipped?: string) =>
  serviceError(
    'CreateSession',
    { status, headers: named(name), body: '{"message":"Untrusted certificate"}' },
    0,
    skipped,
  );

describe('a rule that was skipped', () => {
  it('is what the hint of a refusal begins with', () => {
    const { hint } = told(403, 'AccessDeniedException', 'the subject of the certificate is empty');
    expect(hint).toMatch(/^--skip-checks let pass that the subject of the certificate is empty: begin there; or /);
  });

  it.each([
    [403, 'AccessDeniedException', undefined],
    [429, 'ThrottlingException', 'the subject is empty'],
    [500, 'InternalFailure', 'the subject is empty'],
  ])('is not named for %d %s where it is not the reason', (status, name, skipped) => {
    expect(told(status, name, skipped).hint ?? '').not.toContain('--skip-checks');
  });
});
