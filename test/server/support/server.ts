import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { SessionCredentials } from '../../../src/credentials/credentials.ts';
import { createProvider } from '../../../src/credentials/refresher.ts';
import { createLog } from '../../../src/platform/log.ts';
import { createAuthorization } from '../../../src/server/authorization.ts';
import { createMetrics } from '../../../src/server/metrics.ts';
import type { ServedRole } from '../../../src/server/served-role.ts';
import { startCredentialServer } from '../../../src/server/server.ts';
import type { CredentialServer, CredentialServerOptions } from '../../../src/server/server.ts';
import { ROLE_ARN } from '../../support/arns.ts';

export const TOKEN = 'the-token-of-the-test-suite-0123456789';

/** A set that is valid for an hour from now, or for as long as the test says. */
export function credentials(serial = 1, lifeMs = 3_600_000): SessionCredentials {
  return {
    accessKeyId: `ASIA${String(serial).padStart(16, '0')}`,
    secretAccessKey: `secret-${serial}`,
    sessionToken: `session-token-${serial}`,
    expiration: new Date(Date.now() + lifeMs),
    accountId: '123456789012',
  };
}

/** A service that counts its calls, and answers when the test lets it. */
export class HeldService {
  calls = 0;
  #answer: ((set: SessionCredentials) => void) | undefined;

  readonly vend = (): Promise<SessionCredentials> => {
    this.calls++;
    return new Promise((resolve) => (this.#answer = resolve));
  };

  answer(set: SessionCredentials): void {
    this.#answer?.(set);
  }
}

/** A role whose provider has a set in hand, unless `vend` says otherwise. */
export function servedRole(
  name = 'Demo',
  {
    vend = () => Promise.resolve(credentials()),
    token = TOKEN,
    imds = true,
  }: { vend?: () => Promise<SessionCredentials>; token?: string; imds?: boolean } = {},
): ServedRole & { provider: ReturnType<typeof createProvider> } {
  const authorization = createAuthorization(token);
  return {
    name,
    roleArn: ROLE_ARN,
    region: 'eu-central-1',
    provider: createProvider({ vend, keepAlive: false, refresh: { backoffBaseMs: 1, backoffCapMs: 1 } }),
    authorization: () => authorization,
    imds,
  };
}

export interface TestServer extends CredentialServer {
  readonly port: number;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly logged: string[];
}

export async function startServer(options: Partial<CredentialServerOptions> = {}): Promise<TestServer> {
  const metrics = createMetrics();
  const logged: string[] = [];
  const role = servedRole();
  if (options.roles === undefined) await role.provider.start();
  const server = await startCredentialServer({
    roles: [role],
    listen: [{ address: '127.0.0.1', port: 0 }],
    imds: true,
    metrics,
    log: createLog({ write: (line) => void logged.push(line) }),
    ...options,
  });
  return { ...server, port: server.addresses[0]?.port ?? 0, metrics, logged };
}

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends bytes as they are and gives everything that comes until the server closes; `Connection: close` is the sender's business. */
export function sendRaw(port: number, bytes: string | Buffer, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket: Socket = connect(port, host, () => socket.write(bytes));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('close', () => resolve(text));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // What was refused may be cut off while it is still being sent.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
  });
}

export function parseAnswer(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: Object.fromEntries(headers),
    body: rest.join('\r\n\r\n'),
  };
}

/** One request on a connection of its own, every header as the test gives it; Host and Connection unless it does. */
export async function ask(
  server: { readonly port: number },
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<RawAnswer> {
  const lines = Object.entries({ Host: `127.0.0.1:${server.port}`, Connection: 'close', ...headers });
  const head = [`${method} ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
  return parseAnswer(await sendRaw(server.port, `${head}\r\n\r\n${body}`));
}

export async function imdsToken(server: { readonly port: number }): Promise<string> {
  const { body } = await ask(server, 'PUT', '/latest/api/token', { 'X-aws-ec2-metadata-token-ttl-seconds': '60' });
  return body;
}
