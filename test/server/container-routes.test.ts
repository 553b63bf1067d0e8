import { afterAll, beforeAll, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { containerRoutes } from '../../src/server/container-routes.ts';
import { ROLE_ARN } from '../support/arns.ts';
import { ask, servedRole, startServer, TOKEN } from './support/server.ts';
import type { TestServer } from './support/server.ts';

const OWN_TOKEN = 'a-token-of-its-own-0123456789';

let server: TestServer;
beforeAll(async () => {
  const roles = [servedRole('Demo'), servedRole('Private', { token: OWN_TOKEN, imds: false })];
  for (const { provider } of roles) await provider.start();
  server = await startServer({ roles });
});
afterAll(() => server.close(0));

it.each(['/credentials', '/credentials/', '//credentials', '/credentials?x=y', '/role/Demo'])(
  '%s gives credentials to who has the token',
  async (path) => {
    const { status, body, headers } = await ask(server, 'GET', path, { Authorization: TOKEN });
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(JSON.parse(body)).toEqual({
      AccessKeyId: 'ASIA0000000000000001',
      SecretAccessKey: 'secret-1',
      Token: 'session-token-1',
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
      AccountId: '123456789012',
      RoleArn: ROLE_ARN,
    });
  },
);

it.each<[string, Record<string, string>]>([
  ['no token', {}],
  ['an empty one', { Authorization: '' }],
  ['a wrong one of the right length', { Authorization: TOKEN.replace('the', 'eht') }],
  ['one that is too short', { Authorization: TOKEN.slice(1) }],
  ['one that is too long', { Authorization: `${TOKEN}x` }],
  ['a scheme before it', { Authorization: `Bearer ${TOKEN}` }],
  ['letters beyond ASCII', { Authorization: TOKEN.replace('t', '\u00fe') }],
  ["another role's token", { Authorization: OWN_TOKEN }],
])('with %s: 401 in both shapes', async (_what, headers) => {
  const { status, body } = await ask(server, 'GET', '/credentials', headers);
  expect(status).toBe(401);
  expect(JSON.parse(body)).toMatchObject({ code: 'Unauthorized', Code: 'Unauthorized' });
  expect(body).not.toContain('ASIA');
});

it('a client that sends no token, or not as it is, hears why', async () => {
  const none = await ask(server, 'GET', '/credentials');
  expect(none.body).toMatch(/AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE.*serve --print-token/);
  const bearer = await ask(server, 'GET', '/credentials', { Authorization: `Bearer ${TOKEN}` });
  expect(bearer.body).toContain('as it is in the file, with no scheme');
});

it('a role with a token of its own takes that one only', async () => {
  expect((await ask(server, 'GET', '/role/Private', { Authorization: OWN_TOKEN })).status).toBe(200);
  expect((await ask(server, 'GET', '/role/Private', { Authorization: TOKEN })).status).toBe(401);
});

it.each(['/role', '/role/', '/role/Nobody', '/role/Demo/more', '/Credentials', '/credentials.json'])(
  '%s is not there',
  async (path) => {
    expect((await ask(server, 'GET', path, { Authorization: TOKEN })).status).toBe(404);
  },
);

it('HEAD is GET without the body, and other methods are not allowed', async () => {
  expect(await ask(server, 'HEAD', '/credentials', { Authorization: TOKEN })).toMatchObject({ status: 200, body: '' });
  expect(await ask(server, 'POST', '/credentials', { Authorization: TOKEN })).toMatchObject({ status: 405 });
});

it('with no credentials: 503 in both shapes, and never empty keys', async () => {
  const failing = servedRole('Demo', {
    vend: () => Promise.reject(new RolesAnywhereError('ERR_THROTTLED', 'too many requests')),
  });
  const own = await startServer({ roles: [failing] });
  const { status, body } = await ask(own, 'GET', '/credentials', { Authorization: TOKEN });
  expect(status).toBe(503);
  expect(JSON.parse(body)).toEqual({
    code: 'ERR_THROTTLED',
    Code: 'ERR_THROTTLED',
    message: 'no valid credentials for Demo: too many requests',
    Message: 'no valid credentials for Demo: too many requests',
  });
  await own.close(0);
  failing.provider.close();
});

it('all paths are counted under one name', () => {
  const routes = containerRoutes([servedRole('Demo'), servedRole('Other')], {
    audit: undefined,
    waitMs: 1,
    waiting: new Set<() => void>(),
  });
  expect([...routes].map(([path, { label }]) => `${path} ${label}`)).toEqual([
    '/credentials container-credentials',
    '/role/Demo container-credentials',
    '/role/Other container-credentials',
  ]);
});
