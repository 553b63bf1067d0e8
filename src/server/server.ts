/**
 * The credentials server: listeners around the request handler.
 * Tests: test/server/limits.test.ts, listen.test.ts, tls.test.ts
 */
import type { Server } from 'node:http';
import { catchUp } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { AuditLog } from './audit.ts';
import { createConnections } from './connections.ts';
import { containerRoutes } from './container-routes.ts';
import { namesOf } from './guards.ts';
import { DEFAULT_LIMITS, isTls, makeServer, track } from './http-server.ts';
import type { ServerLimits, TlsMaterial } from './http-server.ts';
import { imdsRoutes } from './imds-routes.ts';
import { EC2_ADDRESSES, EC2_PORT, addressKind, bind } from './listen.ts';
import type { BoundAddress, ListenTarget } from './listen.ts';
import type { Metrics } from './metrics.ts';
import { createRequestHandler } from './request-handler.ts';
import type { ConsoleHandler, Listener } from './request-handler.ts';
import type { Routes } from './router.ts';
import type { ServedRole } from './served-role.ts';
import { createSessionTokens } from './session-tokens.ts';
import type { Vended } from './vend.ts';

export interface CredentialServerOptions {
  /** The first one is the default. Names are unique. */
  readonly roles: readonly ServedRole[];
  readonly listen: readonly ListenTarget[];
  /** Whether the loopback and EC2's own address speak IMDS. No other address does. */
  readonly imds: boolean;
  /** Life of an IMDS token for which no time was asked, in seconds. Default: it is refused, as on EC2. */
  readonly tokenTtlSeconds?: number | undefined;
  /** Names under which clients may call, besides the loopback's and the address itself; see {@link namesOf}. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Throws for an address that must not be listened on; nothing was answered there before. */
  readonly permit?: ((address: BoundAddress) => void) | undefined;
  readonly tls?: TlsMaterial | undefined;
  readonly audit?: AuditLog | undefined;
  readonly metrics: Metrics;
  readonly log: Log;
  /** The key of IMDS' session tokens. Default: one of this server's own, with which they end. */
  readonly sessionKey?: Buffer | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** The web console of an address, which is asked once it is bound. Default: there is none. */
  readonly consoleAt?: ((address: BoundAddress) => ConsoleHandler | undefined) | undefined;
  /** Told of each set of credentials that is given out. Default: nobody. */
  readonly vended?: Vended | undefined;
  /** How long a request waits for credentials that are on their way, in milliseconds. Default 900 by IMDS, else 1800. */
  readonly waitMs?: number | undefined;
}

export interface CredentialServer {
  readonly addresses: readonly BoundAddress[];
  /** Open connections. */
  connections(): number;
  /** Uses new TLS material for connections to come. */
  setTls(material: TlsMaterial): void;
  /** Takes no more connections, answers what was asked, and ends; who waits after `graceMs` gets 503. */
  close(graceMs: number): Promise<void>;
}

/** Go gives its metadata client half a second and botocore one, and two for container credentials: then nobody hears why. */
const IMDS_WAIT_MS = 900;
const CONTAINER_WAIT_MS = 1800;

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '::1'];

/** How long a stop goes on answering before it closes what is idle. In parts: a machine that stands still takes one of them. */
const FAREWELL_MS = 100;
const FAREWELL_PARTS = 4;
const MAX_FAREWELL_TURNS = 10;

