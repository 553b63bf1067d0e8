/** A client that asks for a role's credentials now and then, by one endpoint or the other, and some that should get none. */
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Judge } from './judge.ts';
import type { Random } from './random.ts';
import type { SoakRole } from './world.ts';

/** What came of all requests. */
export interface Counts {
  given: number;
  /** 503, and nothing else. */
  unavailable: number;
  /** Requests without right, which were refused. */
  refused: number;
  /** Connections that were opened for nothing. */
  idle: number;
}

export interface ClientOptions {
  readonly role: SoakRole;
  /** Roles whose tokens are not good for this one. */
  readonly others: readonly SoakRole[];
  readonly random: Random;
  readonly judge: Judge;
  readonly counts: Counts;
  /** Between two requests, on average. */
  readonly pauseMs: number;
  readonly signal: AbortSignal;
  readonly wrong: (what: string) => void;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Far longer than a server lets a client wait, on a machine that is loaded. */
const PATIENCE_MS = 60_000;
/** A set with less left than this may be withheld: an answer can be that late. */
const MARGIN_MS = 65_000;
const TTL = 'X-aws-ec2-metadata-token-ttl-seconds';
const IMDS_ROLES = '/latest/meta-data/iam/security-credentials/';

export async function runClient(options: ClientOptions): Promise<void> {
  const { role, random, signal, wrong, pauseMs } = options;
  const agent = random.chance(0.5) ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
  const byImds = !role.ownToken && random.chance(0.5);
  let imdsToken: string | undefined;
  const send = (method: string, path: string, headers: Record<string, string>): Promise<Answer> =>
    ask(role.port, method, path, headers, agent);

  const credentials = async (): Promise<Answer> => {
    if (!byImds) return await send('GET', `/role/${role.name}`, { Authorization: role.token() });
    for (let tries = 0; ; tries++) {
      if (imdsToken === undefined) {
        const { status, body } = await send('PUT', '/latest/api/token', { [TTL]: '21600' });
        if (status !== 200) return { status, body };
        imdsToken = body;
      }
      const answer = await send('GET', `${IMDS_ROLES}${role.name}`, { 'X-aws-ec2-metadata-token': imdsToken });
      // As SDKs do: a token may have ended.
      if (answer.status !== 401 || tries > 0) return answer;
      imdsToken = undefined;
    }
  };

  try {
    while (!signal.aborted) {
      await sleep(random.between(0, 2 * pauseMs), undefined, { signal });
      try {
        if (random.chance(0.04)) {
          const trespass = await trespassing(options, send);
          if (trespass !== undefined) wrong(`${role.name}: ${trespass}`);
          continue;
        }
        if (random.chance(0.01)) {
          options.counts.idle += 1;
          idle(role.port, random.pick(['', 'GET /role/', 'no HTTP at all\r\n\r\n']));
        }
        const told = await look(await credentials(), options);
        if (told !== undefined) wrong(`${role.name} by ${byImds ? 'IMDS' : 'the container endpoint'}: ${told}`);
      } catch (error) {
        if (!signal.aborted) wrong(`${role.name}: ${String(error)}`);
      }
    }
  } catch {
    // The end of the soak.
  } finally {
    agent?.destroy();
  }
}

async function look({ status, body }: Answer, { role, judge, counts }: ClientOptions): Promise<string | undefined> {
  if (status === 200) {
    counts.given += 1;
    return await judge.judge(body, role.arn);
  }
  if (status !== 503) return `status ${status}: ${body.slice(0, 300)}`;
  counts.unavailable += 1;
  if (/AccessKeyId|SecretAccessKey|ASIA/.test(body)) return `503 with credentials: ${body.slice(0, 300)}`;
  const left = judge.endOf(role.arn) - Date.now();
  // A clock that is stepped ahead takes sets away before their time.
  if (left > MARGIN_MS && role.server.setClock === undefined)
    return `503, though the set that was given before is good for ${Math.round(left / 1000)} s more: ${body.slice(0, 300)}`;
  return undefined;
}

/** Asks for what it has no right to. */
async function trespassing(
  { role, others, random, counts }: ClientOptions,
  send: (method: string, path: string, headers: Record<string, string>) => Promise<Answer>,
): Promise<string | undefined> {
  const path = `/role/${role.name}`;
  const other = others[random.below(others.length)];
  const [what, wanted, asked] = await random.pick<() => Promise<[string, number, Answer]>>([
    async () => ['no token', 401, await send('GET', path, {})],
    async () => ['a wrong token', 401, await send('GET', path, { Authorization: 'x'.repeat(43) })],
    async () => ["another role's token", 401, await send('GET', path, { Authorization: other?.token() ?? 'none' })],
    async () => ['no session', role.ownToken ? 404 : 401, await send('GET', IMDS_ROLES + role.name, {})],
    async () => ['a rebound name', 403, await send('GET', path, { Authorization: role.token(), Host: 'x.example' })],
    async () => [
      'a proxy',
      403,
      await send('PUT', '/latest/api/token', { [TTL]: '60', 'X-Forwarded-For': '192.0.2.1' }),
    ],
  ])();
  counts.refused += 1;
  return asked.status === wanted ? undefined : `${what}: status ${asked.status} in place of ${wanted}`;
}

async function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  agent: Agent | undefined,
): Promise<Answer> {
  try {
    return await askOnce(port, method, path, headers, agent);
  } catch (error) {
    // A connection that the server closed as idle at that very moment: HTTP clients send again on a new one.
    if (!(error instanceof ClosedWhileIdle)) throw error;
    return await askOnce(port, method, path, headers, undefined);
  }
}

class ClosedWhileIdle extends Error {}

function askOnce(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  agent: Agent | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const sent = request(
      { host: '127.0.0.1', port, method, path, headers, agent: agent ?? false, signal },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body })).on('error', reject);
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => {
      reject(sent.reusedSocket && error.code === 'ECONNRESET' ? new ClosedWhileIdle() : error);
    });
    sent.end();
  });
}

/** Bytes that are no request, or only part of one, until the server closes. */
function idle(port: number, bytes: string): void {
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.on('error', () => undefined).unref();
  socket.resume();
}
