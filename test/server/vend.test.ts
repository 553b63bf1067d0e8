import { connect } from 'node:net';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { pkiText } from '../support/pki.ts';
import { HeldService, TOKEN, ask, imdsToken, servedRole, startServer } from './support/server.ts';

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
