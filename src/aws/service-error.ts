/** What the service says when it says no. Loaded at the first refusal. */
import { RolesAnywhereError } from '../platform/errors.ts';
import type { ErrorCode } from '../platform/errors.ts';
import type { HttpResponse } from '../http/http.ts';
import { serviceDate } from './clock-offset.ts';
import { member, parseJson } from './json.ts';

export const MAX_MESSAGE = 1000;
export const MAX_NAME = 128;

/**
 * Spellings of "too many requests" that AWS's services use; Roles Anywhere's own is not documented. Source: AWS SDKs and
 * Tools Reference Guide, "Retry behavior".
 */
const THROTTLING: ReadonlySet<string> = new Set([
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'LimitExceededException',
  'PriorRequestNotComplete',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'Throttling',
  'ThrottledException',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);

/** A request that did not arrive whole in time, which is none that was refused. */
const CUT_SHORT: ReadonlySet<string> = new Set(['RequestTimeout', 'RequestTimeoutException']);

/** By the service's code, or by the status where that says nothing. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  AccessDeniedException: 'ERR_ACCESS_DENIED',
  ValidationException: 'ERR_VALIDATION',
  ResourceNotFoundException: 'ERR_NOT_FOUND',
  403: 'ERR_ACCESS_DENIED',
  404: 'ERR_NOT_FOUND',
};

/** Messages that users have met, most telling first, and what to do about each. */
const MESSAGE_HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /insufficient certificate/i,
    'reissue the certificate as X.509 version 3 with key usage digitalSignature, CA:FALSE and SHA-256 or better',
  ],
  [
    /untrusted signing certificate/i,
    "the certificate does not lead to this trust anchor: send its intermediates with --intermediates, and check the anchor's ARN and certificates",
  ],
  [/invalid signature/i, "check that the private key is the certificate's, and that the region is the trust anchor's"],
  [/exceeds the MaxSessionDuration/i, "lower --session-duration, or raise the role's maximum session duration"],
  [
    /attributes failed to be mapped into session tags/i,
    "change the certificate's attributes named here, or the profile's attribute mapping: session tags allow letters, digits, spaces and _.:/=+-@",
  ],
  [
    /not authorized to set roleSessionName/i,
    'leave --role-session-name out, or let the profile accept role session names',
  ],
  [
    /unable to assume role/i,
    "is the role in the profile's list, and is it in this account? if so, its trust policy must let rolesanywhere.amazonaws.com do sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, with conditions that this certificate meets",
  ],
  [/at 'durationSeconds' failed/i, 'give --session-duration as 900 to 43200 seconds'],
];

const CODE_HINTS: Partial<Record<ErrorCode, string>> = {
  ERR_ACCESS_DENIED:
    'check that the certificate is valid and not revoked, that trust anchor and profile are enabled, and that the role is in the profile',
  ERR_NOT_FOUND: 'check the ids, the region and the account in the ARNs of trust anchor and profile',
  ERR_THROTTLED:
    'the quota is 10 sessions a second for an account and region: share credentials between processes, or try later',
  ERR_SERVICE_FAILED: 'try later',
  ERR_RESPONSE_INVALID: 'check the endpoint, and that nothing on the way answers in its place',
};

/**
 * The error for an answer outside 2xx. The body may be anything: a load
 * balancer's page gives an error without the service's words.
 *
 * @param now milliseconds since 1970. Default: this machine's
 * @param skippedRule the rule that the certificate breaks, where checks were skipped: named before all else
 *
 * Source: the rest-json protocol of AWS's SDKs, "Operation error
 * serialization": the header decides, then `code`, then `__type`; a namespace
 * before `#` and a URI after `:` are cut off.
 */
