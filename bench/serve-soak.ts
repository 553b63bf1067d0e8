/**
 * `serve` as users run it under a mixed load for as long as is asked: does
 * memory, or the number of open files, grow?
 *
 * Usage: node scripts/run-ts.mjs bench/serve-soak.ts [--minutes N] [--rate REQUESTS_PER_SECOND] [--cli FILE] [--json FILE]
 * SOAK_MINUTES says how long, too.
 *
 * Sessions of 900 seconds, so that there are some ten refreshes an hour;
 * SIGHUP every ten minutes. A minute's line: RSS and open files of `serve`,
 * and what was asked so far. SIGTERM ends it early, with the summary.
 */
import { readdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { rssMiB, spreadOf, writeJson } from './measure.ts';
import { end, startEmulatorProgram, startServe, worldFlags } from './serve-cli.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: process.env['SOAK_MINUTES'] ?? '60' },
    rate: { type: 'string', default: '60' },
    cli: { type: 'string', default: 'dist/cli.cjs' },
    json: { type: 'string' },
  },
});
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  agent?: Agent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: agent ?? false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on('error', reject).end();
  });
}

/** Bytes that are no request, or only part of one; resolves when the server has closed. */
function raw(port: number, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

const ROLE_LIST = '/latest/meta-data/iam/security-credentials/';
const TTL = 'X-aws-ec2-metadata-token-ttl-seconds';
const counts = { container: 0, imds: 0, refused: 0, idle: 0, wrong: 0 };

async function expectStatus(
  kind: 'container' | 'imds' | 'refused',
  status: number,
  asked: Promise<Answer>,
): Promise<Answer> {
  const answer = await asked;
  counts[kind]++;
  if (answer.status !== status) counts.wrong++;
  return answer;
}

/** Each step makes one request or a few; a status other than the documented one counts as wrong. */
function steps(port: number, token: string): (() => Promise<void>)[] {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let imdsToken = '';
  const container = (own?: Agent) => async () => {
    const { body } = await expectStatus(
      'container',
      200,
      ask(port, 'GET', '/credentials', { Authorization: token }, own),
    );
    const { Expiration = '' } = JSON.parse(body) as { Expiration?: string };
    if (!(Date.parse(Expiration) > Date.now())) counts.wrong++;
  };
  const imds = async (): Promise<void> => {
    const put = await expectStatus('imds', 200, ask(port, 'PUT', '/latest/api/token', { [TTL]: '21600' }));
    imdsToken = put.body;
    const headers = { 'X-aws-ec2-metadata-token': imdsToken };
    const list = await expectStatus('imds', 200, ask(port, 'GET', ROLE_LIST, headers));
    await expectStatus('imds', 200, ask(port, 'GET', `${ROLE_LIST}${list.body}`, headers));
  };
  const refused = (status: number, method: string, path: string, headers: Record<string, string>) => async () => {
    await expectStatus('refused', status, ask(port, method, path, headers, agent));
  };
  const idle = (bytes: string) => (): Promise<void> => {
    counts.idle++;
    void raw(port, bytes);
    return Promise.resolve();
  };
  return [
    ...Array.from({ length: 8 }, () => container(agent)),
    ...Array.from({ length: 4 }, () => container()),
    ...Array.from({ length: 4 }, () => imds),
    refused(401, 'GET', '/credentials', { Authorization: 'wrong' }),
    refused(401, 'GET', ROLE_LIST, {}),
    refused(404, 'GET', '/nothing', {}),
    refused(403, 'GET', '/credentials', { Authorization: token, Host: 'rebound.example' }),
    refused(403, 'PUT', '/latest/api/token', { [TTL]: '60', 'X-Forwarded-For': '192.0.2.1' }),
    idle(''),
    idle('GET /credentials HTTP/1.1\r\nHost: '),
    idle('no HTTP at all\r\n\r\n'),
  ];
}

const mean = (all: readonly number[]): number => all.reduce((sum, value) => sum + value, 0) / all.length;

const emulator = await startEmulatorProgram(values.cli);
const serve = await startServe(values.cli, { ...worldFlags(emulator), 'session-duration': '900' });
const { pid, port, token } = serve;

const samples: { rss: number; fds: number }[] = [];
const begin = performance.now();
const minutes = Number(values.minutes);
const all = steps(port, token);
console.log(`# node ${process.version}, serve has pid ${pid}, ${values.rate} steps a second for ${minutes} minutes`);
console.log('minute\tRSS MiB\topen files\tcontainer\tIMDS\trefused\tidle\twrong');
let made = 0;
let minute = 0;
while (!stopping.signal.aborted && minute < minutes && serve.child.exitCode === null) {
  const elapsed = (performance.now() - begin) / 1000;
  for (; made < elapsed * Number(values.rate); made++) {
    const step = all[Math.floor(Math.random() * all.length)];
    step?.().catch(() => counts.wrong++);
  }
  if (elapsed / 60 >= minute + 1) {
    minute++;
    const sample = { rss: rssMiB(pid), fds: readdirSync(`/proc/${pid}/fd`).length };
    samples.push(sample);
    console.log(
      [
        minute,
        sample.rss.toFixed(1),
        sample.fds,
        counts.container,
        counts.imds,
        counts.refused,
        counts.idle,
        counts.wrong,
      ].join('\t'),
    );
    if (minute % 10 === 0) process.kill(pid, 'SIGHUP');
  }
  await sleep(50, undefined, { signal: stopping.signal }).catch(() => undefined);
}
// The first part fills caches and lets V8 find its sizes; what comes after must stay.
const half = Math.floor(samples.length / 2);
const middle = samples.slice(half - Math.ceil(half / 2), half);
const last = samples.slice(-Math.ceil(half / 2));
console.log(
  `# RSS: second quarter ${mean(middle.map(({ rss }) => rss)).toFixed(1)} MiB, last quarter ${mean(last.map(({ rss }) => rss)).toFixed(1)} MiB; open files ${mean(middle.map(({ fds }) => fds)).toFixed(0)} and ${mean(last.map(({ fds }) => fds)).toFixed(0)}; wrong answers ${counts.wrong}`,
);
const spreads = (part: typeof samples): object => ({
  rssMiB: spreadOf(part.map(({ rss }) => rss)),
  files: spreadOf(part.map(({ fds }) => fds)),
});
writeJson(values.json, { minutes, counts, secondQuarter: spreads(middle), lastQuarter: spreads(last), samples });
end(serve);
end(emulator);
process.exit(counts.wrong === 0 ? 0 : 1);
