import { afterEach, expect, it } from 'vitest';
import { createProvider } from '../../src/credentials/refresher.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ask, credentials, HeldService, imdsToken, servedRole, startServer, TOKEN } from './support/server.ts';
import type { RawAnswer, TestServer } from './support/server.ts';

const CLIENTS = 1000;

let server: TestServer;
afterEach(() => server.close(0));

function stampede(path: string, headers: Record<string, string>): Promise<RawAnswer>[] {
  return Array.from({ length: CLIENTS }, () => ask(server, 'GET', path, headers));
}

function keysOf(answers: readonly RawAnswer[]): Set<string> {
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  return new Set(answers.map(({ body }) => (JSON.parse(body) as { AccessKeyId: string }).AccessKeyId));
}

it('1,000 clients with nothing in hand make one CreateSession and all get its set', async () => {
  const service = new HeldService();
  const role = servedRole('Demo', { vend: service.vend });
  server = await startServer({ roles: [role] });
  const answers = stampede('/credentials', { Authorization: TOKEN });
  await expect.poll(() => server.connections(), { timeout: 20_000 }).toBe(CLIENTS);
  service.answer(credentials(7));
  expect(keysOf(await Promise.all(answers))).toEqual(new Set(['ASIA0000000000000007']));
  expect(service.calls).toBe(1);
  role.provider.close();
});

it('1,000 clients at refresh time are answered at once with the old set, and make one CreateSession', async () => {
  const service = new HeldService();
  const clock = new FakeClock(Date.now());
  const provider = createProvider({ vend: service.vend, clock, random: () => 0 });
  const started = provider.start();
  await clock.advance(0);
  service.answer(credentials(1));
  await started;
  server = await startServer({ roles: [{ ...servedRole(), provider }] });
  await clock.advance(35.5 * 60_000); // due after 35 minutes, given up after another one
  expect(service.calls).toBe(2);
  const token = await imdsToken(server);
  const path = '/latest/meta-data/iam/security-credentials/Demo';
  const before = await Promise.all(stampede(path, { 'X-aws-ec2-metadata-token': token }));
  expect(keysOf(before)).toEqual(new Set(['ASIA0000000000000001']));
  service.answer(credentials(2, 2 * 3_600_000));
  await clock.advance(0);
  // What is left of the first thousand would count against the limits of the second.
  await expect.poll(() => server.connections(), { timeout: 20_000 }).toBe(0);
  const after = await Promise.all(stampede(path, { 'X-aws-ec2-metadata-token': token }));
  expect(keysOf(after)).toEqual(new Set(['ASIA0000000000000002']));
  expect(service.calls).toBe(2);
  provider.close();
});

it('1,000 clients after the last set expired make one CreateSession', async () => {
  const service = new HeldService();
  const clock = new FakeClock(Date.now());
  const provider = createProvider({ vend: service.vend, clock, random: () => 0, background: false });
  const started = provider.start();
  await clock.advance(0);
  service.answer(credentials(1));
  await started;
  await clock.advance(61 * 60_000);
  server = await startServer({ roles: [{ ...servedRole(), provider }] });
  const calls = service.calls;
  const answers = stampede('/credentials', { Authorization: TOKEN });
  await expect.poll(() => server.connections(), { timeout: 20_000 }).toBe(CLIENTS);
  await clock.advance(0);
  service.answer(credentials(3, 3 * 3_600_000));
  expect(keysOf(await Promise.all(answers))).toEqual(new Set(['ASIA0000000000000003']));
  expect(service.calls - calls).toBe(1);
  provider.close();
});
