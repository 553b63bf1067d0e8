/**
 * `serve --console` with its page open, over `serve` without: throughput and latency of the container route, memory when
 * idle. The built program both times, each in a process of its own, by turns.
 *
 * Usage: node scripts/run-ts.mjs bench/serve-console.ts [SECONDS_PER_ROUND] [ROUNDS]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { load } from './closed-loop.ts';
import type { Load } from './closed-loop.ts';
import { PKI, median, rssMiB, start, startServe } from './serve-cli.ts';
import type { Serving } from './serve-cli.ts';

const CLI = 'dist/cli.cjs';
const PASSPHRASE = 'four words of a bench';

/** What an open page does: it unlocks, and listens to events. Gives what ends it. */
async function openPage({ port }: Serving): Promise<() => void> {
  const origin = `http://127.0.0.1:${port}`;
  const unlocked = await fetch(`${origin}/console/api/unlock`, {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json' },
    body: JSON.stringify({ passphrase: PASSPHRASE }),
  });
  const cookie = unlocked.headers.getSetCookie()[0]?.split(';')[0];
  if (unlocked.status !== 200 || cookie === undefined) throw new Error(`not unlocked: ${unlocked.status}`);
  const { csrf } = (await unlocked.json()) as { csrf: string };
  return await new Promise((resolve, reject) => {
    const asked = request(
      `${origin}/console/api/events`,
      { headers: { cookie, origin, 'x-csrf-token': csrf } },
      (response) => {
        response.resume();
        if (response.statusCode === 200) resolve(() => asked.destroy());
        else reject(new Error(`no events: ${response.statusCode}`));
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

const seconds = Number(process.argv[2] ?? 0.3);
const rounds = Number(process.argv[3] ?? 60);
const folder = mkdtempSync(join(tmpdir(), 'ra-bench-console-'));
const phrase = join(folder, 'passphrase');
writeFileSync(phrase, PASSPHRASE, { mode: 0o600 });
const emulator = await start([CLI, 'emulator', '--port', '0', '--trust-anchor', `${PKI}root.pem`], '}');
const world = JSON.parse(emulator.out) as { url: string; trustAnchorArn: string; profileArn: string; roleArn: string };
const flags = {
  endpoint: world.url,
  'trust-anchor-arn': world.trustAnchorArn,
  'profile-arn': world.profileArn,
  'role-arn': world.roleArn,
};
const without = await startServe(CLI, flags);
const withConsole = await startServe(CLI, { ...flags, 'console-passphrase-file': phrase }, undefined, ['--console']);
try {
  await sleep(2000);
  const idle = rssMiB(withConsole.pid) / rssMiB(without.pid);
  const closePage = await openPage(withConsole);
  const both = [without, withConsole];
  for (const { port, token } of both) await load(port, token, 1);
  const all = new Map(both.map((one): [Serving, Load[]] => [one, []]));
  for (let round = 0; round < rounds; round++)
    for (const one of round % 2 === 0 ? both : both.toReversed())
      all.get(one)?.push(await load(one.port, one.token, seconds));
  const ratio = (field: keyof Load): string =>
    median(
      (all.get(withConsole) ?? []).map((one, round) => one[field] / (all.get(without)?.[round]?.[field] ?? Number.NaN)),
    ).toFixed(3);
  console.log(`medians of ${rounds} rounds, with the console and its page open, over without (goal: within 10 %)`);
  console.log(`throughput ${ratio('perSecond')}, p50 ${ratio('p50')}, p99 ${ratio('p99')}`);
  console.log(
    `memory: idle, before the page is opened, ${idle.toFixed(3)} of ${rssMiB(without.pid).toFixed(1)} MiB; after the load ${(rssMiB(withConsole.pid) / rssMiB(without.pid)).toFixed(3)}`,
  );
  closePage();
} finally {
  for (const { child } of [without, withConsole, emulator]) child.kill();
  rmSync(folder, { recursive: true });
}
