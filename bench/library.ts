/**
 * The library: what its import adds to bare Node, by `require` and by `import`, over an empty file of the same kind; and what
 * a renewal costs in a running process, in time, in processor time, and in memory after 1,000 of them, against a server that
 * answers at once. AWS's helper has no library: its one-shot over HTTP stands beside the renewal.
 *
 * Usage: node scripts/run-ts.mjs bench/library.ts [--runs N] [--renewals N] [--node NODE] [--json FILE]
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startAnsweringServer } from './answering-server.ts';
import { CLEAN_ENV, type Result, type Variant, measureAll, show, spreadOf, table, writeJson } from './measure.ts';
import { findPrograms } from './programs.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '40' },
    renewals: { type: 'string', default: '1000' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});

interface Memory {
  readonly rssMiB: number;
  readonly heapMiB: number;
}

interface Renewals {
  readonly firstMs: number;
  readonly wallMs: readonly number[];
  readonly cpuMs: readonly number[];
  readonly before: Memory;
  readonly after100: Memory;
  readonly after: Memory;
}

const KINDS = { cjs: 'CommonJS', mjs: 'ES module' } as const;
const PKI = 'certs-dev/out/';
const ARN = 'arn:aws:rolesanywhere:us-east-1:123456789012';
const ID = '11111111-1111-1111-1111-111111111111';
const ARNS = {
  trustAnchorArn: `${ARN}:trust-anchor/${ID}`,
  profileArn: `${ARN}:profile/${ID}`,
  roleArn: 'arn:aws:iam::123456789012:role/Workload',
};
const read = (name: string): string => readFileSync(`${PKI}${name}`, 'utf8');
const server = await startAnsweringServer({ cert: read('tls-server.crt.pem'), key: read('tls-server.key.pem') });
const work = mkdtempSync(join(tmpdir(), 'ra-bench-'));
try {
  const imports = await measureAll(values.node, importVariants(), Number(values.runs));
  console.log(`node ${imports.node}, ${imports.runs} runs each, in random order; in parentheses the middle half`);
  const head = ['import of the library', 'median ms', 'over an empty file', 'user ms', 'system ms', 'peak MiB'];
  console.log(table([head, ...imports.variants.map(importRow)]));

  const http = await renewals({ endpoint: server.url });
  const https = await renewals({ endpoint: server.tlsUrl, tls: { ca: read('tls-root.pem') } });
  const count = http.wallMs.length;
  console.log(`\n${count} renewals in one process, one after the other`);
  console.log(
    table([
      ['', 'first, ms', 'ms', 'CPU ms', 'resident MiB after 1, 100, all', 'heap MiB'],
      renewalRow('HTTP, EC P-256', http),
      renewalRow('HTTPS, EC P-256', https),
    ]),
  );
  const peer = await measureAll(values.node, await helperVariants(), Number(values.runs));
  for (const { wallMs, resources } of peer.variants)
    console.log(
      `AWS's helper, a process for each, HTTP: ${show(wallMs, 1)} ms, CPU ${((resources?.userMs.median ?? NaN) + (resources?.systemMs.median ?? NaN)).toFixed(1)} ms`,
    );
  writeJson(values.json, { imports, renewals: { http, https }, helper: peer.variants });
} finally {
  rmSync(work, { recursive: true });
  server.close();
}

function written(name: string, text: string): string {
  writeFileSync(join(work, name), text);
  return join(work, name);
}

function importVariants(): Variant[] {
  const built = { cjs: resolve('dist/index.cjs'), mjs: pathToFileURL(resolve('dist/index.js')).href };
  const loads = {
    cjs: `require(${JSON.stringify(built.cjs)});\n`,
    mjs: `import ${JSON.stringify(built.mjs)};\n`,
  };
  return (['cjs', 'mjs'] as const).flatMap((kind): Variant[] => [
    { name: `empty ${KINDS[kind]}`, args: [written(`empty.${kind}`, '')], over: [] },
    { name: `library, ${KINDS[kind]}`, args: [written(`loads.${kind}`, loads[kind])], over: [`empty ${KINDS[kind]}`] },
  ]);
}

async function helperVariants(): Promise<Variant[]> {
  const { helper } = await findPrograms();
  if (helper === undefined) return [];
  const args = [
    ['credential-process', '--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`],
    ['--intermediates', `${PKI}intermediate.pem`, '--endpoint', server.url, '--role-arn', ARNS.roleArn],
    ['--trust-anchor-arn', ARNS.trustAnchorArn, '--profile-arn', ARNS.profileArn],
  ].flat();
  return [{ name: "AWS's helper", program: helper, args }];
}

async function renewals(connection: object): Promise<Renewals> {
  const options = {
    ...ARNS,
    certificate: resolve(`${PKI}ec-p256.crt.pem`),
    privateKey: resolve(`${PKI}ec-p256.key.pem`),
    intermediates: resolve(`${PKI}intermediate.pem`),
    ...connection,
  };
  const args = ['--expose-gc', 'bench/renewals.mjs', values.renewals, JSON.stringify(options)];
  const { stdout } = await promisify(execFile)(values.node, args, { env: CLEAN_ENV, maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as Renewals;
}

function importRow({ name, wallMs, over, resources }: Result): string[] {
  const [ratio] = Object.values(over);
  return [
    name,
    wallMs.median.toFixed(1),
    ratio === undefined ? '' : show(ratio),
    ...(resources === undefined
      ? []
      : [
          resources.userMs.median.toFixed(0),
          resources.systemMs.median.toFixed(0),
          resources.peakMiB.median.toFixed(0),
        ]),
  ];
}

function renewalRow(name: string, { firstMs, wallMs, cpuMs, before, after100, after }: Renewals): string[] {
  const all = [before, after100, after];
  return [
    name,
    firstMs.toFixed(1),
    show(spreadOf(wallMs)),
    show(spreadOf(cpuMs)),
    all.map(({ rssMiB }) => rssMiB.toFixed(1)).join(', '),
    all.map(({ heapMiB }) => heapMiB.toFixed(1)).join(', '),
  ];
}
