import { assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inert, inertJson, REDACTED, shownBody, shownHeader, shownStage, shownUrl } from '../../src/platform/redact.ts';

/** Could be any secret: it must not be seen, nor its end. */
const S = 'hUsh/Hush+Hush==END9';

describe('headers', () => {
  it.each([
    ['X-Amz-Security-Token', S, REDACTED],
    ['proxy-authorization', `Basic ${S}`, REDACTED],
    ['Cookie', S, REDACTED],
    ['x-aws-ec2-metadata-token', S, REDACTED],
    ['authorization', S, REDACTED],
    ['authorization', `Bearer ${S}`, REDACTED],
    [
      'Authorization',
      `AWS4-X509-RSA-SHA256 Credential=12345678901234567890/20260101/us-east-1/rolesanywhere/aws4_request, SignedHeaders=host;x-amz-date, Signature=${S}`,
      `AWS4-X509-RSA-SHA256 Credential=12345678901234567890/20260101/us-east-1/rolesanywhere/aws4_request, SignedHeaders=host;x-amz-date, Signature=${REDACTED}`,
    ],
    [
      'Authorization',
      `AWS4-HMAC-SHA256 Credential=ASIAEXAMPLEEXAMP1234/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=${S}`,
      `AWS4-HMAC-SHA256 Credential=${REDACTED}1234/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=${REDACTED}`,
    ],
    ['content-type', 'application/json', 'application/json'],
    ['location', `https://h/?SigninToken=${S}&a=1`, `https://h/?SigninToken=${REDACTED}&a=1`],
    ['location', `https://me:${encodeURIComponent(S)}@h/a`, 'https://h/a'],
    ['date', 'Sun, 01 Mar 2026 12:00:00 GMT', 'Sun, 01 Mar 2026 12:00:00 GMT'],
  ])('%s: %s', (name, value, shown) => {
    expect(shownHeader(name, value)).toBe(shown);
  });
});

describe('URLs', () => {
  it.each([
    [`https://user:${encodeURIComponent(S)}@host/path?a=1`, 'https://host/path?a=1'],
    [`https://h/?X-Amz-Security-Token=${encodeURIComponent(S)}&b=2`, `https://h/?X-Amz-Security-Token=${REDACTED}&b=2`],
    [`https://h/?X-Amz-Signature=${encodeURIComponent(S)}`, `https://h/?X-Amz-Signature=${REDACTED}`],
    [`https://h/?x%2Damz%2Dsignature=${encodeURIComponent(S)}`, `https://h/?x%2Damz%2Dsignature=${REDACTED}`],
    [
      `https://h/?Action=getSigninToken&Session=${encodeURIComponent(S)}`,
      `https://h/?Action=getSigninToken&Session=${REDACTED}`,
    ],
    ['https://h/sessions?profileArn=arn%3Aaws', 'https://h/sessions?profileArn=arn%3Aaws'],
    ['https://h/?X-Amz-Credential=ASIAEXAMPLEEXAMP1234%2F2026', `https://h/?X-Amz-Credential=${REDACTED}1234%2F2026`],
  ])('%s', (url, shown) => {
    expect(shownUrl(new URL(url))).toBe(shown);
  });
});

