/** A lock that processes, also those of different machines on one file system, hold by having made a file. */
// Tests: test/output/credentials-file.test.ts
import { randomBytes } from 'node:crypto';
import { RolesAnywhereError } from './errors.ts';
import { close, discard, link, open, rename, rm, writeFile } from './file-system.ts';
import { readNamedFile, systemCode } from './files.ts';
import { processAge } from './clock.ts';

/** How long to wait for others, in milliseconds. */
export interface LockTimes {
  /** For the lock. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** A lock that the same holder keeps for so long while we watch was left by a crash. Default 10 000. */
  readonly staleMs?: number | undefined;
}

/** A lock that is held. */
export interface Lock {
  /** Whether it still is: a holder that was stopped for long may have been taken for dead. */
  isHeld(): Promise<boolean>;
  /** Never rejects: what was done under it is done, and one that cannot be removed is taken over like a dead process's. */
  release(): Promise<void>;
}

const POLL_MS = 15;

/**
 * Waits for the lock and takes it. Whether a holder is alive is judged by
 * watching it, not by its process id, which says nothing in another container,
 * nor by the file's time, which another machine's clock may have set.
 *
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE` when it is not to be had, the signal's reason when it fires
 */
export async function takeLock(path: string, times: LockTimes = {}, signal?: AbortSignal): Promise<Lock> {
  const { timeoutMs = 30_000, staleMs = 10_000 } = times;
  const token = `${process.pid} ${randomBytes(9).toString('hex')}\n`;
  const began = processAge();
  let holder: { text: string | undefined; since: number } = { text: undefined, since: began };
  for (;;) {
    signal?.throwIfAborted();
    if (await create(path, token)) return heldLock(path, token);
    const text = await textOf(path);
    const now = processAge();
    if (text !== holder.text) holder = { text, since: now };
    else if (text !== undefined && now - holder.since >= staleMs) await removeStale(path, text, token);
    if (now - began >= timeoutMs)
      throw new RolesAnywhereError(
        'ERR_CREDENTIALS_FILE',
        `the lock ${path} is not to be had: other programs keep taking it`,
        {
          hint: 'see which programs write the file; if there are none, remove the lock',
        },
      );
    await new Promise((resolve) => setTimeout(resolve, POLL_MS * (1 + Math.random())));
  }
}

function heldLock(path: string, token: string): Lock {
  const isHeld = async (): Promise<boolean> => (await textOf(path)) === token;
  return {
    isHeld,
    release: async () => {
      if (await isHeld().catch(() => false)) await discard(path);
    },
  };
}

async function create(path: string, token: string): Promise<boolean> {
  let descriptor: number;
  try {
    descriptor = await open(path, 'wx', 0o600);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    await writeFile(descriptor, token);
  } catch (error) {
    // The disk is full. What was made is nobody's lock, and would be waited for.
    await rm(path, { force: true });
    throw error;
  } finally {
    await close(descriptor);
  }
  return true;
}

/** A lock is some forty bytes; a pipe in its place is nobody's. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    const lock = readNamedFile({ path, name: `the lock ${path}`, code: 'ERR_CREDENTIALS_FILE', maxBytes: 1024 });
    return Buffer.from(lock.bytes).toString('utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Of several that found it stale one succeeds; what was made anew in between is put back. */
async function removeStale(path: string, text: string, token: string): Promise<void> {
  const aside = `${path}.${token.slice(-19).trim()}`;
  try {
    await rename(path, aside);
    if ((await textOf(aside)) !== text) await link(aside, path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(aside, { force: true });
  }
}
