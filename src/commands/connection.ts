/** The connection of a command: from what its flags say to what the services are asked over. */
// Tests: test/network/proxies.test.ts, test/network/debug.test.ts
import type { Connection } from '../aws/connection.ts';
import { createBudget } from '../aws/budget.ts';
import { createServiceClock } from '../aws/service-clock.ts';
import type { ServiceClock } from '../aws/service-clock.ts';
import { beginEarly, directTransport } from '../http/direct.ts';
import type { HttpTransport, TlsSettings } from '../http/http.ts';
import { withSystemRoots } from '../http/system-roots.ts';
import { commandUserAgent } from '../http/user-agent.ts';
import type { ConnectionSettings } from '../options/connection.ts';
import { awaited, beginWait } from '../platform/waits.ts';
import type { Io } from './command.ts';

const DEFAULT_TIMEOUT_MS = 60_000;

/** A command's connection, on which nothing is left to defaults that commands look at. */
export interface CommandConnection extends Connection {
  readonly tls: TlsSettings;
  /** One for the run: what is learnt of it holds for certificates and credentials too. */
  readonly clock: ServiceClock;
  /** For endpoints on this machine, which no proxy leads to. */
  readonly local: HttpTransport;
}

/**
 * Makes the connection of a command.
 *
 * @param once whether it serves one operation, for which the time is measured then
 * @param early where the first request will go, so that the way there is made meanwhile; over TLS alone, since without it this costs
 * more than it hides, not through a proxy, and not with `--debug`, which tells of each step in its turn
 * @throws RolesAnywhereError `ERR_CA_BUNDLE`, `ERR_PROXY_URL`
 */
export async function openConnection(
  settings: ConnectionSettings,
  { env, log, compat }: Pick<Io, 'env' | 'log' | 'compat'>,
  once: boolean,
  early?: URL,
): Promise<CommandConnection> {
  const { endpoints, retry, trust, proxy, connectTimeoutMs, userAgentExtra } = settings;
  const tls = await tlsSettings(settings, env);
  const isEarly = early?.protocol === 'https:' && proxy === undefined && log.level !== 'debug';
  let transport: HttpTransport = isEarly ? beginEarly({ url: early, tls }) : directTransport;
  // Node connects in its next turn, and certificates and keys in files are read in this one.
  if (isEarly) await new Promise<void>((next) => void setImmediate(next));
  if (proxy !== undefined) transport = (await import('../http/proxied.ts')).throughProxy(proxy, env, '--proxy');
  let tellStage: Connection['onStage'];
  if (log.level === 'debug') {
    const { stageWriter, traced } = await import('../http/trace.ts');
    transport = traced(transport, log);
    tellStage = stageWriter(log);
  }
  if (trust.verify && trust.caBundle === undefined && trust.caStore === undefined)
    transport = withSystemRoots(transport, env);
  const bounded =
    (way: HttpTransport): HttpTransport =>
    (request) =>
      way({ ...request, connectTimeoutMs });
  if (!trust.verify) log.warn('--no-verify-ssl: whoever answers is believed');
  return {
    tls,
    transport: named(bounded(transport)),
    local: named(bounded(directTransport)),
    endpoints,
    retry,
    userAgent: commandUserAgent(compat, userAgentExtra),
    budget: once ? createBudget(retry.timeoutMs ?? DEFAULT_TIMEOUT_MS) : undefined,
    clock: createServiceClock(),
    log,
    onStage: tellStage,
    onRetry({ message }, delayMs) {
      log.debug(`attempt failed: ${message}; next in ${Math.round(delayMs)} ms`);
      setTimeout(beginWait(`the next attempt, after: ${message}`), delayMs).unref();
    },
  };
}

/** A transport that says whom it waits for. */
export function named(transport: HttpTransport): HttpTransport {
  return async (request) => await awaited(`${request.url.host} to answer`, async () => await transport(request));
}

/**
 * Whom to believe at the other end.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE`
 */
export async function tlsSettings({ trust }: ConnectionSettings, env: Io['env']): Promise<TlsSettings> {
  const { verify, caBundle, caStore, minVersion } = trust;
  let ca: string | undefined;
  if (caStore !== undefined) ca = (await import('../http/ca-store.ts')).readCaStore(caStore, env);
  else if (caBundle !== undefined)
    ca = (await import('../http/ca-bundle.ts')).readCaBundle(caBundle.path, caBundle.source);
  else if (verify && (env['SSL_CERT_FILE'] || env['SSL_CERT_DIR']))
    ca = (await import('../http/ca-store.ts')).namedRoots(env);
  return { verify, minVersion, ca };
}
