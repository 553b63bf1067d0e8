/** `/healthz`, `/readyz` and `/metrics`, on a port of their own: they hold no secret and ask for none. */
import { createServer } from 'node:http';
import { isIP } from 'node:net';
import { RolesAnywhereError } from '../platform/errors.ts';
import { refuseLate } from '../platform/late-requests.ts';
import { errorAnswer, jsonAnswer, sendAnswer, textAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import { stageOf } from './certificate-watch.ts';
import { createConnections } from './connections.ts';
import { bind } from './listen.ts';
import type { BoundAddress, ListenTarget } from './listen.ts';
import { isReady } from './metrics.ts';
import type { Metrics, MetricsRole, RenewalStatus } from './metrics.ts';

export interface StatusServerOptions {
  readonly listen: ListenTarget;
  readonly roles: readonly MetricsRole[];
  readonly metrics: Metrics;
  /** Open connections of the credentials server. */
  readonly connections: () => number;
  /** Open connections to this port. Default 64. */
  readonly maxConnections?: number | undefined;
  /** Of the certificate's renewals, and the life left of it below which a failing renewal is an alarm, in milliseconds. Default: it is not renewed. */
  readonly renewal?: { readonly status: () => RenewalStatus; readonly marginMs: number } | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

export interface StatusServer {
  readonly address: BoundAddress;
  close(): Promise<void>;
}

/** The connection that has been idle for longest makes room: a probe must always get through. */
const LIMITS = { maxConnections: 64, idleTimeoutMs: 60_000 };

/** How often requests that are late are looked for, and how much longer they may take. */
const CHECK_MS = 1000;

/**
 * Reads `[ADDRESS:]PORT`.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export function parseStatusListen(value: string): ListenTarget {
  const [, bracketed, plain, port] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(value) ?? [];
  const address = bracketed ?? plain ?? '127.0.0.1';
  if (port === undefined || Number(port) > 65_535 || isIP(address) === 0) {
    throw new RolesAnywhereError('ERR_LISTEN', `--metrics-listen ${value} is not a port, nor an address and a port`, {
      flag: '--metrics-listen',
      hint: 'for example 9913, 127.0.0.1:9913 or [::]:9913',
    });
  }
  return { address, port: Number(port) };
}

/** @throws RolesAnywhereError `ERR_LISTEN` */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const connections = createConnections({ ...LIMITS, maxConnections: options.maxConnections ?? LIMITS.maxConnections });
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 5000,
      keepAliveTimeout: 0,
      connectionsCheckingInterval: CHECK_MS,
    },
    (request, response) => {
      const connection = connections.asked(request.socket);
      sendAnswer(response, answerStatus(request.method ?? '', request.url ?? '', options));
      connections.answered(connection);
    },
  );
  server.on('connection', (socket) => connections.add(socket));
  refuseLate(server, CHECK_MS);
  const address = await bind(server, options.listen);
  if (address === undefined)
    throw new RolesAnywhereError('ERR_LISTEN', 'the address of --metrics-listen is not there', {
      flag: '--metrics-listen',
    });
  return {
    address,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerStatus(method: string, url: string, options: StatusServerOptions): Answer {
  const { roles, metrics, connections, renewal, now = Date.now } = options;
  if (method !== 'GET' && method !== 'HEAD') {
    return errorAnswer(405, 'MethodNotAllowed', 'only GET, HEAD', ['Allow', 'GET, HEAD']);
  }
  switch (url.split('?', 1)[0] ?? '') {
    case '/healthz':
      return textAnswer(200, 'ok\n');
    case '/readyz': {
      const states = roles.map(({ name, status, certificateValidity }) => {
        const validity = certificateValidity();
        const certificate = validity && stageOf(validity, now());
        const { state, expiration, lastError } = status();
        return { role: name, state, expiration: expiration?.toISOString(), lastError: lastError?.code, certificate };
      });
      const ready = roles.every(({ status }) => isReady(status())) && !isCutOffSoon(options, now());
      return jsonAnswer(ready ? 200 : 503, { ready, roles: states, renewal: renewal && shown(renewal.status()) });
    }
    case '/metrics': {
      const { headers, ...text } = textAnswer(200, metrics.expose(roles, connections(), now(), renewal?.status()));
      return { ...text, headers: ['Content-Type', 'text/plain; version=0.0.4; charset=utf-8', ...headers.slice(2)] };
    }
    default:
      return errorAnswer(404, 'NotFound', 'there are /healthz, /readyz and /metrics');
  }
}

/** A short life leaves no more than a part of it for alarm. */
const LARGEST_PART = 1 / 4;

/** Whether the certificate is about to end, and its renewal fails. */
function isCutOffSoon({ roles, renewal }: StatusServerOptions, now: number): boolean {
  if (renewal === undefined || renewal.status().failures === 0) return false;
  return roles.some(({ certificateValidity }) => {
    const validity = certificateValidity();
    if (validity === undefined) return false;
    const life = validity.notAfter - validity.notBefore;
    return validity.notAfter - now < Math.min(renewal.marginMs, life * LARGEST_PART);
  });
}

function shown({ failures, lastSuccess, next }: RenewalStatus): object {
  return { failures, lastSuccess: isoTime(lastSuccess), next: isoTime(next) };
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
