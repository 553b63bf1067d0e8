/** The credentials server: listeners, limits and guards around the routes. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { processAge } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { errorAnswer, sendAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { AuditLog } from './audit.ts';
import { createConnections } from './connections.ts';
import type { Connection } from './connections.ts';
import { containerRoutes } from './container.ts';
import { allowedHosts, readHead, refusalAnswer, refuse } from './guards.ts';
import type { Refusal } from './guards.ts';
import { DEFAULT_LIMITS, isTls, makeServer, track } from './http-server.ts';
import type { ServerLimits, TlsMaterial } from './http-server.ts';
import { imdsRoutes } from './imds.ts';
import { bind } from './listen.ts';
import type { BoundAddress, ListenTarget } from './listen.ts';
import type { Metrics } from './metrics.ts';
import type { ServedRole } from './roles.ts';
import { dispatch, findRoute } from './routes.ts';
import type { Routes } from './routes.ts';
import { createSessionTokens } from './session-tokens.ts';

export interface CredentialServerOptions {
  /** The first one is the default. Names are unique. */
  readonly roles: readonly ServedRole[];
  readonly listen: readonly ListenTarget[];
  /** Whether loopback addresses speak IMDS. No other address does. */
  readonly imds: boolean;
  /** Names under which clients may call, besides the loopback's and the address itself; see {@link allowedHosts}. */
  readonly allowedHosts?: readonly string[];
  /** Throws for an address that must not be listened on; nothing was answered there before. */
  readonly permit?: (address: BoundAddress) => void;
  readonly tls?: TlsMaterial;
  readonly audit?: AuditLog;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly limits?: Partial<ServerLimits>;
}

export interface CredentialServer {
  readonly addresses: readonly BoundAddress[];
  /** Open connections. */
  connections(): number;
  /** Uses new TLS material for connections to come. */
  setTls(material: TlsMaterial): void;
  /** Takes no more connections, answers what was asked, and ends; what is left after `graceMs` is cut off. */
  close(graceMs: number): Promise<void>;
}

/** What an address's requests are checked against and answered from. */
interface Listener {
  hosts: ReadonlySet<string>;
  routes: Routes;
}

