import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { imdsRoutes } from '../../src/server/imds-routes.ts';
import { createSessionTokens } from '../../src/server/session-tokens.ts';
import { ROLE_ARN } from '../support/arns.ts';
import { ask, imdsToken, servedRole, startServer } from './support/server.ts';
import type { TestServer } from './support/server.ts';

const ROLES = '/latest/meta-data/iam/security-credentials';
const TTL = 'X-aws-ec2-metadata-token-ttl-seconds';

let server: TestServer;
let token: string;
beforeAll(async () => {
  const roles = [servedRole('Demo'), servedRole('Other+Role'), servedRole('Private', { imds: false })];
  for (const { provider } of roles) await provider.start();
  server = await startServer({ roles });
  token = await imdsToken(server);
});
afterAll(() => server.close(0));

const get = (path: string, method = 'GET') => ask(server, method, path, { 'X-aws-ec2-metadata-token': token });

describe('tokens', () => {
  it.each(['1', '300', '21600'])('a lifetime of %s is echoed', async (ttl) => {
    const { status, headers, body } = await ask(server, 'PUT', '/latest/api/token', { [TTL]: ttl });
    expect({ status, ttl: headers['x-aws-ec2-metadata-token-ttl-seconds'], type: headers['content-type'] }).toEqual({
      status: 200,
      ttl,
      type: 'text/plain',
    });
    expect(body).toMatch(/^[\w-]{56}$/);
  });

  it.each(['0', '21601', '-1', '1.5', '060', '0x10', '1e3', 'abc', '', '999999'])(
    'a lifetime of "%s" is a bad request',
    async (ttl) => {
      expect((await ask(server, 'PUT', '/latest/api/token', { [TTL]: ttl })).status).toBe(400);
    },
  );

  it('no lifetime is a bad request', async () => {
    expect((await ask(server, 'PUT', '/latest/api/token')).status).toBe(400);
  });

  it('a path of a dated version is forbidden, as on EC2', async () => {
    expect((await ask(server, 'PUT', '/2021-03-23/api/token', { [TTL]: '60' })).status).toBe(403);
  });

  it('without a token, and with one of another server, nothing is told', async () => {
    const other = await startServer();
    const foreign = await imdsToken(other);
    await other.close(0);
    for (const headers of [{}, { 'X-aws-ec2-metadata-token': '' }, { 'X-aws-ec2-metadata-token': foreign }]) {
      const { status, body } = await ask(server, 'GET', `${ROLES}/Demo`, headers);
      expect(status).toBe(401);
      expect(body).not.toContain('ASIA');
    }
  });
});

