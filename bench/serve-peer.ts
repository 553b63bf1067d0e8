/**
 * `serve` beside that of AWS's helper, by turns: throughput, latency, processor time and memory, of the executable, the npm
 * program and the helper, with a bare server of each one's runtime (Node, Bun, Go). The helper answers by IMDSv2 alone: with
 * a token in hand, and token and credentials together. The container route, which needs no token of a call, is ours alone
 * and is compared to the helper's credentials. The rounds are short, and with `taskset` the servers share one core and the
 * load has the other. What is not there is left out with a word.
 *
 * Usage: node scripts/run-ts.mjs bench/serve-peer.ts [--rounds N] [--seconds S] [--node NODE] [--json FILE]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Load, type Steps, answerOf, containerSteps, load } from './closed-loop.ts';
import {
  type Spread,
  cpuMs,
  pin,
  ratiosOf,
  rssMiB,
  show,
  shuffled,
  spreadOf,
  table,
  versionOf,
  writeJson,
} from './measure.ts';
import { findPrograms } from './programs.ts';
import {
  type Started,
  end,
  start,
  startEmulatorProgram,
  startHelper,
  startProgram,
  startServeOf,
  worldFlags,
} from './serve-cli.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '0.3' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

const HELPER = "AWS's helper";
const TOKEN_PATH = '/latest/api/token';
const ROLE_PATH = '/latest/meta-data/iam/security-credentials/';
/** What is asked of a server, by its name in the table. */
const [IMDS, FLOW, CONTAINER] = ['IMDSv2, token in hand', 'IMDSv2, token and credentials', 'container route'];
/** Of the server's processor time, for each thing that it is asked. */
const WARM_UP_MS = 1000;
/** As long as the answers of `serve`. */
const BYTES = '1190';

/** A server that is measured, and what it is asked. */
interface Server {
  readonly name: string;
  readonly started: Started;
  readonly port: number;
  readonly asked: Readonly<Record<string, Steps>>;
  /** Memory when nobody asked yet. */
  idleMiB: number;
}

/** One server being asked one thing. */
interface Line {
  readonly server: Server;
  readonly what: string;
  readonly loads: (Load & { readonly cpuUs: number })[];
}

interface Row {
  readonly server: string;
  readonly what: string;
  readonly perSecond: Spread;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  /** Processor time of the server for each round of requests, in microseconds. */
  readonly cpuUs: Spread;
  /** Over the helper's, pairs of rounds. */
  readonly overHelper?: { throughput: Spread; p99: Spread; cpu: Spread } | undefined;
}

/** The requests that a client of IMDSv2 sends to `port`. */
async function imdsSteps(port: number): Promise<Readonly<Record<string, Steps>>> {
  const host = `Host: 127.0.0.1:${port}\r\n`;
  const put = `PUT ${TOKEN_PATH} HTTP/1.1\r\n${host}X-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Length: 0\r\n\r\n`;
  const get = (path: string, answer: string): string =>
    `GET ${path} HTTP/1.1\r\n${host}X-aws-ec2-metadata-token: ${bodyOf(answer)}\r\n\r\n`;
  const token = await answerOf(put, port);
  const role = bodyOf(await answerOf(get(ROLE_PATH, token), port));
  const inHand = get(`${ROLE_PATH}${role}`, token);
  return {
    [IMDS]: [() => inHand],
    [FLOW]: [() => put, (before) => get(`${ROLE_PATH}${role}`, before)],
  };
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4);
}

async function bare(name: string, started: Started): Promise<Server> {
  const port = Number(/up at (\d+)\./.exec(started.out)?.[1]);
  return { name, started, port, asked: { [CONTAINER]: containerSteps(port, 'none') }, idleMiB: 0 };
}

/** The servers that there are, started. */
async function servers(work: string, flags: Readonly<Record<string, string>>): Promise<Server[]> {
  const { helper, executable } = await findPrograms();
  const found: Server[] = [];
  const ours = async (name: string, program: string, ...before: string[]): Promise<void> => {
    const started = await startServeOf(program, before, flags);
    const { port, token } = started;
    const asked = { ...(await imdsSteps(port)), [CONTAINER]: containerSteps(port, token) };
    found.push({ name, started, port, asked, idleMiB: 0 });
  };
  if (helper !== undefined) {
    const started = await startHelper(helper, flags);
    found.push({ name: HELPER, started, port: started.port, asked: await imdsSteps(started.port), idleMiB: 0 });
    const program = join(work, 'bare-server');
    const env = { ...process.env, GOFLAGS: '', GO111MODULE: 'off' };
    execFileSync('go', ['build', '-o', program, 'bench/bare-server.go'], { env });
    found.push(await bare('bare, Go', await startProgram(program, [BYTES], '.')));
  }
  if (executable !== undefined) await ours('executable', executable);
  const bun = bunIn(work);
  if (bun === undefined) console.log('a bare server of Bun is left out: npm run build:standalone fetches the runtime');
  else found.push(await bare('bare, Bun', await startProgram(bun, ['bench/bare-server.cjs', BYTES], '.')));
  await ours('npm', values.node, 'dist/cli.cjs');
  found.push(await bare('bare, Node', await start(['bench/bare-server.cjs', BYTES], '.', values.node)));
  return found;
}

