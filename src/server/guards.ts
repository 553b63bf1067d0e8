/**
 * The guards that a request must pass before anything looks at its path: it must be
 * meant for this server (Host), must not come from a web page (Origin,
 * Sec-Fetch-Site) nor through a proxy (X-Forwarded-For), and must be small.
 *
 * A rebound name (DNS rebinding) is still the attacker's name in Host. Names
 * and addresses that nobody but this server's user gives a meaning are let in,
 * with the port or without: an address cannot be rebound.
 */
import type { IncomingMessage } from 'node:http';
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
  transferEncoding: string | undefined;
  fetchSite: string | undefined;
  origin: boolean;
  forwarded: boolean;
  /** A header that must be alone was there twice. */
  repeated: boolean;
}

/** The reason for a refusal, by which the metrics count. */
export type Refusal = 'peer' | 'host' | 'origin' | 'fetch-site' | 'forwarded' | 'repeated' | 'headers' | 'body';

/** Most header lines of a request. Their bytes are bounded by the parser. */
const MAX_HEADERS = 100;

/** Most bytes of a request's body: no route takes one, but some clients send an empty JSON object or an empty list of chunks. */
const MAX_BODY_BYTES = 1024;

const CLOSE = ['Connection', 'close'];

const REFUSALS: Readonly<Record<Refusal, Answer>> = {
  peer: errorAnswer(403, 'PeerNotAllowed', 'this address is for programs of this machine', CLOSE),
  host: errorAnswer(403, 'HostNotAllowed', 'the Host header names none of the names of this server', CLOSE),
  origin: errorAnswer(403, 'OriginNotAllowed', 'requests of web pages are refused', CLOSE),
  'fetch-site': errorAnswer(403, 'OriginNotAllowed', 'requests of web pages are refused', CLOSE),
  forwarded: errorAnswer(403, 'ForwardedNotAllowed', 'forwarded requests are refused', CLOSE),
  repeated: errorAnswer(400, 'BadRequest', 'a header that must be alone is repeated', CLOSE),
  headers: errorAnswer(431, 'HeadersTooLarge', `more than ${MAX_HEADERS} headers`, CLOSE),
  body: errorAnswer(413, 'BodyTooLarge', `a body above ${MAX_BODY_BYTES} bytes`, CLOSE),
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
    transferEncoding: undefined,
    fetchSite: undefined,
    origin: false,
    forwarded: false,
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
        head.repeated ||= head.transferEncoding !== undefined;
        head.transferEncoding = value;
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
 * Decides whether a request may go on. The length of a body that comes in chunks is not known yet: {@link readChunks}.
 *
 * @param known whether Host is one of the server's names, see {@link namesOf}, or none where none is needed
 * @returns the reason when it may not
 */
export function refuse(head: Head, headerLines: number, known: boolean): Refusal | undefined {
  if (!known) return 'host';
  if (head.origin) return 'origin';
  // `same-site` and even `same-origin` come from a page; `none` is a person at the address bar.
  if (head.fetchSite !== undefined && head.fetchSite !== 'none') return 'fetch-site';
  if (head.forwarded) return 'forwarded';
  if (head.repeated) return 'repeated';
  if (headerLines > MAX_HEADERS) return 'headers';
  if (head.contentLength !== undefined && Number(head.contentLength) > MAX_BODY_BYTES) return 'body';
  // Compressed ones: nobody sends them.
  if (head.transferEncoding !== undefined && head.transferEncoding.toLowerCase() !== 'chunked') return 'body';
  return undefined;
}

/**
 * Reads a body of chunks to its end, and keeps nothing of it. The parser bounds what stands between the chunks, and the
 * server's timeout how long they take.
 *
 * @param done called once, with whether it was as small as it must be; not at all when the client goes away
 */
export function readChunks(request: IncomingMessage, done: (small: boolean) => void): void {
  let bytes = 0;
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) return;
    request.off('data', count).off('end', ended);
    done(false);
  };
  const ended = (): void => done(true);
  request.on('data', count).on('end', ended);
}

/**
 * The values of Host that mean a server of some names, in lower case: with its
 * port, and without one or with the scheme's own. Clients leave that one out,
 * a Service or a redirect puts it before another one, and the AWS Common
 * Runtime leaves out whichever it is, and the brackets of an address too.
 *
 * @param names names and addresses, without a port (an IPv6 address without brackets), or with the one that clients call:
 * `name:port`, `[::1]:port`, which is taken as it is
 * @param defaultPort the scheme's
 */
export function namesOf(names: readonly string[], port: number, defaultPort: number): string[] {
  return names.flatMap((name) => {
    const lower = name.toLowerCase();
    if (/^(?:\[.*\]|[^:]*):\d+$/.test(lower)) return [lower];
    const isBareV6 = lower.includes(':') && !lower.startsWith('[');
    const host = isBareV6 ? `[${lower}]` : lower;
    return [host, `${host}:${port}`, `${host}:${defaultPort}`, ...(isBareV6 ? [lower] : [])];
  });
}
