/**
 * `npm run bench`: what the built program costs to start, as ratios to bare
 * `node -e 0`. Method and figures: docs/performance.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type Emulator, startEmulator } from '../src/emulator/emulator.ts';
import { type KeptLines, keptLines } from './cached.ts';
import { startAnsweringServer } from './answering-server.ts';
import { type Variant, measure } from './measure.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '40' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 5) throw new Error('--runs takes a whole number from 5');

process.chdir(dirname(dirname(process.argv[1] ?? '')));
const read = (name: string): string => readFileSync(`certs-dev/out/${name}`, 'utf8');
const tls = { cert: read('tls-server.crt.pem'), key: read('tls-server.key.pem') };
const emulator = await startEmulator({ trustAnchors: [{ certificates: read('root.pem') }], tls });
const server = await startAnsweringServer(tls);
let kept: KeptLines | undefined;
try {
  // That the lines do what they should is seen once, with the emulator, which verifies.
  kept = keptLines(oneShot(emulator, 'ec-p256', '--endpoint', emulator.url));
  await measure(values.node, [...variants(emulator, emulator), ...kept.variants], 1);
  const results = await measure(values.node, [...variants(emulator, server), ...kept.variants], runs);
  console.log(table(results));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
} finally {
  kept?.remove();
  await emulator.close();
  server.close();
}

/** The arguments of a one-shot with a PEM identity. */
function oneShot({ trustAnchorArns, profileArns, roleArns }: Emulator, kind: string, ...rest: string[]): string[] {
  return [
    ['dist/cli.cjs', 'credential-process'],
    ['--certificate', `certs-dev/out/${kind}.crt.pem`, '--private-key', `certs-dev/out/${kind}.key.pem`],
    ['--intermediates', 'certs-dev/out/intermediate.pem'],
    ['--trust-anchor-arn', trustAnchorArns[0]!, '--profile-arn', profileArns[0]!, '--role-arn', roleArns[0]!],
    rest,
  ].flat();
}

function variants(world: Emulator, { url, tlsUrl }: Pick<Emulator, 'url' | 'tlsUrl'>): Variant[] {
  const https = ['--endpoint', tlsUrl!, '--ca-bundle', 'certs-dev/out/tls-root.pem'];
  return [
    { name: 'node -e 0', args: ['-e', '0'] },
    { name: 'version', args: ['dist/cli.cjs', 'version'] },
    { name: '--help', args: ['dist/cli.cjs', '--help'] },
    { name: 'credential-process, HTTP, EC P-256', args: oneShot(world, 'ec-p256', '--endpoint', url) },
    { name: 'credential-process, HTTP, RSA 2048', args: oneShot(world, 'rsa-2048', '--endpoint', url) },
    { name: 'credential-process, HTTPS, EC P-256', args: oneShot(world, 'ec-p256', ...https) },
    { name: 'credential-process, HTTPS, RSA 2048', args: oneShot(world, 'rsa-2048', ...https) },
  ];
}

function table(results: Awaited<ReturnType<typeof measure>>): string {
  const rows = results.variants.map(({ name, medianMs, ratio, quartiles }) => [
    name,
    medianMs.toFixed(1),
    ratio.toFixed(2),
    quartiles.map((value) => value.toFixed(2)).join(' to '),
  ]);
  const all = [['what', 'median ms', 'ratio', 'middle half'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  return [`node ${results.node}, ${results.runs} runs each, in random order`, ...lines].join('\n');
}
