import type { LookupFunction } from 'node:net';
import { afterEach, expect } from 'vitest';
import type { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { directTransport } from '../../../src/http/direct.ts';
import type { HttpRequest, HttpResponse, HttpTransport } from '../../../src/http/http.ts';
import { createPooledTransport } from '../../../src/http/pooled.ts';
import { exchange } from '../../../src/standalone/direct.ts';
import { connect } from '../../standalone/support/node-runtime.mjs';
import type { TestServer } from './servers.ts';

interface Transport {
  request: HttpTransport;
  close: () => unknown;
}

/** Every case runs through each, and must end alike. */
const TRANSPORTS: Readonly<Record<string, (lookup?: LookupFunction) => Transport>> = {
  direct: (lookup) => ({ request: (request) => directTransport(request, lookup), close: () => undefined }),
  pooled: (lookup) => createPooledTransport(lookup === undefined ? {} : { lookup }),
  // Names are the runtime's to resolve.
  executable: (lookup) => ({
    request: (request) => (lookup === undefined ? exchange(request, connect) : directTransport(request, lookup)),
    close: () => undefined,
  }),
};

export const TRANSPORT_NAMES = Object.keys(TRANSPORTS);

/** The shortest good answer. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const tasks: (() => unknown)[] = [];

/** Has something done after the test. */
export function cleanUp(task: () => unknown): void {
  tasks.push(task);
}

afterEach(async () => {
  await Promise.all(tasks.splice(0).map((task) => task()));
});

/** A server that lasts as long as the test. */
export async function up(server: Promise<TestServer>): Promise<TestServer> {
  const started = await server;
  cleanUp(started.close);
  return started;
}

/** What a test may want otherwise. */
export type Extra = Partial<HttpRequest> & { lookup?: LookupFunction };

/** Sends a small POST through a transport of its own. */
export function send(transport: string, url: string, { lookup, ...extra }: Extra = {}): Promise<HttpResponse> {
  const made = TRANSPORTS[transport]?.(lookup);
  if (made === undefined) throw new Error(`no transport ${transport}`);
  cleanUp(made.close);
  return made.request({
    method: 'POST',
    url: new URL(url),
    headers: { 'content-type': 'application/json' },
    body: '{"a":1}',
    timeoutMs: 20_000,
    maxResponseBytes: 1000,
    ...extra,
  });
}

/** The error that an exchange must end with. */
export async function failure(outcome: Promise<unknown>): Promise<RolesAnywhereError> {
  return outcome.then(
    (value) => expect.fail(`did not fail: ${JSON.stringify(value)}`),
    (error: RolesAnywhereError) => error,
  );
}
