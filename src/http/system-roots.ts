/**
 * Trust in what the system trusts, where Node's own roots do not do. Node brings its own list, and knows nothing of the root
 * that an administrator installed for a proxy that inspects TLS; to read the system's list for every one-shot would make
 * each one slower than all the rest of it. So it is read when a server is not believed.
 */
// Tests: test/http/system-roots.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpTransport, TlsSettings } from './http.ts';

/**
 * A transport that takes the system's roots in place of its own when a server is not believed by those (`ERR_TLS_AUTHORITY`),
 * and keeps to them as long as requests have the same TLS settings.
 */
export function withSystemRoots(
  transport: HttpTransport,
  env: Readonly<Record<string, string | undefined>>,
): HttpTransport {
  let instead: { readonly of: TlsSettings | undefined; readonly ca: string } | undefined;
  return async (request) => {
    const { tls } = request;
    if (instead?.of === tls && instead !== undefined)
      return await transport({ ...request, tls: { ...tls, ca: instead.ca } });
    try {
      return await transport({ ...request, explainAuthority: false });
    } catch (error) {
      if (!(error instanceof RolesAnywhereError) || error.code !== 'ERR_TLS_AUTHORITY') throw error;
      const { trustedBySystem } = await import('./ca-store.ts');
      const ca = trustedBySystem(env);
      // Once more, if only to say which certificate it was.
      const answer = await transport(ca === undefined ? request : { ...request, tls: { ...tls, ca } });
      if (ca !== undefined) instead = { of: tls, ca };
      return answer;
    }
  };
}
