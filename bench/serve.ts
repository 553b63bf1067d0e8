/**
 * The credentials server against a bare node:http server that answers the same
 * bytes, each in a process of its own: throughput and latency of the container
 * route, memory when idle, and memory with 10,000 idle connections. The rounds
 * are short, so that a machine whose speed drifts is as fast for both of a
 * pair, and with `taskset` the servers share one core and the load has the other.
 *
 * Usage: node scripts/run-ts.mjs bench/serve.ts [SECONDS_PER_ROUND] [ROUNDS]
 */

import { fork, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../src/platform/log.ts';
import { load } from './closed-loop.ts';

const TOKEN = 'bench-token-of-forty-three-characters-long-';

const credentials = {
  accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
  secretAccessKey: 'x'.repeat(40),
  sessionToken: 'y'.repeat(900),
  expiration: new Date(Date.now() + 3_600_000),
  accountId: '123456789012',
};
const ROLE_ARN = 'arn:aws:iam::123456789012:role/Bench';

/** The measured processes: each says its port to the parent. */
async function runChild(kind: string): Promise<void> {
  let port: number;
  if (kind === 'bare') {
    // The quickest way that node:http has: one string, one write.
    const body = JSON.stringify({
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      Token: credentials.sessionToken,
      Expiration: `${credentials.expiration.toISOString().slice(0, 19)}Z`,
      AccountId: credentials.accountId,
      RoleArn: ROLE_ARN,
    });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length, 'Cache-Control': 'no-store' };
    const server = createServer({ keepAliveTimeout: 30_000 }, (_request, response) => {
      response.writeHead(200, headers);
      response.end(body, 'latin1');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  } else {
    const { startCredentialServer } = await import('../src/server/server.ts');
    const { createMetrics } = await import('../src/server/metrics.ts');
    const { createAuthorization } = await import('../src/server/authorization.ts');
    const { createProvider } = await import('../src/credentials/refresher.ts');
    const provider = createProvider({ vend: () => Promise.resolve(credentials) });
    await provider.start();
    const authorization = createAuthorization(TOKEN);
    const server = await startCredentialServer({
      roles: [
        {
          name: 'Bench',
          roleArn: ROLE_ARN,
          region: 'us-east-1',
          provider,
          authorization: () => authorization,
          imds: true,
        },
      ],
      listen: [{ address: '127.0.0.1', port: 0 }],
      imds: true,
      metrics: createMetrics(),
      log: silentLog,
    });
    port = server.addresses[0]?.port ?? 0;
  }
  process.send?.(port);
}

/** Keeps a process on one core, where the system has `taskset` (util-linux). */
function pin(pid: number, core: number): boolean {
  return spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)]).status === 0;
}

interface Child {
  process: ChildProcess;
  port: number;
}

async function startChild(kind: string): Promise<Child> {
  // The bundle that run-ts.mjs made of this file: the bundler itself must not be in the measured process.
  const child = fork(fileURLToPath(import.meta.url), { env: { PATH: process.env['PATH'], BENCH_CHILD: kind } });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', (code) => reject(new Error(`child ${kind} exited with ${code}`)));
  });
  return { process: child, port };
}

function rssMiB(child: Child): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.process.pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1024;
}

/** User and system time of a process so far, in milliseconds (proc(5): clock ticks of 10 ms). */
function cpuMs(child: Child): number {
  const fields = readFileSync(`/proc/${child.process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function idleConnections(child: Child, count: number): Promise<{ rss: number; open: number; answered: boolean }> {
  const sockets: Socket[] = [];
  let open = 0;
  for (let i = 0; i < count; i += 200) {
    await Promise.all(
      Array.from(
        { length: Math.min(200, count - i) },
        () =>
          new Promise<void>((resolve) => {
            const socket = connect(child.port, '127.0.0.1');
            socket.on('connect', () => {
              open++;
              resolve();
            });
            socket.on('error', () => resolve());
            socket.on('close', () => open--);
            sockets.push(socket);
          }),
      ),
    );
  }
  await sleep(300);
  const rss = rssMiB(child);
  const stillOpen = open;
  const { perSecond } = await load(child.port, TOKEN, 0.5);
  for (const socket of sockets) socket.destroy();
  return { rss, open: stillOpen, answered: perSecond > 0 };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

interface Round {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuUs: number;
}

async function main(): Promise<void> {
  const seconds = Number(process.argv[2] ?? 0.3);
  const rounds = Number(process.argv[3] ?? 100);
  const bare = await startChild('bare');
  const ours = await startChild('ours');
  const pinned = [pin(process.pid, 0), pin(bare.process.pid ?? 0, 1), pin(ours.process.pid ?? 0, 1)].every(Boolean);
  try {
    await sleep(2000);
    const idle = { bare: rssMiB(bare), ours: rssMiB(ours) };
    console.log(
      `idle RSS: bare ${idle.bare.toFixed(1)} MiB, ours ${idle.ours.toFixed(1)} MiB, ratio ${(idle.ours / idle.bare).toFixed(3)} (goal <= 1.15)`,
    );
    await load(bare.port, TOKEN, 1);
    await load(ours.port, TOKEN, 1);
    const all = new Map([bare, ours].map((child): [Child, Round[]] => [child, []]));
    for (let round = 0; round < rounds; round++) {
      for (const child of round % 2 === 0 ? [bare, ours] : [ours, bare]) {
        const before = cpuMs(child);
        const result = await load(child.port, TOKEN, seconds);
        const cpuUs = ((cpuMs(child) - before) * 1000) / (result.perSecond * seconds);
        all.get(child)?.push({ ...result, cpuUs });
      }
    }
    const of = (child: Child, field: keyof Round): number[] => all.get(child)?.map((round) => round[field]) ?? [];
    const ratios = (field: keyof Round): number[] =>
      of(ours, field).map((value, round) => value / (of(bare, field)[round] ?? Number.NaN));
    const show = (child: Child): string =>
      `${median(of(child, 'perSecond')).toFixed(0)}/s, p50 ${median(of(child, 'p50')).toFixed(2)} ms, p99 ${median(of(child, 'p99')).toFixed(2)} ms, ${median(of(child, 'cpuUs')).toFixed(1)} us of CPU a request`;
    console.log(
      `medians of ${rounds} rounds${pinned ? ', pinned' : ', not pinned'}: bare ${show(bare)}\n                       ours ${show(ours)}`,
    );
    // Of two neighbouring rounds each: what else the machine does falls on both.
    console.log(`throughput ${median(ratios('perSecond')).toFixed(3)} of bare (goal >= 0.9)`);
    console.log(`p99 ${median(ratios('p99')).toFixed(3)} of bare (goal <= 1.2)`);
    console.log(`CPU time a request ${median(ratios('cpuUs')).toFixed(3)} of bare`);
    console.log(
      `RSS after load: bare ${rssMiB(bare).toFixed(1)} MiB, ours ${rssMiB(ours).toFixed(1)} MiB, ratio ${(rssMiB(ours) / rssMiB(bare)).toFixed(3)}`,
    );
    const flood = await idleConnections(ours, 10_000);
    console.log(
      `10,000 idle connections: ${flood.open} open, RSS ${flood.rss.toFixed(1)} MiB, still answers: ${flood.answered}`,
    );
  } finally {
    bare.process.kill();
    ours.process.kill();
  }
}

const kind = process.env['BENCH_CHILD'];
if (kind === undefined) await main();
else await runChild(kind);
