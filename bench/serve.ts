/**
 * The credentials server against a bare node:http server that answers the same
 * bytes, each in a process of its own: throughput and latency of the container
 * route, memory when idle, and memory with 10,000 idle connections. The rounds
 * are short, so that a machine whose speed drifts is as fast for both of a
 * pair, and with `taskset` the servers share one core and the load has the other.
 *
 * Usage: node scripts/run-ts.mjs bench/serve.ts [--seconds PER_ROUND] [--rounds N] [--node NODE] [--json FILE]
 */

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { silentLog } from '../src/platform/log.ts';
import { type Load, containerSteps, load } from './closed-loop.ts';
import { type Spread, cpuMs, pin, ratiosOf, rssMiB, show, spreadOf, writeJson } from './measure.ts';

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

interface Child {
  process: ChildProcess;
  port: number;
}

async function startChild(kind: string, node: string): Promise<Child> {
  // The bundle that run-ts.mjs made of this file: the bundler itself must not be in the measured process.
  const child = fork(fileURLToPath(import.meta.url), {
    execPath: node,
    env: { PATH: process.env['PATH'], BENCH_CHILD: kind },
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', (code) => reject(new Error(`child ${kind} exited with ${code}`)));
  });
  return { process: child, port };
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
  const full = rss(child);
  const stillOpen = open;
  const { perSecond } = await loadOn(child, 0.5);
  for (const socket of sockets) socket.destroy();
  return { rss: full, open: stillOpen, answered: perSecond > 0 };
}

type Round = Load & { readonly cpuUs: number };

function loadOn({ port }: Child, seconds: number): Promise<Load> {
  return load(containerSteps(port, TOKEN), port, seconds);
}

function rss({ process: { pid = 0 } }: Child): number {
  return rssMiB(pid);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '0.3' },
      rounds: { type: 'string', default: '100' },
      node: { type: 'string', default: process.execPath },
      json: { type: 'string' },
    },
  });
  const seconds = Number(values.seconds);
  const rounds = Number(values.rounds);
  const bare = await startChild('bare', values.node);
  const ours = await startChild('ours', values.node);
  const pinned = [process.pid, bare.process.pid, ours.process.pid].map((pid, at) => pin(pid ?? 0, Math.min(at, 1)));
  try {
    await sleep(2000);
    const idle = { bare: rss(bare), ours: rss(ours) };
    console.log(
      `idle RSS: bare ${idle.bare.toFixed(1)} MiB, ours ${idle.ours.toFixed(1)} MiB, ratio ${(idle.ours / idle.bare).toFixed(3)} (goal <= 1.15)`,
    );
    await loadOn(bare, 1);
    await loadOn(ours, 1);
    const all = new Map([bare, ours].map((child): [Child, Round[]] => [child, []]));
    for (let round = 0; round < rounds; round++) {
      for (const child of round % 2 === 0 ? [bare, ours] : [ours, bare]) {
        const before = cpuMs(child.process.pid ?? 0);
        const result = await loadOn(child, seconds);
        const cpuUs = ((cpuMs(child.process.pid ?? 0) - before) * 1000) / (result.perSecond * seconds);
        all.get(child)?.push({ ...result, cpuUs });
      }
    }
    const of = (child: Child, field: keyof Round): number[] => all.get(child)?.map((round) => round[field]) ?? [];
    const spreads = (child: Child): Record<keyof Round, Spread> => ({
      perSecond: spreadOf(of(child, 'perSecond')),
      p50: spreadOf(of(child, 'p50')),
      p99: spreadOf(of(child, 'p99')),
      cpuUs: spreadOf(of(child, 'cpuUs')),
    });
    // Of two neighbouring rounds each: what else the machine does falls on both.
    const ratios = (field: keyof Round): Spread => ratiosOf(of(ours, field), of(bare, field));
    const line = ({ perSecond, p50, p99, cpuUs }: Record<keyof Round, Spread>): string =>
      `${show(perSecond, 0)}/s, p50 ${show(p50)} ms, p99 ${show(p99)} ms, ${show(cpuUs, 1)} us of CPU a request`;
    console.log(`medians of ${rounds} rounds${pinned.every(Boolean) ? ', pinned' : ', not pinned'}`);
    console.log(`bare ${line(spreads(bare))}\nours ${line(spreads(ours))}`);
    const over = { throughput: ratios('perSecond'), p99: ratios('p99'), cpu: ratios('cpuUs') };
    console.log(`throughput ${show(over.throughput, 3)} of bare (goal >= 0.9)`);
    console.log(`p99 ${show(over.p99, 3)} of bare (goal <= 1.2)`);
    console.log(`CPU time a request ${show(over.cpu, 3)} of bare`);
    const loaded = { bare: rss(bare), ours: rss(ours) };
    console.log(
      `RSS after load: bare ${loaded.bare.toFixed(1)} MiB, ours ${loaded.ours.toFixed(1)} MiB, ratio ${(loaded.ours / loaded.bare).toFixed(3)}`,
    );
    const flood = await idleConnections(ours, 10_000);
    console.log(
      `10,000 idle connections: ${flood.open} open, RSS ${flood.rss.toFixed(1)} MiB, still answers: ${flood.answered}`,
    );
    const found = { bare: spreads(bare), ours: spreads(ours), over };
    writeJson(values.json, { rounds, seconds, pinned: pinned.every(Boolean), ...found, idle, loaded, flood });
  } finally {
    bare.process.kill();
    ours.process.kill();
  }
}

const kind = process.env['BENCH_CHILD'];
if (kind === undefined) await main();
else await runChild(kind);
