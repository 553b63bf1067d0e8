import { assert as assertProperty, asyncProperty, nat } from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY_KINDS } from '../../../../certs-dev/authority.ts';
import type { Emulator, Verdict } from '../../../../src/emulator/emulator.ts';
import {
  type Draft,
  type Message,
  type Reply,
  draft,
  editAuthorization,
  flipLastDigit,
  header,
  send,
  setHeader,
  signed,
} from '../../support/signed-request.ts';
import { type Client, NOW, makeAuthority, makeClient, startWith } from '../../support/world.ts';

let emulator: Emulator;
let intermediate: Awaited<ReturnType<typeof makeAuthority>>;
let alice: Client;
let mallory: Client;
beforeAll(async () => {
  const root = await makeAuthority('root');
  intermediate = await makeAuthority('intermediate', { issuer: root });
  alice = await makeClient(intermediate);
  mallory = await makeClient(intermediate, { subject: 'CN=Mallory' });
  emulator = await startWith(root);
});
afterAll(() => emulator.close());

/** Sends a request that was bent before it was signed, or after that. */
async function exchange({
  client = alice,
  before = () => undefined,
  after = () => undefined,
}: {
  client?: Client | undefined;
  before?: ((draft: Draft) => unknown) | undefined;
  after?: ((message: Message) => unknown) | undefined;
}): Promise<{ reply: Reply; verdict: Verdict | undefined }> {
  const request = draft(client, emulator.url, { now: NOW, chain: [intermediate.certificate] });
  before(request);
  const message = signed(request, client);
  after(message);
  const reply = await send(emulator.url, message);
  return { reply, verdict: emulator.verdicts.at(-1) };
}

const AUTHORIZATION = 'authorization';
const WRONG = "the signature is not that of the certificate's key over this request";

describe('a signed request', () => {
  it.each(KEY_KINDS)(
    'is accepted from a key of kind %s, and no single bit of its signature can change',
    async (kind) => {
      const client = await makeClient(intermediate, { kind });
      const good = await exchange({ client });
      expect(good.verdict?.reason).toMatch(
        /^"CN=Alice, OU=Tests" became arn:aws:sts::123456789012:assumed-role\/Workload\//,
      );
      expect(good.reply.status).toBe(201);
      await assertProperty(
        asyncProperty(nat(), async (position) => {
          const flip = (hex: string): string => {
            const bytes = Buffer.from(hex, 'hex');
            const bit = position % (bytes.length * 8);
            bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
            return bytes.toString('hex');
          };
          const after = editAuthorization(/(?<=Signature=)[0-9a-f]+$/, flip);
          const { reply, verdict } = await exchange({ client, after });
          expect(reply.status).toBe(403);
          expect(verdict?.reason).toBe(WRONG);
        }),
        { numRuns: 20 },
      );
    },
  );

  it.each<[string, Parameters<typeof exchange>[0]]>([
    ['with the ARNs in the body', { before: (request) => Object.assign(request, arnsInBody(request)) }],
    [
      'with lower-case percent-encoding on the wire',
      { after: (request) => (request.query = request.query.replaceAll('%3A', '%3a')) },
    ],
    [
      'with the query in another order',
      { after: (request) => (request.query = request.query.split('&').toReversed().join('&')) },
    ],
    [
      'with literal colons and slashes on the wire',
      { after: (request) => (request.query = decodeURIComponent(request.query)) },
    ],
    [
      'with runs of spaces in a header',
      {
        before: (request) => {
          request.headers.push(['A-Note', 'a b']);
          request.signedHeaders.unshift('a-note');
        },
        after: (request) => setHeader(request, 'a-note', () => 'a    b '),
      },
    ],
    [
      'with a header that is not signed',
      { after: (request) => request.headers.push(['User-Agent', 'test'], ['X-Amzn-Trace-Id', 'a']) },
    ],
    [
      'with a repeated header, its values joined',
      {
        before: (request) => {
          request.headers.push(['A-Note', 'one,two']);
          request.signedHeaders.unshift('a-note');
        },
        after: (request) => {
          setHeader(request, 'a-note', () => 'one');
          request.headers.push(['a-note', 'two']);
        },
      },
    ],
  ])('is accepted %s', async (_, how) => {
    const { reply, verdict } = await exchange(how);
    expect(verdict?.reason).toMatch(/^"CN=Alice, OU=Tests" became/);
    expect(reply.status).toBe(201);
  });
});

