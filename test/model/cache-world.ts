/** The cache of credentials and its lock among processes that are slow, killed or stopped at any of their steps. */
import { keepCredentials } from '../../src/credentials/cache/keep.ts';
import { isFresh, remainingOf } from '../../src/credentials/cache/entry.ts';
import { lockEntry } from '../../src/credentials/cache/lock.ts';
import type { LockFiles, LockSystem } from '../../src/credentials/cache/lock.ts';
import { readEntry } from '../../src/credentials/cache/read-entry.ts';
import type { SessionCredentials } from '../../src/credentials/credentials.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import type { World } from './explorer.ts';
import { settled } from './model-clock.ts';

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
/** The lock's times are shorter here than in use, in the same proportion to how often it is looked at. */
const BEAT_MS = 20;
const STALE_MS = 60;
/** Longest time that a lock of nobody's may keep the next one waiting: its own, and that of one who died breaking it. */
const LEFT_LOCK_MS = 3 * STALE_MS + 100;
const MOST_STEPS = 3000;
/** After so many looks a wait is no longer than the one before. */
const POLLS_TO_LONGEST = 6;
const MIN_REMAINING_MS = HOUR / 4;
const LOCK = 'folder/entry.lock';

export interface CacheSituation {
  readonly processes: number;
  /** How many of them may be killed, at any step. */
  readonly kills?: number;
  /** How many may be stopped for long, at any step, and go on later. */
  readonly stops?: number;
  /** How often the service may refuse. */
  readonly refusals?: number;
  /** Whether each is on a machine of its own, so that only a missed heartbeat tells of its end. */
  readonly machines?: boolean;
  readonly hardLinks?: boolean;
  /** What is left of the life of a set that is there at first, in milliseconds. */
  readonly kept?: number;
  /** What has happened before. */
  readonly before?: readonly string[];
}

interface Step {
  readonly label: string;
  readonly outcomes: Readonly<Record<string, () => void>>;
}

interface File {
  text: string;
  changed: number;
}

class Process {
  readonly id: number;
  alive = true;
  stopped = false;
  wasStopped = false;
  /** What it does next, when it is let. */
  step: Step | undefined;
  sleepsUntil: number | undefined;
  /** Since when it could go on. */
  readySince = 0;
  polls = 0;
  /** All that it has seen since it looked at the lock last: what it does next follows from it, and from the next two. */
  seen = '';
  /** Whose locks it has seen, and since when they are as they are. */
  readonly watched = new Map<string, File & { since: number }>();
  beat: { due: number; readonly callback: () => void } | undefined;
  asking = false;
  done = false;

  constructor(id: number) {
    this.id = id;
  }
}

export class CacheWorld implements World {
  readonly #situation: CacheSituation;
  readonly #files = new Map<string, File>();
  readonly #descriptors: File[] = [];
  readonly #processes: Process[] = [];
  #time = 0;
  #wall = START;
  #kept: string | undefined;
  #kills = 0;
  #stops = 0;
  #refusals = 0;
  /** How often the service was asked. */
  asked = 0;
  #given = new Set<string>();
  #broken: string | undefined;

  constructor(situation: CacheSituation) {
    this.#situation = situation;
    if (situation.kept !== undefined) this.#kept = this.#entry(situation.kept);
    for (let id = 0; id < situation.processes; id++) this.#start();
  }

