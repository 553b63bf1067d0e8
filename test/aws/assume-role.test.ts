import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directTransport } from '../../src/http/direct.ts';
import { assumeRole } from '../../src/aws/assume-role.ts';
import type { AssumeRoleRequest } from '../../src/aws/assume-role.ts';
import type { Connection } from '../../src/aws/connection.ts';
import { createServiceClock } from '../../src/aws/service-clock.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { SOURCE, type ScriptedSts, scriptedSts } from '../support/sts.ts';

const ROLE = 'arn:aws:iam::111122223333:role/path/Target';
const POLICY = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] });

let sts: ScriptedSts;
beforeEach(async () => {
  sts = await scriptedSts();
});
afterEach(() => sts.close());

type Extra = Partial<AssumeRoleRequest & Connection>;

/** A request, and the connection to the scripted STS. */
function options(extra: Extra = {}): [AssumeRoleRequest, Connection] {
  const request = { credentials: SOURCE, roleArn: ROLE, region: 'eu-west-1' };
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

/** The parameters that a call sends besides those that all have. */
async function sent(extra: Extra): Promise<Record<string, string>> {
  await assumeRole(...options(extra));
  const { Action, Version, RoleArn, ...rest }: Record<string, string> = { ...sts.calls.at(-1)?.parameters };
  expect({ Action, Version, RoleArn }).toEqual({ Action: 'AssumeRole', Version: '2011-06-15', RoleArn: ROLE });
  if (extra.roleSessionName === undefined) delete rest['RoleSessionName'];
  return rest;
}

const repeat = (count: number): string => 'x'.repeat(count);
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const tags = (count: number): Record<string, string> => Object.fromEntries(range(count).map((n) => [`k${n}`, 'v']));
const arns = (count: number): string[] => range(count).map((n) => `arn:aws:iam::111122223333:policy/p${n}`);
const context = { providerArn: 'arn:aws:iam::aws:contextProvider/IdentityCenter', contextAssertion: 'assertion' };

/** The names are those of AWS's service model for STS, version 2011-06-15, query protocol. */
const WIRE: readonly [keyof AssumeRoleRequest, Extra, Record<string, string>][] = [
  ['roleSessionName', { roleSessionName: 'a=b,c@d' }, { RoleSessionName: 'a=b,c@d' }],
  ['durationSeconds', { durationSeconds: 900 }, { DurationSeconds: '900' }],
  ['externalId', { externalId: 'ex:t/1' }, { ExternalId: 'ex:t/1' }],
  ['policy', { policy: POLICY }, { Policy: POLICY }],
  [
    'policyArns',
    { policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess', 'arn:aws:iam::111122223333:policy/p'] },
    {
      'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess',
      'PolicyArns.member.2.arn': 'arn:aws:iam::111122223333:policy/p',
    },
  ],
  [
    'serialNumber',
    { serialNumber: 'arn:aws:iam::111122223333:mfa/me', tokenCode: () => Promise.resolve('012345') },
    { SerialNumber: 'arn:aws:iam::111122223333:mfa/me', TokenCode: '012345' },
  ],
  ['sourceIdentity', { sourceIdentity: 'Alice@example' }, { SourceIdentity: 'Alice@example' }],
  [
    'tags',
    { tags: { Team: 'a b', Größe: '' } },
    {
      'Tags.member.1.Key': 'Team',
      'Tags.member.1.Value': 'a b',
      'Tags.member.2.Key': 'Größe',
      'Tags.member.2.Value': '',
    },
  ],
  [
    'transitiveTagKeys',
    { tags: { Team: 'a' }, transitiveTagKeys: ['team'] },
    { 'Tags.member.1.Key': 'Team', 'Tags.member.1.Value': 'a', 'TransitiveTagKeys.member.1': 'team' },
  ],
  [
    'providedContexts',
    { providedContexts: [context] },
    {
      'ProvidedContexts.member.1.ProviderArn': context.providerArn,
      'ProvidedContexts.member.1.ContextAssertion': context.contextAssertion,
    },
  ],
];

/** Each limit of the API reference: what is still taken, and what is one past it. */
const LIMITS: readonly [string, string, Extra, Extra][] = [
  ['a role ARN of 1011', 'ERR_ARN', role(1011), role(1012)],
  ['a session name of 2', 'ERR_SESSION_NAME', { roleSessionName: 'ab' }, { roleSessionName: 'a' }],
  ['a session name of 64', 'ERR_SESSION_NAME', { roleSessionName: repeat(64) }, { roleSessionName: repeat(65) }],
  ['a session name of its letters', 'ERR_SESSION_NAME', { roleSessionName: '_+=,.@-' }, { roleSessionName: 'a b' }],
  ['900 seconds', 'ERR_DURATION', { durationSeconds: 900 }, { durationSeconds: 899 }],
  ['43200 seconds', 'ERR_DURATION', { durationSeconds: 43_200 }, { durationSeconds: 43_201 }],
  ['whole seconds', 'ERR_DURATION', { durationSeconds: 1000 }, { durationSeconds: 1000.5 }],
  ['an external id of 2', 'ERR_EXTERNAL_ID', { externalId: 'ab' }, { externalId: 'a' }],
  ['an external id of 1224', 'ERR_EXTERNAL_ID', { externalId: repeat(1224) }, { externalId: repeat(1225) }],
  ['an external id of its letters', 'ERR_EXTERNAL_ID', { externalId: 'a:/b' }, { externalId: 'a b' }],
  ['a serial number of 9', 'ERR_MFA_SERIAL', mfa(repeat(9)), mfa(repeat(8))],
  ['a serial number of 256', 'ERR_MFA_SERIAL', mfa(repeat(256)), mfa(repeat(257))],
  ['a source identity of 2', 'ERR_SOURCE_IDENTITY', { sourceIdentity: 'ab' }, { sourceIdentity: 'a' }],
  ['a source identity of 64', 'ERR_SOURCE_IDENTITY', { sourceIdentity: repeat(64) }, { sourceIdentity: repeat(65) }],
  ['a source identity not of AWS', 'ERR_SOURCE_IDENTITY', { sourceIdentity: 'aws' }, { sourceIdentity: 'aws:x' }],
  ['50 tags', 'ERR_TAG', { tags: tags(50) }, { tags: tags(51) }],
  ['a tag key of 128', 'ERR_TAG', { tags: { [repeat(128)]: '' } }, { tags: { [repeat(129)]: '' } }],
  ['a tag key of 1', 'ERR_TAG', { tags: { a: '' } }, { tags: { '': '' } }],
  ['a tag key not of AWS', 'ERR_TAG', { tags: { awsx: '' } }, { tags: { 'AWS:x': '' } }],
  ['a tag value of 256', 'ERR_TAG', { tags: { a: repeat(256) } }, { tags: { a: repeat(257) } }],
  ['a tag value of its letters', 'ERR_TAG', { tags: { a: 'ä ٣:/=+-@' } }, { tags: { a: '(b)' } }],
  ['tag keys that differ', 'ERR_TAG', { tags: { a: '', b: '' } }, { tags: { a: '', A: '' } }],
  ['transitive keys of tags', 'ERR_TAG', { tags: tags(2), transitiveTagKeys: ['K2'] }, { transitiveTagKeys: ['k'] }],
  ['10 policy ARNs', 'ERR_POLICY', { policyArns: arns(10) }, { policyArns: arns(11) }],
  ['an ARN of a policy', 'ERR_POLICY', { policyArns: arns(1) }, { policyArns: [ROLE] }],
  ['a policy of 2048', 'ERR_POLICY', policy(2048), policy(2049)],
  [
    'policy and ARNs of 2048',
    'ERR_POLICY',
    { ...policy(2013), policyArns: arns(1) },
    { ...policy(2014), policyArns: arns(1) },
  ],
  ['a policy in Latin 1', 'ERR_POLICY', { policy: '{"Statement":"ÿ"}' }, { policy: '{"Statement":"Ā"}' }],
  ['a policy of JSON', 'ERR_POLICY', { policy: POLICY }, { policy: POLICY.slice(1) }],
  ['a policy with a statement', 'ERR_POLICY', { policy: POLICY }, { policy: '{"Version":"2012-10-17"}' }],
  ['5 contexts', 'ERR_CONTEXT', contexts(5), contexts(6)],
  ['an assertion of 4', 'ERR_CONTEXT', assertion(4), assertion(3)],
  ['an assertion of 2048', 'ERR_CONTEXT', assertion(2048), assertion(2049)],
];

function role(length: number): Extra {
  const [before, after] = ['arn:aws:iam::111122223333:role/', '/Target'];
  return { roleArn: `${before}${repeat(length - before.length - after.length)}${after}` };
}
function mfa(serialNumber: string): Extra {
  return { serialNumber, tokenCode: () => Promise.resolve('123456') };
}
function policy(length: number): Extra {
  const start = '{"Statement":"';
  return { policy: `${start}${repeat(length - start.length - 2)}"}` };
}
function contexts(count: number): Extra {
  return { providedContexts: range(count).map(() => context) };
}
function assertion(length: number): Extra {
  return { providedContexts: [{ ...context, contextAssertion: repeat(length) }] };
}

const answerWith = (change: (xml: string) => string): { body: string } => ({
  body: change(
    '<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>VERYSECRET</SecretAccessKey>' +
      '<SessionToken>VERYSECRETTOKEN</SessionToken><Expiration>2999-01-01T00:00:00.123Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>',
  ),
});

describe('assumeRole', () => {
  it('shows nothing of the session that asked when STS quotes the request that it refuses', async () => {
    const sessionToken = `IQoJb3JpZ2luX2Vj${'aB/+'.repeat(80)}==`;
    sts.answer = ({ headers }) => ({
      status: 403,
      code: 'SignatureDoesNotMatch',
      message: `The Canonical String should have been 'POST\nx-amz-security-token:${String(headers['x-amz-security-token'])}\n'`,
    });
    const { message } = await refusal(() => assumeRole(...options({ credentials: { ...SOURCE, sessionToken } })));
    expect(message).toContain("x-amz-security-token:<redacted> '");
    expect(message).not.toContain('aB/+');
  });

  it.each(WIRE)('sends %s as the service model spells it', async (_, input, parameters) => {
    expect(await sent(input)).toEqual(parameters);
  });

  it.each(LIMITS)('takes %s, and one past it is %s before anything is sent', async (_, code, good, bad) => {
    await assumeRole(...options(good));
    expect(sts.calls).toHaveLength(1);
    expect(await refusalCode(() => assumeRole(...options(bad)))).toBe(code);
    expect(sts.calls).toHaveLength(1);
  });

  it('signs for STS and its region, with the session token of temporary credentials', async () => {
    const first = await assumeRole(...options());
    await assumeRole(...options({ credentials: first, region: 'eu-central-1' }));
    const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    expect(sts.calls.map(({ signedBy }) => signedBy)).toEqual([
      { accessKeyId: SOURCE.accessKeyId, valid: true, scope: `${day}/eu-west-1/sts/aws4_request` },
      { accessKeyId: first.accessKeyId, valid: true, scope: `${day}/eu-central-1/sts/aws4_request` },
    ]);
    expect(sts.calls[1]?.headers['x-amz-security-token']).toBe(first.sessionToken);
  });

  it('gives the credentials, whose session it is and what STS says about it', async () => {
    expect(await assumeRole(...options({ roleSessionName: 'me', sourceIdentity: 'Alice' }))).toEqual({
      accessKeyId: 'ASIA0000000000000000',
      secretAccessKey: 'secret/0+=',
      sessionToken: 'token/0+==',
      expiration: expect.any(Date) as Date,
      accountId: '111122223333',
      assumedRoleArn: 'arn:aws:sts::111122223333:assumed-role/Target/me',
      sourceIdentity: 'Alice',
      packedPolicySize: 8,
    });
  });

  it('names the session after itself and the time', async () => {
    await assumeRole(...options({ clock: createServiceClock(() => 1_767_225_600_000) }));
    expect(sts.calls[0]?.parameters['RoleSessionName']).toBe('roles-anywhere-1767225600000');
  });

  it('goes to the regional endpoint of the partition of the role', async () => {
    const urls: string[] = [];
    const transport: Connection['transport'] = (request) => {
      urls.push(request.url.href);
      return directTransport({ ...request, url: new URL(sts.url) });
    };
    const china = { roleArn: 'arn:aws-cn:iam::111122223333:role/R', region: 'cn-north-1' };
    await assumeRole(...options({ transport, endpoints: undefined }));
    await assumeRole(...options({ transport, endpoints: undefined, ...china }));
    expect(urls).toEqual(['https://sts.eu-west-1.amazonaws.com/', 'https://sts.cn-north-1.amazonaws.com.cn/']);
  });

  it.each([
    ['FIPS', { useFips: true }, 'https://sts-fips.us-east-2.amazonaws.com/'],
    ['dual-stack', { useDualStack: true }, 'https://sts.us-east-2.api.aws/'],
  ])('goes to the endpoint of %s that the connection asks for', async (_, endpoints, expected) => {
    let asked = '';
    const transport: Connection['transport'] = (request) => {
      asked = request.url.href;
      return directTransport({ ...request, url: new URL(sts.url) });
    };
    await assumeRole(...options({ transport, endpoints, region: 'us-east-2' }));
    expect(asked).toBe(expected);
  });

  it('refuses plain http to another machine before anything is sent', async () => {
    let requests = 0;
    const transport: Connection['transport'] = (request) => {
      requests += 1;
      return directTransport({ ...request, url: new URL(sts.url) });
    };
    const endpoints = { sts: new URL('http://sts.test') };
    const error = await refusal(() => assumeRole(...options({ transport, endpoints })));
    expect(error).toMatchObject({ code: 'ERR_ENDPOINT', message: 'the endpoint is plain http to sts.test' });
    expect(requests).toBe(0);
    await assumeRole(...options({ transport, endpoints: { ...endpoints, allowHttp: true } }));
    expect(requests).toBe(1);
  });

  it('refuses more than an hour for a role session before anything is sent', async () => {
    const session = await assumeRole(...options());
    const error = await refusal(() => assumeRole(...options({ credentials: session, durationSeconds: 3601 })));
    expect(error).toMatchObject({ code: 'ERR_DURATION', message: expect.stringContaining('an hour') as string });
    await assumeRole(...options({ credentials: session, durationSeconds: 3600 }));
    expect(sts.calls).toHaveLength(2);
  });

  it.each([
    ['a serial number without a code', { serialNumber: 'GAHT12345678' }],
    ['a code without a serial number', { tokenCode: () => Promise.resolve('123456') }],
  ])('refuses %s', async (_, input) => {
    expect(await refusalCode(() => assumeRole(...options(input)))).toBe('ERR_MFA_SERIAL');
  });

  it('says where in a policy the JSON ends to be JSON', async () => {
    const { message } = await refusal(() => assumeRole(...options({ policy: '{\n "Statement": [}' })));
    expect(message).toMatch(/^policy is not JSON/);
    const foreign = await refusal(() => assumeRole(...options({ policy: '{\n "Statement": "→"}' })));
    expect(foreign.message).toContain('line 2, column 16');
  });

  it('signs each attempt anew, and asks for a code for each', async () => {
    sts.answer = (_, index) => (index < 2 ? { status: 400, code: 'Throttling', message: 'Rate exceeded' } : undefined);
    let time = Date.now() - 60_000;
    let code = 100_000;
    await assumeRole(
      ...options({
        clock: createServiceClock(() => (time += 1000)),
        serialNumber: 'GAHT12345678',
        tokenCode: () => Promise.resolve(String(code++)),
      }),
    );
    expect(sts.calls.map(({ parameters }) => parameters['TokenCode'])).toEqual(['100000', '100001', '100002']);
    expect(sts.calls.every(({ signedBy }) => signedBy?.valid === true)).toBe(true);
    expect(new Set(sts.calls.map(({ headers }) => headers['x-amz-date'])).size).toBe(3);
  });

  it.each([
    ['a lost connection', 'cut' as const],
    ['a failing service', { status: 503, code: 'ServiceUnavailable', message: 'x' }],
    ['a provider that cannot be reached', { status: 400, code: 'IDPCommunicationError', message: 'x' }],
  ])('tries again after %s', async (_, answer) => {
    sts.answer = (__, index) => (index === 0 ? answer : undefined);
    await assumeRole(...options());
    expect(sts.calls).toHaveLength(2);
  });

  it('takes an answer with nothing but credentials', async () => {
    sts.answer = () => answerWith((xml) => xml);
    expect(await assumeRole(...options())).toEqual({
      accessKeyId: 'ASIAX',
      secretAccessKey: 'VERYSECRET',
      sessionToken: 'VERYSECRETTOKEN',
      expiration: new Date('2999-01-01T00:00:00Z'),
    });
  });

  it.each([
    ['no XML', 'ERR_RESPONSE_INVALID', () => 'VERYSECRET'],
    ['another operation', 'ERR_RESPONSE_INVALID', (xml: string) => xml.replaceAll('AssumeRole', 'GetSessionToken')],
    [
      'no secret key',
      'ERR_RESPONSE_INVALID',
      (xml: string) => xml.replace(/<SecretAccessKey>.*<\/SecretAccessKey>/, ''),
    ],
    [
      'a key twice',
      'ERR_RESPONSE_INVALID',
      (xml: string) => xml.replace('<Session', '<AccessKeyId>B</AccessKeyId><Session'),
    ],
    ['a line feed in a token', 'ERR_RESPONSE_INVALID', (xml: string) => xml.replace('TOKEN<', 'TOKEN&#10;<')],
    ['no time', 'ERR_RESPONSE_INVALID', (xml: string) => xml.replace('2999-01-01T00', '2999-02-30T00')],
    ['a time past', 'ERR_CREDENTIALS_EXPIRED', (xml: string) => xml.replace('2999', '1999')],
    ['too much', 'ERR_RESPONSE_INVALID', (xml: string) => xml + ' '.repeat(70_000)],
  ])('refuses an answer with %s, and shows nothing of it', async (_, code, change) => {
    sts.answer = () => answerWith(change);
    const error = await refusal(() => assumeRole(...options({ retry: { attempts: 1 } })));
    expect(error.code).toBe(code);
    expect(JSON.stringify([error.message, error.hint, String(error.cause)])).not.toContain('VERYSECRET');
  });
});
