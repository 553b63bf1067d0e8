/** How a command reaches the service, made from its options. */
import { directTransport } from '../http/direct.ts';
import type { HttpTransport, TlsSettings } from '../http/http.ts';
import type { VendingOptions } from '../options/vending.ts';
import { sessionEndpoint } from '../aws/create-session.ts';
import type { CreateSessionOptions } from '../aws/create-session.ts';
import type { RetrySettings } from '../aws/retry.ts';
import { createServiceClock } from '../aws/service-clock.ts';
import type { ServiceClock } from '../aws/service-clock.ts';
import type { Io } from './command.ts';

/** To whom a command tells what happens on the network. */
export interface NetworkListener {
  readonly env: Io['env'];
  readonly warn: (text: string) => void;
  /** Told of everything but secrets. */
  readonly debug?: ((text: string) => void) | undefined;
  /** Told what is waited for from now on, in words that follow `waiting for`. */
  readonly awaiting?: ((what: string) => void) | undefined;
}

/** What operations take besides their own: goes into the options of createSession as it is. */
export interface Network extends Pick<CreateSessionOptions, 'onClockOffset' | 'onStage'> {
  /** May be replaced, when files are read again. */
  tls: TlsSettings;
  readonly transport: HttpTransport;
  readonly retry: RetrySettings;
  /** One for the run: what is learnt of it holds for certificates and credentials too. */
  readonly clock: ServiceClock;
  readonly onRetry: (failure: Error, delayMs: number) => void;
  /** Asks the service for its time; true when that corrected {@link clock}. */
  readonly correctClock: () => Promise<boolean>;
}

/** What of a command's options has to do with the network. */
export interface NetworkNeeds extends Pick<VendingOptions, 'network' | 'trust'> {
  /** Without a trust anchor, for STS alone. */
  readonly session: VendingOptions['session'] | { readonly endpoint?: URL };
}

/**
 * Makes the network of a command.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE`, `ERR_PROXY_URL`
 */
export async function openNetwork(options: NetworkNeeds, listener: NetworkListener): Promise<Network> {
  const { network, session } = options;
  const { warn, debug, awaiting } = listener;
  const tls = await tlsSettings(options, listener.env);
  const clock = createServiceClock();
  let transport = await wayOf(options, listener.env);
  let onStage: Network['onStage'];
  if (debug !== undefined) {
    const { stageWriter, traced } = await import('../http/trace.ts');
    transport = traced(transport, debug);
    onStage = stageWriter(debug);
  }
  const { connectTimeoutMs } = network;
  const request: HttpTransport = (exchange) => {
    awaiting?.(`${exchange.url.host} to answer`);
    return transport(connectTimeoutMs === undefined ? exchange : { ...exchange, connectTimeoutMs });
  };
  return {
    tls,
    transport: request,
    retry: network.retry,
    clock,
    onClockOffset: (_offsetMs, message) => warn(message),
    onStage(stage, text) {
      if (stage === 'string to sign') awaiting?.('the private key to sign');
      onStage?.(stage, text);
    },
    onRetry({ message }, delayMs) {
      debug?.(`attempt failed: ${message}; next in ${Math.round(delayMs)} ms`);
      awaiting?.(`the next attempt, after: ${message}`);
    },
    async correctClock() {
      if (!('trustAnchorArn' in session)) return false;
      const { correctByService } = await import('./network-extras.ts');
      return await correctByService(clock, { transport: request, url: sessionEndpoint(session), tls, warn });
    },
  };
}

/** Directly, or through a proxy. */
async function wayOf({ network: { proxy } }: NetworkNeeds, env: Io['env']): Promise<HttpTransport> {
  if (proxy === undefined) return directTransport;
  const { throughProxy } = await import('./network-extras.ts');
  return throughProxy(proxy, env);
}

/**
 * Whom to believe at the other end.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE`
 */
export async function tlsSettings({ trust, session, network }: NetworkNeeds, env: Io['env']): Promise<TlsSettings> {
  const { verify, caBundle, caStore, minVersion } = trust;
  const settings: TlsSettings = { verify, minVersion };
  const used = verify && (session.endpoint?.protocol !== 'http:' || network.proxy !== undefined);
  // Roots that were asked for must be good; those that the environment names need not be where none are used.
  const wanted = caStore !== undefined || (caBundle !== undefined && (used || caBundle.source === '--ca-bundle'));
  if (!wanted) return settings;
  const { rootsOf } = await import('./network-extras.ts');
  return { ...settings, ...(await rootsOf(trust, env)) };
}
