/** Writing to standard output and standard error without ever waiting for whoever reads them. Loaded by what goes on. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { systemCode } from './files.ts';
import { createLog } from './log.ts';
import type { LogFormat } from './log.ts';

const STDOUT = 1;
const STDERR = 2;

/** Writes text. What its reader does not take at once is kept, up to a bound. */
export interface Outlet {
  /**
   * Writes a piece of text, whole or not at all.
   *
   * @param keep whether it is kept whatever waits already. Default: beyond the bound it is dropped, and counted
   * @throws the system's error, such as EPIPE when the reader is gone
   */
  write(text: string | Uint8Array, keep?: boolean): void;
}

export interface OutletOptions {
  /** Most bytes that wait for a reader. Default 64 KiB, as much as a pipe of Linux holds itself. */
  readonly maxBytes?: number | undefined;
  /** The line that tells how many lines were dropped. Default: none. */
  readonly dropped?: ((lines: number) => string) | undefined;
  readonly clock?: Clock | undefined;
  /** Told when the reader turns out to be gone after {@link Outlet.write} has returned. Default: nobody. */
  readonly failed?: ((error: Error) => void) | undefined;
  /** Writes what can be written now. Default: to the descriptor. */
  readonly write?: ((bytes: Uint8Array) => number) | undefined;
}

const MAX_BYTES = 64 * 1024;

/** How often a reader that was slow is tried again. */
const RETRY_MS = 100;

/**
 * Opens a way to a descriptor that never waits: a pipe that is full, a terminal that was stopped and a collector that
 * hangs must not stop this process.
 */
export function openOutlet(descriptor: number, options: OutletOptions = {}): Outlet {
  const { maxBytes = MAX_BYTES, dropped, failed, clock = systemClock } = options;
  const { write = writerOf(descriptor, failed) } = options;
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  let lost = 0;
  let timer = false;

  /** Writes what waits, and stops at the first piece that is not taken. */
  const flush = (): void => {
    while (waiting[0] !== undefined) {
      const [piece] = waiting;
      const count = write(piece);
      bytes -= count;
      if (count < piece.length) {
        waiting[0] = piece.subarray(count);
        return;
      }
      waiting.shift();
    }
  };
  const again = (): void => {
    if (timer) return;
    timer = true;
    clock.setTimer(
      () => {
        timer = false;
        try {
          flush();
          tellLost();
        } catch (error) {
          waiting = [];
          bytes = 0;
          if (error instanceof Error) failed?.(error);
        }
        if (waiting.length > 0) again();
      },
      RETRY_MS,
      false,
    );
  };
  const put = (piece: Uint8Array): void => {
    waiting.push(piece);
    bytes += piece.length;
  };
  const tellLost = (): void => {
    if (lost === 0 || waiting.length > 0) return;
    const line = dropped?.(lost);
    lost = 0;
    if (line === undefined) return;
    put(Buffer.from(line));
    flush();
  };

  return {
    write(text, keep = false) {
      const piece = Buffer.from(text);
      flush();
      tellLost();
      if (!keep && waiting.length > 0 && bytes + piece.length > maxBytes) {
        lost++;
      } else {
        put(piece);
        flush();
      }
      if (waiting.length > 0) again();
    },
  };
}

/**
 * Standard output, which keeps everything, and standard error, whose lines are dropped and counted where nobody reads them.
 *
 * @param failed told when the reader of standard output is gone
 */
export function openOutlets(
  format: LogFormat,
  failed: (error: Error) => void,
): { writeOut: (data: string | Uint8Array) => void; writeError: (text: string | Uint8Array) => void } {
  const dropped = (lines: number): string => {
    let told = '';
    const log = createLog({ write: (line) => (told = line), format });
    log.warn('lines of the log were dropped: nobody read them', { lines });
    return told;
  };
  const out = openOutlet(STDOUT, { failed });
  const log = openOutlet(STDERR, { dropped });
  return { writeOut: (data) => out.write(data, true), writeError: (text) => log.write(text) };
}

/** Writes as much as fits now; 0 when nothing does. */
function writerOf(descriptor: number, failed: OutletOptions['failed']): (bytes: Uint8Array) => number {
  const own = reopened(descriptor);
  if (own === undefined) return socketWriter(descriptor, failed);
  return (bytes) => {
    try {
      return writeSync(own, bytes);
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return 0;
      throw error;
    }
  };
}

/**
 * A description of the same file that does not wait. Others share the one that was inherited, and a flag on it would be
 * a change to them as well. A plain file is never waited for.
 *
 * @returns undefined where the system opens none, as for sockets
 */
function reopened(descriptor: number): number | undefined {
  const stats = fstatSync(descriptor);
  if (stats.isFile()) return descriptor;
  if (stats.isSocket()) return undefined;
  try {
    const { O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;
    const opened = openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    const { ino, dev } = fstatSync(opened);
    if (ino === stats.ino && dev === stats.dev) return opened;
    closeSync(opened);
  } catch {
    // No such folder, another user's pipe, or a descriptor that nobody reads.
  }
  return stats.isFIFO() ? undefined : descriptor;
}

/** Node writes to sockets and pipes without waiting; what they do not take waits in this process. */
function socketWriter(descriptor: number, failed: OutletOptions['failed']): (bytes: Uint8Array) => number {
  const socket = new Socket({ fd: descriptor, readable: false, writable: true });
  socket.unref();
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
    failed?.(error);
  });
  return (bytes) => {
    if (failure !== undefined) throw failure;
    if (socket.writableLength > 0) return 0;
    socket.write(bytes);
    return bytes.length;
  };
}