function arnsInBody({ query, body }: Draft): Partial<Draft> {
  const parameters = Object.fromEntries(new URLSearchParams(query));
  return { query: '', body: JSON.stringify({ ...parameters, ...(JSON.parse(body) as object) }) };
}

describe('a request that was changed after it was signed is refused', () => {
  it.each<[string, (message: Message) => unknown, string | RegExp]>([
    [
      'a value in the query',
      (request) => (request.query = request.query.replace('role%2FWorkload', 'role%2FAdmin')),
      WRONG,
    ],
    ['a name in the query', (request) => (request.query = request.query.replace('roleArn', 'RoleArn')), WRONG],
    ['one more parameter', (request) => (request.query += '&a=b'), WRONG],
    ['an empty parameter', (request) => (request.query += '&'), WRONG],
    ['one parameter less', (request) => (request.query = request.query.replace(/&roleArn=[^&]*/, '')), WRONG],
    ['the body', (request) => (request.body = '{"durationSeconds":3601}'), WRONG],
    ['the space in the body', (request) => (request.body += ' '), WRONG],
    ['no body', (request) => (request.body = ''), WRONG],
    ['Content-Type', (request) => setHeader(request, 'content-type', (value) => `${value}; charset=utf-8`), WRONG],
    ['Host', (request) => setHeader(request, 'host', () => 'rolesanywhere.us-east-1.amazonaws.com'), WRONG],
    ['X-Amz-Date', (request) => setHeader(request, 'x-amz-date', () => '20300615T120001Z'), WRONG],
    [
      'the day of X-Amz-Date',
      (request) => setHeader(request, 'x-amz-date', (value) => value.replace('15T', '14T')),
      /scope is of 20300615/,
    ],
    [
      'the certificate',
      (request) => setHeader(request, 'x-amz-x509', () => Buffer.from(mallory.certificate.rawData).toString('base64')),
      WRONG,
    ],
    ['the chain', (request) => setHeader(request, 'x-amz-x509-chain', (value) => `${value},${value}`), WRONG],
    [
      'a header gone',
      (request) => (request.headers = request.headers.filter(([name]) => name !== 'Content-Type')),
      'signed header content-type was not sent',
    ],
    ['a second Host', (request) => request.headers.push(['Host', 'a']), WRONG],
    ['a second Content-Type', (request) => request.headers.push(['Content-Type', 'application/json']), WRONG],
    [
      'a second X-Amz-Date',
      (request) => request.headers.push(['X-Amz-Date', header(request, 'x-amz-date')]),
      'header x-amz-date was sent 2 times',
    ],
    [
      'a second X-Amz-X509',
      (request) => request.headers.push(['X-Amz-X509', header(request, 'x-amz-x509')]),
      'header x-amz-x509 was sent 2 times',
    ],
    [
      'a second chain',
      (request) => request.headers.push(['X-Amz-X509-Chain', 'QUJD']),
      'header x-amz-x509-chain was sent 2 times',
    ],
    [
      'a second Authorization',
      (request) => request.headers.push(['Authorization', header(request, AUTHORIZATION)]),
      'header authorization was sent 2 times',
    ],
    [
      'a further x-amz header',
      (request) => request.headers.push(['X-Amz-Extra', '1']),
      'header x-amz-extra was sent and is not signed',
    ],
    ['no Authorization', (request) => request.headers.pop(), /the request is not signed/],
    ['the last digit of the signature', editAuthorization(/[0-9a-f]+$/, flipLastDigit), WRONG],
    [
      'a signature in upper case',
      editAuthorization(/[0-9a-f]+$/, (hex) => hex.toUpperCase()),
      'the signature is not lower-case hexadecimal',
    ],
    ['a shorter signature', editAuthorization(/..$/, ''), WRONG],
    ['a longer signature', editAuthorization(/$/, '00'), WRONG],
    ['no signature', editAuthorization(/, Signature=.*$/, ''), 'the signature is not lower-case hexadecimal'],
    ['the algorithm', editAuthorization(/ECDSA/, 'RSA'), 'the key is of type ec, not rsa'],
    [
      'a plain SigV4 algorithm',
      editAuthorization(/X509-ECDSA/, 'HMAC'),
      'the algorithm AWS4-HMAC-SHA256 does not exist',
    ],
    ['ML-DSA', editAuthorization(/ECDSA-SHA256/, 'MLDSA'), 'the key is not of type ML-DSA'],
    ['the day in the scope', editAuthorization(/\/20300615\//, '/20300614/'), /scope is of 20300614/],
    [
      'the order of the signed headers',
      editAuthorization(/content-type;host/, 'host;content-type'),
      /not a sorted list/,
    ],
    ['a signed header twice', editAuthorization(/host;/, 'host;host;'), /not a sorted list/],
    ['a signed header in upper case', editAuthorization(/host;/, 'Host;'), /not a sorted list/],
    ['host no longer signed', editAuthorization(/host;/, ''), 'header host is not signed'],
    [
      'the chain no longer signed',
      editAuthorization(/;x-amz-x509-chain/, ''),
      'header x-amz-x509-chain was sent and is not signed',
    ],
  ])('%s', async (_, after, reason) => {
    const { reply, verdict } = await exchange({ after });
    expect(verdict?.reason).toMatch(reason);
    expect(reply.status).toBe(403);
    expect(reply.headers).toMatchObject({
      'x-amzn-errortype': 'AccessDeniedException',
      'x-amzn-requestid': verdict?.requestId,
    });
  });

  it.each<[string, (message: Message) => unknown]>([
    ['the method', (request) => (request.method = 'PUT')],
    ['the path', (request) => (request.path = '/sessions/')],
    ['the path to a subject', (request) => (request.path = '/subjects')],
  ])('%s, which leads to no operation', async (_, after) => {
    const { reply } = await exchange({ after });
    expect(reply.status).toBe(404);
    expect(reply.headers['x-amzn-errortype']).toBe('UnknownOperationException');
  });
});

const unsign = (name: string) => (request: Draft) =>
  (request.signedHeaders = request.signedHeaders.filter((own) => own !== name));

describe('a request that was signed, but not as the service wants it, is refused', () => {
  const serial = BigInt('0x00f0e1d2c3b4a596');
  it.each<[string, (draft: Draft) => unknown, string | RegExp]>([
    [
      'with the serial number in hexadecimal',
      (request) => (request.serial = 'f0e1d2c3b4a596'),
      /is hexadecimal; it must be decimal/,
    ],
    [
      'with the serial number in padded hexadecimal',
      (request) => (request.serial = '00F0E1D2C3B4A596'),
      /is hexadecimal/,
    ],
    ['with the next serial number', (request) => (request.serial = String(serial + 1n)), `the certificate's ${serial}`],
    [
      'with the previous serial number',
      (request) => (request.serial = String(serial - 1n)),
      `the certificate's ${serial}`,
    ],
    [
      'with a zero before the serial number',
      (request) => (request.serial = `0${serial}`),
      `the certificate's ${serial}`,
    ],
    [
      'for another region',
      (request) => (request.region = 'us-east-2'),
      /of region us-east-2, this endpoint of us-east-1/,
    ],
    [
      'for another service',
      (request) => (request.service = 'sts'),
      'the credential scope is of service sts, not rolesanywhere',
    ],
    [
      'for another day',
      (request) => (request.scopeDate = '20300614'),
      'the credential scope is of 20300614, x-amz-date of 20300615',
    ],
    ['without Host signed', unsign('host'), 'header host is not signed'],
    ['without Content-Type signed', unsign('content-type'), 'header content-type was sent and is not signed'],
    ['without X-Amz-Date signed', unsign('x-amz-date'), 'header x-amz-date is not signed'],
    ['without the certificate signed', unsign('x-amz-x509'), 'header x-amz-x509 is not signed'],
    ['without the chain signed', unsign('x-amz-x509-chain'), 'header x-amz-x509-chain was sent and is not signed'],
    [
      'as RSA with an EC key',
      (request) => (request.algorithm = 'AWS4-X509-RSA-SHA256'),
      'the key is of type ec, not rsa',
    ],
    [
      'with a date of another form',
      (request) => setHeader(request, 'x-amz-date', () => '2030-06-15T12:00:00Z'),
      /not a time of the form/,
    ],
    [
      'with a date that does not exist',
      (request) => {
        setHeader(request, 'x-amz-date', () => '20300231T120000Z');
        request.scopeDate = '20300231';
      },
      /not a time of the form/,
    ],
    [
      'six minutes late',
      (request) => setHeader(request, 'x-amz-date', () => '20300615T115400Z'),
      'x-amz-date is 360 seconds behind this clock',
    ],
    [
      'six minutes early',
      (request) => setHeader(request, 'x-amz-date', () => '20300615T120600Z'),
      'x-amz-date is 360 seconds ahead of this clock',
    ],
    [
      'a day late',
      (request) => {
        setHeader(request, 'x-amz-date', () => '20300614T120000Z');
        request.scopeDate = '20300614';
      },
      'x-amz-date is 86400 seconds behind this clock',
    ],
  ])('%s', async (_, before, reason) => {
    const { reply, verdict } = await exchange({ before });
    expect(verdict?.reason).toMatch(reason);
    expect(reply.status).toBe(403);
    expect(JSON.parse(reply.body)).toEqual({ message: 'Invalid signature' });
  });

  it('with the canonical request of another method', async () => {
    const { verdict } = await exchange({
      before: (request) => (request.method = 'GET'),
      after: (request) => (request.method = 'POST'),
    });
    expect(verdict).toMatchObject({
      accepted: false,
      reason: WRONG,
      expected: expect.stringMatching(/^POST\n\/sessions\n/),
    });
  });
});

const leaf = (message: Message): Buffer => Buffer.from(header(message, 'x-amz-x509'), 'base64');

describe('a certificate header', () => {
  it.each<[string, (message: Message) => string, RegExp]>([
    ['that is empty', () => '', /not padded base64/],
    [
      'without padding',
      (request) => `${leaf(request).toString('base64').replaceAll('=', '')}A`,
      /not padded base64|not one certificate/,
    ],
    ['in base64url', (request) => `-_${header(request, 'x-amz-x509').slice(2)}`, /not padded base64/],
    [
      'with PEM armour',
      (request) => `-----BEGIN CERTIFICATE-----${header(request, 'x-amz-x509')}-----END CERTIFICATE-----`,
      /not padded base64/,
    ],
    [
      'with a byte after the certificate',
      (request) => Buffer.concat([leaf(request), Buffer.alloc(1)]).toString('base64'),
      /not one certificate in DER/,
    ],
    ['cut off', (request) => leaf(request).subarray(0, -1).toString('base64'), /not one certificate in DER/],
    ['of something else', () => Buffer.from('certificate').toString('base64'), /not one certificate in DER/],
    [
      'of a PEM file',
      () => Buffer.from(mallory.certificate.toString('pem')).toString('base64'),
      /not one certificate in DER/,
    ],
  ])('%s is refused', async (_, value, reason) => {
    const { reply, verdict } = await exchange({
      before: (request) => setHeader(request, 'x-amz-x509', () => value(request)),
    });
    expect(verdict?.reason).toMatch(reason);
    expect(reply.status).toBe(403);
  });
});