  actions(): string[] {
    const { kills = 0, stops = 0, refusals = 0 } = this.#situation;
    const running = this.#processes.filter(({ alive, stopped, done }) => alive && !stopped && !done);
    const steps = running.flatMap(({ id, step }) =>
      step === undefined
        ? []
        : Object.keys(step.outcomes)
            .filter((outcome) => outcome !== 'refused' || this.#refusals < refusals)
            .map((outcome) => `${id} ${outcome}`),
    );
    const latest = Math.min(...running.map((one) => this.#mostTime(one)));
    return [
      ...steps.filter(
        (step) => !step.endsWith('wakes') || (this.#processes[Number.parseInt(step, 10)]?.sleepsUntil ?? 0) < latest,
      ),
      ...(this.#kills < kills ? running.map(({ id }) => `${id} is killed`) : []),
      ...(this.#stops < stops ? running.filter((one) => !one.wasStopped).map(({ id }) => `${id} is stopped`) : []),
      ...this.#processes.filter(({ stopped }) => stopped).map(({ id }) => `${id} goes on`),
    ];
  }

  async take(action: string): Promise<void> {
    const [id = '', ...words] = action.split(' ');
    const process = this.#processes[Number(id)];
    const what = words.join(' ');
    const before = new Map(this.#processes.map((one) => [one, one.step]));
    if (process === undefined) throw new Error(`no such process: ${action}`);
    switch (what) {
      case 'is killed':
        this.#kills += 1;
        process.alive = false;
        process.beat = undefined;
        process.asking = false;
        break;
      case 'is stopped':
        this.#stops += 1;
        process.stopped = true;
        process.wasStopped = true;
        break;
      case 'goes on':
        process.stopped = false;
        break;
      default: {
        const { step } = process;
        const outcome = what === 'makes its guard' ? Object.values(step?.outcomes ?? {})[0] : step?.outcomes[what];
        if (outcome === undefined)
          throw new Error(`cannot be: ${action}, but ${Object.keys(step?.outcomes ?? {}).join(' or ')}`);
        process.step = undefined;
        if (what === 'refused') this.#refusals += 1;
        outcome();
      }
    }
    await settled();
    for (const one of this.#processes) if (one.step !== before.get(one)) one.readySince = this.#time;
  }

  check(): void {
    if (this.#broken !== undefined) throw new Error(this.#broken);
  }

  /** All go on to the end, and then one more comes, when what is kept has ended. */
  async finish(): Promise<void> {
    for (const { id, stopped } of this.#processes) if (stopped) await this.take(`${id} goes on`);
    await this.#run();
    const undisturbed = this.#kills + this.#refusals === 0 && this.#processes.every(({ wasStopped }) => !wasStopped);
    if (undisturbed && this.asked !== (this.#situation.kept !== undefined && this.#situation.kept > HOUR / 2 ? 0 : 1))
      throw new Error(`the service was asked ${this.asked} times`);
    this.#wall += 2 * HOUR;
    const before = { time: this.#time, asked: this.asked };
    this.#start();
    await settled();
    await this.#run();
    if (this.asked !== before.asked + 1) throw new Error('who came last did not ask for a new set');
    if (this.#time - before.time > LEFT_LOCK_MS)
      throw new Error(`a lock that nobody held kept the last one waiting for ${this.#time - before.time} ms`);
    const left = [...this.#files.keys()].filter((path) => !isTemporary(path));
    if (this.#kills === 0 && left.length > 0) throw new Error(`${left.join(' and ')} left at the end`);
    if (left.includes(LOCK)) throw new Error('a lock is left at the end');
  }

  /** Times count from now, since the code compares them and nothing else; so what goes round comes back to one state. */
  state(): string {
    const now = this.#time;
    const files = [...this.#files].filter(([path]) => !isTemporary(path)).map(([path, { text }]) => `${path} ${text}`);
    const processes = this.#processes.map((one) => [
      one.alive,
      one.stopped,
      one.wasStopped,
      one.done,
      one.asking,
      Math.min(one.polls, POLLS_TO_LONGEST),
      (one.sleepsUntil ?? now) - now,
      (one.beat?.due ?? now) - now,
      Number.isFinite(this.#mostTime(one)) && one.alive && !one.done ? now - one.readySince : 0,
      one.seen,
      [...one.watched].map(([path, { text, changed, since }]) => {
        const file = this.#files.get(path);
        return [path, file?.text === text && file.changed === changed, Math.min(now - since, STALE_MS)];
      }),
    ]);
    return JSON.stringify([this.#inStore(), files.toSorted(), processes, this.#kills, this.#stops, this.#refusals]);
  }

  /** What is kept, as far as the code tells one thing from another. */
  #inStore(): string {
    const entry = readEntry(this.#kept);
    if (entry === undefined) return 'nothing';
    const isHeld = entry.holdUntil !== undefined;
    return `${entry.credentials.accessKeyId} ${isFresh(entry, this.#wall + this.#time, MIN_REMAINING_MS)} ${isHeld}`;
  }

  /** Nobody is disturbed any more: steps come before time, and who wakes first goes first. */
  async #run(): Promise<void> {
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      this.check();
      const running = this.#processes.filter(({ alive, done }) => alive && !done);
      if (running.length === 0) return;
      const next =
        running.find(({ step, sleepsUntil }) => step !== undefined && sleepsUntil === undefined) ??
        running.toSorted((a, b) => (a.sleepsUntil ?? 0) - (b.sleepsUntil ?? 0))[0];
      if (next?.step === undefined) break;
      await this.take(`${next.id} ${Object.keys(next.step.outcomes)[0]}`);
    }
    throw new Error('somebody waits for ever');
  }

  #start(): void {
    const process = new Process(this.#processes.length);
    this.#processes.push(process);
    const system = this.#system(process);
    keepCredentials({
      store: {
        get: async () =>
          await this.#gate(process, 'reads', () => {
            process.seen += this.#inStore();
            return this.#kept;
          }),
        set: async (_key, text) => await this.#gate(process, 'keeps', () => void (this.#kept = text)),
        lock: async (_key, request) => await lockEntry(LOCK, request, { beatMs: BEAT_MS, staleMs: STALE_MS }, system),
      },
      key: 'entry',
      role: 'role',
      certificate: undefined,
      minRemainingMs: MIN_REMAINING_MS,
      waitMs: HOUR,
      vend: async () => await this.#vend(process),
      onWarning: () => undefined,
      now: () => this.#wall + this.#time,
      random: () => 0.5,
    })
      .then(
        (set) => this.#took(set),
        (error: unknown) => {
          if (!(error instanceof RolesAnywhereError)) this.#breaks(`${process.id} failed: ${String(error)}`);
        },
      )
      .finally(() => (process.done = true));
  }

  #took(set: SessionCredentials): void {
    if (!this.#given.has(set.accessKeyId)) this.#breaks(`${set.accessKeyId} was given, which the service never gave`);
    if (set.expiration.getTime() <= this.#wall + this.#time) this.#breaks('a set that has ended was given');
  }

  #vend(process: Process): Promise<{ credentials: SessionCredentials; clockOffset: number }> {
    this.asked += 1;
    const number = this.asked;
    // Of one that was stopped for so long that it was taken for dead, nobody knows better.
    const others = this.#processes.filter((one) => one.asking && one.alive && !one.wasStopped);
    if (others.length > 0 && !process.wasStopped) this.#breaks(`${process.id} asks while ${others[0]?.id} asks too`);
    process.asking = true;
    return new Promise((resolve, reject) => {
      const over = (result: string): void => {
        process.asking = false;
        process.seen += `${result} ${number};`;
      };
      process.step = {
        label: 'asks',
        outcomes: {
          'is given a set': () => {
            over('given');
            const accessKeyId = `key-${number}`;
            this.#given.add(accessKeyId);
            const expiration = new Date(Math.floor((this.#wall + this.#time) / 1000) * 1000 + HOUR);
            resolve({
              credentials: { accessKeyId, secretAccessKey: 'secret', sessionToken: 'token', expiration },
              clockOffset: 0,
            });
          },
          refused: () => {
            over('refused');
            reject(new RolesAnywhereError('ERR_ACCESS_DENIED', 'of the model'));
          },
        },
      };
    });
  }

  #system(process: Process): LockSystem {
    return {
      files: this.#filesOf(process),
      age: () => this.#time,
      wait: (ms) =>
        new Promise((resolve) => {
          process.sleepsUntil = this.#time + ms;
          const wakes = (): void => {
            this.#pass(process.sleepsUntil ?? 0);
            process.sleepsUntil = undefined;
            process.polls += 1;
            process.seen = '';
            resolve();
          };
          process.step = { label: 'sleeps', outcomes: { wakes } };
        }),
      every: (ms, callback) => {
        process.beat = { due: this.#time + ms, callback };
        return () => (process.beat = undefined);
      },
      touch: (path) => {
        const file = this.#files.get(path);
        if (file === undefined) throw systemError('ENOENT');
        file.changed = this.#time;
      },
      holder: () => ({ pid: process.id, space: 'space', began: '', turn: String(process.id) }),
      isGone: ({ pid }) => this.#situation.machines !== true && this.#processes[pid]?.alive === false,
      random: () => 0.5,
    };
  }

  /** Temporary files are of one process alone: what it does with them changes nothing for the others. */
  #filesOf(process: Process): LockFiles {
    return {
      open: async (path) =>
        await this.#gate(process, `looks at ${path}`, () => {
          const file = this.#files.get(path);
          if (file === undefined) throw systemError('ENOENT');
          const last = process.watched.get(path);
          const isSame = last?.text === file.text && last.changed === file.changed;
          process.watched.set(path, { ...file, since: isSame ? last.since : this.#time });
          process.seen += `${file.text};`;
          return this.#descriptors.push({ ...file }) - 1;
        }),
      fstat: async (descriptor) => {
        const { text, changed } = this.#descriptors[descriptor] ?? { text: '', changed: 0 };
        return { isFile: () => true, size: text.length, mtimeMs: changed };
      },
      readFile: async (descriptor) => Buffer.from(this.#descriptors[descriptor]?.text ?? ''),
      close: async () => undefined,
      writeFile: async (path, text) => {
        const create = (content: string): void => {
          if (this.#files.has(path)) throw systemError('EEXIST');
          this.#files.set(path, { text: content, changed: this.#time });
        };
        if (isTemporary(path)) return create(text);
        await this.#gate(process, `makes ${path}`, () => create(''));
        await this.#gate(process, `writes ${path}`, () => {
          // The file may have been removed since it was opened; then the text goes nowhere.
          const file = this.#files.get(path);
          if (file?.text === '') this.#files.set(path, { text, changed: this.#time });
        });
      },
      link: async (from, to) => {
        if (this.#situation.hardLinks === false) throw systemError('EPERM');
        await this.#gate(process, `links ${to}`, () => {
          if (this.#files.has(to)) throw systemError('EEXIST');
          this.#files.set(to, { text: this.#files.get(from)?.text ?? '', changed: this.#time });
        });
      },
      rm: async (path) => {
        if (isTemporary(path)) this.#files.delete(path);
        else await this.#gate(process, `removes ${path}`, () => void this.#files.delete(path));
      },
    };
  }

  /** One step that others can see, or whose result depends on them: it happens when it is let. */
  #gate<T>(process: Process, label: string, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const happens = (): void => {
        try {
          const result = effect();
          process.seen += `${label};`;
          resolve(result);
        } catch (error) {
          process.seen += `${label}: ${String(error)};`;
          reject(error);
        }
      };
      process.step = { label, outcomes: { [label]: happens } };
    });
  }

  /**
   * Up to when time may pass: a process is slow, but one that could go on and has no heartbeat does so before it is taken
   * for dead. Otherwise it counts as stopped, which is a thing of its own.
   */
  #mostTime({ step, sleepsUntil, beat, readySince, wasStopped }: Process): number {
    const waits = step === undefined || sleepsUntil !== undefined || beat !== undefined || wasStopped;
    return waits ? Infinity : readySince + STALE_MS;
  }

  /** Time passes up to a moment, with the heartbeats that are due until then. */
  #pass(until: number): void {
    for (;;) {
      const beats = this.#processes.flatMap(({ beat, stopped }) => (beat !== undefined && !stopped ? [beat] : []));
      const next = beats.toSorted((a, b) => a.due - b.due)[0];
      if (next === undefined || next.due > until) break;
      this.#time = Math.max(this.#time, next.due);
      next.due = this.#time + BEAT_MS;
      next.callback();
    }
    this.#time = Math.max(this.#time, until);
  }

  #entry(remainingMs: number): string {
    this.#given.add('key-0');
    const expiration = `${new Date(this.#wall + remainingMs).toISOString().slice(0, 19)}Z`;
    const text = JSON.stringify({
      version: 1,
      obtained: this.#wall + remainingMs - HOUR,
      clockOffset: 0,
      chance: 0.5,
      role: 'role',
      credentials: { accessKeyId: 'key-0', secretAccessKey: 'secret', sessionToken: 'token', expiration },
    });
    const entry = readEntry(text);
    if (entry === undefined || remainingOf(entry, this.#wall) !== Math.max(0, remainingMs))
      throw new Error('not an entry');
    return text;
  }

  #breaks(promise: string): void {
    this.#broken ??= promise;
  }
}

function isTemporary(path: string): boolean {
  return path.endsWith('.tmp');
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A world in a situation to begin with. */
export async function cacheWorld(situation: CacheSituation): Promise<CacheWorld> {
  const world = new CacheWorld(situation);
  await settled();
  for (const action of situation.before ?? []) await world.take(action);
  world.check();
  return world;
}
