/** Requests to every server of this program, byte for byte as they come over a socket. */
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createActivity } from '../../../src/console/activity.ts';
import { createConsole } from '../../../src/console/console.ts';
import { browserNames } from '../../../src/console/guard.ts';
import type { SessionCredentials } from '../../../src/credentials/credentials.ts';
import { createProvider } from '../../../src/credentials/refresher.ts';
import { startEmulator } from '../../../src/emulator/emulator.ts';
import { createLog } from '../../../src/platform/log.ts';
import { createAuthorization } from '../../../src/server/authorization.ts';
import { createMetrics } from '../../../src/server/metrics.ts';
import { startCredentialServer } from '../../../src/server/server.ts';
import { startStatusServer } from '../../../src/server/status-server.ts';
import { type OpenTarget, check, files } from '../harness/target.ts';

const TOKEN = 'the-token-of-the-fuzzer-0123456789abcdef';
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const ROLE = 'arn:aws:iam::123456789012:role/Demo';
const ROLES_PATH = '/latest/meta-data/iam/security-credentials/';
const WORDS = [
  '\r\n\r\n',
  '\r\n',
  'Host: 127.0.0.1\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 5\r\n',
  'Expect: 100-continue\r\n',
  'Connection: Upgrade\r\nUpgrade: h2c\r\n',
  'Origin: http://127.0.0.1\r\n',
  'X-Forwarded-For: 1.2.3.4\r\n',
  'HTTP/1.0',
  'HTTP/1.1',
  '%2e%2e/',
  '//',
  'GET ',
  'PUT ',
  'HEAD ',
  'OPTIONS * ',
];

/** One that is good for an hour, whenever it is asked for. */
const credentials = (): SessionCredentials => ({
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: SECRET,
  sessionToken: 'session-token',
  expiration: new Date(Date.now() + 3_600_000),
  accountId: '123456789012',
});

let connections = 0;

/** Sends bytes, then no more, and gives what comes until the server closes, or has said nothing for a while. */
function exchange(port: number, bytes: Uint8Array, silenceMs = 100): Promise<string> {
  // Each connection from another of the loopback's addresses, or the ports of one would run out.
  const from = process.platform === 'linux' ? { localAddress: `127.9.${(connections++ >> 7) & 255}.1` } : {};
  return new Promise((done) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port, ...from }, () => socket.end(bytes));
    socket.setEncoding('latin1');
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined); // a server may hang up on what it refuses
    socket.on('close', () => done(text));
  });
}

function request(line: string, headers: readonly string[] = [], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  return [`${line} HTTP/1.1`, 'Host: 127.0.0.1:PORT', ...headers, ...length, 'Connection: close', '', body].join(
    '\r\n',
  );
}

/** Puts what only a run knows in the place of its name. */
function filled(input: Uint8Array, values: Readonly<Record<string, string | number>>): Buffer {
  let text = Buffer.from(input).toString('latin1');
  for (const [name, value] of Object.entries(values)) text = text.replaceAll(name, String(value));
  return Buffer.from(text, 'latin1');
}

function checkAnswer(answer: string): void {
  check(answer === '' || /^HTTP\/1\.1 [1-5]\d\d /.test(answer), `an answer is one of HTTP: ${answer.slice(0, 40)}`);
  check(!answer.startsWith('HTTP/1.1 500 '), `nothing fails within: ${answer.slice(0, 400)}`);
}