/** The runtime of the executable, which its build keeps. */
function bunIn(work: string): string | undefined {
  const kept = join(homedir(), '.cache/roles-anywhere-build/oven-bun-linux-x64-baseline-1.4.5.tgz');
  if (!existsSync(kept)) return undefined;
  execFileSync('tar', ['-xzf', kept, '-C', work]);
  return join(work, 'package/bin/bun');
}

async function measureLine(line: Line): Promise<void> {
  const { started, port, asked } = line.server;
  const before = cpuMs(started.pid);
  const result = await load(asked[line.what] ?? [], port, seconds);
  const cpuUs = ((cpuMs(started.pid) - before) * 1000) / (result.perSecond * seconds);
  line.loads.push({ ...result, cpuUs });
}

function rowOf({ server, what, loads }: Line, lines: readonly Line[]): Row {
  const of = (line: Line, field: keyof Line['loads'][number]): number[] => line.loads.map((one) => one[field]);
  const peers = lines.find(
    (other) => other.server.name === HELPER && other.what === (what === CONTAINER ? IMDS : what),
  );
  const own: Line = { server, what, loads };
  const over = (peer: Line, field: keyof Line['loads'][number]): Spread => ratiosOf(of(own, field), of(peer, field));
  return {
    server: server.name,
    what,
    perSecond: spreadOf(of(own, 'perSecond')),
    p50Ms: spreadOf(of(own, 'p50')),
    p99Ms: spreadOf(of(own, 'p99')),
    cpuUs: spreadOf(of(own, 'cpuUs')),
    overHelper:
      peers === undefined
        ? undefined
        : { throughput: over(peers, 'perSecond'), p99: over(peers, 'p99'), cpu: over(peers, 'cpuUs') },
  };
}

const work = mkdtempSync(join(tmpdir(), 'ra-bench-'));
const emulator = await startEmulatorProgram();
const all: Server[] = [];
try {
  all.push(...(await servers(work, worldFlags(emulator))));
  const pinned = [pin(process.pid, 0), ...all.map(({ started }) => pin(started.pid, 1))].every(Boolean);
  await sleep(2000);
  for (const server of all) server.idleMiB = rssMiB(server.started.pid);
  const lines = all.flatMap((server) => Object.keys(server.asked).map((what): Line => ({ server, what, loads: [] })));
  // Until machine code of it is made, however slow the machine.
  for (const line of lines) {
    const begun = cpuMs(line.server.started.pid);
    while (cpuMs(line.server.started.pid) - begun < WARM_UP_MS)
      await load(line.server.asked[line.what] ?? [], line.server.port, 0.2);
  }
  for (let round = 0; round < rounds; round++) for (const at of shuffled(lines.length)) await measureLine(lines[at]!);
  const rows = lines.map((line) => rowOf(line, lines));
  console.log(
    `npm on node ${versionOf(values.node)}, ${rounds} rounds of ${seconds} s each in random order${pinned ? ', pinned' : ''}; in parentheses the middle half`,
  );
  console.log(
    table([
      ['', 'a second', 'p99 ms', 'CPU us', "over the helper's: throughput", 'p99', 'CPU'],
      ...rows.map(({ server, what, perSecond, p99Ms, cpuUs, overHelper }) => [
        `${server}: ${what}`,
        perSecond.median.toFixed(0),
        p99Ms.median.toFixed(2),
        cpuUs.median.toFixed(1),
        ...(overHelper === undefined
          ? []
          : [overHelper.throughput, overHelper.p99, overHelper.cpu].map((one) => show(one))),
      ]),
    ]),
  );
  const memory = all.map(({ name, started, idleMiB }) => ({ name, idleMiB, loadedMiB: rssMiB(started.pid) }));
  console.log(
    table([
      ['resident memory, MiB', 'idle', 'after the load'],
      ...memory.map(({ name, idleMiB, loadedMiB }) => [name, idleMiB.toFixed(1), loadedMiB.toFixed(1)]),
    ]),
  );
  writeJson(values.json, { node: versionOf(values.node), rounds, seconds, pinned, rows, memory });
} finally {
  for (const { started } of all) end(started);
  end(emulator);
  rmSync(work, { recursive: true });
}
