import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import type { ProviderStatus } from '../../src/credentials/provider.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { createMetrics } from '../../src/server/metrics.ts';
import { startStatusServer } from '../../src/server/status-server.ts';
import { ask } from './support/server.ts';

const NOW = Date.UTC(2026, 0, 1);

function status(changes: Partial<ProviderStatus> = {}): ProviderStatus {
  return {
    state: 'valid',
    refreshing: false,
    expiration: new Date(NOW + 3_600_000),
    refreshedAt: new Date(NOW),
    lastError: undefined,
    failures: 0,
    nextAttempt: undefined,
    ...changes,
  };
}

async function start(states: Record<string, ProviderStatus>) {
  const metrics = createMetrics();
  const roles = Object.entries(states).map(([name, state]) => ({
    name,
    status: () => state,
    certificateValidity: () => ({ notBefore: NOW - 9.5 * 86_400_000, notAfter: NOW + 86_400_000 }),
  }));
  const listen = { address: '127.0.0.1', port: 0 };
  const server = await startStatusServer({ listen, roles, metrics, connections: () => 3, now: () => NOW });
  return { metrics, server, port: server.address.port };
}

it('healthz is well while the process lives, also without credentials', async () => {
  const { server, port } = await start({ a: status({ state: 'unavailable' }) });
  expect(await ask({ port }, 'GET', '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await ask({ port }, 'HEAD', '/healthz')).toMatchObject({ status: 200, body: '' });
  await server.close();
});

it('those who hold their connections keep no probe out', async () => {
  const { server, port } = await start({ a: status() });
  const holders = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  await Promise.all(holders.map((socket) => once(socket, 'connect')));
  for (let i = 0; i < 10; i++) expect((await ask({ port }, 'GET', '/healthz')).status).toBe(200);
  for (const socket of holders) socket.destroy();
  await server.close();
});

it.each([
  [{ a: status(), b: status({ state: 'degraded' }) }, 200],
  [{ a: status(), b: status({ state: 'starting', expiration: undefined }) }, 503],
  [{ a: status({ state: 'unavailable' }) }, 503],
  [{ a: status({ state: 'idle' }) }, 503],
])('readyz wants valid credentials of every role: %#', async (states, expected) => {
  const { server, port } = await start(states);
  const answer = await ask({ port }, 'GET', '/readyz?verbose');
  expect(answer.status).toBe(expected);
  expect(JSON.parse(answer.body)).toMatchObject({ ready: expected === 200 });
  await server.close();
});

it('readyz tells the code of the last error, and no message', async () => {
  const lastError = new RolesAnywhereError('ERR_CONNECT', 'details');
  const { server, port } = await start({ a: status({ state: 'degraded', lastError }) });
  const { body } = await ask({ port }, 'GET', '/readyz');
  expect(JSON.parse(body)).toMatchObject({ roles: [{ role: 'a', state: 'degraded', lastError: 'ERR_CONNECT' }] });
  expect(body).not.toContain('details');
  await server.close();
});

it('metrics has the format and the numbers', async () => {
  const { server, port, metrics } = await start({ a: status() });
  metrics.request('container-credentials', 200);
  metrics.request('container-credentials', 200);
  metrics.request('imds-token', 400);
  metrics.refused('host');
  const error = new RolesAnywhereError('ERR_CONNECT', 'x');
  metrics.provider('a', { type: 'refreshed', reason: 'due', durationMs: 300, expiration: new Date(NOW) });
  metrics.provider('a', { type: 'failed', reason: 'due', durationMs: 70_000, error, failures: 1 });
  const { status: code, headers, body } = await ask({ port }, 'GET', '/metrics');
  expect({ code, type: headers['content-type'] }).toEqual({
    code: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
  });
  const samples = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  for (const sample of samples)
    expect(sample).toMatch(/^roles_anywhere_[a-z_]+(?:\{(?:[a-z]+="[^"]*",?)+\})? -?[\d.e+-]+$/);
  expect(samples).toEqual(
    expect.arrayContaining([
      'roles_anywhere_certificate_seconds_to_expiry{role="a"} 86400',
      'roles_anywhere_credentials_seconds_to_expiry{role="a"} 3600',
      'roles_anywhere_credentials_valid{role="a"} 1',
      'roles_anywhere_refreshes_total{role="a",result="success"} 1',
      'roles_anywhere_refreshes_total{role="a",result="failure"} 1',
      'roles_anywhere_refresh_duration_seconds_bucket{role="a",le="0.25"} 0',
      'roles_anywhere_refresh_duration_seconds_bucket{role="a",le="0.5"} 1',
      'roles_anywhere_refresh_duration_seconds_bucket{role="a",le="60"} 1',
      'roles_anywhere_refresh_duration_seconds_bucket{role="a",le="+Inf"} 2',
      'roles_anywhere_refresh_duration_seconds_sum{role="a"} 70.3',
      'roles_anywhere_refresh_duration_seconds_count{role="a"} 2',
      'roles_anywhere_requests_total{route="container-credentials",status="200"} 2',
      'roles_anywhere_requests_total{route="imds-token",status="400"} 1',
      'roles_anywhere_refused_requests_total{reason="host"} 1',
      'roles_anywhere_connections 3',
    ]),
  );
  // Each family is announced once, before its samples.
  const families = body.split('\n').flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
  expect(new Set(families).size).toBe(families.length);
  await server.close();
});

it.each([
  ['GET', '/', 404],
  ['GET', '/credentials', 404],
  ['POST', '/metrics', 405],
])('%s %s is answered %i', async (method, path, expected) => {
  const { server, port } = await start({ a: status() });
  expect((await ask({ port }, method, path)).status).toBe(expected);
  await server.close();
});
