/**
 * 1,000 clients ask `serve` at once, while nothing valid is in hand and while
 * the set in hand is being renewed: how many CreateSessions, and how long the
 * slowest waits.
 *
 * Usage: node scripts/run-ts.mjs bench/serve-stampede.ts [--rounds N] [--cli CLI] [--json FILE]
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { show, spreadOf, writeJson } from './measure.ts';
import { end, startServe } from './serve-cli.ts';

const CLIENTS = 1000;
/** How long the service takes to answer. */
const REFRESH_MS = 500;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    cli: { type: 'string', default: 'dist/cli.cjs' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const { cli } = values;

let asked = 0;
let lifeMs = 0;
let answering = (): void => undefined;

function vend(response: ServerResponse): void {
  const credentials = {
    accessKeyId: `ASIA${String(asked).padStart(16, '0')}`,
    secretAccessKey: 'x'.repeat(40),
    sessionToken: 'y'.repeat(900),
    expiration: new Date(Date.now() + lifeMs).toISOString(),
  };
  response.writeHead(201, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ credentialSet: [{ credentials }], subjectArn: 'x' }));
  answering();
}

const service = createServer((request, response) => {
  request.resume();
  asked++;
  setTimeout(vend, asked === 1 ? 0 : REFRESH_MS, response);
});
await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
const endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
const ARN = 'arn:aws:rolesanywhere:eu-west-1:123456789012:';
const ID = '11111111-2222-3333-4444-555555555555';

/** Resolves with how long the answer took after the request, and with its status. */
function client(port: number, token: string): Promise<{ ms: number; status: string }> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    let text = '';
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(
        `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${token}\r\nConnection: close\r\n\r\n`,
      ),
    );
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve({ ms: performance.now() - begin, status: text.slice(9, 12) }));
  });
}

interface Outcome {
  readonly created: number;
  /** What it waited beyond the refresh, the work of these clients included. */
  readonly slowestMs: number;
  readonly refused: number;
}

/** @param renewing whether a valid set is in hand meanwhile */
async function round(renewing: boolean): Promise<Outcome> {
  asked = 0;
  // Not renewed: what is given out until a second before its end, and asked for anew by the first client after it.
  lifeMs = 4000;
  const serve = await startServe(cli, {
    'trust-anchor-arn': `${ARN}trust-anchor/${ID}`,
    'profile-arn': `${ARN}profile/${ID}`,
    'role-arn': 'arn:aws:iam::123456789012:role/Bench',
    endpoint,
    'refresh-before': renewing ? '2' : '1',
  });
  lifeMs = 3_600_000;
  await once(service, 'request');
  const before = performance.now();
  let refreshedMs = Number.NaN;
  answering = () => (refreshedMs = performance.now() - before);
  const answers = await Promise.all(Array.from({ length: CLIENTS }, () => client(serve.port, serve.token)));
  // Another CreateSession would come by then.
  await sleep(REFRESH_MS);
  const outcome = {
    created: asked - 1,
    slowestMs: Math.max(...answers.map(({ ms }) => ms)) - refreshedMs,
    refused: answers.filter(({ status }) => status !== '200').length,
  };
  end(serve);
  return outcome;
}

const found: Record<string, unknown> = {};
for (const renewing of [false, true]) {
  const outcomes: Outcome[] = [];
  for (let made = 0; made < rounds; made++) outcomes.push(await round(renewing));
  const slowest = spreadOf(outcomes.map(({ slowestMs }) => slowestMs));
  const worst = Math.max(...outcomes.map(({ slowestMs }) => slowestMs));
  const title = renewing ? 'while a valid set is renewed' : 'with nothing valid in hand';
  console.log(
    `${title}: CreateSessions ${outcomes.map(({ created }) => created).join(' ')}, refused ${outcomes.map(({ refused }) => refused).join(' ')}, the slowest of ${CLIENTS} waited ${show(slowest, 0)} ms longer than the refresh (${rounds} rounds; worst ${worst.toFixed(0)}; goal <= 1000)`,
  );
  found[renewing ? 'renewing' : 'empty'] = { outcomes, slowestMs: slowest };
}
writeJson(values.json, { clients: CLIENTS, rounds, ...found });
service.close();
process.exit(0);
