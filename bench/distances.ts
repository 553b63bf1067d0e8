/**
 * The one-shot over HTTPS at a distance of 20, 80 and 200 ms, between two network namespaces, as root: the executable, the
 * npm program and AWS's helper, in turns. What is not there is left out with a word.
 *
 * Usage: node scripts/run-ts.mjs bench/distances.ts [--runs N] [--node NODE] [--rtt 20,80,200] [--json FILE]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { makeAuthority } from '../test/http/support/pki.ts';
import { type Results, type Variant, measure, show, table, writeJson } from './measure.ts';
import { findPrograms } from './programs.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '30' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
    rtt: { type: 'string', default: '20,80,200' },
    /** Set by this program for the part of it that runs in a namespace of its own: where the server is, and its root. */
    inside: { type: 'string' },
    ca: { type: 'string', default: '' },
  },
});
const FAR = '10.99.0.2';
/** As AWS's endpoints have one: the executable takes its short way to names alone. */
const FAR_NAME = 'far.test';
const HELPER = "AWS's helper";
const ARN = 'arn:aws:rolesanywhere:us-east-1:123456789012';
const runs = Number(values.runs);

if (values.inside !== undefined) console.log(JSON.stringify(await measured(values.inside, values.ca)));
else if (process.getuid?.() !== 0) console.log('distances are left out: they need root');
else if (!existsSync('/dev/net/tun')) console.log('distances are left out: they need /dev/net/tun');
else await all();

async function all(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'ra-bench-'));
  const results: Record<string, Results> = {};
  try {
    const authority = await makeAuthority('Bench');
    const { cert, key } = await authority.issue([FAR, FAR_NAME]);
    const file = (name: string, text: string): string => {
      writeFileSync(join(work, name), text, { mode: 0o600 });
      return join(work, name);
    };
    const ca = file('root.pem', authority.root);
    const server = [file('server.pem', cert), file('server.key', key)];
    await findPrograms();
    for (const rtt of values.rtt.split(',')) results[`rtt${rtt}`] = await far(Number(rtt), server, ca);
    writeJson(values.json, results);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The programs in one namespace, with the server in another. */
async function far(rtt: number, server: readonly string[], ca: string): Promise<Results> {
  const name = `ra${process.pid % 10_000}`;
  const between = await start(['python3', 'bench/distance.py', name, String(rtt)]);
  const inside = (end: string, ...words: string[]): string[] => ['ip', 'netns', 'exec', `${name}-${end}`, ...words];
  const ts = ['node', 'scripts/run-ts.mjs'];
  const own = join('/etc/netns', `${name}-near`);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'hosts'), `127.0.0.1 localhost\n${FAR} ${FAR_NAME}\n`);
  const answering = await start(inside('far', ...ts, 'bench/answering-main.ts', ...server, FAR));
  try {
    const { tlsUrl } = JSON.parse(answering.line) as { tlsUrl: string };
    const options = ['--runs', String(runs), '--node', values.node, '--ca', ca];
    const part = await start(
      inside('near', ...ts, 'bench/distances.ts', ...options, '--inside', tlsUrl.replace(FAR, FAR_NAME)),
    );
    const results = JSON.parse(part.line) as Results;
    print(rtt, results);
    return results;
  } finally {
    rmSync(own, { recursive: true });
    answering.end();
    between.end();
    await between.ended;
  }
}

async function measured(endpoint: string, ca: string): Promise<Results> {
  const { helper, executable } = await findPrograms(true);
  const id = '11111111-1111-1111-1111-111111111111';
  const line = [
    ['credential-process', '--certificate', 'certs-dev/out/ec-p256.crt.pem'],
    ['--private-key', 'certs-dev/out/ec-p256.key.pem', '--intermediates', 'certs-dev/out/intermediate.pem'],
    ['--trust-anchor-arn', `${ARN}:trust-anchor/${id}`, '--profile-arn', `${ARN}:profile/${id}`],
    ['--role-arn', 'arn:aws:iam::123456789012:role/Workload', '--endpoint', endpoint],
  ].flat();
  const ours = (name: string, program: string, ...before: string[]): Variant => ({
    name,
    program,
    args: [...before, ...line, '--ca-bundle', ca],
    over: [HELPER],
  });
  return await measure(
    values.node,
    [
      ...(helper === undefined ? [] : [{ name: HELPER, program: helper, args: line, env: { SSL_CERT_FILE: ca } }]),
      ...(executable === undefined ? [] : [ours('executable', executable)]),
      ours('npm', values.node, 'dist/cli.cjs'),
    ],
    runs,
  );
}

function print(rtt: number, { node, variants }: Results): void {
  console.log(`\n${rtt} ms of round trip, npm on node ${node}, ${runs} runs each: a handshake and an answer are three`);
  const rows = variants.map(({ name, wallMs, over }) => [
    name,
    wallMs.median.toFixed(1),
    (wallMs.median / rtt).toFixed(2),
    over[HELPER] === undefined ? '' : show(over[HELPER]),
  ]);
  console.log(table([['HTTPS, EC P-256', 'median ms', 'round trips', "over the helper's"], ...rows]));
}

/** Starts a program and waits for its first line. */
async function start([program = '', ...args]: readonly string[]): Promise<{
  line: string;
  end: () => void;
  ended: Promise<unknown>;
}> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = (await Promise.race([
    once(createInterface(child.stdout), 'line'),
    ended.then(([status]) => Promise.reject(new Error(`${program} ended with status ${String(status)}`))),
  ])) as [string];
  return { line, end: () => child.kill(), ended };
}