/**
 * Opens the ports.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export async function startCredentialServer(options: CredentialServerOptions): Promise<CredentialServer> {
  const { roles, audit, log, metrics, vended } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const connections = createConnections(limits);
  const waiting = new Set<() => void>();
  const container = containerRoutes(roles, { audit, vended, waiting, waitMs: options.waitMs ?? CONTAINER_WAIT_MS });
  const imds = imdsRoutes({
    roles: roles.filter((role) => role.imds),
    tokens: createSessionTokens({ key: options.sessionKey }),
    tokenTtlSeconds: options.tokenTtlSeconds,
    vending: { audit, vended, waiting, waitMs: options.waitMs ?? IMDS_WAIT_MS },
  });
  const onLoopback: Routes = options.imds ? new Map([...container, ...imds]) : container;

  /**
   * Who calls by EC2's address has it built in, and comes to it or by a redirect of its port. Older releases of the AWS
   * Common Runtime call it without a Host header, which no browser leaves out.
   */
  const hostsOf = ({ address, port, kind }: BoundAddress, defaultPort: number): Map<string, Routes> => {
    const named = (names: readonly string[], at: number, routes: Routes): [string, Routes][] =>
      namesOf(names, at, defaultPort).map((name) => [name, routes]);
    const atEc2 = options.imds ? named(EC2_ADDRESSES, EC2_PORT, imds) : [];
    if (kind === 'ec2') return new Map([...atEc2, ['', imds]]);
    const names = [...(kind === 'loopback' ? LOOPBACK_NAMES : []), address, ...(options.allowedHosts ?? [])];
    return kind === 'loopback'
      ? new Map([...atEc2, ...named(names, port, onLoopback)])
      : new Map(named(names, port, container));
  };

  const requests = createRequestHandler({ connections, maxConnections: limits.maxConnections, metrics, log });
  const servers: Server[] = [];
  const addresses: BoundAddress[] = [];

  const open = async (target: ListenTarget): Promise<void> => {
    const listener: Listener = { hosts: new Map(), ownOnly: true };
    // SDKs ask for instance metadata over plain http alone.
    const isEc2 = 'address' in target && addressKind(target.address) === 'ec2';
    const tls = isEc2 ? undefined : options.tls;
    const server = await makeServer(
      tls,
      limits,
      (request, response) => requests.handle(listener, request, response),
      (why) => metrics.refused(why),
      !isEc2,
    );
    track(server, tls !== undefined, connections, limits.headersTimeoutMs);
    const bound = await bind(server, target);
    if (bound === undefined) {
      log.debug('an optional address is not there', 'address' in target ? { address: target.address } : {});
      return;
    }
    servers.push(server);
    addresses.push(bound);
    options.permit?.(bound);
    listener.hosts = hostsOf(bound, tls === undefined ? 80 : 443);
    listener.ownOnly = bound.kind === 'ec2';
    listener.console = isEc2 ? undefined : options.consoleAt?.(bound);
  };

  /** Who is at work on a connection, or opens one, hears of its end with an answer, instead of losing a request that is on its way. */
  const farewell = async (partMs: number): Promise<void> => {
    await catchUp();
    for (let part = 0; connections.size > 0 && part < FAREWELL_PARTS; part++)
      await new Promise((resolve) => setTimeout(resolve, partMs));
    // Where each turn takes long, as many more as something comes in.
    for (let turn = 0, seen = -1; seen !== connections.uses && turn < MAX_FAREWELL_TURNS; turn++) {
      seen = connections.uses;
      await catchUp();
    }
  };

  const close = async (graceMs: number): Promise<void> => {
    requests.endConnections();
    if (graceMs > 0) await farewell(Math.min(graceMs, FAREWELL_MS) / FAREWELL_PARTS);
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    connections.closeIdle();
    // Who still waits for credentials hears why there are none.
    const timers = [
      setTimeout(() => {
        for (const end of waiting) end();
      }, graceMs),
      setTimeout(() => connections.closeAll(), graceMs + FAREWELL_MS),
    ];
    await Promise.all(closed);
    for (const timer of timers) clearTimeout(timer);
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

/** With port 0, the port that the first address got is for all. */
function samePort(target: ListenTarget, bound: readonly BoundAddress[]): ListenTarget {
  const [first] = bound;
  return 'port' in target && target.port === 0 && first !== undefined ? { ...target, port: first.port } : target;
}
