/** Twenty roles, two hundred clients, and everything that can go wrong at random: no answer may be. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Counts, runClient } from './clients.ts';
import {
  type DisturbOptions,
  type Disturbances,
  disturbDevice,
  disturbNetwork,
  disturbService,
  heal,
  outage,
  rotate,
  stepClock,
} from './disturb.ts';
import { createEvents } from './events.ts';
import { createJudge } from './judge.ts';
import { randomOf } from './random.ts';
import { type Sample, growthIn, sampleOf } from './watch.ts';
import { makeSoakWorld } from './world.ts';

export interface SoakOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
  /** Between two requests of a client, on average. Default 4000. */
  readonly pauseMs?: number | undefined;
  /** By which the time between troubles, and their length, is multiplied. Default 1. */
  readonly pace?: number | undefined;
  /** Gets a line each minute, and at the end. */
  readonly print: (line: string) => void;
  /** Ends the soak sooner, in order. */
  readonly stop?: AbortSignal | undefined;
}

export interface SoakResult extends Counts, Disturbances {
  readonly seconds: number;
  /** Different sets that clients got. */
  readonly sets: number;
  /** The first wrong answer with what went before, or what grew. */
  readonly wrong: string | undefined;
}

/** Memory is compared from so many samples on, one a minute: the first quarter is left out as warming up. */
const FEWEST_SAMPLES = 16;
/** How long a role may take to be well when everything else is: the longest wait between attempts, and the attempt. */
const RECOVERY_MS = 180_000;
/** With 900 s a set's life, an outage that every set ends in. */
const OUTAGE_MS = 960_000;

export async function soak({
  seed,
  seconds,
  clients,
  pauseMs = 4000,
  pace = 1,
  print,
  stop,
}: SoakOptions): Promise<SoakResult> {
  const world = await makeSoakWorld();
  const { servers, roles } = world;
  const events = createEvents();
  const judge = createJudge(world.emulator);
  const counts: Counts & Disturbances = {
    given: 0,
    unavailable: 0,
    refused: 0,
    idle: 0,
    rotations: 0,
    renewals: 0,
    killed: 0,
    faults: 0,
    clockSteps: 0,
    reloads: 0,
  };
  const disturbing = new AbortController();
  const asking = new AbortController();
  const over = new AbortController();
  // Everybody waits with one of them.
  setMaxListeners(0, disturbing.signal, asking.signal, over.signal);
  let found: string | undefined;
  const wrong = (what: string): void => {
    if (found !== undefined) return;
    found = `${what}\nseed ${seed}, second ${events.now().toFixed(1)}; what went before:\n${events.last().join('\n')}`;
    over.abort();
  };
  stop?.addEventListener('abort', () => over.abort(), { once: true });
  let ending = false;
  for (const { serve, identity } of servers)
    void (async () => {
      const status = await serve.exited;
      if (!ending) wrong(`serve with ${identity.kind} ended with ${status}: ${serve.log().slice(-3000)}`);
    })();

  const samples = servers.map((): Sample[] => []);
  const sample = (): void => {
    for (const [index, { serve }] of servers.entries()) samples[index]?.push(sampleOf(serve.pid));
  };
  const report = (): void => {
    const each = samples
      .map((of) => of.at(-1))
      .map((of) => `${of?.rssMiB.toFixed(0)}/${of?.descriptors}/${of?.listeners}`);
    const { given, unavailable, refused, idle, ...disturbed } = counts;
    const told = Object.entries({ given, unavailable, refused, idle, sets: judge.sets, ...disturbed });
    print(
      `${(events.now() / 60).toFixed(1)} min: ${told.map(([name, value]) => `${name} ${value}`).join(', ')}; MiB/descriptors/listeners ${each.join(' ')}`,
    );
  };

  try {
    const clientLoops = Array.from({ length: clients }, (_, index) => {
      const role = roles[index % roles.length];
      if (role === undefined) throw new Error('no roles');
      const others = roles.filter(
        (other) => other !== role && (other.ownToken || role.ownToken || other.port !== role.port),
      );
      const random = randomOf(seed, `client ${index}`);
      return runClient({ role, others, random, judge, counts, pauseMs, signal: asking.signal, wrong });
    });
    const { signal } = disturbing;
    const disturbances = [
      ...servers.flatMap((server) => {
        const by = (what: string): DisturbOptions => ({
          world,
          server,
          random: randomOf(seed, `${what} ${server.identity.kind}`),
          events,
          counts,
          signal,
          wrong,
          pace,
        });
        return [
          disturbNetwork(by('network')),
          rotate(by('rotation')),
          stepClock(by('clock')),
          disturbDevice(by('device')),
        ];
      }),
      disturbService({ world, random: randomOf(seed, 'service'), events, counts, signal, pace }),
    ];
    const [first] = servers;
    if (seconds * 1000 > 2.2 * OUTAGE_MS && first !== undefined) {
      const options = { world, server: first, random: randomOf(seed, 'outage'), events, counts, signal, wrong, pace };
      disturbances.push(outage(options, (seconds * 1000) / 4, OUTAGE_MS));
    }

    const until = seconds * 1000;
    for (let minute = 1; !over.signal.aborted; minute++) {
      const next = Math.min(minute * 60_000, until);
      await sleep(Math.max(0, next - events.now() * 1000), undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) break;
      sample();
      report();
      if (next >= until) break;
    }
    disturbing.abort();
    await Promise.all(disturbances);
    if (found === undefined) await recover();
    asking.abort();
    await Promise.all(clientLoops);
    if (samples[0] !== undefined && samples[0].length >= FEWEST_SAMPLES)
      for (const [index, { identity }] of servers.entries()) {
        const grown = growthIn(samples[index] ?? []);
        if (grown !== undefined) wrong(`serve with ${identity.kind} grows, ${grown}`);
      }
    ending = true;
    for (const { serve, identity } of servers) {
      serve.kill('SIGTERM');
      const status = await serve.exited;
      if (status !== 0) wrong(`serve with ${identity.kind} ended with ${status}: ${serve.log().slice(-3000)}`);
    }
  } finally {
    ending = true;
    disturbing.abort();
    asking.abort();
    await world.close();
  }
  return { ...counts, seconds: Math.round(events.now()), sets: judge.sets, wrong: found };

  /** With everything well, each role must have credentials again, which are new. */
  async function recover(): Promise<void> {
    const began = Date.now();
    for (const server of servers) {
      heal(world, server);
      server.setClock?.(0);
      server.serve.kill('SIGHUP');
    }
    events.note('everything is well');
    for (const role of roles) {
      for (;;) {
        const response = await fetch(`http://127.0.0.1:${role.port}/role/${role.name}`, {
          headers: { Authorization: role.token() },
        });
        const body = await response.text();
        if (response.status === 200) {
          const told = await judge.judge(body, role.arn);
          if (told !== undefined) wrong(`${role.name} at the end: ${told}`);
          break;
        }
        if (Date.now() - began > RECOVERY_MS) {
          wrong(`${role.name} is not well again: ${body}\n${role.server.serve.log().slice(-3000)}`);
          return;
        }
        await sleep(500);
      }
    }
  }
}
