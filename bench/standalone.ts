/**
 * The standalone executable, the npm program and AWS's helper, in turns: whole processes over HTTP and HTTPS, from the cache,
 * with what they need of processor and memory, and, as root, at a distance of 20, 80 and 200 ms. What is not there (the
 * executable, Go, root) is left out with a word.
 * Usage: node scripts/run-ts.mjs bench/standalone.ts [--runs N] [--json FILE] [--rtt 20,80,200]
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { makeAuthority } from '../test/http/support/pki.ts';
import { findHelper } from '../test/peer/support/helper.ts';
import { type Results, type Variant, measure } from './measure.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '30' },
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
const runs = Number(values.runs);
const root = dirname(dirname(resolve(process.argv[1] ?? '')));
process.chdir(root);
const EXECUTABLE = resolve('dist/standalone/roles-anywhere-linux-x64');
const ARN = 'arn:aws:rolesanywhere:us-east-1:123456789012';

interface Place {
  readonly url: string;
  readonly tlsUrl: string;
}

if (values.inside === undefined) await all();
else console.log(JSON.stringify(await measured(JSON.parse(values.inside) as Place, values.ca, true)));

async function all(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'ra-bench-'));
  const results: Record<string, unknown> = {};
  try {
    const authority = await makeAuthority('Bench');
    const { cert, key } = await authority.issue(['localhost', FAR, FAR_NAME]);
    const file = (name: string, text: string): string => {
      writeFileSync(join(work, name), text, { mode: 0o600 });
      return join(work, name);
    };
    const ca = file('root.pem', authority.root);
    const server = [file('server.pem', cert), file('server.key', key)];

    const local = await start(['node', 'scripts/run-ts.mjs', 'bench/answering-main.ts', ...server, '127.0.0.1']);
    const near = await measured(JSON.parse(local.line) as Place, ca, false);
    results['near'] = near;
    print('no distance', near);
    results['resources'] = await resources(JSON.parse(local.line) as Place, ca);
    local.end();

    if (process.getuid?.() !== 0) console.log('distances are left out: they need root');
    else for (const rtt of values.rtt.split(',')) results[`rtt${rtt}`] = await far(Number(rtt), server, ca);
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The same in one namespace, with the server in another. */
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
    const options = ['--runs', String(runs), '--ca', ca, '--inside', answering.line.replaceAll(FAR, FAR_NAME)];
    const part = await start(inside('near', ...ts, 'bench/standalone.ts', ...options));
    const results = JSON.parse(part.line) as Results;
    print(`${rtt} ms of round trip; a handshake and an answer are three`, results, rtt);
    return results;
  } finally {
    rmSync(own, { recursive: true });
    answering.end();
    between.end();
    await between.ended;
  }
}

/** @param distant the one-shot over HTTPS alone */
async function measured({ url, tlsUrl }: Place, ca: string, distant: boolean): Promise<Results> {
  const npm = ['dist/cli.cjs'];
  const helper = await findHelper().catch(() => undefined);
  const home = mkdtempSync(join(tmpdir(), 'ra-bench-home-'));
  const of = (who: string, program: string, before: readonly string[], env: Record<string, string> = {}): Variant[] => {
    const ours = who !== "AWS's helper";
    const oneShot = (what: string, kind: string, endpoint: string, ...more: string[]): Variant => ({
      name: `${who}: ${what}`,
      program,
      args: [
        ...before,
        ...wordsOf(kind, endpoint),
        ...(ours && endpoint === tlsUrl ? ['--ca-bundle', ca] : []),
        ...more,
      ],
      env,
    });
    const https = oneShot('HTTPS, EC', 'ec-p256', tlsUrl);
    if (distant) return [https];
    return [
      https,
      oneShot('HTTPS, RSA', 'rsa-2048', tlsUrl),
      oneShot('HTTP, EC', 'ec-p256', url),
      { name: `${who}: version`, program, args: [...before, 'version'] },
      ...(ours ? [{ ...oneShot('from the cache', 'ec-p256', url, '--cache'), env: { HOME: home } }] : []),
    ];
  };
  const peer = helper === undefined ? [] : of("AWS's helper", helper, [], { SSL_CERT_FILE: ca });
  if (helper === undefined && !distant) console.log("AWS's helper is left out: it needs Go");
  const executable = existsSync(EXECUTABLE) ? of('executable', EXECUTABLE, []) : [];
  if (executable.length === 0 && !distant) console.log('the executable is left out: npm run build:standalone makes it');
  const bare = { name: 'node -e 0', args: ['-e', '0'] };
  try {
    return await measure(process.execPath, [...peer, ...executable, ...of('npm', process.execPath, npm), bare], runs);
  } finally {
    rmSync(home, { recursive: true });
  }
}

