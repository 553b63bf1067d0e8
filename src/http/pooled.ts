/**
 * Exchanges on connections that are kept and used again, with undici: for
 * programs that make many. Loading undici costs more than a whole one-shot, so it is loaded at the first exchange, and not
 * at all where its WebAssembly could not be: it would end the process.
 */
import { setMaxListeners } from 'node:events';
import { Socket } from 'node:net';
import type { LookupFunction } from 'node:net';
import type { Agent, buildConnector } from 'undici';
import { RolesAnywhereError } from '../platform/errors.ts';
import { directTransport } from './direct.ts';
import { CONNECT_TIMEOUT_MS, joinFields, MAX_HEADER_BYTES, readBody, watch } from './exchange.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from './http.ts';
import { isSocks } from './proxy-rules.ts';
import { serverName, tlsOptions } from './tls.ts';

type Undici = typeof import('undici');

/** Where a pooled transport differs from the usual. */
export interface PooledOptions {
  /** How names are resolved; default: Node's way, which asks the system. */
  lookup?: LookupFunction | undefined;
  /**
   * `http:` or `https:`, with a user name and a password when the proxy wants
   * them. A target of https is reached through a tunnel, one of http by naming
   * it in full to the proxy (RFC 9112, section 3.2.2), as curl and Go do. Or `socks5:` and `socks5h:`: each target is
   * reached through a connection that the proxy makes.
   */
  proxy?: URL | undefined;
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
  // An agent's TLS settings and connect timeout are fixed when it is made.
  const agents = new Map<string, Agent>();
  const watched = new Set<Agent>();
  const closing = new AbortController();
  // One listener for each exchange or tunnel under way, which is no leak.
  setMaxListeners(0, closing.signal);
  const connecting = new Set<Socket>();
  const { proxy, lookup } = options;

  const transport: HttpTransport = async (request) => {
    const { url } = request;
    const abort = new AbortController();
    let answered = false;
    const named = proxy !== undefined && url.protocol === 'http:' && !isSocks(proxy) ? proxy : undefined;
    const exchange = async (): Promise<HttpResponse> => {
      if (!hasWebAssembly())
        return await withoutPool({ ...request, signal: AbortSignal.any([abort.signal, closing.signal]) }, options);
      const undici = await import('undici');
      closing.signal.throwIfAborted();
      const agent = agentFor(undici, request);
      try {
        const { statusCode, headers, body } = await agent.request({
          origin: (named ?? url).origin,
          path: `${named === undefined ? '' : url.origin}${url.pathname}${url.search}`,
          method: request.method,
          headers: { host: url.host, ...request.headers, ...(await credentialsFor(named)) },
          body: request.body ?? null,
          signal: abort.signal,
        });
        answered = true;
        if (named !== undefined && statusCode === 407) {
          await body.dump();
          const { refusal } = await import('./tunnel.ts');
          throw refusal(named, url.host, { statusCode, headers });
        }
        return { status: statusCode, headers: joinFields(headers), body: await readBody(body, request) };
      } finally {
        // One for this exchange alone.
        if (watched.delete(agent)) void agent.destroy();
      }
    };

    const givenUp = new Promise<never>((_resolve, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason));
    });
    const stopWatching = watch(request, (error) => abort.abort(error));
    try {
      // A race, because undici heeds the signal only once there is a connection.
      return await Promise.race([givenUp, exchange()]);
    } catch (error) {
      if (closing.signal.aborted) {
        throw new RolesAnywhereError('ERR_INTERRUPTED', `the transport was closed before ${url.host} answered`);
      }
      const { toFault } = await import('./to-fault.ts');
      if (named === undefined) throw await toFault(error, request, { answered, proxy, lookup });
      const { faultOf } = await import('./faults.ts');
      const { proxyName } = await import('./tunnel.ts');
      throw faultOf(error, answered ? url.host : proxyName(named), answered, request.tls);
    } finally {
      stopWatching();
    }
  };

  function agentFor(undici: Undici, request: HttpRequest): Agent {
    const { tls = {}, connectTimeoutMs, onSocket } = request;
    const key = JSON.stringify([
      tls.verify ?? true,
      tls.ca ?? null,
      tls.minVersion ?? null,
      tls.client?.cert ?? null,
      connectTimeoutMs ?? null,
    ]);
    const known = onSocket === undefined ? agents.get(key) : undefined;
    const agent = known ?? createAgent(undici, request, options, { signal: closing.signal, connecting });
    // Whoever watches sockets wants them to be new.
    if (onSocket === undefined) agents.set(key, agent);
    else watched.add(agent);
    return agent;
  }

  return {
    request: transport,
    async close() {
      // undici would wait for connections that are being made.
      closing.abort();
      for (const socket of connecting) socket.destroy(new Error('the transport was closed'));
      await Promise.all([...agents.values(), ...watched].map((agent) => agent.destroy()));
    },
  };
}