/**
 * Opens the ports.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export async function startCredentialServer(options: CredentialServerOptions): Promise<CredentialServer> {
  const { roles, audit, log, metrics } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const connections = createConnections(limits);
  const container = containerRoutes({ roles, audit });
  const imds = imdsRoutes({ roles: roles.filter((role) => role.imds), tokens: createSessionTokens(), audit });
  const onLoopback: Routes = options.imds ? new Map([...container, ...imds]) : container;
  const refused = createRefusalLog(log);
  const servers: Server[] = [];
  const addresses: BoundAddress[] = [];
  const maxWaiting = limits.maxConnections * WAITING_SHARE;
  let waiting = 0;
  let closing = false;

  const send = (response: ServerResponse, connection: Connection, label: string, answer: Answer): void => {
    // Not before the last of those that were sent together.
    if (closing && connection.waiting === 1) response.shouldKeepAlive = false;
    metrics.request(label, answer.status);
    sendAnswer(response, answer);
    connections.answered(connection);
  };

  const handle = (listener: Listener, request: IncomingMessage, response: ServerResponse): void => {
    const { socket, rawHeaders, method = '', url = '' } = request;
    // What the parser had in hand when its connection was cut.
    if (socket.destroyed) return;
    const connection = connections.asked(socket);
    if (connection.waiting > MAX_PIPELINED) {
      metrics.refused('pipelined');
      socket.destroy();
      return;
    }
    const head = readHead(rawHeaders);
    const refusal = refuse(head, rawHeaders.length / 2, listener.hosts);
    if (refusal !== undefined) {
      metrics.refused(refusal);
      refused(refusal, socket, head.host);
      send(response, connection, 'refused', refusalAnswer(refusal));
      return;
    }
    const route = findRoute(listener.routes, url);
    const label = route?.label ?? 'unknown';
    const answer = dispatch(route, { method, head, socket });
    if (!(answer instanceof Promise)) {
      if (answer.status === 401) refused('token', socket, head.host);
      send(response, connection, label, answer);
      return;
    }
    if (waiting >= maxWaiting) {
      answer.catch(() => undefined);
      send(response, connection, label, BUSY);
      return;
    }
    waiting++;
    const answered = (settled: Answer): void => {
      waiting--;
      send(response, connection, label, settled);
    };
    answer.then(answered, (error: unknown) => {
      log.error('a request failed', { route: label, reason: error instanceof Error ? error.message : 'unknown' });
      answered(INTERNAL);
    });
  };

  const open = async (target: ListenTarget): Promise<void> => {
    const listener: Listener = { hosts: new Set(), routes: new Map() };
    const server = await makeServer(options.tls, limits, (request, response) => handle(listener, request, response));
    track(server, options.tls !== undefined, connections);
    server.on('clientError', ({ code }: NodeJS.ErrnoException) => {
      // A client that goes away, or that never spoke TLS to its end, sent nothing to refuse.
      if (code === 'ERR_HTTP_REQUEST_TIMEOUT') metrics.refused('timeout');
      else if (code?.startsWith('HPE_') === true) metrics.refused('malformed');
    });
    const bound = await bind(server, target);
    if (bound === undefined) {
      log.debug('an optional address is not there', 'address' in target ? { address: target.address } : {});
      return;
    }
    servers.push(server);
    addresses.push(bound);
    options.permit?.(bound);
    const names = bound.kind === 'loopback' ? [...LOOPBACK_NAMES, bound.address] : [bound.address];
    const defaultPort = options.tls === undefined ? 80 : 443;
    listener.hosts = allowedHosts([...names, ...(options.allowedHosts ?? [])], bound.port, defaultPort);
    listener.routes = bound.kind === 'loopback' ? onLoopback : container;
  };

  const close = async (graceMs: number): Promise<void> => {
    closing = true;
    // Who is at work on a connection hears of its end with an answer, instead of losing a request that is on its way.
    if (graceMs > 0 && connections.size > 0)
      await new Promise((resolve) => setTimeout(resolve, Math.min(graceMs, FAREWELL_MS)));
    const closed = servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
        }),
    );
    connections.closeIdle();
    const timer = setTimeout(() => connections.closeAll(), graceMs);
    await Promise.all(closed);
    clearTimeout(timer);
  };

  try {
    for (const target of options.listen) await open(samePort(target, addresses));
    if (addresses.length === 0) throw new RolesAnywhereError('ERR_LISTEN', 'there is no address to listen on');
  } catch (error) {
    await close(0);
    throw error;
  }
  return {
    addresses,
    connections: () => connections.size,
    setTls(material) {
      for (const server of servers) if (isTls(server)) server.setSecureContext(material);
    },
    close,
  };
}

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '::1'];

/** For how long a stop goes on answering before it closes what is idle. */
const FAREWELL_MS = 100;

/** Most requests of one connection without an answer: no SDK sends two, and what waits here is memory. */
const MAX_PIPELINED = 16;

/** Of all connections, those that may wait for credentials: the rest serve the roles that have theirs. */
const WAITING_SHARE = 0.75;

const BUSY = errorAnswer(503, 'Busy', 'too many requests wait for credentials');
const INTERNAL = errorAnswer(500, 'ERR_INTERNAL', 'internal error', ['Connection', 'close']);

/** With port 0, the port that the first address got is for all. */
function samePort(target: ListenTarget, bound: readonly BoundAddress[]): ListenTarget {
  const [first] = bound;
  return 'port' in target && target.port === 0 && first !== undefined ? { ...target, port: first.port } : target;
}

const REFUSAL_LOG_INTERVAL_MS = 60_000;

/** Of a Host header in the log. */
const MAX_LOGGED_HOST = 100;

const REFUSAL_HINTS: Readonly<Partial<Record<Refusal | 'token', string>>> = {
  host: 'when clients call this server by that name, say so with --allowed-host',
  token: 'the client has an old token or none: give it the lines that serve printed',
};

/** Logs the first refusal of a kind in a minute: each may be an attack, and a flood of lines would be another. */
function createRefusalLog(log: Log): (refusal: Refusal | 'token', socket: Socket, host: string | undefined) => void {
  const logged = new Map<Refusal | 'token', number>();
  return (refusal, socket, host) => {
    const now = processAge();
    const last = logged.get(refusal);
    if (last !== undefined && now - last < REFUSAL_LOG_INTERVAL_MS) return;
    logged.set(refusal, now);
    log.warn('a request was refused', {
      guard: refusal,
      client: socket.remoteAddress,
      host: host?.slice(0, MAX_LOGGED_HOST),
      hint: REFUSAL_HINTS[refusal],
    });
  };
}
