/**
 * `serve --console` with its page open, over `serve` without: throughput and latency of the container route, memory when
 * idle. The built program both times, each in a process of its own, by turns.
 *
 * Usage: node scripts/run-ts.mjs bench/serve-console.ts [--seconds PER_ROUND] [--rounds N] [--json FILE]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Load, containerSteps, load } from './closed-loop.ts';
import { type Spread, ratiosOf, rssMiB, show, writeJson } from './measure.ts';
import { end, startEmulatorProgram, startServe, worldFlags } from './serve-cli.ts';
import type { Serving } from './serve-cli.ts';

const CLI = 'dist/cli.cjs';
const PASSPHRASE = 'four words of a bench';

function loadOn({ port, token }: Serving, seconds: number): Promise<Load> {
  return load(containerSteps(port, token), port, seconds);
}

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

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '0.3' },
    rounds: { type: 'string', default: '60' },
    json: { type: 'string' },
  },
});
const secondsEach = Number(values.seconds);
const rounds = Number(values.rounds);
const folder = mkdtempSync(join(tmpdir(), 'ra-bench-console-'));
const phrase = join(folder, 'passphrase');
writeFileSync(phrase, PASSPHRASE, { mode: 0o600 });
const emulator = await startEmulatorProgram(CLI);
const flags = worldFlags(emulator);
const without = await startServe(CLI, flags);
const withConsole = await startServe(CLI, { ...flags, 'console-passphrase-file': phrase }, undefined, ['--console']);
try {
  await sleep(2000);
  const idle = rssMiB(withConsole.pid) / rssMiB(without.pid);
  const closePage = await openPage(withConsole);
  const both = [without, withConsole];
  for (const one of both) await loadOn(one, 1);
  const all = new Map(both.map((one): [Serving, Load[]] => [one, []]));
  for (let round = 0; round < rounds; round++)
    for (const one of round % 2 === 0 ? both : both.toReversed()) all.get(one)?.push(await loadOn(one, secondsEach));
  const of = (one: Serving, field: keyof Load): number[] => (all.get(one) ?? []).map((round) => round[field]);
  const ratio = (field: keyof Load): Spread => ratiosOf(of(withConsole, field), of(without, field));
  const over = { throughput: ratio('perSecond'), p50: ratio('p50'), p99: ratio('p99') };
  console.log(`medians of ${rounds} rounds, with the console and its page open, over without (goal: within 10 %)`);
  console.log(`throughput ${show(over.throughput, 3)}, p50 ${show(over.p50, 3)}, p99 ${show(over.p99, 3)}`);
  const loaded = rssMiB(withConsole.pid) / rssMiB(without.pid);
  console.log(
    `memory: idle, before the page is opened, ${idle.toFixed(3)} of ${rssMiB(without.pid).toFixed(1)} MiB; after the load ${loaded.toFixed(3)}`,
  );
  writeJson(values.json, { rounds, seconds: secondsEach, over, memory: { idle, loaded } });
  closePage();
} finally {
  for (const one of [without, withConsole, emulator]) end(one);
  rmSync(folder, { recursive: true });
}
