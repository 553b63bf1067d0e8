/** Requests to a CA, each on a connection of its own: one that is kept would still bear the certificate that was renewed. */
// Tests: test/renewal/step-ca.heavy.test.ts, test/renewal/est.test.ts, test/renewal/vault.test.ts
import { withoutSecrets } from '../http/echoes.ts';
import type { HttpResponse, HttpTransport, TlsSettings } from '../http/http.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { printable } from '../x509/names.ts';
import type { TlsIdentity } from './issuer.ts';

/** How a CA is reached. */
export interface Reaching {
  /** One that keeps no connections. */
  readonly transport: HttpTransport;
  /** PEM of the only roots to believe the CA by. Default: Node's own. */
  readonly ca?: string | undefined;
  /** For each exchange, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

/** One question to a CA. */
export interface Question {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  /** The certificate to show. Default: none. */
  readonly client?: TlsIdentity | undefined;
  /** In place of the CA's roots. */
  readonly tls?: TlsSettings | undefined;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 30_000;

/** A chain takes some kilobytes; that of an EST server with all its roots, some tens. */
const MAX_RESPONSE_BYTES = 256 * 1024;

const MAX_SHOWN = 300;

/**
 * Asks a CA.
 *
 * @param issuer how messages name it
 * @param explain takes what the CA says out of the body of a refusal
 * @returns an answer with a status of 2xx
 * @throws RolesAnywhereError as {@link Issuer.issue} has it
 */
export async function ask(
  issuer: string,
  { transport, ca, timeoutMs = TIMEOUT_MS }: Reaching,
  question: Question,
  explain: (body: string) => string | undefined,
): Promise<HttpResponse> {
  const { method, url, body, headers, client, signal } = question;
  let response: HttpResponse;
  try {
    response = await transport({
      method,
      url,
      body,
      signal,
      headers: { 'user-agent': USER_AGENT, ...headers },
      tls: { ca, client, ...question.tls },
      timeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
    });
  } catch (error) {
    throw forCa(error);
  }
  const { status } = response;
  if (status >= 200 && status < 300) return response;
  const said = explainSafely(explain, withoutSecrets(response, { headers: headers ?? {}, body }).body);
  const message = `${issuer} answered ${status}${said === undefined ? '' : `: ${said}`}`;
  const retryAfterMs = retryAfter(response);
  if (status === 429) throw new RolesAnywhereError('ERR_THROTTLED', message, { status, retryAfterMs });
  if (status >= 500) throw new RolesAnywhereError('ERR_SERVICE_FAILED', message, { status, retryAfterMs });
  throw new RolesAnywhereError('ERR_RENEWAL_REFUSED', message, {
    status,
    hint:
      status === 401 || status === 403
        ? 'the CA does not take the certificate, or the token, that was shown: it may have ended, been revoked, or be of another provisioner or role'
        : status >= 300 && status < 400
          ? 'the CA sends elsewhere, which is not followed: give the final URL'
          : "see the CA's own log for why; the certificate in use stays",
  });
}

/** Advice on the roots of AWS is no good here. */
function forCa(error: unknown): unknown {
  if (!(error instanceof RolesAnywhereError) || error.code !== 'ERR_TLS_AUTHORITY') return error;
  return new RolesAnywhereError(error.code, error.message, {
    flag: '--renew-ca',
    hint: "give the CA's root certificate with --renew-ca, or step-ca's fingerprint with --renew-ca-fingerprint",
    cause: error,
  });
}

/** How long an answer asks to be left alone (RFC 9110, section 10.2.3), in milliseconds: in seconds alone, as CAs write it. */
export function retryAfter({ headers }: HttpResponse): number | undefined {
  const text = headers['retry-after'];
  return text !== undefined && /^\d{1,7}$/.test(text) ? Number(text) * 1000 : undefined;
}

function explainSafely(explain: (body: string) => string | undefined, body: string): string | undefined {
  let said: string | undefined;
  try {
    said = explain(body);
  } catch {
    return undefined; // not in the CA's own form: a gateway's page says nothing of use
  }
  if (said === undefined || said.trim() === '') return undefined;
  return printable(said.trim().slice(0, MAX_SHOWN));
}

/** An answer that is not what the CA's API says. */
export function unusable(issuer: string, what: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_RESPONSE_INVALID', `the answer of ${issuer} ${what}`, {
    hint: 'check the URL of --renew-from: something else may be listening there',
    status: 200,
    cause,
  });
}

/** A member of JSON that came from outside. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const entry: unknown = Reflect.get(value, name);
  return entry;
}

/** @throws RolesAnywhereError `ERR_RESPONSE_INVALID` */
export function parseJson(issuer: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw unusable(issuer, 'is not JSON', cause);
  }
}
