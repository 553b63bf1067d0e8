/** A request as it is sent (RFC 9112). Tests: test/http/request-bytes.test.ts, test/http/answers.test.ts */
import type { HttpRequest } from './http.ts';

/** Fields that are written here. */
const OWN: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
]);

/** Whether each field is one that can be written as it is: of visible ASCII, and none that delimits the message. */
export function isPlainRequest({ headers }: HttpRequest): boolean {
  return Object.entries(headers).every(
    ([name, value]) => NAME.test(name) && VALUE.test(value) && (name === 'host' || !OWN.has(name.toLowerCase())),
  );
}

// Not by a loop: over certificates in base64 it turns often enough for the engine to make machine code of it, which takes
// longer than all that is done here.
const NAME = /^[!-9;-~]+$/;
const VALUE = /^[ -~]*$/;

/** The bytes of a plain request, after which the connection is of no more use. */
export function requestBytes({ method, url, headers, body }: HttpRequest): Uint8Array {
  const fields: Record<string, string> = { host: url.host, ...headers };
  const content = body === undefined ? undefined : Buffer.from(body);
  if (content !== undefined) fields['content-length'] = String(content.length);
  const head = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ];
  const start = Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1');
  return content === undefined ? start : Buffer.concat([start, content]);
}
