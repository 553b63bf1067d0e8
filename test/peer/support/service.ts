/** The service that both programs are let loose on: it keeps each request as it came, and answers as the line says. */
import { createHash } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { ServerIdentity } from '../../http/support/pki.ts';
import { verifyWithCertificate } from '../../support/verify.ts';

/** What the service does with a request. */
export type AnswerName = keyof typeof ANSWERS | 'emulator';

/** One request, as the service would read it: what is not here is the business of the two programs alone. */
export interface SeenRequest {
  readonly line: string;
  readonly host: string;
  readonly contentType: string;
  readonly body: string;
  /** Its fingerprint, as for each of the chain: of the text that was sent. */
  readonly certificate: string;
  readonly chain: readonly string[];
  readonly algorithm: string;
  /** Without the date. */
  readonly credential: string;
  /** Without those that the SDK adds for its own use. */
  readonly signedHeaders: string;
  /** Whether the certificate's key made the signature over the request as it came. */
  readonly signed: boolean;
}

export interface Service {
  readonly port: number;
  readonly requests: SeenRequest[];
  close(): Promise<void>;
}

/** Nobody gives these out: they are compared byte by byte. */
const SET = {
  accessKeyId: 'ASIAPEER000000000000',
  secretAccessKey: 'secret/of+the/comparison',
  sessionToken: 'token//of+the+comparison==',
};
const EXPIRATION = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, '');
const good = (changes: Readonly<Record<string, string>> = {}, role = 'Worker'): unknown => ({
  credentialSet: [
    {
      assumedRoleUser: { arn: `arn:aws:sts::123456789012:assumed-role/${role}/1`, assumedRoleId: 'AROAX:1' },
      credentials: { ...SET, expiration: EXPIRATION, ...changes },
      packedPolicySize: 2,
      roleArn: `arn:aws:iam::123456789012:role/${role}`,
      sourceIdentity: 'CN=ec-p256',
    },
  ],
  subjectArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:subject/1',
});

type Answer = (response: ServerResponse) => void;
const json =
  (status: number, body: unknown, errorType?: string): Answer =>
  (response) => {
    if (errorType !== undefined) response.setHeader('x-amzn-errortype', errorType);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

const ANSWERS = {
  good: json(201, good()),
  'of another name': json(201, good({}, 'W_+=,.@-')),
  '200': json(200, good()),
  '202': json(202, good()),
  '400': json(400, { message: 'bad' }, 'ValidationException'),
  '403': json(403, { message: 'Untrusted certificate' }, 'AccessDeniedException'),
  '404': json(404, { message: 'no such anchor' }, 'ResourceNotFoundException'),
  '429': json(429, { message: 'slow down' }, 'ThrottlingException'),
  '400 throttled': json(400, { message: 'slow down' }, 'ThrottlingException'),
  '500': json(500, { message: 'oops' }),
  '503': json(503, {}),
  '204': (response) => response.writeHead(204).end(),
  '307': (response) => response.writeHead(307, { location: 'http://127.0.0.1:1/sessions' }).end(),
  html: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>proxy</html>'),
  '501': json(501, {}),
  angles: json(201, good({ sessionToken: 'token<of>the&comparison' })),
  offset: json(201, good({ expiration: inTwoHoursEast(EXPIRATION) })),
  past: json(201, good({ expiration: '2020-01-01T00:00:00Z' })),
  soon: json(201, good({ expiration: 'soon' })),
  'no set': json(201, { credentialSet: [] }),
  dropped: (response) => response.destroy(),
} as const satisfies Record<string, Answer>;

/** The same moment as two hours east of Greenwich write it. */
function inTwoHoursEast(expiration: string): string {
  return new Date(Date.parse(expiration) + 2 * 3_600_000).toISOString().replace(/(?:\.\d+)?Z$/, '.123+02:00');
}

/** Headers that the SDK of AWS's helper adds and signs: the service has no use for them. */
const OF_THE_SDK = /^amz-sdk-/;

/**
 * Starts one on 127.0.0.1.
 *
 * @param emulator where requests are passed on to for the answer `emulator`
 */
export async function startService(answer: AnswerName, emulator: number, tls?: ServerIdentity): Promise<Service> {
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      requests.push(seen(request, body));
      if (answer !== 'emulator') return ANSWERS[answer](response);
      passOn(emulator, request, body, response);
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function passOn(port: number, { method, url, headers }: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const onward = httpRequest({ host: '127.0.0.1', port, method, path: url, headers });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  onward.end(body);
}

function seen(request: IncomingMessage, body: Buffer): SeenRequest {
  const header = (name: string): string => request.headersDistinct[name]?.join('\n') ?? '';
  const [, algorithm = '', credential = '', signedHeaders = '', signature = ''] =
    /^(\S+) Credential=([^,]*), ?SignedHeaders=([^,]*), ?Signature=([0-9a-f]*)$/.exec(header('authorization')) ?? [];
  const [serial = '', date = '', ...scope] = credential.split('/');
  return {
    line: `${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}`,
    host: header('host').replace(/^(localhost|127\.0\.0\.1):\d+$/, '$1:PORT'),
    contentType: header('content-type'),
    body: body.toString(),
    certificate: fingerprint(header('x-amz-x509')),
    chain: header('x-amz-x509-chain').split(',').map(fingerprint),
    algorithm,
    credential: [serial, /^\d{8}$/.test(date) ? 'DATE' : date, ...scope].join('/'),
    signedHeaders: signedHeaders
      .split(';')
      .filter((name) => !OF_THE_SDK.test(name))
      .join(';'),
    signed: isSigned(),
  };

  /** By the description of SigV4 and of Roles Anywhere's authentication, and none of the client's code. */
  function isSigned(): boolean {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://service');
    const query = [...searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .toSorted((a, b) => (a < b ? -1 : 1));
    const names = signedHeaders.split(';');
    const canonical = [
      request.method,
      pathname,
      query.join('&'),
      ...names.map((name) => `${name}:${header(name).trim()}`),
      '',
      signedHeaders,
      sha256(body),
    ].join('\n');
    const toSign = [algorithm, header('x-amz-date'), [date, ...scope].join('/'), sha256(canonical)].join('\n');
    const der = Buffer.from(header('x-amz-x509'), 'base64');
    return der.length > 0 && verifyWithCertificate(der, Buffer.from(toSign), Buffer.from(signature, 'hex'));
  }
}

function fingerprint(text: string): string {
  return text === '' ? 'none' : sha256(text).slice(0, 16);
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** RFC 3986, section 2.3: everything but the unreserved. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
