/** The errors of the endpoints that give credentials on this machine. Tests: test/sources/sources.test.ts */
import { member, parseJson } from '../aws/json.ts';
import { plain, retryAfter } from '../aws/service-error.ts';
import type { HttpResponse } from '../http/http.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { withoutEchoes } from '../platform/redact.ts';
import type { ErrorCode } from '../platform/errors.ts';

const MAX_WORDS = 300;

/**
 * The error for an answer that holds no credentials. Too many requests and a failing endpoint may pass: agents of ECS and
 * EKS answer so in bursts.
 *
 * @param what the endpoint and what it did, as the message begins
 * @param hint for a refusal
 * @param secret what was sent to prove who asks, should the answer repeat it
 */
export function endpointError(what: string, response: HttpResponse, hint: string, secret?: string): RolesAnywhereError {
  const { status } = response;
  const code: ErrorCode =
    status === 429 ? 'ERR_THROTTLED' : status >= 500 ? 'ERR_SERVICE_FAILED' : 'ERR_SOURCE_CREDENTIALS';
  const words = wordsOf(response, secret);
  return new RolesAnywhereError(code, `${what} (status ${status})${words === '' ? '' : `: ${words}`}`, {
    status,
    hint: code === 'ERR_SOURCE_CREDENTIALS' ? hint : 'try later',
    retryAfterMs: retryAfter(response, Date.now()),
  });
}

/**
 * What a refusal says: of JSON its code and message, of a line of text all; a page is for people with a browser. What is
 * no refusal may be credentials.
 */
function wordsOf({ status, body }: HttpResponse, secret: string | undefined): string {
  if (status < 400) return '';
  const json = parseJson(body);
  const said = [member(json, 'code') ?? member(json, 'Code'), member(json, 'message') ?? member(json, 'Message')];
  const text =
    json === undefined && !body.includes('<') ? body : said.filter((part) => typeof part === 'string').join(': ');
  return plain(secret === undefined || secret === '' ? text : withoutEchoes(text, [secret]), MAX_WORDS);
}