export function serviceError(
  operation: string,
  response: HttpResponse,
  now = Date.now(),
  skippedRule?: string,
): RolesAnywhereError {
  const { status, headers, body } = response;
  const json = parseJson(body);
  const serviceCode = errorName(headers['x-amzn-errortype'] ?? member(json, 'code') ?? member(json, '__type'));
  const words = plain(member(json, 'message') ?? member(json, 'Message'), MAX_MESSAGE);
  const requestId = plain(headers['x-amzn-requestid'], MAX_NAME);
  const code = classify(status, serviceCode, CODES);

  const advice = MESSAGE_HINTS.find(([pattern]) => pattern.test(words))?.[1] ?? CODE_HINTS[code];
  const mayBeClock = code === 'ERR_ACCESS_DENIED' && (advice === CODE_HINTS[code] || /signature/i.test(words));
  const usual = mayBeClock ? withClock(advice, response, now) : advice;
  const isRefusal = status >= 400 && status <= 499 && code !== 'ERR_THROTTLED';
  const hint =
    isRefusal && skippedRule !== undefined
      ? [`--skip-checks let pass that ${skippedRule}: begin there`, ...(usual === undefined ? [] : [usual])].join(
          '; or ',
        )
      : usual;
  const refusal = { operation, service: 'the service', code, status, serviceCode, words, requestId };
  return refusalError(refusal, hint, retryAfter(response, now));
}

/** A clock that is off makes signatures invalid, and without the service's Date nobody can tell. */
function withClock(advice: string | undefined, { headers }: HttpResponse, now: number): string | undefined {
  if (serviceDate(headers) !== undefined) return advice;
  const clock = `check this machine's clock, which says ${new Date(now).toISOString().slice(0, 19)}Z: the answer has no Date to compare it with`;
  return advice === undefined ? clock : `${clock}; or ${advice}`;
}

/** Milliseconds that the service asks to be left alone: RFC 9110, section 10.2.3, seconds or a date. */
export function retryAfter({ headers }: HttpResponse, now: number): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = serviceDate({ date: text });
  return date === undefined ? undefined : Math.max(0, date - (serviceDate(headers) ?? now));
}

/**
 * Our code for an answer outside 2xx.
 *
 * @param codes by the service's code, and by the status
 */
export function classify(status: number, serviceCode: string, codes: Readonly<Record<string, ErrorCode>>): ErrorCode {
  if (status < 400) return 'ERR_RESPONSE_INVALID';
  if (status === 429 || THROTTLING.has(serviceCode)) return 'ERR_THROTTLED';
  if (status >= 500 || CUT_SHORT.has(serviceCode)) return 'ERR_SERVICE_FAILED';
  const known = Object.hasOwn(codes, serviceCode) ? codes[serviceCode] : undefined;
  return known ?? codes[status] ?? 'ERR_SERVICE_REFUSED';
}

/** A refusal, its parts safe to show; empty is what the service did not say. */
export interface Refusal {
  readonly operation: string;
  readonly service: string;
  readonly code: ErrorCode;
  readonly status: number;
  readonly serviceCode: string;
  readonly words: string;
  readonly requestId: string;
}

/** The error for a refusal. */
export function refusalError(
  { operation, service, code, status, serviceCode, words, requestId }: Refusal,
  hint: string | undefined,
  retryAfterMs?: number,
): RolesAnywhereError {
  const said = [serviceCode, withoutSignature(words)].filter((part) => part !== '').join(': ');
  const facts = `status ${status}${requestId === '' ? '' : `, request id ${requestId}`}`;
  const message =
    status < 400
      ? `${operation} was answered with status ${status}, which it never is by ${service}`
      : `${operation} ${status >= 500 ? 'failed' : 'was refused'}: ${said === '' ? 'no reason given' : said} (${facts})`;
  return new RolesAnywhereError(code, message, {
    hint,
    status,
    serviceCode: serviceCode || undefined,
    requestId: requestId || undefined,
    retryAfterMs,
  });
}

/** A service may repeat the header that it was sent. Digests, which a signature of SigV4 looks like, help to find a mistake. */
function withoutSignature(words: string): string {
  return words
    .replaceAll(/\b(Signature\s*[=:]\s*['"]?)[0-9a-f]{32,}/gi, '$1<redacted>')
    .replaceAll(/\b[0-9a-f]{96,}/gi, '<redacted>');
}

/** The name of an error: cut at the first colon, then what follows the last number sign. */
export function errorName(value: unknown): string {
  if (typeof value !== 'string') return '';
  const name = value.split(':', 1)[0]?.split('#').pop()?.trim() ?? '';
  return /^[\w.-]+$/.test(name) && name.length <= MAX_NAME ? name : '';
}

/** Text that is safe to show: without control and formatting characters (which could steer a terminal), and bounded. */
export function plain(value: unknown, maxLength: number): string {
  if (typeof value !== 'string') return '';
  const text = value
    .slice(0, 4 * maxLength)
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
}
