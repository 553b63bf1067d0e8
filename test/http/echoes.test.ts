import { describe, expect, it } from 'vitest';
import { withoutSecrets } from '../../src/http/echoes.ts';

const TOKEN = `IQoJb3JpZ2luX2VjEXAMPLE/+==${'q'.repeat(200)}/END9`;
const ANSWER = { status: 403, headers: {} };

describe('an answer that repeats its request', () => {
  it.each<[string, Record<string, string>, string, string]>([
    ['a session token', { 'X-Amz-Security-Token': TOKEN }, '', TOKEN],
    [
      'a signature',
      { authorization: `AWS4-HMAC-SHA256 Credential=A, Signature=${'a1'.repeat(32)}` },
      '',
      'a1'.repeat(32),
    ],
    ['a bearer token', { authorization: `Bearer ${TOKEN}` }, '', TOKEN],
    ['a password', { authorization: `Basic ${Buffer.from('user:pass:word').toString('base64')}` }, '', 'pass:word'],
    [
      'basic credentials',
      { authorization: `Basic ${Buffer.from('user:pass:word').toString('base64')}` },
      '',
      Buffer.from('user:pass:word').toString('base64'),
    ],
    ["Vault's token", { 'x-vault-token': 'hvs.CAESIexample' }, '', 'hvs.CAESIexample'],
    ['an MFA code', {}, 'Action=AssumeRole&TokenCode=123456', '123456'],
    ['a web identity token', {}, `WebIdentityToken=${encodeURIComponent(TOKEN)}&Version=1`, TOKEN],
    [
      'the secret of a sign-in',
      {},
      `Session=${encodeURIComponent(JSON.stringify({ sessionId: 'A', sessionKey: 'secret/key' }))}`,
      'secret/key',
    ],
    ['a one-time token', {}, JSON.stringify({ csr: 'x', ott: TOKEN }), TOKEN],
    ["an AppRole's secret", {}, JSON.stringify({ role_id: 'r', secret_id: 'sssss-1' }), 'sssss-1'],
  ])('is rid of %s, however it is written', (_, headers, body, secret) => {
    for (const text of [
      secret,
      encodeURIComponent(secret),
      encodeURIComponent(secret).replaceAll(/%../g, (octet) => octet.toLowerCase()),
      secret.replaceAll('/', '\\/'),
      JSON.stringify({ message: JSON.stringify({ secret }) }),
    ]) {
      const shown = withoutSecrets(
        { ...ANSWER, headers: { id: text }, body: `before ${text} behind` },
        { headers, body },
      );
      expect(JSON.stringify(shown)).not.toContain(secret.slice(0, 12));
      expect(JSON.stringify(shown)).not.toContain(secret.slice(-4));
      expect(shown.body).toMatch(/^before .*<redacted>.* behind$/);
    }
  });

  it('is rid of a token that was cut', () => {
    const { body } = withoutSecrets(
      { ...ANSWER, body: `x-amz-security-token:${TOKEN.slice(0, 60)}...` },
      { headers: { 'x-amz-security-token': TOKEN } },
    );
    expect(body).toBe('x-amz-security-token:<redacted>...');
  });

  it('stays XML', () => {
    const { body } = withoutSecrets(
      { ...ANSWER, body: `<a>${TOKEN}</a>` },
      { headers: { 'x-amz-security-token': TOKEN } },
    );
    expect(body).toBe('<a>&lt;redacted&gt;</a>');
  });

  it('is left as it is when it repeats none', () => {
    const answer = { status: 400, headers: { a: 'b' }, body: '{"message":"no"}' };
    expect(withoutSecrets(answer, { headers: { 'x-amz-security-token': TOKEN }, body: 'TokenCode=1' })).toEqual(answer);
  });
});
