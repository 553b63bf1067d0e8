import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { ask, imdsToken } from '../server/support/server.ts';
import type { RawAnswer } from '../server/support/server.ts';
import { PKI } from '../support/cli.ts';
import { flagsOf, runLines, startServe } from './serve-process.ts';
import { LIFE_MS, ShortSessions } from './short-sessions.ts';
import type { Answering } from './short-sessions.ts';

const ARN = 'arn:aws:rolesanywhere:eu-west-1:123456789012:';
const ID = '11111111-2222-3333-4444-555555555555';

const FLAGS = flagsOf({
  certificate: `${PKI}ec-p256.crt.pem`,
  'private-key': `${PKI}ec-p256.key.pem`,
  intermediates: `${PKI}intermediate.pem`,
  'trust-anchor-arn': `${ARN}trust-anchor/${ID}`,
  'profile-arn': `${ARN}profile/${ID}`,
  'role-arn': 'arn:aws:iam::123456789012:role/Workload',
  port: '0',
  'refresh-before': '2',
});

interface Seen {
  readonly sentAt: number;
  readonly receivedAt: number;
  readonly status: number;
  /** Of a set. */
  readonly keyId: string;
}

/** Asks both credential routes again and again, and looks at every answer by itself. */
class Clients {
  readonly seen: Seen[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;

  readonly #server: { readonly port: number };

  constructor(server: { readonly port: number }, token: string) {
    this.#server = server;
    const routes: readonly [string, () => Promise<Record<string, string>>][] = [
      ['/credentials', () => Promise.resolve({ Authorization: token })],
      [
        '/latest/meta-data/iam/security-credentials/Workload',
        async () => ({ 'X-aws-ec2-metadata-token': await imdsToken(server) }),
      ],
    ];
    this.#done = Promise.all(
      routes.map(async ([path, authorize]) => {
        const headers = await authorize();
        while (!this.#stop.signal.aborted) {
          this.seen.push(await askOnce(server, path, headers));
          await sleep(50);
        }
      }),
    );
    this.#done.catch(() => undefined); // stop() tells
  }

  /** The role list of IMDS. */
  async roleList(): Promise<RawAnswer> {
    const token = await imdsToken(this.#server);
    return ask(this.#server, 'GET', '/latest/meta-data/iam/security-credentials/', {
      'X-aws-ec2-metadata-token': token,
    });
  }

