/** Answers that repeat what they were asked with: some of AWS's services quote the request that they refuse, with its headers. */
// Tests: test/http/echoes.test.ts
import { secretsOf, withoutEchoes } from '../platform/redact.ts';
import type { HttpRequest, HttpResponse } from './http.ts';

/** An answer without the secrets of its request, to be quoted in an error. */
export function withoutSecrets(
  { status, headers, body }: HttpResponse,
  request: Pick<HttpRequest, 'headers' | 'body'>,
): HttpResponse {
  const secrets = secretsOf(request);
  const cleaned = Object.entries(headers).map(([name, value]) => [name, withoutEchoes(value, secrets)] as const);
  return { status, headers: Object.fromEntries(cleaned), body: withoutEchoes(body, secrets) };
}
