import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directTransport } from '../../src/http/direct.ts';
import { assumeRoleWithWebIdentity } from '../../src/aws/web-identity.ts';
import type { Connection } from '../../src/aws/connection.ts';
import type { WebIdentityRequest } from '../../src/aws/web-identity.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { type ScriptedSts, scriptedSts } from '../support/sts.ts';

const ROLE = 'arn:aws:iam::111122223333:role/Target';

let sts: ScriptedSts;
beforeEach(async () => {
  sts = await scriptedSts();
});
afterEach(() => sts.close());

type Extra = Partial<WebIdentityRequest & Connection>;

/** A request, and the connection to the scripted STS. */
function options(extra: Extra = {}): [WebIdentityRequest, Connection] {
  const request = { roleArn: ROLE, token: () => Promise.resolve('header.claims.signature'), region: 'eu-west-1' };
  const connection = {
    endpoints: { sts: new URL(sts.url) },
    transport: directTransport,
    sleep: () => Promise.resolve(),
  };
  return [
    { ...request, ...extra },
    { ...connection, ...extra },
  ];
}

const token = (length: number): Extra => ({ token: () => Promise.resolve('x'.repeat(length)) });

describe('assumeRoleWithWebIdentity', () => {
  it('sends every parameter as the service model spells it, and does not sign', async () => {
    await assumeRoleWithWebIdentity(
      ...options({
        roleSessionName: 'me',
        durationSeconds: 1800,
        policy: '{"Statement":[]}',
        policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
        providerId: 'www.amazon.com',
      }),
    );
    expect(sts.calls).toEqual([
      {
        parameters: {
          Action: 'AssumeRoleWithWebIdentity',
          Version: '2011-06-15',
          RoleArn: ROLE,
          RoleSessionName: 'me',
          DurationSeconds: '1800',
          Policy: '{"Statement":[]}',
          'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess',
          ProviderId: 'www.amazon.com',
          WebIdentityToken: 'header.claims.signature',
        },
        signedBy: undefined,
        headers: expect.not.objectContaining({ authorization: expect.anything() as string }) as object,
      },
    ]);
  });

  it('shows no token that STS repeats as it refuses', async () => {
    sts.answer = ({ parameters }) => ({
      status: 400,
      code: 'InvalidIdentityToken',
      message: `the token ${parameters['WebIdentityToken'] ?? ''} is of nobody`,
    });
    const { message } = await refusal(() => assumeRoleWithWebIdentity(...options()));
    expect(message).toContain('the token <redacted> is of nobody');
    expect(message).not.toContain('signature');
  });

  it('gives the credentials and who the token is of', async () => {
    expect(await assumeRoleWithWebIdentity(...options({ roleSessionName: 'me' }))).toMatchObject({
      accessKeyId: 'ASIA0000000000000000',
      assumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/Target/me',
      subject: 'alice',
      provider: 'https://idp.test',
      audience: 'sts',
    });
  });

  it.each<[string, string, Extra, Extra]>([
    ['a token of 4', 'ERR_WEB_IDENTITY_TOKEN', token(4), token(3)],
    ['a token of 20000', 'ERR_WEB_IDENTITY_TOKEN', token(20_000), token(20_001)],
    ['a token without spaces', 'ERR_WEB_IDENTITY_TOKEN', {}, { token: () => Promise.resolve('not a token') }],
    ['a provider of 4', 'ERR_USAGE', { providerId: 'x.io' }, { providerId: 'x.i' }],
    ['a provider of 2048', 'ERR_USAGE', { providerId: 'x'.repeat(2048) }, { providerId: 'x'.repeat(2049) }],
    ['a role', 'ERR_ARN', {}, { roleArn: 'arn:aws:iam::111122223333:user/Alice' }],
    ['43200 seconds', 'ERR_DURATION', { durationSeconds: 43_200 }, { durationSeconds: 43_201 }],
    ['a session name', 'ERR_SESSION_NAME', { roleSessionName: 'ab' }, { roleSessionName: 'a' }],
    ['a policy', 'ERR_POLICY', { policy: '{"Statement":1}' }, { policy: '{}' }],
  ])('takes %s, and one past it is %s before anything is sent', async (_, code, good, bad) => {
    await assumeRoleWithWebIdentity(...options(good));
    expect(await refusalCode(() => assumeRoleWithWebIdentity(...options(bad)))).toBe(code);
    expect(sts.calls).toHaveLength(1);
  });

  it('refuses plain http to another machine before the token is asked for', async () => {
    let asked = 0;
    const giveToken = (): Promise<string> => Promise.resolve(`token-${++asked}`);
    const endpoints = { sts: new URL('http://sts.test') };
    expect(await refusalCode(() => assumeRoleWithWebIdentity(...options({ endpoints, token: giveToken })))).toBe(
      'ERR_ENDPOINT',
    );
    expect(asked).toBe(0);
  });

  it('asks for the token at each attempt', async () => {
    sts.answer = (_, index) => (index === 0 ? 'cut' : undefined);
    let asked = 0;
    await assumeRoleWithWebIdentity(...options({ token: () => Promise.resolve(`token-${++asked}`) }));
    expect(sts.calls.map(({ parameters }) => parameters['WebIdentityToken'])).toEqual(['token-1', 'token-2']);
  });

  it('asks again with a new token when STS cannot verify the one it got, and says in the end what it was', async () => {
    const message = "Couldn't retrieve verification key from your identity provider";
    const refused = { status: 400, code: 'InvalidIdentityToken', message };
    sts.answer = (_, index) => (index === 0 ? refused : undefined);
    await assumeRoleWithWebIdentity(...options());
    expect(sts.calls).toHaveLength(2);
    sts.answer = () => refused;
    expect(await refusalCode(() => assumeRoleWithWebIdentity(...options()))).toBe('ERR_SERVICE_FAILED');
    expect(sts.calls).toHaveLength(5);
    sts.answer = () => ({ ...refused, message: 'Incorrect token audience' });
    expect(await refusalCode(() => assumeRoleWithWebIdentity(...options()))).toBe('ERR_SERVICE_REFUSED');
  });

  it('refuses a region of another partition than the role before anything is sent', async () => {
    expect(await refusalCode(() => assumeRoleWithWebIdentity(...options({ region: 'cn-north-1' })))).toBe(
      'ERR_ARN_MISMATCH',
    );
    expect(sts.calls).toEqual([]);
  });
});