describe('bodies', () => {
  const harmless = true;
  it.each([
    [
      `{"credentials":{"accessKeyId":"ASIAEXAMPLEEXAMP1234","secretAccessKey":"${S}","sessionToken":"${S}"}}`,
      `{"credentials":{"accessKeyId":"${REDACTED}1234","secretAccessKey":"${REDACTED}","sessionToken":"${REDACTED}"}}`,
    ],
    [`[{"Token":"${S}"},{"a":{"PASSWORD":["${S}"]}}]`, `[{"Token":"${REDACTED}"},{"a":{"PASSWORD":"${REDACTED}"}}]`],
    ['{"durationSeconds":900,"roleSessionName":"me"}', '{"durationSeconds":900,"roleSessionName":"me"}'],
    ['{"accessKeyId":"short"}', `{"accessKeyId":"${REDACTED}"}`],
    [
      `<A><SecretAccessKey>${S}</SecretAccessKey><x:SessionToken a="1">${S}</x:SessionToken><Arn>a</Arn><AccessKeyId>ASIAEXAMPLEEXAMP1234</AccessKeyId></A>`,
      `<A><SecretAccessKey>${REDACTED}</SecretAccessKey><x:SessionToken a="1">${REDACTED}</x:SessionToken><Arn>a</Arn><AccessKeyId>${REDACTED}1234</AccessKeyId></A>`,
    ],
    [
      `Action=AssumeRoleWithWebIdentity&WebIdentityToken=${encodeURIComponent(S)}&Version=1`,
      `Action=AssumeRoleWithWebIdentity&WebIdentityToken=${REDACTED}&Version=1`,
    ],
    [
      `Action=AssumeRole&TokenCode=123456&SerialNumber=arn%3Aaws`,
      `Action=AssumeRole&TokenCode=${REDACTED}&SerialNumber=arn%3Aaws`,
    ],
    ['<!DOCTYPE html><html>blocked</html>', '<!DOCTYPE html><html>blocked</html>'],
    ['', ''],
    [`<A><SecretAccessKey><![CDATA[${S}]]></SecretAccessKey></A>`, REDACTED],
    [`{"x":"{\\"SessionToken\\":\\"${S}\\"}"}`, `{"x":"{\\"SessionToken\\":\\"${REDACTED}\\"}"}`],
    [`oops: {\\"sessionToken\\": \\"${S}\\"}`, `oops: {\\"sessionToken\\": \\"${REDACTED}\\"}`],
    [`oops: token=${S}, my-pin: ${S}`, `oops: token=${REDACTED} my-pin: ${REDACTED}`],
    [`oops "password": "${S} ${S}", pin=${S}`, `oops "password": "${REDACTED}", pin=${REDACTED}`],
  ])('%s', (body, shown) => {
    expect(shownBody(body, harmless)).toBe(shown);
  });

  it('shows nothing of an answer of success that it does not understand', () => {
    expect(shownBody(`{"credentialSet":[{"secretAccessKey":"${S}`, false)).toBe(REDACTED);
  });

  it('takes out what looks like a secret of a failure that it does not understand', () => {
    const shown = shownBody(`{"credentialSet":[{"secretAccessKey":"${S}","x`, harmless);
    expect(shown).not.toContain('Hush');
    expect(shown).toContain('credentialSet');
  });
});

describe('a body that is made to keep a parser busy is shown all the same', () => {
  // Each took tens of seconds once: a test that times out has found it again.
  it.each(['a', 'token', '<a', 'secret ', 'a=&', 'a:', '"', '\\', '<a ', '//a', '{'])('%j', (part) => {
    const body = part.repeat(60_000 / part.length);
    for (const text of [body, `<${body}`, `?${body}`, `secret${body}`]) expect(shownBody(text, true)).not.toBe('');
  });
});

it('nothing in a text can steer a terminal', () => {
  expect(inert('a\tb\r\nc\u001b[2J\u009b1m\u202e\u2028\ud800\r')).toBe(
    'a\tb\nc\\u{1b}[2J\\u{9b}1m\\u{202e}\\u{2028}\\u{d800}\\u{d}',
  );
});

it('a canonical request is shown without the session token and whole otherwise', () => {
  const text = `POST\n/\n\nhost:h\nx-amz-date:20260101T000000Z\nx-amz-security-token:${S}\n\nhost;x-amz-date;x-amz-security-token\nabc`;
  expect(shownStage(text)).toBe(text.replace(S, REDACTED));
});

/** One secret in every place. */
const shownEverywhere = (text: string): string[] => [
  shownHeader('x-amz-security-token', text),
  shownBody(JSON.stringify({ secretAccessKey: text }), true),
  shownBody(`<R><SessionToken>${text}</SessionToken></R>`, false),
  shownBody(`a=b&WebIdentityToken=${encodeURIComponent(text)}`, true),
  shownUrl(new URL(`https://u:${encodeURIComponent(text)}@h/?X-Amz-Security-Token=${encodeURIComponent(text)}`)),
  shownStage(`x-amz-security-token:${text}`),
];

it('neither any part of a secret nor its length shows, whatever it is', () => {
  const secret = string({
    minLength: 5,
    maxLength: 40,
    unit: constantFrom('A', 'B', 'C', 'X', 'Y', 'Z', '0', '1', '8', '+', '/', '='),
  });
  assert(
    property(secret, secret, (one, other) => {
      // The same for any two secrets: so nothing of them is in it.
      expect(shownEverywhere(one)).toEqual(shownEverywhere(other));
    }),
  );
});

it('JSON steers no terminal, and says the same to every parser', () => {
  const value = { 'a\u009b': 'x\u202ey\u2028\u001b[2J\ud800', b: ['line\nfeed\t', '\u{e0001}', 'é', '\u{1f600}'] };
  const text = inertJson(value);
  expect(text).toMatch(/^[\n -~é\u{1f600}]*$/u);
  expect(JSON.parse(text)).toEqual(value);
});
