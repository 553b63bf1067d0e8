/**
 * The canonical forms that AWS Signature Version 4 hashes, one function a
 * stage. SigV4 and SigV4-X509 share them.
 *
 * Sources: IAM User Guide, "Create a signed AWS API request", step 1;
 * IAM Roles Anywhere User Guide, "Signing process", task 1.
 */
// Tests: test/signing/vectors.test.ts
import { createHash } from 'node:crypto';

/** Name and value, neither of them encoded. */
export type QueryParameter = readonly [name: string, value: string];

/** The headers to be signed, as the canonical request wants them. */
export interface CanonicalHeaders {
  /** `name:value` lines in the order of the names, each ended by a line feed. */
  readonly lines: string;
  /** The names in lower case, joined with `;`. */
  readonly names: string;
}

/** Percent-encodes everything but RFC 3986's unreserved characters, in upper-case hex of the UTF-8 bytes. */
function uriEncode(text: string): string {
  // No regular expression here and below: compiling one costs more than all that it would do in a run.
  return encodeURIComponent(text)
    .replaceAll('!', '%21')
    .replaceAll("'", '%27')
    .replaceAll('(', '%28')
    .replaceAll(')', '%29')
    .replaceAll('*', '%2A');
}

/**
 * The path as it is sent, with each segment encoded once more: SigV4 encodes
 * the already encoded path of every service but S3.
 */
export function canonicalPath(path: string): string {
  return path.split('/').map(uriEncode).join('/') || '/';
}

/** Parameters encoded, then sorted by encoded name and value. A query sent in this form is its own canonical form. */
export function canonicalQuery(parameters: readonly QueryParameter[]): string {
  return parameters
    .map(([name, value]): QueryParameter => [uriEncode(name), uriEncode(value)])
    .toSorted(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** The parameters of a query string as it is sent: percent-decoded, and `+` is a plus (this is not a form). */
export function queryParameters(search: string): QueryParameter[] {
  return (search.startsWith('?') ? search.slice(1) : search)
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const [name, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
      return [decodeURIComponent(name), decodeURIComponent(value)];
    });
}

/** Every header given, with its name in lower case and its value trimmed and runs of spaces made one. */
export function canonicalHeaders(headers: Readonly<Record<string, string>>): CanonicalHeaders {
  const entries = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), oneSpaced(value.trim())] as const)
    .toSorted(([nameA], [nameB]) => compare(nameA, nameB));
  return {
    lines: entries.map(([name, value]) => `${name}:${value}\n`).join(''),
    names: entries.map(([name]) => name).join(';'),
  };
}

function oneSpaced(text: string): string {
  return text.includes('  ') ? text.replace(/ +/g, ' ') : text;
}

/** The parts of a canonical request, each in its canonical form. */
export interface CanonicalRequestParts {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: CanonicalHeaders;
  /** Lower-case hex SHA-256 of the exact bytes of the body. */
  readonly bodyHash: string;
}

/** Method, path, query, headers (and so an empty line), signed names and body hash, one a line. */
export function canonicalRequest({ method, path, query, headers, bodyHash }: CanonicalRequestParts): string {
  return [method, path, query, headers.lines, headers.names, bodyHash].join('\n');
}

/** Lower-case hex SHA-256; text is hashed as UTF-8. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Order of UTF-16 units, which is that of bytes for the ASCII that these functions sort. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