function wordsOf(kind: string, endpoint: string): string[] {
  const id = '11111111-1111-1111-1111-111111111111';
  return [
    ['credential-process', '--certificate', `certs-dev/out/${kind}.crt.pem`],
    ['--private-key', `certs-dev/out/${kind}.key.pem`, '--intermediates', 'certs-dev/out/intermediate.pem'],
    ['--trust-anchor-arn', `${ARN}:trust-anchor/${id}`, '--profile-arn', `${ARN}:profile/${id}`],
    ['--role-arn', 'arn:aws:iam::123456789012:role/Workload', '--endpoint', endpoint],
  ].flat();
}

/** Processor time and memory of the one-shot over HTTPS. */
async function resources({ tlsUrl }: Place, ca: string): Promise<object> {
  const helper = await findHelper().catch(() => undefined);
  const rows: Record<string, string[]> = {
    ...(helper === undefined ? {} : { "AWS's helper": [helper, ...wordsOf('ec-p256', tlsUrl)] }),
    ...(existsSync(EXECUTABLE) ? { executable: [EXECUTABLE, ...wordsOf('ec-p256', tlsUrl), '--ca-bundle', ca] } : {}),
    npm: [process.execPath, 'dist/cli.cjs', ...wordsOf('ec-p256', tlsUrl), '--ca-bundle', ca],
    'node -e 0': [process.execPath, '-e', '0'],
  };
  const found: Record<string, unknown> = {};
  for (const [name, command] of Object.entries(rows)) {
    const out = execFileSync('python3', ['bench/resources.py', String(runs), ...command], {
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        HOME: '/nonexistent',
        SSL_CERT_FILE: name === "AWS's helper" ? ca : '',
      },
      encoding: 'utf8',
    });
    const { user, system, peakKiB } = JSON.parse(out) as { user: number; system: number; peakKiB: number };
    found[name] = { user, system, peakKiB };
    console.log(
      `${name}: ${milliseconds(user)} ms user, ${milliseconds(system)} ms system at the least; ${(peakKiB / 1024).toFixed(0)} MiB`,
    );
  }
  return found;
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(0);
}

/** Every row over the first of the same kind, AWS's helper where there is Go, and in round trips. */
function print(title: string, { variants }: Results, rtt?: number): void {
  console.log(`\n${title}: median ms, and over the first of its kind (middle half)`);
  for (const { name, medianMs, quartiles, ratio } of variants) {
    const kind = name.split(': ')[1];
    const first = variants.find((other) => kind !== undefined && other.name.endsWith(`: ${kind}`));
    const own = medianMs / ratio;
    const over =
      first === undefined
        ? ''
        : [medianMs, ...quartiles.map((one) => one * own)].map((ms) => (ms / first.medianMs).toFixed(2));
    const trips = rtt === undefined ? '' : `${(medianMs / rtt).toFixed(2)} round trips`;
    const ratios = over === '' ? '' : `${over[0]} (${over[1]} to ${over[2]})`;
    console.log(`${name.padEnd(28)} ${medianMs.toFixed(1).padStart(7)}  ${ratios}  ${trips}`.trimEnd());
  }
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
