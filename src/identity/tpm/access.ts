/**
 * Uses a TPM: one job at a time in this process, on one connection from the first command to the last flush, so that
 * programs that share a TPM without a resource manager take turns. What is over in milliseconds holds nobody up.
 */
// Tests: test/identity/tpm/failures.test.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { processAge } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { awaited } from '../../platform/waits.ts';
import { type TpmLocation, describeLocation, isManaged } from './location.ts';
import { RC, isAnswer } from './return-codes.ts';
import { type Leftovers, Tpm } from './tpm.ts';
import { openTransport } from './connect.ts';
import { isConnectionLoss } from './transport.ts';

/** How long one job may take, with the wait for its turn at the TPM. */
const JOB_MS = 20_000;

/** How long to try for a slot in a TPM that has none left. Whoever uses one gives it back at once, unless it was killed. */
const SLOT_MS = 4000;

/** How long cleaning up behind a connection that was lost may take. */
const CLEAN_UP_MS = 3000;

const NO_SLOT = [RC.objectMemory, RC.sessionMemory, RC.memory, RC.objectHandles, RC.sessionHandles] as const;

export interface AccessOptions {
  /** Milliseconds for one job. Default 20 000. */
  readonly timeoutMs?: number | undefined;
}

/** The last job of this process at each TPM. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Does a job at a TPM. It is done again, from its beginning, when the TPM has no slot left, or once when the connection
 * is closed in the middle.
 *
 * @throws TpmError, RolesAnywhereError `ERR_TPM_...`, `ERR_INTERRUPTED`, and what the job throws
 */
export async function withTpm<T>(
  location: TpmLocation,
  job: (tpm: Tpm) => Promise<T>,
  { timeoutMs = JOB_MS }: AccessOptions = {},
): Promise<T> {
  const place = describeLocation(location);
  const result = (queues.get(place) ?? Promise.resolve()).then(() =>
    withSignals(
      async (stop) => await awaited(`the TPM at ${place}`, async () => await persist(location, job, timeoutMs, stop)),
    ),
  );
  const settled = result.then(
    () => undefined,
    () => undefined,
  );
  queues.set(place, settled);
  return await result;
}

async function persist<T>(
  location: TpmLocation,
  job: (tpm: Tpm) => Promise<T>,
  timeoutMs: number,
  stop: () => boolean,
): Promise<T> {
  const began = processAge();
  const deadline = began + timeoutMs;
  let mayReconnect = true;
  for (let pauseMs = 25; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    try {
      return await once(location, job, deadline, stop);
    } catch (error) {
      const isFull = isAnswer(error, ...NO_SLOT) && processAge() - began < SLOT_MS;
      const isClosed = mayReconnect && error instanceof RolesAnywhereError && error.code === 'ERR_TPM_CLOSED';
      if ((!isFull && !isClosed) || processAge() >= deadline || stop()) throw error;
      if (isClosed) mayReconnect = false;
    }
    // Without the connection: others need it to give back what they hold.
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

async function once<T>(
  location: TpmLocation,
  job: (tpm: Tpm) => Promise<T>,
  deadline: number,
  stop: () => boolean,
): Promise<T> {
  const transport = await openTransport(location, deadline);
  const tpm = new Tpm(transport, { where: describeLocation(location), deadline, notes: !isManaged(location), stop });
  let left: Leftovers | undefined;
  try {
    return await job(tpm);
  } finally {
    left = await tpm.close();
    if (left.loaded.size > 0 || left.unknown) await cleanUp(location, left).catch(() => undefined);
  }
}

/** Flushes what a lost connection left, on a new one. A resource manager, or a TPM that started again, has nothing of it. */
async function cleanUp(location: TpmLocation, { loaded, unknown, before }: Leftovers): Promise<void> {
  if (isManaged(location)) return;
  const deadline = processAge() + CLEAN_UP_MS;
  const transport = await openTransport(location, deadline);
  const tpm = new Tpm(transport, { where: describeLocation(location), deadline, notes: false, stop: () => false });
  try {
    for (const handle of [...(await tpm.handles('objects')), ...(await tpm.handles('sessions'))]) {
      // This program had the TPM to itself: what came since it looked is its own, also where it never heard of it.
      if (loaded.has(handle) || (unknown && before?.has(handle) === false)) await tpm.flush(handle);
    }
  } catch (error) {
    if (!isConnectionLoss(error)) throw error;
  } finally {
    await tpm.close();
  }
}

/** Signals by which a program is asked to end. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** How many jobs listen for signals at this moment: one for each TPM at most. */
let listening = 0;

/**
 * Puts off the end of the process until the job has flushed what it loaded. Where the program has a handler of its own,
 * that decides, and the job goes on.
 */
async function withSignals<T>(job: (stop: () => boolean) => Promise<T>): Promise<T> {
  let received: NodeJS.Signals | undefined;
  const take = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) <= listening) received ??= signal;
  };
  for (const signal of SIGNALS) process.on(signal, take);
  listening += 1;
  try {
    return await job(() => received !== undefined);
  } finally {
    for (const signal of SIGNALS) process.off(signal, take);
    listening -= 1;
    if (received !== undefined) {
      process.kill(process.pid, received);
      // The signal comes with the next turn of the event loop; until then nothing more happens.
      await sleep(1000);
    }
  }
}
