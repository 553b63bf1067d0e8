/** Requests that go through a proxy, and those that do not. Loaded when a proxy is asked for. Tests: test/http/proxy.test.ts */
import { directTransport } from './direct.ts';
import type { HttpTransport } from './http.ts';
import type { PooledTransport } from './pooled.ts';
import { parseProxy, proxyFromEnvironment } from './proxy-rules.ts';
import type { ProxyChoice } from './proxy-rules.ts';

/** `environment`: the proxy that HTTPS_PROXY and its companions name. A URL may hold a password. */
export type ProxySetting = 'environment' | { readonly url: string };

/**
 * A transport that goes through a proxy.
 *
 * @param from what gave the setting, for messages
 * @throws RolesAnywhereError `ERR_PROXY_URL`
 */
export function throughProxy(
  proxy: ProxySetting,
  env: Readonly<Record<string, string | undefined>>,
  from: string,
): HttpTransport {
  if (proxy === 'environment') return proxiedTransport(proxyFromEnvironment(env));
  const url = parseProxy(proxy.url, from);
  return proxiedTransport(() => url);
}

/** A transport that takes for each request the way that `choose` says. */
export function proxiedTransport(choose: ProxyChoice): HttpTransport {
  const pools = new Map<string, PooledTransport>();
  return async (request) => {
    const proxy = choose(request.url);
    if (proxy === undefined) return await directTransport(request);
    let pool = pools.get(proxy.href);
    if (pool === undefined) {
      const { createPooledTransport } = await import('./pooled.ts');
      pool = createPooledTransport({ proxy });
      pools.set(proxy.href, pool);
    }
    return await pool.request(request);
  };
}
