/** What real clients sent (see test/clients/serve-recorded.test.ts), sent again: each request must be answered as they expect. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { imdsToken, parseAnswer, sendRaw, startServer, TOKEN } from './support/server.ts';
import type { TestServer } from './support/server.ts';

const RECORDED = fileURLToPath(new URL('recorded/', import.meta.url));
const FILES = readdirSync(RECORDED);

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close(0));

it('there are recordings of three clients on both endpoints', () => {
  expect(FILES).toHaveLength(6);
});

it.each(FILES)('%s', async (file) => {
  const requests = readFileSync(`${RECORDED}${file}`, 'utf8')
    .split('\n\n')
    .filter((text) => text.trim() !== '');
  let token = await imdsToken(server);
  let body = '';
  for (const text of requests) {
    const bytes = `${text.trimEnd()}\n`
      .replaceAll('127.0.0.1:PORT', `127.0.0.1:${server.port}`)
      .replaceAll('AUTHORIZATION', TOKEN)
      .replaceAll('TOKEN', token)
      .replaceAll(/^connection:.*\n/gim, '')
      .replaceAll('\n', '\r\n');
    const answer = parseAnswer(await sendRaw(server.port, `${bytes}Connection: close\r\n\r\n`));
    expect({ text, status: answer.status }).toEqual({ text, status: 200 });
    ({ body } = answer);
    const isToken = text.startsWith('PUT ');
    if (isToken) token = body;
    expect(answer.headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe(isToken ? '21600' : undefined);
  }
  expect(JSON.parse(body)).toMatchObject({ AccessKeyId: 'ASIA0000000000000001', Token: 'session-token-1' });
});
