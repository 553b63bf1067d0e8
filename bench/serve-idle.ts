/**
 * What `serve` keeps resident when nobody asks, over a bare node:http server
 * that listens on the same addresses, and AWS's helper: processes of each by turns.
 *
 * Usage: node scripts/run-ts.mjs bench/serve-idle.ts [--runs N] [--cli CLI] [--node NODE] [--json FILE]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ratiosOf, rssMiB, show, spreadOf, table, versionOf, writeJson } from './measure.ts';
import { findPrograms } from './programs.ts';
import {
  type Started,
  end,
  start,
  startEmulatorProgram,
  startHelper,
  startServe,
  startServeOf,
  worldFlags,
} from './serve-cli.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    cli: { type: 'string', default: 'dist/cli.cjs' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});
const { cli, node } = values;
const runs = Number(values.runs);

interface Line {
  readonly name: string;
  readonly begin: () => Promise<Started>;
  /** What its memory is given over. */
  readonly over?: string | undefined;
}

const emulator = await startEmulatorProgram(cli);
const flags = worldFlags(emulator);
const { helper, executable } = await findPrograms();
const BOTH = ['127.0.0.1', '::1'];
const ONE = ['127.0.0.1'];
const lines: Line[] = [
  { name: 'bare, 127.0.0.1 and ::1', begin: () => start(['bench/bare-server.cjs', '1200', ...BOTH], '.', node) },
  { name: 'npm, 127.0.0.1 and ::1', begin: () => startServe(cli, flags, node), over: 'bare, 127.0.0.1 and ::1' },
  { name: 'bare, 127.0.0.1', begin: () => start(['bench/bare-server.cjs', '1200', ...ONE], '.', node) },
  {
    name: 'npm, 127.0.0.1',
    begin: () => startServe(cli, { ...flags, listen: '127.0.0.1' }, node),
    over: 'bare, 127.0.0.1',
  },
  ...(helper === undefined ? [] : [{ name: "AWS's helper", begin: () => startHelper(helper, flags) }]),
  ...(executable === undefined
    ? []
    : [{ name: 'executable', begin: () => startServeOf(executable, [], flags), over: "AWS's helper" }]),
];
const resident = new Map(lines.map(({ name }): [string, number[]] => [name, []]));
try {
  for (let run = 0; run < runs; run++)
    for (const { name, begin } of lines) {
      const started = await begin();
      await sleep(1500);
      resident.get(name)?.push(rssMiB(started.pid));
      end(started);
    }
} finally {
  end(emulator);
}
const rows = lines.map(({ name, over }) => {
  const own = resident.get(name) ?? [];
  const theirs = resident.get(over ?? '');
  return { name, over, miB: spreadOf(own), ratio: theirs && ratiosOf(own, theirs) };
});
console.log(`node ${versionOf(node)}, ${runs} processes of each; in parentheses the middle half`);
console.log(
  table([
    ['idle', 'MiB', 'over bare (goal 1.15), the helper'],
    ...rows.map(({ name, miB, ratio }) => [name, show(miB, 1), ratio === undefined ? '' : show(ratio)]),
  ]),
);
writeJson(values.json, { node: versionOf(node), runs, rows });
