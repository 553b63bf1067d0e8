/**
 * Exchanges on connections that are kept and used again, with undici: for
 * long-running processes, and for proxies. Loading undici costs more than a
 * whole one-shot, so it is loaded at the first exchange.
 */
import type { LookupFunction } from 'node:net';
import type { Agent } from 'undici';
import { RolesAnywhereError } from '../errors.ts';
import { joinFields, MAX_HEADER_BYTES, readBody, watch } from './exchange.ts';
import type { HttpResponse, HttpTransport, TlsSettings } from './http.ts';
import { serverName, tlsOptions } from './tls.ts';

type Undici = typeof import('undici');

/**
 * How long undici may try to connect before it gives up (as ERR_TIMEOUT, when
 * the exchange's own time is longer): without this a connection that leads
 * nowhere would take up the exchanges after it.
 */
const CONNECT_TIMEOUT_MS = 10_000;

/** Where a pooled transport differs from the usual. */
export interface PooledOptions {
  /** How names are resolved; default: Node's way, which asks the system. */
  lookup?: LookupFunction;
}

/** A transport with connections to let go of. */
export interface PooledTransport {
  readonly request: HttpTransport;
  /**
   * Ends all connections, and exchanges that are under way. Safe to call twice.
   * Idle connections do not keep a process alive, so a command that is about
   * to end need not call this.
   */
  readonly close: () => Promise<void>;
}

/** Makes an HttpTransport that keeps its connections. */
export function createPooledTransport(options: PooledOptions = {}): PooledTransport {
  // An agent's TLS settings are fixed when it is made.
  const agents = new Map<string, Agent>();
  const sockets = new AbortController();

  const transport: HttpTransport = async (request) => {
    const { url } = request;
    const abort = new AbortController();
    let answered = false;
    const exchange = async (): Promise<HttpResponse> => {
      const agent = agentFor(await import('undici'), request.tls);
      const { statusCode, headers, body } = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: { host: url.host, ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        signal: abort.signal,
      });
      answered = true;
      return { status: statusCode, headers: joinFields(headers), body: await readBody(body, request) };
    };

    const givenUp = new Promise<never>((_resolve, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason));
    });
    const stopWatching = watch(request, (error) => abort.abort(error));
    try {
      // A race, because undici heeds the signal only once there is a connection.
      return await Promise.race([givenUp, exchange()]);
    } catch (error) {
      if (sockets.signal.aborted) {
        throw new RolesAnywhereError('ERR_INTERRUPTED', `the transport was closed before ${url.host} answered`);
      }
      const { toFault } = await import('./faults.ts');
      throw toFault(error, url, answered);
    } finally {
      stopWatching();
    }
  };

  function agentFor(undici: Undici, tls: TlsSettings = {}): Agent {
    const key = JSON.stringify([tls.verify ?? true, tls.ca ?? null]);
    const agent = agents.get(key) ?? createAgent(undici, tls, options, sockets.signal);
    agents.set(key, agent);
    return agent;
  }

  return {
    request: transport,
    async close() {
      // undici would wait for connections that are being made.
      sockets.abort();
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

function createAgent(undici: Undici, tls: TlsSettings, { lookup }: PooledOptions, signal: AbortSignal): Agent {
  const connect = undici.buildConnector({
    ...tlsOptions(tls),
    timeout: CONNECT_TIMEOUT_MS,
    signal,
    ...(lookup === undefined ? {} : { lookup }),
  });
  return new undici.Agent({
    maxHeaderSize: MAX_HEADER_BYTES,
    // The exchange's own time covers these.
    headersTimeout: 0,
    bodyTimeout: 0,
    // undici would take the name to ask for from the Host header.
    connect: (target, callback) =>
      connect({ ...target, servername: serverName(new URL(`${target.protocol}//${target.host}`)) }, callback),
  });
}
