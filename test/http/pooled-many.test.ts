import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createPooledTransport } from '../../src/http/pooled.ts';
import { scriptedServer, type ScriptedServer } from '../support/scripted-server.ts';

let server: ScriptedServer;

beforeAll(async () => {
  server = await scriptedServer((response) => response.end('{}'));
});
afterAll(() => server.close());

it('thirty exchanges at once print no warning of Node’s', async () => {
  const warned = vi.fn<(warning: Error) => void>();
  process.on('warning', warned);
  const { request, close } = createPooledTransport();
  try {
    const one = {
      method: 'GET',
      url: new URL(server.url),
      headers: {},
      timeoutMs: 10_000,
      maxResponseBytes: 100,
    } as const;
    const answers = await Promise.all(Array.from({ length: 30 }, () => request(one)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200));
    await new Promise((resolve) => setImmediate(resolve));
    expect(warned.mock.calls.map(([warning]) => warning.name)).toEqual([]);
  } finally {
    await close();
    process.off('warning', warned);
  }
});