// The compiler knows it only together with the names of a browser.
declare const WebAssembly: {
  readonly Memory: new (descriptor: { readonly initial: number }) => object;
  readonly validate: (module: Uint8Array) => boolean;
};

/** A module with one function that takes the first lane of a vector (WebAssembly 2.0, section 5): of no use but to be accepted. */
const VECTOR_MODULE = Buffer.from('0061736d0100000001060160017b017f030201000a090107002000fd1b000b', 'hex');

let webAssembly: boolean | undefined;

/**
 * Whether undici can run: the processor has what its parser takes (not that of POWER, where older Nodes compile vectors
 * wrong), and this process has room for WebAssembly, of which each instance takes ten gigabytes of addresses: one for undici,
 * and one for Node's own copy of it, which it wakes. Under a limit (RLIMIT_AS) either ends the process, past any handler.
 */
function hasWebAssembly(): boolean {
  try {
    webAssembly ??=
      process.arch !== 'ppc64' &&
      WebAssembly.validate(VECTOR_MODULE) &&
      [1, 2].map(() => new WebAssembly.Memory({ initial: 1 })).length === 2;
  } catch {
    webAssembly = false; // no room, or Node runs without a compiler (--jitless)
  }
  return webAssembly;
}

/** A connection for each exchange. */
async function withoutPool(request: HttpRequest, { proxy, lookup }: PooledOptions): Promise<HttpResponse> {
  if (proxy === undefined) return await directTransport(request, lookup);
  const { proxiedExchange } = await import('./proxied.ts');
  return await proxiedExchange(request, proxy, lookup);
}

/** For a request that names its target to the proxy; a tunnel asks for its own. */
async function credentialsFor(proxy: URL | undefined): Promise<{ 'proxy-authorization'?: string }> {
  if (proxy === undefined) return {};
  const { proxyAuthorization } = await import('./tunnel.ts');
  return proxyAuthorization(proxy);
}

/** How the end of a transport reaches the connections that it is making. */
interface Closing {
  readonly signal: AbortSignal;
  /** They are given no signal: Node's sockets would keep a listener on it, and so themselves, for as long as it is there. */
  readonly connecting: Set<Socket>;
}

function createAgent(
  undici: Undici,
  { tls, connectTimeoutMs = CONNECT_TIMEOUT_MS, onSocket }: HttpRequest,
  { lookup, proxy }: PooledOptions,
  { signal, connecting }: Closing,
): Agent {
  const connect = undici.buildConnector({
    ...tlsOptions(tls),
    timeout: connectTimeoutMs,
    lookup,
  });
  const connectTo: buildConnector.connector = (target, callback) => {
    // undici would take the name to ask for from the Host header.
    const servername = serverName(new URL(`${target.protocol}//${target.host}`));
    // Its type does not say so, but it gives the socket.
    const socket: unknown = connect({ ...target, servername }, callback);
    if (!(socket instanceof Socket)) return;
    connecting.add(socket);
    const done = (): void => void connecting.delete(socket);
    socket.once(target.protocol === 'https:' ? 'secureConnect' : 'connect', done).once('close', done);
    // Of a TLS session that fails behind its handshake, Node leaves the socket open, and undici waits for its end.
    socket.once('error', () => socket.destroy());
    onSocket?.(socket);
  };
  const connectThrough = async (
    way: URL,
    target: buildConnector.Options,
    callback: buildConnector.Callback,
  ): Promise<void> => {
    try {
      const secure = target.protocol === 'https:';
      const { openTunnel } = await import('./tunnel.ts');
      const httpSocket = await openTunnel({
        proxy: way,
        target: { hostname: target.hostname, port: Number(target.port || (secure ? 443 : 80)) },
        tls,
        timeoutMs: connectTimeoutMs,
        signal,
        lookup,
        onSocket,
      });
      if (secure) connectTo({ ...target, httpSocket }, callback);
      else callback(null, httpSocket);
    } catch (error) {
      callback(error instanceof Error ? error : new Error('no tunnel', { cause: error }), null);
    }
  };
  return new undici.Agent({
    maxHeaderSize: MAX_HEADER_BYTES,
    // The exchange's own time covers these.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect(target, callback) {
      // A target of http is the proxy itself, when there is one.
      if (proxy === undefined) connectTo(target, callback);
      else if (!isSocks(proxy) && (target.protocol !== 'https:' || target.host === proxy.host))
        connectTo(target, callback);
      else void connectThrough(proxy, target, callback);
    },
  });
}
