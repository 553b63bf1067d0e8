import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '@aws-crypto/sha256-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { startTestEmulator } from '../../support/vending.ts';
import { ADMIN } from './control/drivers.ts';

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'rolesanywhere.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});
const READER = { accessKeyId: 'AKIAIOSFODNN7READERS', secretAccessKey: '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' };
const ACCOUNT = '123456789012';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startTestEmulator({
    users: [
      { arn: `arn:aws:iam::${ACCOUNT}:user/admin`, accessKeys: [ADMIN] },
      {
        arn: `arn:aws:iam::${ACCOUNT}:user/reader`,
        accessKeys: [READER],
        policies: [{ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'iam:Get*', Resource: '*' } }],
      },
    ],
  });
});
afterAll(() => emulator.close());

/** A request of the query protocol, as AWS's clients sign it. */
async function call(
  parameters: Record<string, string>,
  credentials = ADMIN,
): Promise<{ status: number; text: string }> {
  const { hostname, port, host } = new URL(emulator.url);
  const signer = new SignatureV4({ service: 'iam', region: 'us-east-1', credentials, sha256: Sha256 });
  const signed = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: '/',
    headers: { host, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: new URLSearchParams({ Version: '2010-05-08', ...parameters }).toString(),
  });
  const { body, headers } = signed;
  const answer = await fetch(emulator.url, { method: 'POST', headers, body: body as string });
  return { status: answer.status, text: await answer.text() };
}

const create = (name: string, more: Record<string, string> = {}): Record<string, string> => ({
  Action: 'CreateRole',
  RoleName: name,
  AssumeRolePolicyDocument: TRUST,
  ...more,
});

describe('CreateRole', () => {
  it('makes a role of the caller’s account, which may do nothing', async () => {
    const { status, text } = await call(
      create('made', {
        Path: '/teams/build/',
        MaxSessionDuration: '7200',
        'Tags.member.1.Key': 'team',
        'Tags.member.1.Value': 'b',
      }),
    );
    const arn = `arn:aws:iam::${ACCOUNT}:role/teams/build/made`;
    expect(status).toBe(200);
    expect(text).toContain(
      '<CreateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateRoleResult><Role>',
    );
    for (const element of ['<Path>/teams/build/</Path>', '<RoleName>made</RoleName>', `<Arn>${arn}</Arn>`])
      expect(text).toContain(element);
    expect(text).toContain(`<AssumeRolePolicyDocument>${encodeURIComponent(TRUST)}</AssumeRolePolicyDocument>`);
    expect(emulator.state.get('roles', arn)).toMatchObject({
      name: 'made',
      account: ACCOUNT,
      maxSessionDuration: 7200,
      trustPolicy: TRUST,
      policies: [],
      tags: [{ key: 'team', value: 'b' }],
    });
  });

  it('takes a name once, whatever the path', async () => {
    expect(await call(create('twice'))).toMatchObject({ status: 200 });
    const { status, text } = await call(create('twice', { Path: '/other/' }));
    expect(status).toBe(409);
    expect(text).toContain('<Code>EntityAlreadyExists</Code><Message>Role with name twice already exists.</Message>');
  });

  const long = JSON.stringify({ ...(JSON.parse(TRUST) as object), Id: 'x'.repeat(2048) });
  it.each<[string, Record<string, string>, number, string]>([
    ['a policy that is no JSON', create('no', { AssumeRolePolicyDocument: '{' }), 400, 'MalformedPolicyDocument'],
    [
      'a policy with resources',
      create('no', { AssumeRolePolicyDocument: TRUST.replace('"Effect"', '"Resource":"*","Effect"') }),
      400,
      'MalformedPolicyDocument',
    ],
    ['a policy beyond the quota', create('no', { AssumeRolePolicyDocument: long }), 409, 'LimitExceeded'],
    ['no policy', { Action: 'CreateRole', RoleName: 'no' }, 400, 'ValidationError'],
    ['a name with a blank', create('n o'), 400, 'ValidationError'],
    ['a path without its last slash', create('no', { Path: '/teams' }), 400, 'ValidationError'],
    ['a session of half an hour', create('no', { MaxSessionDuration: '1800' }), 400, 'ValidationError'],
    ['another operation', { Action: 'DeleteRole', RoleName: 'no' }, 400, 'InvalidAction'],
    ['another version', create('no', { Version: '2011-06-15' }), 400, 'InvalidAction'],
  ])('refuses %s', async (_, parameters, expected, code) => {
    const { status, text } = await call(parameters);
    expect(text).toContain(`<Code>${code}</Code>`);
    expect(status).toBe(expected);
    expect(emulator.state.list('roles').map(({ name }) => name)).not.toContain('no');
  });

  it('does not count the blanks of a policy', async () => {
    const spread = TRUST.replace('{', `{${' '.repeat(3000)}`);
    expect(await call(create('spread', { AssumeRolePolicyDocument: spread }))).toMatchObject({ status: 200 });
  });

  it('refuses who has no permission for it', async () => {
    const { status, text } = await call(create('no'), READER);
    expect(status).toBe(403);
    expect(text).toContain(
      `User: arn:aws:iam::${ACCOUNT}:user/reader is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::${ACCOUNT}:role/no`,
    );
  });

  it('refuses a wrong signature', async () => {
    const { status, text } = await call(create('no'), { ...ADMIN, secretAccessKey: 'other' });
    expect(status).toBe(403);
    expect(text).toContain('<Code>SignatureDoesNotMatch</Code>');
  });
});
