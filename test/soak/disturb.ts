/** What befalls the servers while clients ask: of the network and the service, of the certificates' files, of clocks and devices. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../src/emulator/wire/faults.ts';
import { flagsOf } from '../clients/serve-process.ts';
import type { WireFault } from '../faults/support/fault-proxy.ts';
import { CLI, cleanEnv } from '../support/cli.ts';
import { WAYS, byRename, certificatePath } from '../support/rotations.ts';
import type { Events } from './events.ts';
import { containerPath } from './identities.ts';
import type { Random } from './random.ts';
import type { SoakServer, SoakWorld } from './world.ts';

export interface Disturbances {
  rotations: number;
  renewals: number;
  killed: number;
  faults: number;
  clockSteps: number;
  reloads: number;
}

export interface DisturbOptions {
  readonly world: SoakWorld;
  readonly server: SoakServer;
  readonly random: Random;
  readonly events: Events;
  readonly counts: Disturbances;
  readonly signal: AbortSignal;
  readonly wrong: (what: string) => void;
  /** By which all pauses and lengths are multiplied. */
  readonly pace: number;
}

const WIRE: readonly [WireFault, ...WireFault[]] = [
  { delayMs: 200 },
  { delayMs: 5, pieceBytes: 64 },
  { at: 0, does: 'end' },
  { at: 0, does: 'reset' },
  { at: 0, does: 'stall' },
  { at: 'handshake', does: 'end' },
  { at: 'handshake', does: 'reset' },
  { at: 'handshake', does: 'stall' },
  { at: 'handshake', does: 'corrupt' },
  { at: 'answer', does: 'end' },
  { at: 'answer', does: 'reset' },
  { at: 'answer', does: 'stall' },
  { at: 'answer', does: 'corrupt' },
  { at: 'handshake', does: 'reorder' },
];

/** Waits, unless the soak ends. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** The network of one server: now well, now in trouble. */
export async function disturbNetwork({
  world,
  server,
  random,
  events,
  counts,
  signal,
  pace,
}: DisturbOptions): Promise<void> {
  const { proxy, identity } = server;
  while (!signal.aborted) {
    await pause(pace * random.between(2000, 40_000), signal);
    if (signal.aborted) break;
    counts.faults += 1;
    const luck = random.next();
    if (luck < 0.15) {
      const port = random.pick(['expired', 'stranger'] as const);
      events.note(`${identity.kind}: a server with a certificate that is ${port}`);
      proxy.leadTo(world.ports[port]);
    } else {
      const fault = random.pick(WIRE);
      // Now and then for a few connections, so that the next attempt is good.
      const connections = random.chance(0.3) ? 1 + random.below(3) : undefined;
      events.note(`${identity.kind}: network ${JSON.stringify({ ...fault, connections })}`);
      proxy.set({ ...fault, connections });
    }
    proxy.reset();
    await pause(pace * random.between(1000, random.chance(0.1) ? 120_000 : 20_000), signal);
    heal(world, server);
    events.note(`${identity.kind}: network well`);
  }
}

export function heal({ ports }: SoakWorld, { proxy }: SoakServer): void {
  proxy.set(undefined);
  proxy.leadTo(ports.service);
  proxy.reset();
}

/** One long outage, past the end of every set that was there. */
export async function outage(
  { server, events, counts, signal }: DisturbOptions,
  fromMs: number,
  lengthMs: number,
): Promise<void> {
  await pause(fromMs, signal);
  const { proxy, identity } = server;
  if (signal.aborted) return;
  counts.faults += 1;
  events.note(`${identity.kind}: the service is out for ${Math.round(lengthMs / 1000)} s`);
  const until = performance.now() + lengthMs;
  while (performance.now() < until && !signal.aborted) {
    // Whatever else the network does is over sooner.
    proxy.set({ at: 0, does: 'reset' });
    proxy.reset();
    await pause(500, signal);
  }
  proxy.set(undefined);
  events.note(`${identity.kind}: the service is back`);
}

/** The service as a whole: errors, throttling, cut and late answers, a wrong date. */
export async function disturbService({
  world,
  random,
  events,
  counts,
  signal,
  pace,
}: Omit<DisturbOptions, 'server' | 'wrong'>): Promise<void> {
  const faults: readonly [() => Fault, ...(() => Fault)[]] = [
    () => ({ status: random.pick([500, 502, 503] as const) }),
    () => ({ status: 429 }),
    () => ({ cut: random.pick(['before', 'middle'] as const) }),
    () => ({ delayMs: random.between(100, 8000) }),
    // Further off than a clock that could have taken the signature: such a one is followed, and sets end by it.
    () => ({ date: new Date(Date.now() + random.pick([-1, 1] as const) * random.between(420_000, 7_200_000)) }),
    () => ({ status: 403, code: 'AccessDeniedException' }),
  ];
  while (!signal.aborted) {
    await pause(pace * random.between(1000, 15_000), signal);
    if (signal.aborted) break;
    const fault = { ...random.pick(faults)(), path: '/sessions', times: 1 + random.below(6) };
    counts.faults += 1;
    events.note(`service ${JSON.stringify(fault)}`);
    const takeBack = world.emulator.inject(fault);
    await pause(pace * random.between(1000, 30_000), signal);
    takeBack();
  }
}

