/** What of a network an ordinary line does without: proxies, roots of one's own, debugging, a clock that is off. */
import type { HttpTransport, TlsSettings } from '../http/http.ts';
import { proxiedTransport } from '../http/proxied.ts';
import { parseProxy, proxyFromEnvironment } from '../http/proxy-rules.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import type { NetworkOptions, TrustOptions } from '../options/network.ts';
import { measureClock, offsetWarning } from '../aws/clock-offset.ts';
import type { ServiceClock } from '../aws/service-clock.ts';
import type { Io } from './command.ts';

/**
 * A transport that goes through a proxy.
 *
 * @throws RolesAnywhereError `ERR_PROXY_URL`
 */
export function throughProxy(proxy: NonNullable<NetworkOptions['proxy']>, env: Io['env']): HttpTransport {
  if (proxy === 'environment') return proxiedTransport(proxyFromEnvironment(env));
  const url = parseProxy(proxy.url, '--proxy');
  return proxiedTransport(() => url);
}

/**
 * The roots that replace Node's choice.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE`
 */
export async function rootsOf({ caBundle, caStore }: TrustOptions, env: Io['env']): Promise<{ ca?: string }> {
  if (caStore !== undefined) {
    const { readCaStore } = await import('../http/ca-store.ts');
    return { ca: readCaStore(caStore, env) };
  }
  if (caBundle === undefined) return {};
  const { readCaBundle } = await import('../http/ca-bundle.ts');
  return { ca: readCaBundle(caBundle.path, caBundle.source) };
}

/** Where the time is to be had, and who is told. */
interface TimeSource {
  readonly transport: HttpTransport;
  readonly url: URL;
  readonly tls: TlsSettings;
  readonly warn: (text: string) => void;
}

/** Corrects a clock by the service's; false when it was right, or nobody can tell. */
export async function correctByService(
  clock: ServiceClock,
  { transport, url, tls, warn }: TimeSource,
): Promise<boolean> {
  const offset = await measureClock(transport, { url, tls, headers: { 'user-agent': USER_AGENT } }, clock.now);
  if (offset === undefined) return false;
  clock.correct(offset);
  warn(offsetWarning(offset));
  return true;
}
