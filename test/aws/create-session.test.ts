import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { directTransport } from '../../src/http/direct.ts';
import type { HttpTransport } from '../../src/http/http.ts';
import { createPooledTransport } from '../../src/http/pooled.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { createSession } from '../../src/aws/create-session.ts';
import type { Connection } from '../../src/aws/connection.ts';
import type { CreateSessionRequest } from '../../src/aws/create-session.ts';
import { createServiceClock } from '../../src/aws/service-clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { freePort, serve } from '../http/support/servers.ts';
import type { OnRequest } from '../http/support/servers.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const hang: OnRequest = () => undefined;
const HOUR = 3_600_000;
const SECRETS = { secretAccessKey: 'very/secret+key', sessionToken: 'very-secret-token==' };
const CREDENTIALS = { accessKeyId: 'ASIAEXAMPLE', ...SECRETS, expiration: '2026-01-01T12:00:00Z' };
const ARN = 'arn:aws:sts::111122223333:assumed-role/De+mo/session';
const SET = { assumedRoleUser: { arn: ARN, assumedRoleId: 'AROA:session' }, credentials: CREDENTIALS };

const respond = (status: number, body: unknown, headers = ''): string => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `HTTP/1.1 ${status} X\r\n${headers}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
};
const errorType = (name: string): string => `X-Amzn-ErrorType: ${name}\r\nX-Amzn-RequestId: request-7\r\n`;
const GOOD = respond(201, { credentialSet: [SET], subjectArn: 'x' });
const OPEN_POOLS = new Set<() => Promise<void>>();
const TRANSPORTS: Readonly<Record<string, () => HttpTransport>> = {
  direct: () => directTransport,
  pooled: () => {
    const { request, close } = createPooledTransport();
    OPEN_POOLS.add(close);
    return request;
  },
};

let identity: Identity;
let servers: { close(): Promise<void> }[] = [];

beforeAll(() => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  identity = {
    certificate: Buffer.from('CERT'),
    serialNumber: '255',
    chain: [],
    signer: { keyType: 'EC', sign: (message) => Promise.resolve(sign('sha256', message, privateKey)) },
    close: () => Promise.resolve(),
  };
});
afterEach(async () => {
  const open = servers;
  servers = [];
  await Promise.all([...OPEN_POOLS].map((close) => close()));
  OPEN_POOLS.clear();
  await Promise.all(open.map((server) => server.close()));
});

/** A server that gives each request the next of `answers`, the last one for ever; and what it was sent. */
async function script(...answers: (string | OnRequest)[]): Promise<{ endpoint: URL; requests: string[] }> {
  const requests: string[] = [];
  const server = await serve((socket, request) => {
    const answer = answers[Math.min(requests.push(request), answers.length) - 1];
    if (typeof answer === 'string') socket.write(answer);
    else answer?.(socket, request);
  });
  servers.push(server);
  return { endpoint: new URL(`http://127.0.0.1:${server.port}`), requests };
}

type Extra = Partial<CreateSessionRequest & Connection> & { endpoint?: URL; now?: () => number };

/** A request, and a connection in a world whose clock moves an hour at each look, and where waiting takes no time. */
function options({ endpoint, now, ...extra }: Extra): [CreateSessionRequest, Connection] {
  let looks = 0;
  const request = {
    identity,
    trustAnchorArn: 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/2',
    profileArn: 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/1',
    roleArn: 'arn:aws:iam::111122223333:role/path/De+mo',
    region: 'us-east-1',
  };
  const connection = {
    endpoints: { rolesanywhere: endpoint },
    transport: directTransport,
    clock: createServiceClock(now ?? (() => NOW + HOUR * looks++)),
    random: () => 0,
    sleep: () => Promise.resolve(),
  };
  return [
    { ...request, ...extra },
    { ...connection, ...extra },
  ];
}

