/**
 * The lock of an entry: one process asks the service, the others wait for what it gets. A holder that is dead is noticed at
 * once; one that was stopped, or is on another machine and dead, by its heartbeat, which is missed after some seconds.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants, utimesSync } from 'node:fs';
import { processAge } from '../../platform/clock.ts';
import * as fs from '../../platform/file-system.ts';
import { systemCode } from '../../platform/files.ts';
import { isGone, parseHolder, thisHolder } from './holder.ts';
import type { Holder } from './holder.ts';
import type { LockRequest, StoreLock } from './store.ts';

export interface BeatTimes {
  /** Between two heartbeats of a holder, in milliseconds. Default 1000. */
  readonly beatMs?: number | undefined;
  /** Without a heartbeat for so long a holder is taken for dead. Default 10 000: on a machine that is overloaded a process may not run for seconds. */
  readonly staleMs?: number | undefined;
}

/** What a lock needs of the system, so that a test can hold it in its hand. */
export interface LockSystem {
  readonly files: LockFiles;
  /** Milliseconds on a clock that nobody sets. */
  age(): number;
  wait(ms: number): Promise<void>;
  /** Calls again and again, without keeping the process alive, until the function that it gives is called. */
  every(ms: number, callback: () => void): () => void;
  /** Sets the time of a file's last change to now. */
  touch(path: string): void;
  /** This process, as the holder of a lock. */
  holder(turn: string): Holder;
  /** Whether a holder is surely gone. */
  isGone(holder: Holder): boolean;
  /** Uniform in [0, 1). */
  random(): number;
}

/** As those of node:fs/promises, with descriptors. */
export interface LockFiles {
  open(path: string, flags: number): Promise<number>;
  fstat(descriptor: number): Promise<{ isFile(): boolean; readonly size: number; readonly mtimeMs: number }>;
  readFile(descriptor: number): Promise<Buffer>;
  close(descriptor: number): Promise<void>;
  writeFile(path: string, text: string, options: { readonly flag: 'wx'; readonly mode: number }): Promise<void>;
  link(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: true; readonly recursive?: boolean }): Promise<void>;
}

const realSystem: LockSystem = {
  files: fs,
  age: processAge,
  wait: async (ms) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
  },
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
  touch: (path) => utimesSync(path, new Date(), new Date()),
  holder: thisHolder,
  isGone,
  random: Math.random,
};

const LEAST_POLL_MS = 8;
const MOST_POLL_MS = 50;
/** What systems say of a file system without hard links. */
const WITHOUT_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);
/** Windows has neither of the last two, and `undefined` adds no bit. */
const TO_LOOK = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Takes the lock at `path`, in a folder that is there.
 *
 * @returns undefined when what others do is done, or the time is over
 * @throws the system's error, where no file can be made; the signal's reason
 */
export async function lockEntry(
  path: string,
  { waitMs, isDone, signal }: LockRequest,
  { beatMs = 1000, staleMs = 10_000 }: BeatTimes = {},
  system: LockSystem = realSystem,
): Promise<StoreLock | undefined> {
  const text = JSON.stringify(system.holder(randomBytes(9).toString('hex')));
  const end = system.age() + waitMs;
  const isLeft = watch(staleMs, system);
  for (let poll = LEAST_POLL_MS; ; poll = Math.min(poll * 1.5, MOST_POLL_MS)) {
    signal?.throwIfAborted();
    if (await make(path, text, system)) return held(path, text, beatMs, system);
    if (await isDone()) return undefined;
    const found = await look(path, system);
    if (found !== undefined && isLeft(path, found)) await breakLock(path, found.text, text, { beatMs, isLeft }, system);
    const left = end - system.age();
    if (left <= 0) return undefined;
    await system.wait(Math.min(left, poll * (0.5 + system.random())));
  }
}

/** Tells whether what was found at a path was left there: its holder is gone, or gave no sign of life while we watched. */
function watch(staleMs: number, system: LockSystem): (path: string, found: Found) => boolean {
  const seen = new Map<string, { mark: string; since: number }>();
  return (path, { text, mark }) => {
    const now = system.age();
    const last = seen.get(path);
    const since = last?.mark === mark ? last.since : now;
    seen.set(path, { mark, since });
    const holder = parseHolder(text);
    return (holder !== undefined && system.isGone(holder)) || now - since >= staleMs;
  };
}

/** Gives signs of life by a file, until the function that it gives is called. */
function heartbeat(path: string, beatMs: number, system: LockSystem): () => void {
  return system.every(beatMs, () => {
    try {
      system.touch(path);
    } catch {
      // It was taken away: whoever did holds it now.
    }
  });
}

function held(path: string, text: string, beatMs: number, system: LockSystem): StoreLock {
  const end = heartbeat(path, beatMs, system);
  return {
    async release() {
      end();
      if ((await look(path, system))?.text === text) await system.files.rm(path, { force: true });
    },
  };
}

/** Makes the lock with all that is in it, or not at all: one without a holder's name would be nobody's. */
async function make(path: string, text: string, { files }: LockSystem): Promise<boolean> {
  const fresh = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    await files.writeFile(fresh, text, { flag: 'wx', mode: 0o600 });
    await files.link(fresh, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    if (!WITHOUT_LINKS.has(systemCode(error))) throw error;
    return await makeInPlace(path, text, files);
  } finally {
    await files.rm(fresh, { force: true });
  }
}

async function makeInPlace(path: string, text: string, files: LockFiles): Promise<boolean> {
  try {
    await files.writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** What is in a lock, and a mark that changes with it and with each heartbeat. */
interface Found {
  readonly text: string;
  readonly mark: string;
}

/** @returns undefined where there is none */
async function look(path: string, { files }: LockSystem): Promise<Found | undefined> {
  let descriptor: number | undefined;
  try {
    descriptor = await files.open(path, TO_LOOK);
    const stats = await files.fstat(descriptor);
    if (!stats.isFile() || stats.size > 4096) return { text: '', mark: 'no lock' };
    const text = (await files.readFile(descriptor)).toString('utf8');
    return { text, mark: `${text} ${stats.mtimeMs}` };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    return { text: '', mark: 'no lock' };
  } finally {
    if (descriptor !== undefined) await files.close(descriptor);
  }
}

/**
 * Takes away a lock whose holder is gone. Of several that found that, one does: else the second would take away the lock of
 * the first, who holds it by then. The guard that says who may is of this one lock and of no later one, and the guard of a
 * breaker that was killed in these few instants stays until the lock is gone, while whoever comes next makes another one: a
 * guard that is taken away while the lock is there could be the next breaker's. A breaker that is slow gives signs of life:
 * taken for dead, it would have company.
 */
async function breakLock(
  path: string,
  text: string,
  own: string,
  { beatMs, isLeft }: { readonly beatMs: number; readonly isLeft: (path: string, found: Found) => boolean },
  system: LockSystem,
): Promise<void> {
  const name = `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  const guards: string[] = [];
  let guard: string;
  for (;;) {
    guard = `${name}.${guards.length}.break`;
    guards.push(guard);
    if (await make(guard, own, system)) break;
    const other = await look(guard, system);
    if (other === undefined || !isLeft(guard, other)) return;
  }
  const end = heartbeat(guard, beatMs, system);
  try {
    if ((await look(path, system))?.text === text) await system.files.rm(path, { force: true, recursive: true });
  } finally {
    end();
    for (const one of guards) await system.files.rm(one, { force: true, recursive: true });
  }
}
