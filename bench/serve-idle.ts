/**
 * What `serve` keeps resident when nobody asks, over a bare node:http server
 * that listens on the same addresses: processes of each by turns.
 *
 * Usage: node scripts/run-ts.mjs bench/serve-idle.ts [RUNS] [CLI] [NODE]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PKI, median, rssMiB, start, startServe } from './serve-cli.ts';

const runs = Number(process.argv[2] ?? 7);
const cli = process.argv[3] ?? 'dist/cli.cjs';
const node = process.argv[4] ?? process.execPath;

/** The answer is made beforehand, as `serve` does. */
const bare = (addresses: readonly string[]): string => `
  const body = Buffer.from('x'.repeat(1200));
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  const answer = (request, response) => response.writeHead(200, headers).end(body);
  for (const address of ${JSON.stringify(addresses)})
    require('node:http').createServer({ keepAliveTimeout: 30000 }, answer).on('error', () => {}).listen(0, address);
  console.log('up');`;

const emulator = await start([cli, 'emulator', '--trust-anchor', `${PKI}root.pem`, '--port', '0'], '\n');
const world = JSON.parse(emulator.out) as Record<'url' | 'trustAnchorArn' | 'profileArn' | 'roleArn', string>;
const flags = {
  endpoint: world.url,
  'role-arn': world.roleArn,
  'trust-anchor-arn': world.trustAnchorArn,
  'profile-arn': world.profileArn,
};
const variants = [
  { name: 'bare, 127.0.0.1 and ::1', begin: () => start(['-e', bare(['127.0.0.1', '::1'])], 'up', node) },
  { name: 'serve, 127.0.0.1 and ::1', begin: () => startServe(cli, flags, node) },
  { name: 'bare, 127.0.0.1', begin: () => start(['-e', bare(['127.0.0.1'])], 'up', node) },
  { name: 'serve, 127.0.0.1', begin: () => startServe(cli, { ...flags, listen: '127.0.0.1' }, node) },
];
const resident = variants.map((): number[] => []);
for (let run = 0; run < runs; run++)
  for (const [index, { begin }] of variants.entries()) {
    const { child, pid } = await begin();
    await sleep(1500);
    resident[index]?.push(rssMiB(pid));
    child.removeAllListeners('exit').kill('SIGKILL');
  }
for (const [index, { name }] of variants.entries()) {
  const own = median(resident[index] ?? []);
  const ratio = index % 2 === 0 ? '' : `, ratio ${(own / median(resident[index - 1] ?? [])).toFixed(3)} (goal <= 1.15)`;
  console.log(`${name}: ${own.toFixed(1)} MiB${ratio}`);
}
emulator.child.removeAllListeners('exit').kill('SIGTERM');
