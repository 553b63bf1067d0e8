/**
 * Logs the requests that were refused.
 * Tests: test/server/guards.test.ts
 */
import type { Socket } from 'node:net';
import { processAge } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { REDACTED } from '../platform/redact.ts';
import type { Refusal } from './guards.ts';

/** The guard that refused a request, or `token` for a wrong token. */
type Guard = Refusal | 'token';

const INTERVAL_MS = 60_000;

/** Most characters of a Host header in the log. */
const MAX_LOGGED_HOST = 100;

/** As long as a token: a client that mixes up its headers sends it there. Names that people give are shorter. */
const LIKE_A_TOKEN = /[\w+/=-]{32,}/g;

const HINTS: Readonly<Partial<Record<Guard, string>>> = {
  host: 'when clients call this server by that name, say so with --allowed-host',
  token: 'the client has an old token or none: give it the lines that serve printed',
};

export type RefusalLog = (guard: Guard, socket: Socket, host: string | undefined) => void;

/** Logs the first refusal by each guard in a minute: each may be an attack, and a flood of lines would be another. */
export function createRefusalLog(log: Log): RefusalLog {
  const logged = new Map<Guard, number>();
  return (guard, socket, host) => {
    const now = processAge();
    const last = logged.get(guard);
    if (last !== undefined && now - last < INTERVAL_MS) return;
    logged.set(guard, now);
    log.warn('a request was refused', {
      guard,
      client: socket.remoteAddress,
      host: host?.replaceAll(LIKE_A_TOKEN, REDACTED).slice(0, MAX_LOGGED_HOST),
      hint: HINTS[guard],
    });
  };
}
