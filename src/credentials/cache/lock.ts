/**
 * The lock of an entry: one process asks the service, the others wait for what it gets. A holder that is dead is noticed at
 * once; one that was stopped, or is on another machine and dead, by its heartbeat, which is missed after some seconds.
 */
import { randomBytes } from 'node:crypto';
import { constants, utimesSync } from 'node:fs';
import { processAge } from '../../platform/clock.ts';
import * as fs from '../../platform/file-system.ts';
import { systemCode } from '../../platform/files.ts';
import { isGone, parseHolder, thisHolder } from './holder.ts';
import type { LockRequest, StoreLock } from './store.ts';

export interface BeatTimes {
  /** Between two heartbeats of a holder, in milliseconds. Default 1000. */
  readonly beatMs?: number | undefined;
  /** Without a heartbeat for so long a holder is taken for dead. Default 10 000: on a machine that is overloaded a process may not run for seconds. */
  readonly staleMs?: number | undefined;
}

const LEAST_POLL_MS = 8;
const MOST_POLL_MS = 50;

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
): Promise<StoreLock | undefined> {
  const text = JSON.stringify(thisHolder(randomBytes(9).toString('hex')));
  const end = processAge() + waitMs;
  let seen: { mark: string | undefined; since: number } = { mark: undefined, since: 0 };
  for (let poll = LEAST_POLL_MS; ; poll = Math.min(poll * 1.5, MOST_POLL_MS)) {
    signal?.throwIfAborted();
    if (await make(path, text)) return held(path, text, beatMs);
    if (await isDone()) return undefined;
    const found = await look(path);
    if (found !== undefined) {
      const now = processAge();
      if (found.mark !== seen.mark) seen = { mark: found.mark, since: now };
      const holder = parseHolder(found.text);
      if ((holder !== undefined && isGone(holder)) || now - seen.since >= staleMs)
        await breakLock(path, found.text, text);
    }
    const left = end - processAge();
    if (left <= 0) return undefined;
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, poll * (0.5 + Math.random()))));
  }
}

function held(path: string, text: string, beatMs: number): StoreLock {
  const beat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // It was taken away: whoever did holds it now.
    }
  }, beatMs);
  beat.unref();
  return {
    async release() {
      clearInterval(beat);
      if ((await look(path))?.text === text) await fs.rm(path, { force: true });
    },
  };
}

/** Makes the lock with all that is in it, or not at all: one without a holder's name would be nobody's. */
async function make(path: string, text: string): Promise<boolean> {
  const fresh = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    await fs.writeFile(fresh, text, { flag: 'wx', mode: 0o600 });
    await fs.link(fresh, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    // A file system without hard links.
    if (!/^(?:EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS|EMLINK)$/.test(systemCode(error) ?? '')) throw error;
    return await makeInPlace(path, text);
  } finally {
    await fs.rm(fresh, { force: true });
  }
}

async function makeInPlace(path: string, text: string): Promise<boolean> {
  try {
    await fs.writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** What is in a lock, and a mark that changes with it and with each heartbeat; undefined where there is none. */
async function look(path: string): Promise<{ text: string; mark: string } | undefined> {
  let descriptor: number | undefined;
  try {
    descriptor = await fs.open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stats = await fs.fstat(descriptor);
    if (!stats.isFile() || stats.size > 4096) return { text: '', mark: 'no lock' };
    const text = (await fs.readFile(descriptor)).toString('utf8');
    return { text, mark: `${text} ${stats.mtimeMs}` };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    return { text: '', mark: 'no lock' };
  } finally {
    if (descriptor !== undefined) await fs.close(descriptor);
  }
}

/**
 * Takes away a lock whose holder is gone. Of several that found that, one does: else the second would take away the lock of
 * the first, who holds it by then.
 */
async function breakLock(path: string, text: string, own: string): Promise<void> {
  const guard = `${path}.break`;
  if (!(await make(guard, own))) {
    const other = await look(guard);
    const breaker = other === undefined ? undefined : parseHolder(other.text);
    // Killed in these few instants: whoever comes next makes its own.
    if (other !== undefined && (breaker === undefined || isGone(breaker)))
      await fs.rm(guard, { force: true, recursive: true });
    return;
  }
  try {
    if ((await look(path))?.text === text) await fs.rm(path, { force: true, recursive: true });
  } finally {
    await fs.rm(guard, { force: true });
  }
}
