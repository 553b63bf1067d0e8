/**
 * Whole processes that end: `credential-process` over HTTP and HTTPS, from the cache, `version` and `--help`, by the npm
 * program, the executable and AWS's helper, beside bare `node -e 0`. Time, processor time and peak memory. What is not there
 * (the executable, Go) is left out with a word. Method and figures: docs/performance.md.
 *
 * Usage: node scripts/run-ts.mjs bench/one-shot.ts [--runs N] [--node NODE] [--json FILE]
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Emulator, startEmulator } from '../src/emulator/emulator.ts';
import { type KeptLines, keptLines } from './cached.ts';
import { startAnsweringServer } from './answering-server.ts';
import { type Result, type Variant, measure, measureAll, show, table, writeJson } from './measure.ts';
import { type Programs, findPrograms } from './programs.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '40' },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 5) throw new Error('--runs takes a whole number from 5');

const BARE = 'node -e 0';
const HELPER = "AWS's helper";
const HEAD = ['what', 'median ms', 'over bare node', "over the helper's", 'user ms', 'system ms', 'peak MiB'];
const CA = 'certs-dev/out/tls-root.pem';
const read = (name: string): string => readFileSync(`certs-dev/out/${name}`, 'utf8');
const tls = { cert: read('tls-server.crt.pem'), key: read('tls-server.key.pem') };
const emulator = await startEmulator({ trustAnchors: [{ certificates: read('root.pem') }], tls });
const server = await startAnsweringServer(tls);
const programs = await findPrograms();
const kept: KeptLines[] = [];
try {
  // That the lines do what they should is seen once, with the emulator, which verifies.
  kept.push(...keptBy(programs));
  await measure(values.node, variants(emulator), 1);
  const results = await measureAll(values.node, variants(server), runs);
  console.log(`node ${results.node}, ${runs} runs each, in random order; in parentheses the middle half`);
  console.log(table([HEAD, ...results.variants.map(row)]));
  writeJson(values.json, results);
} finally {
  for (const lines of kept) lines.remove();
  await emulator.close();
  server.close();
}

/** The flags of a one-shot with a PEM identity. */
function oneShot(kind: string, endpoint: string, ca?: string): string[] {
  const { trustAnchorArns, profileArns, roleArns } = emulator;
  return [
    ['credential-process', '--certificate', `certs-dev/out/${kind}.crt.pem`],
    ['--private-key', `certs-dev/out/${kind}.key.pem`, '--intermediates', 'certs-dev/out/intermediate.pem'],
    ['--trust-anchor-arn', trustAnchorArns[0]!, '--profile-arn', profileArns[0]!, '--role-arn', roleArns[0]!],
    ['--endpoint', endpoint, ...(ca === undefined ? [] : ['--ca-bundle', ca])],
  ].flat();
}

/** The lines that are answered from the cache, one set for each program that has one. */
function keptBy({ executable }: Programs): KeptLines[] {
  const line = oneShot('ec-p256', emulator.url);
  const npm = keptLines('npm', values.node, ['dist/cli.cjs'], line);
  return executable === undefined ? [npm] : [npm, keptLines('executable', executable, [], line)];
}

function variants({ url, tlsUrl }: Pick<Emulator, 'url' | 'tlsUrl'>): Variant[] {
  const lines = [
    { what: 'version', words: () => ['version'] },
    { what: '--help', words: () => ['--help'] },
    { what: 'HTTP, EC P-256', words: () => oneShot('ec-p256', url) },
    { what: 'HTTP, RSA 2048', words: () => oneShot('rsa-2048', url) },
    { what: 'HTTPS, EC P-256', words: (ca?: string) => oneShot('ec-p256', tlsUrl!, ca) },
    { what: 'HTTPS, RSA 2048', words: (ca?: string) => oneShot('rsa-2048', tlsUrl!, ca) },
  ];
  // The helper takes its roots from the environment, and has no cache: what is kept is compared to its HTTPS.
  const helper = lines.map(({ what, words }): Variant => ({
    name: `${HELPER}: ${what}`,
    program: programs.helper,
    args: words(),
    env: { SSL_CERT_FILE: CA },
    over: [BARE],
  }));
  const of = (who: string, program: string, before: readonly string[]): Variant[] =>
    lines.map(({ what, words }) => ({
      name: `${who}: ${what}`,
      program,
      args: [...before, ...words(CA)],
      over: [BARE, `${HELPER}: ${what}`],
    }));
  return [
    { name: BARE, args: ['-e', '0'] },
    ...(programs.helper === undefined ? [] : helper),
    ...(programs.executable === undefined ? [] : of('executable', programs.executable, [])),
    ...of('npm', values.node, ['dist/cli.cjs']),
    ...kept.flatMap((one) =>
      one.variants.map((variant) => ({ ...variant, over: [BARE, `${HELPER}: HTTPS, EC P-256`] })),
    ),
  ];
}

function row({ name, wallMs, over, resources }: Result): string[] {
  const helpers = Object.entries(over).find(([other]) => other.startsWith(HELPER))?.[1];
  const bare = over[BARE];
  return [
    name,
    wallMs.median.toFixed(1),
    bare === undefined ? '' : show(bare),
    helpers === undefined ? '' : show(helpers),
    ...(resources === undefined
      ? []
      : [
          resources.userMs.median.toFixed(0),
          resources.systemMs.median.toFixed(0),
          resources.peakMiB.median.toFixed(0),
        ]),
  ];
}
