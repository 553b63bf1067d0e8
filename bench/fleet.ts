/**
 * What fleets of hosts go through that start together, renew, and lose the service for an hour, against a quota of ten
 * CreateSession calls a second: the rule of refresh as it is, and others. On a simulated clock, so that the machine's speed
 * changes nothing; the same numbers each time. Figures: docs/performance.md.
 * Usage: node scripts/run-ts.mjs bench/fleet.ts [--hosts 100,1000] [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DEFAULT_REFRESH, type RefreshSettings, refreshThreshold } from '../src/credentials/refresh-policy.ts';
import { type Outcome, simulate } from './fleet/simulation.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const QUOTA = { perSecond: 10, burst: 10 };

const { values } = parseArgs({
  options: { hosts: { type: 'string', default: '100,1000,10000,100000' }, json: { type: 'string' } },
});

const LATE = { maxRemainingMs: 25 * MINUTE, maxJitterMs: 5 * MINUTE };

/** The rules, each for a session's life. */
const RULES: Readonly<Record<string, Partial<RefreshSettings>>> = {
  'as it is': {},
  'at 25 minutes left, and up to 5 earlier': LATE,
  'at 25 minutes left': { ...LATE, jitter: 0 },
  'as it is, waits of up to 5 minutes after failures': { backoffCapMs: 5 * MINUTE },
};

/** How many of the hosts, by chance, have renewed when the service is lost: none, half, and nearly all. */
const MOMENTS = [1, 0.5, 0];

interface Row extends Outcome {
  readonly hosts: number;
  readonly sessionMs: number;
  readonly rule: string;
  /** From the return of the service until all had credentials. */
  readonly backAfterMs: number | undefined;
}

const capacity = [15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 12 * HOUR].map((sessionMs) => {
  const everyMs = meanInterval(sessionMs, DEFAULT_REFRESH);
  return { sessionMs, everyMs, hosts: Math.floor((QUOTA.perSecond * everyMs) / 1000) };
});
console.log(`sessions, and the hosts whose renewals alone take up ${QUOTA.perSecond} calls a second`);
for (const { sessionMs, everyMs, hosts } of capacity)
  console.log(`${minutes(sessionMs)} min, renewed every ${minutes(everyMs)} min: ${hosts}`);

const rows: Row[] = [];
for (const hosts of values.hosts.split(',').map(Number))
  for (const sessionMs of [HOUR, 12 * HOUR])
    for (const [rule, changes] of Object.entries(RULES)) {
      const settings = { ...DEFAULT_REFRESH, ...changes };
      // More than the quota has room for are never all served, whatever the rule.
      if (hosts * 1000 > QUOTA.perSecond * meanInterval(sessionMs, settings)) continue;
      const [one, ...others] = MOMENTS.map((chance) => row(hosts, sessionMs, rule, settings, chance));
      rows.push(others.reduce((worst, other) => (isWorse(other, worst) ? other : worst), one!));
      print(rows.at(-1)!);
    }
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ capacity, rows }, undefined, 2)}\n`);

/** One fleet, which loses the service when sets are due that are renewed so early by chance. */
function row(hosts: number, sessionMs: number, rule: string, settings: RefreshSettings, chance: number): Row {
  const spreadMs = Math.ceil((hosts / QUOTA.perSecond) * 1000);
  const fromMs = Math.floor(sessionMs - refreshThreshold(sessionMs, chance, settings));
  const outage = { fromMs, untilMs: fromMs + HOUR };
  const untilMs = outage.untilMs + 2 * spreadMs + 10 * MINUTE;
  const outcome = simulate({ hosts, sessionMs, refresh: settings, quota: QUOTA, outage, untilMs });
  const { allBackMs } = outcome;
  const backAfterMs = allBackMs === undefined ? undefined : Math.max(0, allBackMs - outage.untilMs);
  return { hosts, sessionMs, rule, ...outcome, backAfterMs };
}

function isWorse(one: Row, other: Row): boolean {
  return one.after.hosts * one.after.longestMs > other.after.hosts * other.after.longestMs;
}

function print({ hosts, sessionMs, rule, allStartedMs, requests, mostInSecond, after, backAfterMs }: Row): void {
  const { granted, throttled, lost } = requests;
  console.log(
    [
      `${hosts} hosts, ${minutes(sessionMs)} min, ${rule}: all started after ${seconds(allStartedMs)}`,
      `${granted} calls granted, ${throttled} throttled, ${lost} lost, ${mostInSecond} in the busiest second`,
      `${after.hosts} without credentials, the longest for ${minutes(after.longestMs)} min, all back ${seconds(backAfterMs)} after the service`,
    ].join('; '),
  );
}

/** Between two renewals of a host, on average. */
function meanInterval(lifeMs: number, settings: RefreshSettings): number {
  return lifeMs - refreshThreshold(lifeMs, 0.5, settings);
}

function minutes(ms: number): string {
  return (ms / MINUTE).toFixed(1).replace(/\.0$/, '');
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? 'never' : `${(ms / 1000).toFixed(0)} s`;
}