  /** Waits until an answer from now on is as wanted. */
  async until(what: string, wanted: (seen: Seen) => boolean): Promise<void> {
    const from = this.seen.length;
    // Not expect.poll, which cannot tell concurrent tests apart.
    await vi
      .waitUntil(() => this.seen.slice(from).some(wanted), { timeout: 25_000, interval: 50 })
      .catch((cause) => {
        throw new Error(`${what} did not come`, { cause });
      });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

async function askOnce(
  server: { readonly port: number },
  path: string,
  headers: Record<string, string>,
): Promise<Seen> {
  const sentAt = Date.now();
  const { status, body } = await ask(server, 'GET', path, headers);
  const receivedAt = Date.now();
  const members = JSON.parse(body) as Record<string, string>;
  if (status === 200) {
    const { AccessKeyId = '', SecretAccessKey, Token, Expiration = '' } = members;
    expect(AccessKeyId).toMatch(/^ASIA\d{16}$/);
    expect([SecretAccessKey, Token]).toEqual(['hidden-key', 'hidden-token']);
    expect(Date.parse(Expiration)).toBeGreaterThan(sentAt);
    return { sentAt, receivedAt, status, keyId: AccessKeyId };
  }
  expect(status).toBe(503);
  expect(members).toMatchObject({ Code: expect.any(String), code: expect.any(String), message: expect.any(String) });
  expect(Object.keys(members)).not.toContain('AccessKeyId');
  return { sentAt, receivedAt, status, keyId: '' };
}

/** Runs `serve` against such a service, with clients that ask all the time. */
async function withServe(
  flags: readonly string[],
  body: (service: ShortSessions, clients: Clients, log: () => string) => Promise<void>,
): Promise<void> {
  const service = new ShortSessions();
  await service.listen();
  const serve = await startServe([...FLAGS, ...flags, '--endpoint', service.url]);
  try {
    const env = runLines(serve.lines());
    const port = Number(new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port);
    const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
    const clients = new Clients({ port }, token);
    try {
      await body(service, clients, () => serve.log());
    } finally {
      await clients.stop();
    }
    serve.kill('SIGTERM');
    expect(await serve.exited).toBe(0);
  } finally {
    serve.kill('SIGKILL');
    await service.close();
  }
}

const answer =
  (status: number, body: string, headers: Record<string, string> = {}): Answering =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);

const RETRY_AFTER_MS = 2000;

const EXPIRED = {
  accessKeyId: 'ASIAEXPIRED',
  secretAccessKey: 'old-key',
  sessionToken: 'old-token',
  expiration: '2020-01-01T00:00:00Z',
};

describe.concurrent('with sessions of seconds', () => {
  it.each<[string, Answering, ...string[]]>([
    ['is away', 'away'],
    ['throttles', answer(429, '{"message":"slow down"}', { 'retry-after': String(RETRY_AFTER_MS / 1000) })],
    ['fails', answer(500, '{}')],
    ['hangs', () => undefined, '--timeout', '1'],
    ['answers garbage', answer(200, '<html>Welcome to the hotel</html>', { 'content-type': 'text/html' })],
    ['hands out empty sets', answer(201, '{"credentialSet":[{"credentials":{}}]}')],
    ['hands out expired sets', answer(201, JSON.stringify({ credentialSet: [{ credentials: EXPIRED }] }))],
    ['denies access', answer(403, '{"message":"no"}', { 'x-amzn-errortype': 'AccessDeniedException' })],
  ])(
    'while the service %s, the last set is given out as long as it is valid, then 503',
    async (what, bad, ...flags) => {
      await withServe(flags, async (service, clients, log) => {
        const first = new Set(service.ends.keys());
        await clients.until('a renewed set', ({ keyId }) => keyId !== '' && !first.has(keyId));
        await service.answer(bad);
        const arrived = service.arrivals.length;
        await clients.until('a 503', ({ status }) => status === 503);
        expect(await clients.roleList()).toMatchObject({ status: 200, body: 'Workload' });
        const [keyId, end] = [...service.ends].at(-1) ?? ['', 0];
        const during = clients.seen.filter(({ sentAt }) => sentAt > end - LIFE_MS);
        expect(during.some((seen) => seen.keyId === keyId)).toBe(true);
        // A second before its end it is no longer given out, and a few milliseconds are rounding.
        for (const { status } of during.filter(({ receivedAt }) => receivedAt < end - 1050)) expect(status).toBe(200);
        expect(log()).toContain('the last credentials have expired');

        const told = log().length;
        await service.answer('well');
        await clients.until('credentials again', ({ status }) => status === 200);
        // One may have been under way; each that begins now succeeds.
        expect(log().slice(told).split('no new credentials').length - 1).toBeLessThanOrEqual(1);
        if (what !== 'throttles') return;
        const gaps = service.arrivals
          .slice(arrived, -1)
          .map((at, index) => (service.arrivals[arrived + index + 1] ?? 0) - at);
        for (const gap of gaps) expect(gap).toBeGreaterThan(RETRY_AFTER_MS - 50);
      });
    },
  );

  it('a service that takes its time costs nobody anything', async () => {
    await withServe([], async (service, clients) => {
      await service.answer((response) => void setTimeout(() => service.vend(response), 700));
      for (const which of ['second', 'third']) {
        const known = new Set(clients.seen.map(({ keyId }) => keyId));
        await clients.until(`a ${which} set`, ({ keyId }) => !known.has(keyId));
      }
      expect(new Set(clients.seen.map(({ status }) => status))).toEqual(new Set([200]));
    });
  });
});
