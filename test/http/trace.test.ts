import { expect, it } from 'vitest';
import { traced } from '../../src/http/trace.ts';
import { createLog } from '../../src/platform/log.ts';
import type { Log } from '../../src/platform/log.ts';
import type { HttpTransport } from '../../src/http/http.ts';
import { directTransport } from '../../src/http/direct.ts';
import { createPooledTransport } from '../../src/http/pooled.ts';
import { makeAuthority } from './support/pki.ts';
import { serveTls, toLoopback } from './support/servers.ts';
import { cleanUp, failure, OK, up } from './support/transports.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';

const PHASE = String.raw`[\d.]+ ms`;

/** A log that says everything into a list. */
function logTo(said: string[]): Log {
  return createLog({ write: (line) => void said.push(line), format: 'plain', level: 'debug' });
}

/** What is said of one exchange with a service of https by a name. */
async function trace(transport: HttpTransport): Promise<string> {
  const authority = await makeAuthority('Trusted');
  const { port } = await up(serveTls(await authority.issue(['service.test']), (socket) => socket.write(OK)));
  const said: string[] = [];
  const request = traced(transport, logTo(said));
  const answer = await request({
    method: 'GET',
    url: new URL(`https://service.test:${port}/`),
    headers: {},
    tls: { ca: authority.root },
    timeoutMs: 20_000,
    maxResponseBytes: 100,
  });
  expect(answer).toMatchObject({ body: 'ok' });
  return said.join('\n');
}

it('names each phase of a direct exchange', async () => {
  // A resolver takes a turn at least.
  const said = await trace((request) =>
    directTransport(request, (...asked) => void setImmediate(() => toLoopback(...asked))),
  );
  expect(said).toMatch(
    new RegExp(
      `timings: DNS ${PHASE}, TCP to 127.0.0.1 port \\d+ ${PHASE}, TLS \\(TLSv1\\.\\d\\) ${PHASE}, first byte ${PHASE}, the whole answer ${PHASE}; ${PHASE} in all`,
    ),
  );
});

it('names the phases of an exchange through a proxy, up to the proxy and beyond', async () => {
  const { port, close } = await startConnectProxy();
  cleanUp(close);
  const pool = createPooledTransport({ proxy: new URL(`http://127.0.0.1:${port}`), lookup: toLoopback });
  cleanUp(pool.close);
  const said = await trace(pool.request);
  expect(said).toMatch(
    new RegExp(
      `timings: TCP to 127.0.0.1 port ${port} ${PHASE}, .*TLS \\(TLSv1\\.\\d\\) ${PHASE}, .*the whole answer ${PHASE}`,
    ),
  );
});

it('tells the phases of an exchange that fails too', async () => {
  const said: string[] = [];
  const request = traced(() => Promise.reject(new Error('no')), logTo(said));
  await failure(request({ method: 'GET', url: new URL('https://h'), headers: {}, timeoutMs: 1, maxResponseBytes: 1 }));
  expect(said.at(-1)).toMatch(/^debug: timings: a failure/);
});
