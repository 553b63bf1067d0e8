/** The error to report for what a transport threw. Loaded at the first fault. Tests: test/http/faults.test.ts */
import type { LookupFunction } from 'node:net';
import type { RolesAnywhereError } from '../platform/errors.ts';
import { codeOf, faultOf, isAboutCertificate } from './faults.ts';
import type { HttpRequest } from './http.ts';

/** Where a fault was met. */
interface FaultContext {
  /** Whether the head of an answer had come. */
  answered: boolean;
  /** The proxy on the way. */
  proxy?: URL | undefined;
  lookup?: LookupFunction | undefined;
}

/**
 * The error to report for what a transport threw. For a certificate that was
 * not believed, the server is asked for it once more, to say which and why.
 */
export async function toFault(
  error: unknown,
  request: HttpRequest,
  context: FaultContext,
): Promise<RolesAnywhereError> {
  const fault = faultOf(error, request.url.host, context.answered, request.tls);
  const reason = codeOf(error);
  if (fault.code === 'ERR_TLS_AUTHORITY' && request.explainAuthority === false) return fault;
  if (fault === error || context.answered || !fault.code.startsWith('ERR_TLS') || !isAboutCertificate(reason))
    return fault;
  const { explainCertificate } = await import('./certificate-fault.ts');
  return await explainCertificate(fault, reason, request, context);
}
