import { HeadBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { ADMIN, type Credentials, refusalOf, vend } from '../support/callers.ts';
import { type Client, NOW, makeAuthority, makeClient, startWith } from '../support/world.ts';

let emulator: Emulator;
let alice: Client;
let session: Required<Credentials>;
let now = NOW;
beforeAll(async () => {
  const root = await makeAuthority('root');
  alice = await makeClient(root);
  emulator = await startWith(root, {
    now: () => now,
    profiles: [
      { arn: profile('2'), roleArns: ['arn:aws:iam::123456789012:role/Workload'] },
      {
        arn: profile('4'),
        roleArns: ['arn:aws:iam::123456789012:role/Workload'],
        sessionPolicy: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
        },
      },
      {
        arn: profile('6'),
        roleArns: ['arn:aws:iam::123456789012:role/Workload'],
        sessionPolicy: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::*' }],
        },
      },
      {
        arn: profile('5'),
        roleArns: ['arn:aws:iam::123456789012:role/Workload'],
        managedPolicyArns: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'],
      },
    ],
    buckets: [
      { name: 'logs' },
      { name: 'web', createdAt: '2029-02-03T04:05:06.000Z' },
      { name: 'theirs', account: '999999999999' },
    ],
  });
  session = await vend(emulator, alice);
});
afterAll(() => emulator.close());

function profile(digit: string): string {
  return `arn:aws:rolesanywhere:us-east-1:123456789012:profile/${'11111111-1111-1111-1111-111111111111'.replaceAll('1', digit)}`;
}

function client(credentials: Credentials): S3Client {
  return new S3Client({
    endpoint: emulator.url,
    region: 'eu-west-1',
    credentials,
    maxAttempts: 1,
    forcePathStyle: true,
    systemClockOffset: now.getTime() - Date.now(),
  });
}

const list = (credentials: Credentials) => client(credentials).send(new ListBucketsCommand({}));
const ofProfile = (digit: string) =>
  vend(emulator, alice, {
    change: (request) => {
      request.query = request.query.replace(
        /profile%2F[2-]+/,
        encodeURIComponent(profile(digit)).replace(/^.*(?=profile)/, ''),
      );
    },
  });

describe('ListBuckets', () => {
  it.each([
    ['a session', () => session],
    ['a user', () => ADMIN],
  ])('lists the buckets of the account of %s', async (_, credentials) => {
    const { Buckets, Owner } = await list(credentials());
    expect(Buckets?.map(({ Name }) => Name)).toEqual(['logs', 'web']);
    expect(Buckets?.[1]?.CreationDate).toEqual(new Date('2029-02-03T04:05:06.000Z'));
    expect(Owner).toEqual({ ID: '123456789012' });
  });

  it('is refused to a session whose profile allows other things alone', async () => {
    const call = refusalOf(emulator, list(await ofProfile('4')));
    expect(await call).toMatchObject({
      code: 'AccessDenied',
      status: 403,
      message:
        'User: arn:aws:sts::123456789012:assumed-role/Workload/f0e1d2c3b4a596 is not authorized to perform: s3:ListAllMyBuckets',
      reason: expect.stringContaining("the session's policies: nothing allows s3:ListAllMyBuckets"),
    });
  });

  it('is allowed by a policy for all buckets', async () => {
    expect((await list(await ofProfile('6'))).Buckets).toHaveLength(2);
  });

  it('is allowed by a managed policy of the profile', async () => {
    expect((await list(await ofProfile('5'))).Buckets).toHaveLength(2);
  });

  it.each<[string, () => Credentials, string, number]>([
    ['a wrong secret', () => ({ ...session, secretAccessKey: 'a' }), 'SignatureDoesNotMatch', 403],
    ['an unknown key', () => ({ ...session, accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' }), 'InvalidAccessKeyId', 403],
    [
      'no session token',
      () => ({ ...session, sessionToken: undefined as unknown as string }),
      'InvalidAccessKeyId',
      403,
    ],
  ])('is refused with %s', async (_, credentials, code, status) => {
    expect(await refusalOf(emulator, list(credentials()))).toMatchObject({ code, status });
  });

  it('is refused when the session has expired', async () => {
    now = new Date(NOW.getTime() + 3_600_000);
    expect(await refusalOf(emulator, list(session))).toMatchObject({ code: 'ExpiredToken', status: 400 });
    now = NOW;
  });

  it('is all of S3 that there is', async () => {
    const call = client(session).send(new HeadBucketCommand({ Bucket: 'logs' }));
    expect(await refusalOf(emulator, call)).toMatchObject({
      status: 501,
      reason: expect.stringContaining('HEAD /logs'),
    });
  });
});
