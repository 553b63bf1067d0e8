import { Sha256 } from '@aws-crypto/sha256-js';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../../src/emulator/emulator.ts';
import {
  type Message,
  type Reply,
  draft,
  editAuthorization,
  flipLastDigit,
  send,
  setHeader,
  signed,
} from '../../support/signed-request.ts';
import { type Client, NOW, makeAuthority, makeClient, startWith } from '../../support/world.ts';

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

const FORM = 'Action=GetCallerIdentity&Version=2011-06-15';
const ARN = 'arn:aws:sts::123456789012:assumed-role/Workload/f0e1d2c3b4a596';
const WRONG = 'the signature is not that of the secret access key over this request';

let emulator: Emulator;
let alice: Client;
let now: Date = NOW;
let credentials: Credentials;
beforeAll(async () => {
  const root = await makeAuthority('root');
  alice = await makeClient(root);
  emulator = await startWith(root, { now: () => now });
});
beforeEach(async () => {
  now = NOW;
  credentials = await vend();
});
afterAll(() => emulator.close());

async function vend(): Promise<Credentials> {
  const reply = await send(emulator.url, signed(draft(alice, emulator.url, { now }), alice));
  const { credentialSet } = JSON.parse(reply.body) as { credentialSet: [{ credentials: Credentials }] };
  const { accessKeyId, secretAccessKey, sessionToken } = credentialSet[0].credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** A request signed by the AWS SDK's signer. */
async function signedForSts({
  with: own = credentials,
  date = now,
  region = 'eu-central-1',
  service = 'sts',
  method = 'POST',
  body = FORM,
  query = {},
  headers = {},
}: {
  with?: Credentials | undefined;
  date?: Date | undefined;
  region?: string | undefined;
  service?: string | undefined;
  method?: string | undefined;
  body?: string | undefined;
  query?: Record<string, string> | undefined;
  headers?: Record<string, string> | undefined;
} = {}): Promise<Message> {
  const { hostname, port, host } = new URL(emulator.url);
  const signer = new SignatureV4({ credentials: own, region, service, sha256: Sha256, applyChecksum: false });
  const result = await signer.sign(
    {
      method,
      protocol: 'http:',
      hostname,
      port: Number(port),
      path: '/',
      query,
      body,
      headers: { host, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', ...headers },
    },
    { signingDate: date },
  );
  return {
    method,
    path: '/',
    query: new URLSearchParams(query).toString(),
    body,
    headers: Object.entries(result.headers),
  };
}

async function exchange(message: Message): Promise<Reply & { code: string | undefined; reason: string | undefined }> {
  const reply = await send(emulator.url, message);
  const code = /<Code>(.*)<\/Code>/.exec(reply.body)?.[1];
  return { ...reply, code, reason: emulator.verdicts.at(-1)?.reason };
}

function sdk(own: Credentials = credentials): STSClient {
  return new STSClient({
    endpoint: emulator.url,
    region: 'us-west-2',
    credentials: own,
    maxAttempts: 1,
    systemClockOffset: now.getTime() - Date.now(),
  });
}

describe('GetCallerIdentity', () => {
  it('tells the AWS SDK who holds the credentials', async () => {
    const identity = await sdk().send(new GetCallerIdentityCommand({}));
    expect(identity).toMatchObject({
      Account: '123456789012',
      Arn: ARN,
      UserId: expect.stringMatching(/^AROA[A-Z2-7]{17}:f0e1d2c3b4a596$/),
    });
    expect(identity.$metadata.requestId).toBe(emulator.verdicts.at(-1)?.requestId);
  });

  it.each<[string, (own: Credentials) => Credentials, string]>([
    [
      'a wrong secret',
      (own) => ({ ...own, secretAccessKey: own.secretAccessKey.toLowerCase() }),
      'SignatureDoesNotMatch',
    ],
    ['an unknown access key', (own) => ({ ...own, accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' }), 'InvalidClientTokenId'],
    [
      'a wrong session token',
      (own) => ({ ...own, sessionToken: `${own.sessionToken.slice(0, -1)}=` }),
      'InvalidClientTokenId',
    ],
  ])('is refused to the AWS SDK with %s', async (_, change, name) => {
    await expect(sdk(change(credentials)).send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({ name });
  });

  it('is refused with the session token of another session', async () => {
    const { sessionToken } = await vend();
    const outcome = await exchange(await signedForSts({ with: { ...credentials, sessionToken } }));
    expect(outcome).toMatchObject({ status: 403, code: 'InvalidClientTokenId' });
  });

  it('is refused from the moment the session expires, to the AWS SDK too', async () => {
    now = new Date('2030-06-15T12:59:59.999Z');
    expect(await exchange(await signedForSts())).toMatchObject({ status: 200 });
    now = new Date('2030-06-15T13:00:00.000Z');
    expect(await exchange(await signedForSts())).toMatchObject({ status: 403, code: 'ExpiredToken' });
    await expect(sdk().send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({ name: 'ExpiredToken' });
  });

  it('is there by GET, too', async () => {
    const query = { Action: 'GetCallerIdentity', Version: '2011-06-15' };
    const outcome = await exchange(await signedForSts({ method: 'GET', body: '', query }));
    expect(outcome.body).toContain(`<Arn>${ARN}</Arn>`);
  });

  it.each(['us-east-1', 'eusc-de-east-1', 'moon'])('is signed for any region, such as %s', async (region) => {
    expect(await exchange(await signedForSts({ region }))).toMatchObject({ status: 200 });
  });

  it('is accepted up to 15 minutes away', async () => {
    for (const date of ['2030-06-15T11:45:01Z', '2030-06-15T12:15:00Z'])
      expect(await exchange(await signedForSts({ date: new Date(date) }))).toMatchObject({ status: 200 });
  });

  it.each([
    [
      '2030-06-15T11:45:00Z',
      'Signature expired: 20300615T114500Z is now earlier than 20300615T114500Z (20300615T120000Z - 15 min.)',
    ],
    [
      '2030-06-15T12:15:01Z',
      'Signature not yet current: 20300615T121501Z is still later than 20300615T121500Z (20300615T120000Z + 15 min.)',
    ],
  ])('is refused when it is signed at %s', async (date, message) => {
    const outcome = await exchange(await signedForSts({ date: new Date(date) }));
    expect(outcome).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    expect(outcome.body).toContain(`<Message>${message}</Message>`);
  });

  it('is refused when it is scoped to another service', async () => {
    const outcome = await exchange(await signedForSts({ service: 's3' }));
    expect(outcome).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch', reason: /s3, not sts/ });
  });
});

const add = (name: string, value: string) => (request: Message) => request.headers.push([name, value]);
const remove = (name: string) => (request: Message) =>
  (request.headers = request.headers.filter(([own]) => own !== name));

describe('a request to STS that was changed after it was signed is refused', () => {
  it.each<[string, (message: Message) => unknown, string, string | RegExp]>([
    ['the body', (request) => (request.body += '&A=b'), 'SignatureDoesNotMatch', WRONG],
    ['the query', (request) => (request.query = 'A=b'), 'SignatureDoesNotMatch', WRONG],
    ['the method', (request) => Object.assign(request, { method: 'GET', query: FORM }), 'SignatureDoesNotMatch', WRONG],
    ['Host', (request) => setHeader(request, 'host', () => 'sts.amazonaws.com'), 'SignatureDoesNotMatch', WRONG],
    [
      'Content-Type',
      (request) => setHeader(request, 'content-type', () => 'text/plain'),
      'SignatureDoesNotMatch',
      WRONG,
    ],
    [
      'X-Amz-Date',
      (request) => setHeader(request, 'x-amz-date', () => '20300615T120001Z'),
      'SignatureDoesNotMatch',
      WRONG,
    ],
    ['a second Host', add('host', 'a'), 'SignatureDoesNotMatch', WRONG],
    ['a second X-Amz-Date', add('x-amz-date', '20300615T120000Z'), 'SignatureDoesNotMatch', /sent 2 times/],
    ['a second token', add('x-amz-security-token', 'a'), 'InvalidClientTokenId', /sent 2 times/],
    ['a second Authorization', add('authorization', 'a'), 'IncompleteSignature', /sent 2 times/],
    [
      'an x-amz header more',
      add('x-amz-extra', 'a'),
      'SignatureDoesNotMatch',
      /x-amz-extra was sent and is not signed/,
    ],
    ['no token', remove('x-amz-security-token'), 'InvalidClientTokenId', /x-amz-security-token was not sent/],
    ['no date', remove('x-amz-date'), 'SignatureDoesNotMatch', /x-amz-date was not sent/],
    ['no Content-Type', remove('content-type'), 'SignatureDoesNotMatch', /content-type was not sent/],
    ['no Authorization', remove('authorization'), 'MissingAuthenticationToken', /authorization was not sent/],
    ['the signature', editAuthorization(/[0-9a-f]$/, flipLastDigit), 'SignatureDoesNotMatch', WRONG],
    ['a shorter signature', editAuthorization(/..$/, ''), 'SignatureDoesNotMatch', WRONG],
    ['half a header', editAuthorization(/, Signature=.*/, ''), 'IncompleteSignature', /signature/],
    ['the algorithm', editAuthorization(/HMAC/, 'X509-RSA'), 'IncompleteSignature', /AWS4-X509-RSA-SHA256, not/],
    [
      'the day in the scope',
      editAuthorization(/\/20300615\//, '/20300614/'),
      'SignatureDoesNotMatch',
      /scope is of 20300614/,
    ],
    ['the region in the scope', editAuthorization(/eu-central-1/, 'eu-central-2'), 'SignatureDoesNotMatch', WRONG],
    ['the service in the scope', editAuthorization(/\/sts\//, '/kms/'), 'SignatureDoesNotMatch', /kms, not sts/],
    [
      'the token not signed',
      editAuthorization(/;x-amz-security-token/, ''),
      'SignatureDoesNotMatch',
      /x-amz-security-token was sent and is not/,
    ],
    ['the date not signed', editAuthorization(/;x-amz-date/, ''), 'SignatureDoesNotMatch', /x-amz-date is not signed/],
    ['the host not signed', editAuthorization(/host;/, ''), 'SignatureDoesNotMatch', /host is not signed/],
  ])('%s', async (_, change, code, reason) => {
    const message = await signedForSts();
    change(message);
    const outcome = await exchange(message);
    expect(outcome.code).toBe(code);
    expect(outcome.reason).toMatch(reason);
    expect(outcome.headers['content-type']).toBe('text/xml');
    expect(JSON.stringify(emulator.verdicts.at(-1))).not.toContain(credentials.sessionToken);
  });
});

describe('another action', () => {
  it.each([
    ['Action=GetUser&Version=2011-06-15', 'InvalidAction', 'Could not find operation GetUser for version 2011-06-15'],
    ['Action=GetCallerIdentity', 'InvalidAction', 'NO_VERSION_SPECIFIED'],
    ['Action=%3Ca%3E%00%26&Version=1', 'InvalidAction', 'operation &lt;a&gt;\ufffd&amp; for version 1'],
    ['Version=2011-06-15', 'MissingAction', 'The request is missing an action.'],
    ['Action=%zz', 'MalformedQueryString', 'two hex digits'],
  ])('%s is refused', async (body, code, message) => {
    const outcome = await exchange(await signedForSts({ body }));
    expect(outcome).toMatchObject({ status: 400, code });
    expect(outcome.body).toContain(message);
  });
});
