/** Requests that go through a proxy, and those that do not. Loaded when a proxy is asked for. */
import { directTransport } from './direct.ts';
import type { HttpTransport } from './http.ts';
import type { PooledTransport } from './pooled.ts';
import type { ProxyChoice } from './proxy-rules.ts';

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
