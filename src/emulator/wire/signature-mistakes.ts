/**
 * The mistake behind a signature that does not fit: of the request that a client signed, a service
 * sees the hash alone. But the mistakes that clients make are few, and each
 * can be tried: the one under which the signature fits is the one that was
 * made. This explains refusals; it never accepts anything.
 */
import { createHash } from 'node:crypto';
import type { ReceivedRequest } from './received.ts';
import { type Authorization, type CanonicalParts, formatCanonical, stringToSign } from './signature-v4.ts';

/** A mistake: what a client signed in the place of what it sent. */
export interface Mistake {
  /** After "the signature fits a request with ...". */
  readonly what: string;
  readonly canonicalRequest: string;
}

/** @param fits whether the signature is good over these bytes */
export function findMistake(
  request: ReceivedRequest,
  authorization: Authorization,
  parts: CanonicalParts,
  fits: (signed: Buffer) => boolean,
): Mistake | undefined {
  const right = formatCanonical(parts);
  for (const [what, canonicalRequest] of variants(request, parts))
    if (canonicalRequest !== right && fits(stringToSign(authorization, canonicalRequest)))
      return { what, canonicalRequest };
  return undefined;
}

function* variants(request: ReceivedRequest, parts: CanonicalParts): Generator<[what: string, canonical: string]> {
  const { method, path, query, headers } = parts;
  const other = (change: Partial<CanonicalParts>): string => formatCanonical({ ...parts, ...change });
  const withHeaders = (change: (value: string, name: string) => string): string =>
    other({ headers: headers.map(([name, value]) => [name, change(value, name)]) });
  const hash = (body: string | Buffer): string => other({ payload: createHash('sha256').update(body).digest('hex') });

  yield [
    'the host without its port',
    withHeaders((value, name) => (name === 'host' ? value.replace(/:\d+$/, '') : value)),
  ];
  yield ['an empty body', hash('')];
  yield ['the payload UNSIGNED-PAYLOAD', other({ payload: 'UNSIGNED-PAYLOAD' })];
  for (const body of otherSpacings(request.body)) yield ['the body in another spacing', hash(body)];
  yield ['the query as it was sent, not encoded again', other({ query: request.query })];
  yield ['the query not sorted', other({ query: unsorted(query, request.query) })];
  yield ['spaces in the query as +', other({ query: query.replaceAll('%20', '+') })];
  yield ['no query', other({ query: '' })];
  yield ['the path as it was sent, not encoded again', other({ path: request.path })];
  yield ['the path /', other({ path: '/' })];
  yield ['a slash at the end of the path', other({ path: `${path}/` })];
  yield ['the method in lower case', other({ method: method.toLowerCase() })];
  yield [
    'the content type without its parameters',
    withHeaders((value, name) => (name === 'content-type' ? value.replace(/;.*$/, '') : value)),
  ];
  const sent = new Map(request.headers);
  yield ['the spaces in its headers left as they are', withHeaders((value, name) => sent.get(name) ?? value)];
  yield ['a line feed at the end', `${formatCanonical(parts)}\n`];
  yield ['no empty line after the headers', formatCanonical(parts).replace('\n\n', '\n')];
}

/** The same JSON as common programs write it, and the same text with and without a final line feed. */
function otherSpacings(body: Buffer): string[] {
  const text = body.toString();
  const spacings = [`${text}\n`, text.replace(/\n$/, '')];
  try {
    const value: unknown = JSON.parse(text);
    const compact = JSON.stringify(value);
    spacings.push(compact, JSON.stringify(value, undefined, 2), JSON.stringify(value, undefined, 4), spaced(compact));
  } catch {
    // not JSON, and in no other spacing
  }
  return spacings;
}

/** A space after each comma and colon that is not part of a string. */
function spaced(compact: string): string {
  return compact.replaceAll(/"(?:[^"\\]|\\.)*"|[,:]/g, (token) => (token.length === 1 ? `${token} ` : token));
}

/** The encoded parameters in the order of the wire. */
function unsorted(canonical: string, sent: string): string {
  const names = sent.split('&').map((part) => part.split('=')[0]);
  const rank = (part: string): number => names.indexOf(part.split('=')[0] ?? '');
  return canonical
    .split('&')
    .toSorted((a, b) => rank(a) - rank(b))
    .join('&');
}
