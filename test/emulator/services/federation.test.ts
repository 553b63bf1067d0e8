import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { ADMIN, type Credentials, assume, vend } from '../support/callers.ts';
import { type Reply, send } from '../support/signed-request.ts';
import { ARNS, NOW, makeAuthority, makeClient, startWith } from '../support/world.ts';

const CONSOLE = 'https://console.aws.amazon.com/s3/home?region=us-east-1#buckets';

let emulator: Emulator;
let session: Credentials;
let now = NOW;
beforeAll(async () => {
  const root = await makeAuthority('root');
  emulator = await startWith(root, { now: () => now });
  session = await vend(emulator, await makeClient(root));
});
afterAll(() => emulator.close());

function ask(parameters: Record<string, string>, method = 'GET'): Promise<Reply> {
  const text = new URLSearchParams(parameters).toString();
  return send(emulator.url, {
    method,
    path: '/federation',
    query: method === 'GET' ? text : '',
    headers: [
      ['Host', 'signin.aws.amazon.com'],
      ['Content-Type', 'application/x-www-form-urlencoded'],
    ],
    body: method === 'GET' ? '' : text,
  });
}

const sessionOf = ({ accessKeyId, secretAccessKey, sessionToken }: Credentials): string =>
  JSON.stringify({ sessionId: accessKeyId, sessionKey: secretAccessKey, sessionToken });
const getToken = (Session = sessionOf(session), more: Record<string, string> = {}, method?: string) =>
  ask({ Action: 'getSigninToken', Session, ...more }, method);
const reason = () => emulator.verdicts.at(-1)?.reason;

async function token(): Promise<string> {
  const { body } = await getToken();
  return (JSON.parse(body) as { SigninToken: string }).SigninToken;
}

describe('the federation endpoint', () => {
  it.each(['GET', 'POST'])('gives a sign-in token by %s, with which login leads to the console', async (method) => {
    const { status, body } = await getToken(undefined, { SessionDuration: '3600' }, method);
    expect(status).toBe(200);
    const { SigninToken } = JSON.parse(body) as { SigninToken: string };
    const reply = await ask({ Action: 'login', Issuer: 'me', Destination: CONSOLE, SigninToken });
    expect(reply).toMatchObject({ status: 302, headers: { location: CONSOLE } });
    expect(reason()).toBe('login of arn:aws:sts::123456789012:assumed-role/Workload/f0e1d2c3b4a596');
    expect(JSON.stringify(emulator.verdicts)).not.toContain(SigninToken);
  });

  it('takes the credentials of a chain, without a duration alone', async () => {
    const hop = await assume(emulator, session, { RoleArn: ARNS.roleArn });
    expect(await getToken(sessionOf(hop))).toMatchObject({ status: 200 });
    const reply = await getToken(sessionOf(hop), { SessionDuration: '3600' });
    expect(reply).toMatchObject({ status: 400, body: expect.stringContaining('Invalid credentials parameter') });
    expect(reason()).toContain('role chaining');
  });

  it.each<[string, () => Promise<Reply>, string]>([
    ['a wrong key', () => getToken(sessionOf({ ...session, secretAccessKey: 'a' })), 'no temporary credentials'],
    ['long-term credentials', () => getToken(sessionOf({ ...ADMIN, sessionToken: '' })), 'no temporary credentials'],
    ['no JSON', () => getToken('{'), 'Session is not JSON'],
    ['half a session', () => getToken('{"sessionId":"a"}'), 'Session lacks'],
    ['a short time', () => getToken(undefined, { SessionDuration: '899' }), 'SessionDuration is not from 900'],
    ['another action', () => ask({ Action: 'logout' }), 'Action is "logout"'],
    ['a made-up token', () => ask({ Action: 'login', Destination: CONSOLE, SigninToken: 'a' }), 'not made here'],
    [
      'a session token for a sign-in token',
      () => ask({ Action: 'login', Destination: CONSOLE, SigninToken: session.sessionToken ?? '' }),
      'not made here',
    ],
    [
      'a destination elsewhere',
      async () =>
        ask({
          Action: 'login',
          Destination: 'https://console.aws.amazon.com.evil.example/',
          SigninToken: await token(),
        }),
      'not a URL of the console',
    ],
  ])('refuses %s', async (_, call, expected) => {
    expect(await call()).toMatchObject({ status: 400, headers: { 'content-type': 'text/html' } });
    expect(reason()).toContain(expected);
  });

  it('refuses what has expired: a sign-in token after a quarter of an hour, a session when it ends', async () => {
    const SigninToken = await token();
    now = new Date(NOW.getTime() + 15 * 60_000);
    expect(await ask({ Action: 'login', Destination: CONSOLE, SigninToken })).toMatchObject({ status: 400 });
    expect(reason()).toContain('expired at 2030-06-15T12:15:00Z');
    now = new Date(NOW.getTime() + 3_600_000);
    expect(await getToken()).toMatchObject({ status: 400 });
    expect(reason()).toContain('the session has expired');
    now = NOW;
  });
});
