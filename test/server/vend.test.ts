import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { createVend } from '../../src/server/vend.ts';
import type { VendOptions } from '../../src/server/vend.ts';
import { pkiText } from '../support/pki.ts';
import { HeldService, TOKEN, ask, credentials, imdsToken, servedRole, startServer } from './support/server.ts';

const IMDS = '/latest/meta-data/iam/security-credentials/Demo';

it.each(['/credentials', IMDS])('a request to %s is answered while the service still hangs', async (path) => {
  const service = new HeldService();
  const role = servedRole('Demo', service);
  const server = await startServer({ roles: [role] });
  const headers = { Authorization: TOKEN, 'X-aws-ec2-metadata-token': await imdsToken(server) };
  const { status, body } = await ask(server, 'GET', path, headers);
  expect(status).toBe(503);
  expect(JSON.parse(body)).toMatchObject({
    code: 'ERR_TIMEOUT',
    message: expect.stringMatching(
      /no valid credentials for Demo: they were asked for, and none have come within/,
    ) as string,
  });
  // The attempt goes on for those who come later.
  expect([service.calls, role.provider.status().refreshing]).toEqual([1, true]);
  role.provider.close();
  await server.close(0);
});

it('a request that waits for credentials when the server stops is answered with 503, not cut off', async () => {
  const role = servedRole('Demo', new HeldService());
  const server = await startServer({ roles: [role], waitMs: 60_000 });
  const answer = ask(server, 'GET', '/credentials', { Authorization: TOKEN });
  while (!role.provider.status().refreshing) await new Promise((resolve) => setTimeout(resolve, 10));
  await server.close(50);
  const { status, body } = await answer;
  expect([status, body]).toEqual([503, expect.stringContaining('this server stops')]);
  role.provider.close();
});

it('a TLS handshake that does not go on is ended in the time of a request, not of an idle connection', async () => {
  const tls = { cert: pkiText('tls-server.crt.pem'), key: pkiText('tls-server.key.pem') };
  const limits = { headersTimeoutMs: 200, requestTimeoutMs: 400, idleTimeoutMs: 600_000 };
  const server = await startServer({ tls, limits });
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(Buffer.from([0x16, 0x03, 0x01]));
  await once(socket, 'close');
  await expect.poll(() => server.connections()).toBe(0);
  await server.close(0);
});

const socket = {} as Socket;

/** Vending of a role whose first set is at hand once it was asked for, and what is recorded and told of it. */
function vending(vend: () => Promise<ReturnType<typeof credentials>>, more: Partial<VendOptions> = {}) {
  const role = servedRole('Demo', { vend });
  const waiting = new Set<() => void>();
  const vended: string[] = [];
  const options = {
    audit: undefined,
    vended: (_: unknown, { accessKeyId }: { accessKeyId: string }) => void vended.push(accessKeyId),
    waitMs: 60_000,
    waiting,
    ...more,
  };
  const give = createVend(role, (_, set) => ({ status: 200, headers: [], body: set.accessKeyId }), options);
  return { role, waiting, vended, give: (method: string) => give(socket, method) };
}

/** What an audit log does with what it is given. */
function audit(record: () => Promise<void>): { audit: VendOptions['audit'] } {
  return { audit: { record } as unknown as VendOptions['audit'] };
}

describe('what is given out', () => {
  const set = credentials();

  it('is made into an answer once, also for those who wait for it, and is told of, but for HEAD', async () => {
    const { role, give, vended } = vending(() => Promise.resolve(set));
    const first = await give('GET');
    expect(first).toMatchObject({ status: 200, body: set.accessKeyId });
    // No promise: the set is at hand.
    expect(give('GET')).toBe(first);
    expect(vended).toEqual([set.accessKeyId, set.accessKeyId]);
    expect(give('HEAD')).toBe(first);
    expect(vended).toHaveLength(2);
    role.provider.close();
  });

  it('is recorded before it is given and told of, but for HEAD', async () => {
    let records = 0;
    const log = audit(() => Promise.resolve(void (records += 1)));
    const { role, give, vended } = vending(() => Promise.resolve(set), log);
    for (const count of [1, 2]) {
      expect(await give('GET')).toMatchObject({ status: 200, body: set.accessKeyId });
      expect([records, vended.length]).toEqual([count, count]);
    }
    expect(await give('HEAD')).toMatchObject({ status: 200 });
    expect([records, vended.length]).toEqual([2, 2]);
    role.provider.close();
  });

  it('is told of to nobody where nobody asked for it, and of HEAD not even after a wait', async () => {
    for (const more of [{}, audit(() => Promise.resolve())]) {
      const silent = vending(() => Promise.resolve(set), { ...more, vended: undefined });
      for (let turn = 0; turn < 2; turn++) expect(await silent.give('GET')).toMatchObject({ status: 200 });
      silent.role.provider.close();
      const asked = vending(() => Promise.resolve(set), more);
      expect(await asked.give('HEAD')).toMatchObject({ status: 200 });
      expect(asked.vended).toEqual([]);
      asked.role.provider.close();
    }
  });

  it('is not given out, nor told of, where it cannot be recorded', async () => {
    const { role, give, vended } = vending(
      () => Promise.resolve(set),
      audit(() => Promise.reject(new Error('full'))),
    );
    for (let turn = 0; turn < 2; turn++) {
      const { status, body } = await give('GET');
      expect([status, JSON.parse(body)]).toEqual([503, expect.objectContaining({ code: 'AuditLogUnavailable' })]);
    }
    expect(vended).toEqual([]);
    role.provider.close();
  });

  it('leaves no timer and nobody behind who waits', async () => {
    vi.useFakeTimers();
    try {
      const { role, give, waiting } = vending(() => new Promise((resolve) => setTimeout(resolve, 5, set)));
      const answer = give('GET');
      expect(waiting.size).toBe(1);
      await vi.advanceTimersByTimeAsync(5);
      expect(await answer).toMatchObject({ status: 200 });
      expect(waiting.size).toBe(0);
      role.provider.close();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('where there is nothing to give', () => {
  it('the time is said, and what the attempt before failed of', async () => {
    let calls = 0;
    const refusal = new RolesAnywhereError('ERR_CONNECT', 'no way there');
    const { role, give } = vending(() => (calls++ === 0 ? Promise.reject(refusal) : new Promise(() => 0)), {
      waitMs: 250,
    });
    expect(await give('GET')).toMatchObject({
      status: 503,
      body: expect.stringMatching(/ERR_CONNECT.*Demo: no way there/) as string,
    });
    await expect.poll(() => role.provider.status().refreshing || (void give('GET'), false)).toBe(true);
    const { body } = await give('GET');
    expect(JSON.parse(body)).toMatchObject({
      code: 'ERR_CONNECT',
      message:
        'no valid credentials for Demo: they were asked for, and none have come within 0.25 s; the attempt before: no way there',
    });
    role.provider.close();
  });

  it('an error of no kind of ours is not repeated', async () => {
    const { role, give } = vending(() => Promise.reject(new TypeError('a secret')));
    role.provider.get = () => Promise.reject(new TypeError('a secret'));
    const { status, body } = await give('GET');
    expect([status, JSON.parse(body)]).toMatchObject([503, { code: 'ERR_INTERNAL' }]);
    expect(body).toContain('no valid credentials for Demo: internal error');
    role.provider.close();
  });
});