/** The certificate's files of one server: replaced in every way that people and programs have. */
export async function rotate(options: DisturbOptions): Promise<void> {
  const { server, random, events, counts, signal, wrong, pace } = options;
  const { identity, serve } = server;
  for (let step = 1; !signal.aborted; step++) {
    await pause(pace * random.between(3000, 40_000), signal);
    if (signal.aborted) break;
    const material = identity.materials[step % identity.materials.length] ?? identity.materials[0];
    const canRenew = identity.kind === 'files' || identity.kind === 'pkcs12';
    if (canRenew && random.chance(0.35)) {
      const killed = random.chance(0.3) ? random.between(50, 1500) : undefined;
      const failed = await renew(options, killed);
      if (failed !== undefined) wrong(`renew of ${identity.kind}: ${failed}`);
      events.note(`${identity.kind}: renewed by \`renew\`${killed === undefined ? '' : `, killed after ${killed} ms`}`);
    } else if (material.container !== undefined) {
      const inPlace = random.chance(0.5);
      await replaceContainer(containerPath(identity.folder), material.container, inPlace);
      events.note(`${identity.kind}: rotated ${inPlace ? 'in place' : 'by rename'}`);
      counts.rotations += 1;
    } else if (material.pair.key === '') {
      await replaceCertificate(certificatePath(identity.folder), material.pair.certificate, random.chance(0.5));
      events.note(`${identity.kind}: another certificate for the key`);
      counts.rotations += 1;
    } else {
      const { way, rotate: put } = random.pick([WAYS[0] ?? { way: '', rotate: byRename }, ...WAYS.slice(1, 2)]);
      await put(identity.folder, material.pair, step);
      events.note(`${identity.kind}: rotated ${way}`);
      counts.rotations += 1;
    }
    // Some say so.
    if (random.chance(0.5)) {
      serve.kill('SIGHUP');
      counts.reloads += 1;
      events.note(`${identity.kind}: SIGHUP`);
    }
  }
}

async function replaceContainer(path: string, content: Uint8Array, inPlace: boolean): Promise<void> {
  if (inPlace) return await writeFile(path, content);
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function replaceCertificate(path: string, text: string, inPlace: boolean): Promise<void> {
  await replaceContainer(path, Buffer.from(text), inPlace);
}

/** @returns what went wrong, or undefined */
async function renew(
  { world, server: { identity, est }, counts }: DisturbOptions,
  killedAfterMs: number | undefined,
): Promise<string | undefined> {
  // It takes none but the certificate that it issued last, and others have been put in its place since.
  est.current = undefined;
  const args = [
    'renew',
    '--force',
    '--new-key',
    ...identity.flags,
    ...flagsOf({ 'renew-from': `est:${est.origin}`, 'renew-ca': world.roots }),
  ];
  const child: ChildProcess = spawn(process.execPath, [CLI, ...args], {
    env: cleanEnv(identity.env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const timer = killedAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killedAfterMs);
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  if (signal === 'SIGKILL' && killedAfterMs !== undefined) {
    counts.killed += 1;
    return undefined;
  }
  counts.renewals += 1;
  return status === 0 ? undefined : `status ${status ?? signal}: ${said}`;
}

/** The clock of a server: set ahead, set back, and right again. */
export async function stepClock({ server, random, events, counts, signal, pace }: DisturbOptions): Promise<void> {
  const { setClock, identity } = server;
  if (setClock === undefined) return;
  while (!signal.aborted) {
    await pause(pace * random.between(20_000, 120_000), signal);
    if (signal.aborted) break;
    const seconds = Math.round(random.between(-7200, 7200));
    setClock(seconds);
    counts.clockSteps += 1;
    events.note(`${identity.kind}: the clock is ${seconds} s ahead`);
    await pause(pace * random.between(1000, 60_000), signal);
    setClock(0);
    events.note(`${identity.kind}: the clock is right`);
  }
}

/** The TPM: it stands still for a while, or is started again. */
export async function disturbDevice({ server, random, events, counts, signal, pace }: DisturbOptions): Promise<void> {
  const { tpm } = server.identity;
  if (tpm === undefined) return;
  while (!signal.aborted) {
    await pause(pace * random.between(10_000, 90_000), signal);
    if (signal.aborted) break;
    counts.faults += 1;
    if (random.chance(0.5)) {
      events.note('tpm: stands still');
      tpm.pause();
      await pause(pace * random.between(200, 5000), signal);
      tpm.resume();
    } else {
      events.note('tpm: off');
      await tpm.stop();
      await pause(pace * random.between(200, 3000), signal);
      await tpm.start();
    }
    events.note('tpm: on');
  }
}
