/**
 * Bounds the number of open connections and how long they may idle, without
 * letting those who only hold theirs keep others out: at the bound, the one
 * that has been idle for longest makes room. One whose request is not there in
 * full yet counts as idle; one that waits for its answer does not.
 *
 * node:http could do the second part, with a timer that it makes anew twice for
 * each request; one sweep for all connections leaves a request two fields to write.
 */
import type { Socket } from 'node:net';
import { systemClock } from '../platform/clock.ts';
import type { Clock, Timer } from '../platform/clock.ts';

/** An open connection. */
export interface Connection {
  /** Requests without an answer so far: with pipelining there may be several. */
  waiting: number;
  /** Grows with each use, over all connections. */
  lastUse: number;
  /** Sweeps that found it idle since its last use. Counted, not timed: after a freeze, what has arrived is read before the next one. */
  idleSweeps: number;
}

export interface Connections {
  /** Takes in a new connection; destroys the one idle for longest, or this one when all are waiting. */
  add(socket: Socket): void;
  /** Counts `socket` in place of `raw`, which it wraps (TLS). */
  replace(raw: Socket, socket: Socket): void;
  /** Notes a request, and gives its connection for {@link answered}. */
  asked(socket: Socket): Connection;
  /** Notes the answer to a request. */
  answered(connection: Connection): void;
  /** Destroys all idle ones. */
  closeIdle(): void;
  /** Destroys all. */
  closeAll(): void;
  readonly size: number;
  /** Grows with each connection and each answer. */
  readonly uses: number;
}

export interface ConnectionLimits {
  /** Open connections. */
  readonly maxConnections: number;
  /** Longest time without a request, in milliseconds; a connection may live up to a quarter longer. */
  readonly idleTimeoutMs: number;
}

const SWEEPS_PER_TIMEOUT = 4;

export function createConnections(limits: ConnectionLimits, clock: Clock = systemClock): Connections {
  const { maxConnections, idleTimeoutMs } = limits;
  const open = new Map<Socket, Connection>();
  let uses = 0;
  let timer: Timer | undefined;

  const fresh = (): Connection => ({ waiting: 0, lastUse: ++uses, idleSweeps: 0 });
  const take = (socket: Socket): void => {
    open.set(socket, fresh());
    socket.once('close', () => drop(socket));
    timer ??= clock.setTimer(sweep, idleTimeoutMs / SWEEPS_PER_TIMEOUT, false);
  };
  const drop = (socket: Socket): void => {
    open.delete(socket);
    if (open.size > 0) return;
    timer?.cancel();
    timer = undefined;
  };
  const sweep = (): void => {
    timer = clock.setTimer(sweep, idleTimeoutMs / SWEEPS_PER_TIMEOUT, false);
    for (const [socket, connection] of open) {
      if (connection.waiting > 0) continue;
      connection.idleSweeps++;
      if (connection.idleSweeps > SWEEPS_PER_TIMEOUT) socket.destroy();
    }
  };
  /** Looks at all of them: that is rarer and cheaper than keeping them in order at each request. */
  const longestIdle = (): Socket | undefined => {
    let found: Socket | undefined;
    let least = Infinity;
    for (const [socket, { waiting, lastUse }] of open) {
      if (waiting > 0 || lastUse >= least) continue;
      found = socket;
      least = lastUse;
    }
    return found;
  };

  return {
    add(socket) {
      if (open.size >= maxConnections) {
        const oldest = longestIdle();
        if (oldest === undefined) {
          socket.destroy();
          return;
        }
        drop(oldest);
        oldest.destroy();
      }
      take(socket);
    },
    replace(raw, socket) {
      // The room may have been taken away while the two shook hands.
      if (!open.has(raw)) return;
      drop(raw);
      take(socket);
    },
    asked(socket) {
      // One that was pushed out may still have had a request to read.
      const connection = open.get(socket) ?? fresh();
      connection.waiting++;
      return connection;
    },
    answered(connection) {
      connection.waiting--;
      connection.lastUse = ++uses;
      connection.idleSweeps = 0;
    },
    closeIdle() {
      for (const [socket, { waiting }] of open) if (waiting === 0) socket.destroy();
    },
    closeAll() {
      for (const socket of open.keys()) socket.destroy();
    },
    get size() {
      return open.size;
    },
    get uses() {
      return uses;
    },
  };
}