async function failure(outcome: Promise<unknown>): Promise<RolesAnywhereError> {
  const error: unknown = await outcome.then(
    () => expect.fail('did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RolesAnywhereError)) throw error;
  const shown = JSON.stringify([error.message, error.hint, error.stack, String(error.cause)]);
  for (const secret of Object.values(SECRETS)) expect(shown).not.toContain(secret);
  return error;
}

/** What comes of an answer with credentials and this status. */
async function withStatus(status: number): Promise<unknown> {
  const transport: HttpTransport = () =>
    Promise.resolve({ status, headers: {}, body: JSON.stringify({ credentialSet: [SET] }) });
  return createSession(...options({ transport, retry: { attempts: 1 } }));
}

describe('createSession', () => {
  it('returns what the service handed out', async () => {
    const { endpoint } = await script(GOOD);
    expect(await createSession(...options({ endpoint }))).toEqual({
      ...CREDENTIALS,
      expiration: new Date(CREDENTIALS.expiration),
      accountId: '111122223333',
      assumedRoleArn: ARN,
    });
  });

  it('sends exactly the bytes that it signed, and nothing that was not asked for', async () => {
    const { endpoint, requests } = await script(GOOD);
    await createSession(...options({ endpoint: new URL('/base/', endpoint), userAgent: 'agent/1' }));
    const [head = '', body] = (requests[0] ?? '').split('\r\n\r\n');
    const [start, ...fields] = head.split('\r\n');
    expect(start).toBe(
      'POST /base/sessions?profileArn=arn%3Aaws%3Arolesanywhere%3Aus-east-1%3A111122223333%3Aprofile%2F1' +
        '&roleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fpath%2FDe%2Bmo' +
        '&trustAnchorArn=arn%3Aaws%3Arolesanywhere%3Aus-east-1%3A111122223333%3Atrust-anchor%2F2 HTTP/1.1',
    );
    const headers = Object.fromEntries(fields.map((field) => field.split(/: (.*)/s) as [string, string]));
    expect(headers).toMatchObject({
      host: endpoint.host,
      'content-type': 'application/json',
      'content-length': '2',
      'user-agent': 'agent/1',
      'x-amz-date': '20260101T000000Z',
      'x-amz-x509': 'Q0VSVA==',
      authorization: expect.stringMatching(
        /^AWS4-X509-ECDSA-SHA256 Credential=255\/20260101\/us-east-1\/rolesanywhere\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-x509, Signature=30[0-9a-f]+$/,
      ) as string,
    });
    expect(Object.keys(headers).map((name) => name.toLowerCase())).not.toContain('accept-encoding');
    expect(body).toBe('{}');
  });

  it('signs the request as it goes over the wire, its method included', async () => {
    const { endpoint, requests } = await script(GOOD);
    const stages: string[] = [];
    await createSession(...options({ endpoint, onStage: (stage, text) => void stages.push(stage, text) }));
    const [head = '', body = ''] = (requests[0] ?? '').split('\r\n\r\n');
    const [start = '', ...fields] = head.split('\r\n');
    const [method, target = ''] = start.split(' ');
    const [path, query] = target.split('?');
    const signed = fields
      .map((field) => field.replace(/^([^:]*): /, (_, name: string) => `${name.toLowerCase()}:`))
      .filter((field) => /^(?:content-type|host|x-amz-date|x-amz-x509):/.test(field))
      .toSorted();
    const hash = createHash('sha256').update(body).digest('hex');
    expect(stages.slice(0, 2)).toEqual([
      'canonical request',
      [method, path, query, ...signed, '', 'content-type;host;x-amz-date;x-amz-x509', hash].join('\n'),
    ]);
  });

  it.each([200, 201, 299])('takes credentials with status %i', async (status) => {
    await expect(withStatus(status)).resolves.toMatchObject({ accessKeyId: 'ASIAEXAMPLE' });
  });

  it.each([199, 300, 400])('takes none with status %i', async (status) => {
    const error = await failure(withStatus(status));
    expect(error.status).toBe(status);
    expect(error.message).toContain('CreateSession');
  });

  it('puts duration and session name into the body', async () => {
    const { endpoint, requests } = await script(GOOD);
    await createSession(...options({ endpoint, durationSeconds: 900, roleSessionName: 'me' }));
    expect(requests[0]?.split('\r\n\r\n')[1]).toBe('{"durationSeconds":900,"roleSessionName":"me"}');
  });

  it.each([
    ['aws', 'us-east-1', 'https://rolesanywhere.us-east-1.amazonaws.com/sessions'],
    ['aws-cn', 'cn-north-1', 'https://rolesanywhere.cn-north-1.amazonaws.com.cn/sessions'],
  ])('goes to the standard endpoint of %s, %s', async (partition, region, expected) => {
    let url = '';
    const transport: HttpTransport = (request) => {
      url = request.url.origin + request.url.pathname;
      return Promise.resolve({ status: 201, headers: {}, body: JSON.stringify({ credentialSet: [SET] }) });
    };
    const trustAnchorArn = `arn:${partition}:rolesanywhere:${region}:111122223333:trust-anchor/2`;
    await createSession(...options({ transport, trustAnchorArn, region }));
    expect(url).toBe(expected);
  });

  it('refuses plain http to another machine before anything is signed', async () => {
    const closed = { ...identity, signer: { ...identity.signer, sign: () => expect.fail('signed') } };
    const error = await failure(
      createSession(...options({ identity: closed, endpoint: new URL('http://rolesanywhere.test') })),
    );
    expect(error).toMatchObject({ code: 'ERR_ENDPOINT', message: 'the endpoint is plain http to rolesanywhere.test' });
  });

  it('takes any 2xx, and does without the assumed role', async () => {
    const { endpoint } = await script(respond(200, { credentialSet: [{ credentials: CREDENTIALS }] }));
    const credentials = await createSession(...options({ endpoint }));
    expect(credentials).not.toHaveProperty('accountId');
    expect(credentials.accessKeyId).toBe('ASIAEXAMPLE');
  });
});

describe.each(Object.entries(TRANSPORTS))('createSession against a failing service, %s', (_name, makeTransport) => {
  const HTML = '<html>hello</html>';
  const set = (changes: object): string =>
    respond(201, { credentialSet: [{ credentials: { ...CREDENTIALS, ...changes } }] });

  /** What the service does, the code it leads to, and how many requests it gets. */
  const CASES: readonly [string, string | OnRequest, ErrorCode, number][] = [
    ['403', respond(403, { message: 'Invalid signature' }, errorType('AccessDeniedException')), 'ERR_ACCESS_DENIED', 1],
    ['404', respond(404, { message: 'x' }, errorType('ResourceNotFoundException')), 'ERR_NOT_FOUND', 1],
    ['400', respond(400, { message: 'x' }, errorType('ValidationException')), 'ERR_VALIDATION', 1],
    ['405', respond(405, ''), 'ERR_SERVICE_REFUSED', 1],
    ['307', respond(307, '', 'Location: /elsewhere\r\n'), 'ERR_RESPONSE_INVALID', 1],
    ['429', respond(429, ''), 'ERR_THROTTLED', 3],
    ['throttling as 400', respond(400, {}, errorType('ThrottlingException')), 'ERR_THROTTLED', 3],
    ['500', respond(500, { message: 'x' }, errorType('InternalFailure')), 'ERR_SERVICE_FAILED', 3],
    ['503 in HTML', respond(503, HTML), 'ERR_SERVICE_FAILED', 3],
    ['200 in HTML', respond(200, HTML), 'ERR_RESPONSE_INVALID', 1],
    ['200 with nothing', respond(200, ''), 'ERR_RESPONSE_INVALID', 1],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 'ERR_RESPONSE_INVALID', 1],
    ['a cut-off answer', (socket) => socket.end(GOOD.slice(0, -20)), 'ERR_RESPONSE_INVALID', 3],
    [
      'JSON cut off but announced so',
      respond(201, JSON.stringify({ credentialSet: [SET] }).slice(0, -9)),
      'ERR_RESPONSE_INVALID',
      1,
    ],
    ['a reset', (socket) => socket.resetAndDestroy(), 'ERR_CONNECT', 3],
    ['too long an answer', respond(201, ' '.repeat(65_537)), 'ERR_RESPONSE_INVALID', 3],
    ['no answer', hang, 'ERR_TIMEOUT', 3],
    ['an empty set', respond(201, { credentialSet: [] }), 'ERR_CREDENTIALS_EMPTY', 1],
    ['no set', respond(201, { subjectArn: 'x' }), 'ERR_RESPONSE_INVALID', 1],
    ['a set that is no list', respond(201, { credentialSet: SET }), 'ERR_RESPONSE_INVALID', 1],
    ['a set of null', respond(201, { credentialSet: [null] }), 'ERR_RESPONSE_INVALID', 1],
    ['no secret', set({ secretAccessKey: undefined }), 'ERR_RESPONSE_INVALID', 1],
    ['an empty token', set({ sessionToken: '' }), 'ERR_RESPONSE_INVALID', 1],
    ['a key that is a number', set({ accessKeyId: 7 }), 'ERR_RESPONSE_INVALID', 1],
    ['a token with a line feed', set({ sessionToken: 'a\nb' }), 'ERR_RESPONSE_INVALID', 1],
    ['an expiration that is a number', set({ expiration: 1_767_268_800 }), 'ERR_RESPONSE_INVALID', 1],
    ['an expiration that is no time', set({ expiration: 'soon' }), 'ERR_RESPONSE_INVALID', 1],
    ['credentials that have expired', set({ expiration: '2025-12-31T23:59:59Z' }), 'ERR_CREDENTIALS_EXPIRED', 1],
  ];
  it.each(CASES)('%s', async (_what, does, code, expected) => {
    const { endpoint, requests } = await script(does);
    const retry = { attempts: 3, attemptTimeoutMs: does === hang ? 150 : undefined };
    const error = await failure(createSession(...options({ endpoint, retry, transport: makeTransport() })));
    expect(error.code).toBe(code);
    expect(requests).toHaveLength(expected);
  });

  it('a refused connection', async () => {
    const endpoint = new URL(`http://127.0.0.1:${await freePort()}`);
    const waits: number[] = [];
    const sleep = (ms: number): Promise<void> => Promise.resolve(void waits.push(ms));
    const error = await failure(createSession(...options({ endpoint, sleep, transport: makeTransport() })));
    expect(error.code).toBe('ERR_CONNECT');
    expect(waits).toHaveLength(2);
  });

  it('passes on the service’s words, with request id and advice', async () => {
    const { endpoint } = await script(
      respond(403, { message: 'Untrusted signing certificate' }, errorType('AccessDeniedException:http://x')),
    );
    expect(await failure(createSession(...options({ endpoint, transport: makeTransport() })))).toMatchObject({
      message: expect.stringContaining('Untrusted signing certificate') as string,
      serviceCode: 'AccessDeniedException',
      status: 403,
      requestId: 'request-7',
      hint: expect.stringContaining('--intermediates') as string,
    });
  });

  it.each([
    ['request-7', 'request-7'],
    ['\u009b2J', undefined],
    ['r'.repeat(129), undefined],
  ])('an unusable answer with request id %j has it as %j', async (sent, kept) => {
    const { endpoint } = await script(respond(201, {}, `X-Amzn-RequestId: ${sent}\r\n`));
    const error = await failure(createSession(...options({ endpoint, transport: makeTransport() })));
    expect([error.code, error.requestId]).toEqual(['ERR_RESPONSE_INVALID', kept]);
  });

  it('recovers, and signs every attempt afresh with its own date', async () => {
    const { endpoint, requests } = await script(respond(500, ''), (socket) => socket.resetAndDestroy(), GOOD);
    expect(await createSession(...options({ endpoint, transport: makeTransport() }))).toMatchObject(SECRETS);
    const field = (name: string): unknown[] =>
      requests.map((request) => new RegExp(`\r\n${name}: (.*)\r\n`).exec(request)?.[1]);
    expect(field('x-amz-date')).toEqual(['20260101T000000Z', '20260101T010000Z', '20260101T020000Z']);
    expect(new Set(field('authorization')).size).toBe(3);
  });

  it('makes as many attempts as it is told', async () => {
    const { endpoint, requests } = await script(respond(500, ''));
    await failure(createSession(...options({ endpoint, retry: { attempts: 1 }, transport: makeTransport() })));
    expect(requests).toHaveLength(1);
  });

  it('stops when the signal fires', async () => {
    const abort = new AbortController();
    const { endpoint, requests } = await script(() => abort.abort());
    const { signal } = abort;
    const error = await failure(createSession(...options({ endpoint, signal, transport: makeTransport() })));
    expect(error.code).toBe('ERR_INTERRUPTED');
    expect(requests).toHaveLength(1);
  });
});

const still = (extra: Extra): ReturnType<typeof options> => options({ now: () => NOW, ...extra });
const refusal = (date: string | undefined): string =>
  respond(
    403,
    '{"message":"Invalid signature"}',
    `${date === undefined ? '' : `Date: ${date}\r\n`}${errorType('AccessDeniedException')}`,
  );
const dates = (requests: readonly string[]): unknown[] =>
  requests.map((request) => /\r\nx-amz-date: (.*)\r\n/.exec(request)?.[1]);

describe('createSession with a clock that is off', () => {
  it.each([
    ['an hour behind', 'Thu, 01 Jan 2026 01:00:00 GMT', '1 hour behind', '20260101T010000Z'],
    ['a day ahead', 'Wed, 31 Dec 2025 00:00:00 GMT', '1 day ahead', '20251231T000000Z'],
  ])('%s signs once more with the time of the service', async (_off, date, offset, signedAt) => {
    const { endpoint, requests } = await script(refusal(date), GOOD);
    let told = '';
    const log = createLog({ write: (line) => (told += line), format: 'plain' });
    const credentials = await createSession(...still({ endpoint, log }));
    expect(dates(requests)).toEqual(['20260101T000000Z', signedAt]);
    expect(told).toBe(
      `warning: this machine's clock is ${offset}, by the service's: its time is used for this run; set the clock\n`,
    );
    expect(credentials.expiration).toEqual(new Date(CREDENTIALS.expiration));
  });

  it('learns it for the run', async () => {
    const { endpoint, requests } = await script(refusal('Thu, 01 Jan 2026 01:00:00 GMT'), GOOD);
    const clock = createServiceClock(() => NOW);
    await createSession(...still({ endpoint, clock }));
    await createSession(...still({ endpoint, clock }));
    expect(dates(requests)).toEqual(['20260101T000000Z', '20260101T010000Z', '20260101T010000Z']);
    expect(clock.offset()).toBe(HOUR);
  });

  it('judges the expiry of credentials by the time of the service', async () => {
    const { endpoint } = await script(refusal('Wed, 31 Dec 2025 00:00:00 GMT'), GOOD);
    const ahead = Date.parse('2026-01-02T00:00:00Z'); // past the expiration, by a clock that is wrong
    await expect(createSession(...still({ endpoint, now: () => ahead }))).resolves.toMatchObject({
      accessKeyId: 'ASIAEXAMPLE',
    });
  });

  it.each([
    ['within a minute', 'Thu, 01 Jan 2026 00:01:00 GMT'],
    ['unknown', undefined],
  ])('does not ask again when the offset is %s', async (_which, date) => {
    const { endpoint, requests } = await script(refusal(date), GOOD);
    const error = await failure(createSession(...still({ endpoint })));
    expect(error.code).toBe('ERR_ACCESS_DENIED');
    expect(requests).toHaveLength(1);
    expect(/clock.*2026-01-01T00:00:00Z.*no Date/.test(error.hint ?? '')).toBe(date === undefined);
  });

  it('asks once more only, also when it is refused again', async () => {
    const { endpoint, requests } = await script(
      refusal('Thu, 01 Jan 2026 01:00:00 GMT'),
      refusal('Thu, 01 Jan 2026 09:00:00 GMT'),
    );
    expect((await failure(createSession(...still({ endpoint })))).code).toBe('ERR_ACCESS_DENIED');
    expect(requests).toHaveLength(2);
  });

  it('waits as Retry-After asks', async () => {
    const slept: number[] = [];
    const sleep = (ms: number): Promise<void> => Promise.resolve(void slept.push(ms));
    const { endpoint } = await script(respond(429, '{}', 'Retry-After: 5\r\n'), GOOD);
    await createSession(...still({ endpoint, sleep }));
    expect(slept).toEqual([5000]);
  });
});
