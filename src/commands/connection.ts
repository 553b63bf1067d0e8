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
 * @param awaiting told what is waited for from now on, in words that follow `waiting for`
 * @param early where the first request will go, so that the way there is made meanwhile; over TLS alone, since without it this costs
 * more than it hides, not through a proxy, and not with `--debug`, which tells of each step in its turn
 * @throws RolesAnywhereError `ERR_CA_BUNDLE`, `ERR_PROXY_URL`
 */
export async function openConnection(
  settings: ConnectionSettings,
  { env, log, compat }: Pick<Io, 'env' | 'log' | 'compat'>,
  once: boolean,
  awaiting?: (what: string | undefined) => void,
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
  const waiting =
    (way: HttpTransport): HttpTransport =>
    async (request) => {
      awaiting?.(`${request.url.host} to answer`);
      try {
        return await way({ ...request, connectTimeoutMs });
      } finally {
        // What comes next may ask a person.
        awaiting?.(undefined);
      }
    };
  if (!trust.verify) log.warn('--no-verify-ssl: whoever answers is believed');
  return {
    tls,
    transport: waiting(transport),
    local: waiting(directTransport),
    endpoints,
    retry,
    userAgent: commandUserAgent(compat, userAgentExtra),
    budget: once ? createBudget(retry.timeoutMs ?? DEFAULT_TIMEOUT_MS) : undefined,
    clock: createServiceClock(),
    log,
    onStage(stage, text) {
      if (stage === 'string to sign') awaiting?.('the private key to sign');
      tellStage?.(stage, text);
    },
    onRetry({ message }, delayMs) {
      log.debug(`attempt failed: ${message}; next in ${Math.round(delayMs)} ms`);
      awaiting?.(`the next attempt, after: ${message}`);
    },
  };
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
