/**
 * Bounds the number of open connections without letting those who only hold
 * theirs keep others out: at the bound, the connection that has been idle for
 * longest makes room. One whose request is not there in full yet counts as
 * idle; one that waits for its answer does not.
 */

import type { Socket } from 'node:net';

export interface Connections {
  /** Takes in a new connection; destroys the one idle for longest, or this one when all are busy. */
  add(socket: Socket): void;
  /** Counts `socket` in place of `raw`, which it wraps (TLS). */
  replace(raw: Socket, socket: Socket): void;
  /** A request has come. */
  busy(socket: Socket): void;
  /** Its answer has gone. */
  idle(socket: Socket): void;
  /** Destroys all idle ones. */
  closeIdle(): void;
  /** Destroys all. */
  closeAll(): void;
  readonly size: number;
  /** How many were closed to make room. */
  readonly evicted: number;
}

export function createConnections(limit: number): Connections {
  const open = new Set<Socket>();
  /** In the order in which they became idle. */
  const idle = new Set<Socket>();
  let evicted = 0;

  const take = (socket: Socket): void => {
    open.add(socket);
    idle.add(socket);
    socket.once('close', () => drop(socket));
  };
  const drop = (socket: Socket): void => {
    open.delete(socket);
    idle.delete(socket);
  };

  return {
    add(socket) {
      if (open.size >= limit) {
        evicted++;
        const [oldest] = idle;
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
    busy(socket) {
      idle.delete(socket);
    },
    idle(socket) {
      if (open.has(socket)) idle.add(socket);
    },
    closeIdle() {
      for (const socket of idle) socket.destroy();
    },
    closeAll() {
      for (const socket of open) socket.destroy();
    },
    get size() {
      return open.size;
    },
    get evicted() {
      return evicted;
    },
  };
}