describe('routes', () => {
  it.each([
    [`${ROLES}/`, 'Demo'],
    [ROLES, 'Demo'],
    [`/${ROLES}/`, 'Demo'],
    [`${ROLES}-extended/`, 'Demo'],
    [`${ROLES}-extended`, 'Demo'],
    ['/latest/meta-data/instance-id', 'roles-anywhere'],
    ['/latest/meta-data/placement/region', 'eu-central-1'],
    ['/latest/meta-data/placement/availability-zone', 'eu-central-1a'],
    ['/latest/meta-data/placement/availability-zone/', 'eu-central-1a'],
  ])('%s says %s', async (path, text) => {
    const { status, body, headers } = await get(path);
    expect({ status, body }).toEqual({ status: 200, body: text });
    expect(headers['content-type']).toBe('text/plain');
  });

  it.each([
    `${ROLES}/Demo`,
    `${ROLES}/Demo/`,
    `/${ROLES}/Demo`,
    `//${ROLES}/Demo`,
    `${ROLES}/Other+Role`,
    `${ROLES}/Other%2BRole`,
  ])('%s gives credentials', async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({
      Code: 'Success',
      LastUpdated: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
      Type: 'AWS-HMAC',
      AccessKeyId: 'ASIA0000000000000001',
      SecretAccessKey: 'secret-1',
      Token: 'session-token-1',
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    });
  });

  it('the extended path adds the account', async () => {
    const { status, body } = await get(`${ROLES}-extended/Demo`);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ Code: 'Success', AccountId: '123456789012' });
  });

  it('iam/info and the identity document say what is known and no more', async () => {
    const info = await get('/latest/meta-data/iam/info');
    expect([info.status, JSON.parse(info.body)]).toEqual([
      200,
      {
        Code: 'Success',
        LastUpdated: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
        InstanceProfileArn: ROLE_ARN,
      },
    ]);
    // In lines, as EC2 has it: shell scripts cut it with grep.
    expect(await get('/latest/dynamic/instance-identity/document')).toMatchObject({
      status: 200,
      body: '{\n "accountId": "123456789012",\n "region": "eu-central-1"\n}',
    });
  });

  it.each([
    '/',
    '/latest',
    '/latest/',
    '/latest/meta-data/',
    `${ROLES}/Nobody`,
    `${ROLES}/Private`,
    `${ROLES}/demo`,
    `${ROLES}/Demo/more`,
    `${ROLES}//Demo`,
    '/latest/user-data',
    '/latest/api/token/more',
    '/LATEST/meta-data/iam/info',
  ])('%s is not there, with a token and without', async (path) => {
    expect((await get(path)).status).toBe(404);
    expect((await ask(server, 'GET', path)).status).toBe(404);
  });

  it('HEAD is GET without the body', async () => {
    const { status, headers, body } = await get(`${ROLES}/Demo`, 'HEAD');
    expect({ status, body }).toEqual({ status: 200, body: '' });
    expect(headers['content-length']).toBe(String((await get(`${ROLES}/Demo`)).body.length));
    expect((await ask(server, 'HEAD', `${ROLES}/Demo`)).status).toBe(401);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('%s is not for reading', async (method) => {
    const { status, headers } = await get(`${ROLES}/Demo`, method);
    expect({ status, allow: headers['allow'] }).toEqual({ status: 405, allow: 'GET, HEAD' });
  });

  it.each(['GET', 'HEAD', 'POST', 'DELETE'])('%s is not for tokens', async (method) => {
    const { status, headers } = await ask(server, method, '/latest/api/token', { [TTL]: '60' });
    expect({ status, allow: headers['allow'] }).toEqual({ status: 405, allow: 'PUT' });
  });

  it('nothing is ever a redirect', async () => {
    for (const path of [ROLES, `//${ROLES}`, '/latest', '//', '/./latest', '/latest/../latest'])
      expect(Math.floor((await get(path)).status / 100)).not.toBe(3);
  });
});

it('with no credentials the role is still listed, and asking for them is answered 503 in both shapes', async () => {
  const failing = servedRole('Demo', {
    vend: () => Promise.reject(new RolesAnywhereError('ERR_ACCESS_DENIED', 'the service says “no”')),
  });
  const own = await startServer({ roles: [failing] });
  const headers = { 'X-aws-ec2-metadata-token': await imdsToken(own) };
  expect(await ask(own, 'GET', `${ROLES}/`, headers)).toMatchObject({ status: 200, body: 'Demo' });
  for (const path of [`${ROLES}/Demo`, `${ROLES}-extended/Demo`]) {
    const { status, body } = await ask(own, 'GET', path, headers);
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({
      code: 'ERR_ACCESS_DENIED',
      Code: 'ERR_ACCESS_DENIED',
      message: 'no valid credentials for Demo: the service says “no”',
      Message: 'no valid credentials for Demo: the service says “no”',
    });
  }
  await own.close(0);
  failing.provider.close();
});

it('a server without IMDS knows none of its paths', async () => {
  const own = await startServer({ imds: false });
  expect((await ask(own, 'PUT', '/latest/api/token', { [TTL]: '60' })).status).toBe(404);
  expect((await ask(own, 'GET', `${ROLES}/`)).status).toBe(404);
  await own.close(0);
});

it('each path is counted under a name, and without roles there are tokens alone', () => {
  const vending = { audit: undefined, waitMs: 1, waiting: new Set<() => void>() };
  const labels = (roles: Parameters<typeof imdsRoutes>[0]['roles']): unknown =>
    [...imdsRoutes({ roles, tokens: createSessionTokens(), vending })].map(([path, { label }]) => `${path} ${label}`);
  const tokens = ['/latest/api/token imds-token', '/VERSION/api/token imds-token'];
  expect(labels([])).toEqual(tokens);
  expect(labels([servedRole('Demo')])).toEqual([
    ...tokens,
    `${ROLES} imds-roles`,
    `${ROLES}-extended imds-roles`,
    `${ROLES}/Demo imds-credentials`,
    `${ROLES}-extended/Demo imds-credentials`,
    '/latest/meta-data/iam/info imds-other',
    '/latest/meta-data/instance-id imds-other',
    '/latest/meta-data/placement/region imds-other',
    '/latest/meta-data/placement/availability-zone imds-other',
    '/latest/dynamic/instance-identity/document imds-other',
  ]);
});
