/**
 * `npm run bench`: all that is measured on one machine, on one Node or several, with AWS's helper in each table where there
 * is Go. Method and figures: docs/performance.md.
 *
 * Usage: npm run bench -- [--node NODE]... [--part NAME]... [--quick] [--json FILE]
 * ROLES_ANYWHERE_BENCH_NODES names further Nodes, with `:` between them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { versionOf, writeJson } from './measure.ts';

interface Part {
  readonly file: string;
  /** For a first look. */
  readonly quick: readonly string[];
  /** Whether it is of each Node, or of the first one alone. */
  readonly eachNode: boolean;
}

const PARTS: Readonly<Record<string, Part>> = {
  'one-shot': { file: 'bench/one-shot.ts', quick: ['--runs', '10'], eachNode: true },
  library: { file: 'bench/library.ts', quick: ['--runs', '10', '--renewals', '200'], eachNode: true },
  serve: { file: 'bench/serve-peer.ts', quick: ['--rounds', '10'], eachNode: true },
  'serve-bare': { file: 'bench/serve.ts', quick: ['--rounds', '10'], eachNode: false },
  'serve-idle': { file: 'bench/serve-idle.ts', quick: ['--runs', '3'], eachNode: true },
  distances: { file: 'bench/distances.ts', quick: ['--runs', '5', '--rtt', '80'], eachNode: false },
};

const USAGE =
  'npm run bench -- [--node NODE]... [--part NAME]... [--quick] [--json FILE]\n' +
  `parts: ${[...Object.keys(PARTS), 'size'].join(', ')}`;

const { values } = readFlags();
const named = [...values.node, ...(process.env['ROLES_ANYWHERE_BENCH_NODES'] ?? '').split(delimiter)].filter(Boolean);
const nodes = named.length === 0 ? [process.execPath] : named;

const work = mkdtempSync(join(tmpdir(), 'ra-bench-'));
const results: Record<string, unknown> = {};
try {
  for (const [name, part] of Object.entries(PARTS)) {
    if (!values.part.includes(name)) continue;
    for (const node of part.eachNode ? nodes : nodes.slice(0, 1)) {
      const version = versionOf(node);
      console.log(`\n=== ${name}, node ${version}`);
      results[`${name}, node ${version}`] = await run(part, node);
    }
  }
  if (values.part.includes('size')) {
    console.log('\n=== size');
    results['size'] = await sizes();
  }
  writeJson(values.json, results);
} finally {
  rmSync(work, { recursive: true });
}

/** Ends with a word where they are wrong, or ask for help. */
function readFlags() {
  try {
    const flags = parseArgs({
      options: {
        node: { type: 'string', multiple: true, default: [] },
        part: { type: 'string', multiple: true, default: [...Object.keys(PARTS), 'size'] },
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const unknown = flags.values.part.find((name) => name !== 'size' && PARTS[name] === undefined);
    if (unknown !== undefined) throw new Error(`--part ${unknown}: there is none of that name`);
    if (flags.values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    return flags;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return process.exit(2);
  }
}

/** Runs a part as the program that it is, and gives what it found; undefined for what it left out. */
async function run({ file, quick }: Part, node: string): Promise<unknown> {
  const json = join(work, 'part.json');
  rmSync(json, { force: true });
  const args = ['scripts/run-ts.mjs', file, '--node', node, '--json', json, ...(values.quick ? quick : [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`${file} ended with status ${status}`);
  return existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')) : undefined;
}

/** What the package and the executables weigh, in bytes. Their budgets are tests. */
async function sizes(): Promise<unknown> {
  const child = spawn('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32', // npm is a .cmd file there
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
  await once(child, 'close');
  const [packed] = JSON.parse(out) as { size: number; unpackedSize: number }[];
  const executable = 'dist/standalone/roles-anywhere-linux-x64';
  const found = {
    packed: packed?.size,
    unpacked: packed?.unpackedSize,
    cli: statSync('dist/cli.cjs').size,
    executable: existsSync(executable) ? statSync(executable).size : undefined,
  };
  for (const [name, bytes] of Object.entries(found))
    if (bytes !== undefined) console.log(`${name}: ${(bytes / 1000).toFixed(0)} kB`);
  return found;
}
