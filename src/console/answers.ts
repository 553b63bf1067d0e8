/** What the console answers with: headers that keep a browser strict, JSON, and the body of a request, bounded. */
// Tests: test/console/console.heavy.test.ts
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { ErrorClass } from '../platform/errors.ts';
import type { ErrorAnswer } from './api.ts';

/** The page loads its own script, style and icon, asks its own server, and nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox";

const STRICT: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Origin-Agent-Cluster': '?1',
  'Permissions-Policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** Most bytes of a request's body: a policy and fifty tags of the longest kind. */
const MAX_BODY_BYTES = 64 * 1024;

/** The headers of an answer. @param policy default: that of what is no page */
export function strictHeaders(type: string, policy: string = DATA_POLICY): Record<string, string> {
  return { ...STRICT, 'Content-Security-Policy': policy, 'Content-Type': type };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  extra: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    ...strictHeaders('application/json; charset=utf-8'),
    'Content-Length': body.length,
    ...extra,
  });
  response.end(body);
}

/** Sends an error, and ends the connection: what the client still sends is not read. */
export function sendRefusal(response: ServerResponse, status: number, error: ErrorAnswer): void {
  sendJson(response, status, error, { Connection: 'close' });
}

const STATUS: Readonly<Record<ErrorClass, number>> = {
  usage: 400,
  refused: 422,
  identity: 503,
  unavailable: 503,
  interrupted: 503,
  internal: 500,
  'not-executable': 500,
  'not-found': 500,
};

/** Sends what an operation failed with. The words of a failure that is none of ours stay in the log. */
export function sendFailure(response: ServerResponse, error: unknown): void {
  if (!(error instanceof RolesAnywhereError)) {
    sendJson(response, 500, { code: 'ERR_INTERNAL', message: 'internal error', hint: 'the log of serve has more' });
    return;
  }
  const { code, message, hint } = error;
  const answer: ErrorAnswer = { code, message, hint };
  sendJson(response, STATUS[error.class], answer);
}

/**
 * Reads a body of JSON.
 *
 * @throws RolesAnywhereError `ERR_USAGE` when it is too large, of another type, or no JSON
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json(?:;|$)/i.test(request.headers['content-type'] ?? '')) throw badBody('is not JSON');
  const chunks: Buffer[] = [];
  let length = 0;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no encoding is set, so that chunks are bytes
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw badBody('is too large');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw badBody('is not JSON');
  }
}

function badBody(why: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_USAGE', `what was sent ${why}`, { hint: 'load the page again' });
}
