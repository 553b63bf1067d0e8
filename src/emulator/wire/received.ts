/** A request as it came over the wire, before anything was made of it. */
// Tests: test/emulator/services/create-session/signature.test.ts
import type { Refuse } from './refusal.ts';

export interface ReceivedRequest {
  readonly method: string;
  /** The request target up to the first `?`. */
  readonly path: string;
  /** The part after the `?`; empty when there is none. */
  readonly query: string;
  /** Names in lower case, values one character a byte, in the order of the wire, repeats kept apart. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** Whether it came over TLS. */
  readonly isSecure: boolean;
  /** The address that it came from. */
  readonly sourceIp: string;
}

/** What node:http gives of a request: `rawHeaders` are names and values in turn. */
export interface RawRequest extends Pick<ReceivedRequest, 'method' | 'body' | 'isSecure' | 'sourceIp'> {
  readonly target: string;
  readonly rawHeaders: readonly string[];
}

export function receivedRequest({ target, rawHeaders, ...rest }: RawRequest): ReceivedRequest {
  const mark = target.indexOf('?');
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    headers.push([rawHeaders[index]?.toLowerCase() ?? '', rawHeaders[index + 1] ?? '']);
  return {
    ...rest,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
  };
}

/** Every value of a header. */
export function headerValues(request: ReceivedRequest, name: string): string[] {
  return request.headers.flatMap(([candidate, value]) => (candidate === name ? [value] : []));
}

/** The value of a header that may come once at most. */
export function singleHeader(request: ReceivedRequest, name: string, refuse: Refuse): string | undefined {
  const values = headerValues(request, name);
  if (values.length > 1) throw refuse(`header ${name} was sent ${values.length} times`);
  return values[0];
}

/**
 * The names and values of a query string or a form, decoded, one character a byte.
 * `+` stands for a space, as in a form.
 */
export function parseQuery(query: string, refuse: Refuse): [name: string, value: string][] {
  if (query === '') return [];
  return query.split('&').map((part) => {
    const equals = part.indexOf('=');
    const [name, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    return [percentDecode(name, refuse), percentDecode(value, refuse)];
  });
}

/** The text that bytes kept one a character stand for. */
export function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function percentDecode(text: string, refuse: Refuse): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw refuse('the query holds a % that is not followed by two hex digits');
  return text
    .replaceAll('+', ' ')
    .replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
