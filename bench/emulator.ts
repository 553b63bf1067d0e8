/**
 * What the emulator takes: CreateSession by this package's own client, each
 * request signed anew, at 200 a second for a while and then as fast as eight
 * connections go; with the state in memory and kept in a directory. The
 * emulator is a process of its own, whose memory is read after a collection.
 *
 * Usage: node scripts/run-ts.mjs bench/emulator.ts [SECONDS]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createAuthority } from '../src/emulator/certificates/authority.ts';
import { startEmulator } from '../src/emulator/emulator.ts';
import { type Identity, createPooledTransport, createSession, loadIdentity } from '../src/index.ts';

const RATE = 200;
const CONNECTIONS = 8;
/** Memory is flat when the last quarter of a run has no more than this above the first. */
const FLAT_MIB = 4;

interface Ready {
  url: string;
  trustAnchorArn: string;
  profileArn: string;
  roleArn: string;
}

interface Usage {
  heapMiB: number;
  /** Since its start. */
  cpuMs: number;
}

/** The measured process: it tells its usage when asked. */
async function runChild(certificates: string, stateDir: string): Promise<void> {
  const emulator = await startEmulator({ trustAnchors: [{ certificates }], ...(stateDir === '' ? {} : { stateDir }) });
  const { url, trustAnchorArns, profileArns, roleArns } = emulator;
  process.on('message', () => {
    globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    process.send?.({ heapMiB: process.memoryUsage().heapUsed / 2 ** 20, cpuMs: (user + system) / 1000 });
  });
  process.on('disconnect', () => void emulator.close());
  process.send?.({ url, trustAnchorArn: trustAnchorArns[0], profileArn: profileArns[0], roleArn: roleArns[0] });
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the emulator ended with ${code}`)));
  });
}

async function usageOf(child: ChildProcess): Promise<Usage> {
  const answer = answerOf<Usage>(child);
  child.send('usage');
  return await answer;
}

/** @param rate requests a second; as many as go when it is left out */
async function load(vend: () => Promise<unknown>, seconds: number, rate = Infinity) {
  const latencies: number[] = [];
  const begin = performance.now();
  const end = begin + seconds * 1000;
  let started = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const due = begin + (started / rate) * 1000;
      if (Math.max(due, performance.now()) >= end) return;
      started += 1;
      const wait = due - performance.now();
      if (wait > 0) await sleep(wait);
      const sent = performance.now();
      await vend();
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (fraction: number): number => sorted[Math.floor((sorted.length - 1) * fraction)] ?? NaN;
  return {
    count: latencies.length,
    perSecond: (latencies.length / (performance.now() - begin)) * 1000,
    p50: at(0.5),
    p99: at(0.99),
  };
}

async function measure(seconds: number, keep: boolean): Promise<void> {
  const authority = await createAuthority();
  const identity: Identity = await loadIdentity(await authority.issue({ subject: 'CN=bench' }));
  const stateDir = keep ? mkdtempSync(join(tmpdir(), 'roles-anywhere-bench-')) : '';
  const child = fork(fileURLToPath(import.meta.url), {
    execArgv: ['--expose-gc'],
    env: { PATH: process.env['PATH'], BENCH_CA: authority.certificate, BENCH_STATE: stateDir },
  });
  const { url, ...arns } = await answerOf<Ready>(child);
  const transport = createPooledTransport();
  const vend = () =>
    createSession(
      { identity, ...arns, region: 'us-east-1' },
      { endpoints: { rolesanywhere: new URL(url) }, transport: transport.request },
    );

  await load(vend, 3); // warm, and the log of verdicts full
  const heaps: number[] = [];
  const steady = [];
  for (let quarter = 0; quarter < 4; quarter += 1) {
    steady.push(await load(vend, seconds / 4, RATE));
    heaps.push((await usageOf(child)).heapMiB);
  }
  const before = await usageOf(child);
  const most = await load(vend, seconds / 2);
  const cpuMs = ((await usageOf(child)).cpuMs - before.cpuMs) / most.count;
  const [first = 0, last = 0] = [heaps[0], heaps.at(-1)];
  const reached = steady.reduce((sum, { perSecond }) => sum + perSecond, 0) / steady.length;
  console.log(
    [
      keep ? 'kept in a directory' : 'in memory          ',
      `at ${RATE}/s: ${reached.toFixed(0)}/s, p50 ${steady.at(-1)?.p50.toFixed(1)} ms, p99 ${steady.at(-1)?.p99.toFixed(1)} ms`,
      `at most: ${most.perSecond.toFixed(0)}/s, ${cpuMs.toFixed(2)} ms of processor each`,
      `heap by quarter: ${heaps.map((heap) => heap.toFixed(1)).join(', ')} MiB${last - first > FLAT_MIB ? ', NOT FLAT' : ''}`,
    ].join(' | '),
  );
  await transport.close();
  child.disconnect();
  await new Promise((resolve) => child.once('exit', resolve));
  if (keep) rmSync(stateDir, { recursive: true });
}

const { BENCH_CA: certificates, BENCH_STATE: stateDir = '' } = process.env;
if (certificates === undefined) {
  const seconds = Number(process.argv[2] ?? 20);
  await measure(seconds, false);
  await measure(seconds, true);
} else await runChild(certificates, stateDir);
