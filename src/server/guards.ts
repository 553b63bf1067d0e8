/**
 * The guards that a request must pass before anything looks at its path: it must be
 * meant for this server (Host), must not come from a web page (Origin,
 * Sec-Fetch-Site) nor through a proxy (X-Forwarded-For), and must be small.
 */
import { errorAnswer } from './answer.ts';
import type { Answer } from './answer.ts';

/** The headers that this server looks at, each at most once. */
export interface Head {
  host: string | undefined;
  authorization: string | undefined;
  /** `X-aws-ec2-metadata-token` */
  token: string | undefined;
  /** `X-aws-ec2-metadata-token-ttl-seconds` */
  ttl: string | undefined;
  contentLength: string | undefined;
  fetchSite: string | undefined;
  origin: boolean;
  forwarded: boolean;
  transferEncoding: boolean;
  /** A header that must be alone was there twice. */
  repeated: boolean;
}

/** The reason for a refusal, by which the metrics count. */
export type Refusal = 'host' | 'origin' | 'fetch-site' | 'forwarded' | 'repeated' | 'headers' | 'body';

/** Most header lines of a request. Their bytes are bounded by the parser. */
const MAX_HEADERS = 100;

/** Most bytes of a request's body: no route takes one, but some clients send an empty JSON object. */
const MAX_BODY_BYTES = 1024;

const CLOSE = ['Connection', 'close'];

const REFUSALS: Readonly<Record<Refusal, Answer>> = {
  host: errorAnswer(403, 'HostNotAllowed', 'the Host header names none of the names of this server', CLOSE),
  origin: errorAnswer(403, 'OriginNotAllowed', 'requests of web pages are refused', CLOSE),
  'fetch-site': errorAnswer(403, 'OriginNotAllowed', 'requests of web pages are refused', CLOSE),
  forwarded: errorAnswer(403, 'ForwardedNotAllowed', 'forwarded requests are refused', CLOSE),
  repeated: errorAnswer(400, 'BadRequest', 'a header that must be alone is repeated', CLOSE),
  headers: errorAnswer(431, 'HeadersTooLarge', `more than ${MAX_HEADERS} headers`, CLOSE),
  body: errorAnswer(413, 'BodyTooLarge', `a body of unknown length or above ${MAX_BODY_BYTES} bytes`, CLOSE),
};

export function refusalAnswer(refusal: Refusal): Answer {
  return REFUSALS[refusal];
}

/** Reads the headers that matter here. */
export function readHead(rawHeaders: readonly string[]): Head {
  const head: Head = {
    host: undefined,
    authorization: undefined,
    token: undefined,
    ttl: undefined,
    contentLength: undefined,
    fetchSite: undefined,
    origin: false,
    forwarded: false,
    transferEncoding: false,
    repeated: false,
  };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1];
    switch (rawHeaders[i]?.toLowerCase() ?? '') {
      case 'host':
        head.repeated ||= head.host !== undefined;
        head.host = value;
        break;
      case 'authorization':
        head.repeated ||= head.authorization !== undefined;
        head.authorization = value;
        break;
      case 'x-aws-ec2-metadata-token':
        head.repeated ||= head.token !== undefined;
        head.token = value;
        break;
      case 'x-aws-ec2-metadata-token-ttl-seconds':
        head.repeated ||= head.ttl !== undefined;
        head.ttl = value;
        break;
      case 'content-length':
        head.contentLength = value;
        break;
      case 'transfer-encoding':
        head.transferEncoding = true;
        break;
      case 'origin':
        head.origin = true;
        break;
      case 'sec-fetch-site':
        head.repeated ||= head.fetchSite !== undefined;
        head.fetchSite = value;
        break;
      case 'x-forwarded-for':
      case 'forwarded': // the same thing as RFC 7239 spells it
        head.forwarded = true;
        break;
      default:
    }
  }
  return head;
}

/**
 * Decides whether a request may go on.
 *
 * @param allowed in lower case, with the port as the Host header has it
 * @returns the reason when it may not
 */
export function refuse(head: Head, headerLines: number, allowed: ReadonlySet<string>): Refusal | undefined {
  if (head.host === undefined || !isAllowed(head.host, allowed)) return 'host';
  if (head.origin) return 'origin';
  // `same-site` and even `same-origin` come from a page; `none` is a person at the address bar.
  if (head.fetchSite !== undefined && head.fetchSite !== 'none') return 'fetch-site';
  if (head.forwarded) return 'forwarded';
  if (head.repeated) return 'repeated';
  if (headerLines > MAX_HEADERS) return 'headers';
  if (head.transferEncoding || (head.contentLength !== undefined && Number(head.contentLength) > MAX_BODY_BYTES))
    return 'body';
  return undefined;
}

function isAllowed(host: string, allowed: ReadonlySet<string>): boolean {
  return allowed.has(host) || allowed.has(host.toLowerCase());
}

/**
 * The values of Host that mean this server.
 *
 * @param names names and addresses, without a port (an IPv6 address without brackets), or with one: `name:port`, `[::1]:port`
 * @param defaultPort the scheme's, which clients leave out
 */
export function allowedHosts(names: readonly string[], port: number, defaultPort: number): Set<string> {
  const hosts = new Set<string>();
  for (const name of names) {
    const lower = name.toLowerCase();
    if (/^(?:\[.*\]|[^:]*):\d+$/.test(lower)) {
      hosts.add(lower);
      continue;
    }
    const host = lower.includes(':') && !lower.startsWith('[') ? `[${lower}]` : lower;
    hosts.add(`${host}:${port}`);
    if (port === defaultPort) hosts.add(host);
  }
  return hosts;
}