const serve: OpenTarget = async () => {
  const metrics = createMetrics();
  let logged = '';
  const log = createLog({ write: (line) => void (logged += line) });
  const authorization = createAuthorization(TOKEN);
  const role = (name: string, imds: boolean) => ({
    name,
    roleArn: ROLE,
    region: 'eu-central-1',
    provider: createProvider({ vend: () => Promise.resolve(credentials()), keepAlive: false }),
    authorization: () => authorization,
    imds,
  });
  const roles = [role('Demo', true), role('Private', false)];
  for (const { provider } of roles) await provider.start();
  const server = await startCredentialServer({
    roles,
    listen: [{ address: '127.0.0.1', port: 0 }],
    imds: true,
    metrics,
    log,
  });
  const port = server.addresses[0]?.port ?? 0;
  const ask = (text: string): Promise<string> => exchange(port, filled(Buffer.from(text), { PORT: port }), 10_000);
  const ttl = 'X-aws-ec2-metadata-token-ttl-seconds: 21600';
  const session = (await ask(request('PUT /latest/api/token', [ttl]))).split('\r\n\r\n')[1] ?? '';
  check(/^[\w-]{56}$/.test(session), 'a token is given');
  const withSession = ['X-aws-ec2-metadata-token: IMDSTOKEN'];
  return {
    seeds: [
      request('GET /credentials', ['Authorization: CONTAINERTOKEN']),
      request('GET /credentials/Private', ['Authorization: CONTAINERTOKEN', 'Accept: application/json']),
      request('GET /credentials', ['Authorization: wrong']),
      request('PUT /latest/api/token', [ttl]),
      request(`GET ${ROLES_PATH}`, withSession),
      request(`GET ${ROLES_PATH}Demo`, withSession),
      request('GET /latest/dynamic/instance-identity/document', withSession),
      request('GET /latest/meta-data/placement/region', withSession),
      request('HEAD /latest/meta-data/iam/info', withSession),
      request('POST /latest/api/token', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'),
      request('GET http://127.0.0.1:PORT/credentials') + request('GET /console'),
      request('GET /healthz'),
    ],
    forms: ['text'],
    words: [...WORDS, 'CONTAINERTOKEN', 'IMDSTOKEN', 'Demo', 'Private', ROLES_PATH],
    maxLength: 20_000,
    async run(input) {
      logged = '';
      const answer = await exchange(port, filled(input, { PORT: port, CONTAINERTOKEN: TOKEN, IMDSTOKEN: session }));
      checkAnswer(answer);
      const knows = /CONTAINERTOKEN|IMDSTOKEN/.test(Buffer.from(input).toString('latin1'));
      check(knows || !answer.includes(SECRET.slice(0, 12)), `nobody gets credentials without a token: ${answer}`);
      for (const secret of [TOKEN, session, SECRET])
        check(!logged.includes(secret), `the log tells no secret: ${logged}`);
      check(!answer.includes(TOKEN), 'an answer does not repeat the token');
    },
  };
};

const status: OpenTarget = async () => {
  const metrics = createMetrics();
  const provider = createProvider({ vend: () => Promise.resolve(credentials()), keepAlive: false });
  await provider.start();
  const server = await startStatusServer({
    listen: { address: '127.0.0.1', port: 0 },
    roles: [{ name: 'Demo', status: () => provider.status(), certificateValidity: () => undefined }] as never,
    metrics,
    connections: () => 1,
  });
  const { port } = server.address;
  return {
    seeds: [
      request('GET /metrics'),
      request('GET /readyz?x'),
      request('HEAD /healthz'),
      request('POST /metrics', [], 'x'),
    ],
    forms: ['text'],
    words: [...WORDS, '/metrics', '/readyz', '/healthz'],
    maxLength: 20_000,
    async run(input) {
      const answer = await exchange(port, filled(input, { PORT: port }));
      checkAnswer(answer);
      check(!answer.includes(SECRET.slice(0, 12)), 'a status has no credentials in it');
    },
  };
};

const UNLOCKED =
  'Cookie: COOKIE\r\nOrigin: http://127.0.0.1:PORT\r\nX-CSRF-Token: CSRF\r\nContent-Type: application/json';

const consoleTarget: OpenTarget = async () => {
  let now = Date.now();
  let logged = '';
  const page = { type: 'text/html; charset=utf-8', body: Buffer.from('<!doctype html>') };
  const provider = createProvider({ vend: () => Promise.resolve(credentials()), keepAlive: false });
  await provider.start();
  const answer = {
    status: 201,
    headers: {},
    body: JSON.stringify({
      credentialSet: [
        {
          assumedRoleUser: { arn: 'arn:aws:sts::123456789012:assumed-role/Demo/s' },
          credentials: { ...credentials(), expiration: '2999-01-01T00:00:00Z' },
        },
      ],
    }),
  };
  const anchor = 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/00000000-0000-0000-0000-000000000000';
  const made = createConsole({
    files: { 'index.html': page, 'app.js': page, 'app.css': page, 'icon.svg': page },
    passphrase: 'correct horse battery staple',
    activity: createActivity(() => now),
    overview: () => ({ version: '1', identity: {}, roles: [], auditLog: false }) as never,
    health: () => ({ certificateEnd: 'x', connections: 1, roles: [] }),
    signIn: () => Promise.resolve('https://example.com/login'),
    log: createLog({ write: (line) => void (logged += line) }),
    now: () => now,
    uidOf: () => Promise.resolve(1000),
    roles: [
      {
        name: 'Demo',
        session: {
          trustAnchorArn: anchor,
          profileArn: anchor.replace('trust-anchor', 'profile'),
          roleArn: ROLE,
          region: 'us-east-1',
        },
        provider,
      },
    ],
    useIdentity: (task) =>
      task({
        certificate: new Uint8Array(8),
        serialNumber: '1',
        chain: [],
        signer: { keyType: 'EC', sign: () => Promise.resolve(new Uint8Array(70)) },
        close: () => Promise.resolve(),
      } as never),
    connection: () => ({ transport: () => Promise.resolve(answer), retry: { attempts: 1 } }),
    flags: [],
  });
  let names = browserNames(['127.0.0.1'], 0, 'http');
  const server = createServer((asked, response) => made.handle(names, asked, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  names = browserNames(['127.0.0.1'], port, 'http');

  let session = { COOKIE: '', CSRF: '' };
  const unlock = async (): Promise<void> => {
    // Wrong attempts make the next one wait, which nobody here does.
    now += 3_600_000;
    const body = JSON.stringify({ code: made.newCode() });
    const headers = ['Origin: http://127.0.0.1:PORT', 'Content-Type: application/json'];
    const text = await exchange(
      port,
      filled(Buffer.from(request('POST /console/api/unlock', headers, body)), { PORT: port }),
      10_000,
    );
    const [, cookie = ''] = /^Set-Cookie: ([^;]+)/im.exec(text) ?? [];
    const [, csrf = ''] = /"csrf":"([^"]+)"/.exec(text) ?? [];
    check(cookie !== '' && csrf !== '', `a code unlocks: ${text}`);
    session = { COOKIE: cookie, CSRF: csrf };
  };
  await unlock();
  const further = {
    roleArn: ROLE,
    roleSessionName: 's',
    externalId: 'e',
    policy: '{"Statement":[]}',
    tags: [['a', 'b']],
  };
  const post = (path: string, body: object): string =>
    request(`POST /console/api/${path}`, [UNLOCKED], JSON.stringify(body));
  let runs = 0;
  return {
    seeds: [
      request('GET /console'),
      request('GET /console/app.js', ['Sec-Fetch-Site: same-origin']),
      post('unlock', { code: 'x' }),
      post('unlock', { passphrase: 'wrong' }),
      request('GET /console/api/session', [UNLOCKED]),
      request('GET /console/api/overview', [UNLOCKED]),
      request('GET /console/api/activity.jsonl', [UNLOCKED]),
      request('GET /console/api/events', [UNLOCKED]),
      request('GET /console/api/activity.csv', [UNLOCKED]),
      post('credentials', { role: 'Demo', durationSeconds: 900 }),
      post('credentials', { role: 'Demo', durationSeconds: 900, further }),
      post('sign-in', { id: 'x' }),
      post('lock', {}),
    ],
    forms: ['text'],
    words: [...WORDS, UNLOCKED, 'COOKIE', 'CSRF', '"role":"Demo"', '"durationSeconds":900'],
    maxLength: 20_000,
    async run(input) {
      if (runs++ % 200 === 0) await unlock();
      logged = '';
      const text = await exchange(port, filled(input, { PORT: port, ...session }));
      checkAnswer(text);
      const knows = Buffer.from(input).toString('latin1').includes('COOKIE');
      check(knows || !text.includes(SECRET.slice(0, 12)), `nobody gets credentials without a session: ${text}`);
      for (const secret of [SECRET, session.COOKIE, session.CSRF])
        check(!logged.includes(secret), `the log tells no secret: ${logged}`);
    },
  };
};

/** The emulator, which answers whatever comes: a defect of its own is an answer of 500. */
const emulator: OpenTarget = async () => {
  const [root = Buffer.of()] = files('certs-dev/out', /^root\.pem$/);
  const started = await startEmulator({ trustAnchors: [{ certificates: root.toString() }] });
  const { port } = started;
  const signed =
    'Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261129/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=00';
  const x509 =
    'Authorization: AWS4-X509-ECDSA-SHA256 Credential=1/20261129/us-east-1/rolesanywhere/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-x509, Signature=00';
  const date = 'X-Amz-Date: 20261129T000000Z';
  const [leaf = Buffer.of()] = files('certs-dev/out', /^ec-p256\.crt\.der$/);
  const certificate = `X-Amz-X509: ${leaf.toString('base64')}`;
  return {
    seeds: [
      request('POST /', [signed, date], 'Action=GetCallerIdentity&Version=2011-06-15'),
      request(
        'POST /',
        [],
        `Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=${ROLE}&RoleSessionName=s&WebIdentityToken=eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln`,
      ),
      request(
        'POST /sessions?profileArn=a&roleArn=b&trustAnchorArn=c',
        [x509, date, certificate],
        '{"durationSeconds":900}',
      ),
      request('GET /federation?Action=getSigninToken&Session=%7B%22sessionId%22%3A%22a%22%7D'),
      request('GET /bucket/key?X-Amz-Credential=a%2F20261129%2Fus-east-1%2Fs3%2Faws4_request', [signed]),
      request('GET /trustanchors?pageSize=1', [signed, date]),
      request('POST /trustanchors', [signed, date], '{"name":"x","source":{"sourceType":"CERTIFICATE_BUNDLE"}}'),
    ],
    forms: ['text', 'pem'],
    words: [...WORDS, signed, x509, date, certificate, 'Action=', 'AssumeRole'],
    maxLength: 20_000,
    run: async (input) => checkAnswer(await exchange(port, filled(input, { PORT: port }))),
  };
};

export const SERVERS: Readonly<Record<string, OpenTarget>> = {
  serve,
  'status-server': status,
  console: consoleTarget,
  emulator,
};
