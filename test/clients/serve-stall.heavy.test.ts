/** `serve` stands still, as on a machine that swaps or is suspended, while requests are on their way. */
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startTestEmulator } from '../support/vending.ts';
import { identityFlags, runLines, startServe } from './serve-process.ts';

/** More than the time for a request's headers, and the interval at which late ones are looked for. */
const STOPPED_MS = 7000;

it.runIf(process.platform === 'linux')(
  'a request that came while serve stood still is answered',
  async () => {
    const emulator = await startTestEmulator();
    const serve = await startServe([...identityFlags(emulator), '--port', '0', '--metrics-listen', '0']);
    try {
      const env = runLines(serve.lines());
      const url = new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '');
      const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
      const metricsPort = Number(/are served","address":"127.0.0.1","port":(\d+)/.exec(serve.log())?.[1]);
      expect(metricsPort).toBeGreaterThan(0);

      const taken = (): number => readdirSync(`/proc/${serve.pid}/fd`).length;
      const accepted = async (port: number): Promise<{ socket: Socket; answer: Promise<string> }> => {
        const before = taken();
        const socket = connect(port, '127.0.0.1');
        let text = '';
        socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
        const answer = once(socket, 'close').then(() => text);
        await expect.poll(taken, { interval: 5 }).toBeGreaterThan(before);
        return { socket, answer };
      };
      const credentials = await accepted(Number(url.port));
      const half = await accepted(Number(url.port));
      const health = await accepted(metricsPort);
      serve.kill('SIGSTOP');
      const rest = `Host: ${url.host}\r\nAuthorization: ${token}\r\nConnection: close\r\n\r\n`;
      credentials.socket.write(`GET ${url.pathname} HTTP/1.1\r\n${rest}`);
      half.socket.write(`GET ${url.pathname} HTTP/1.1\r\n`);
      health.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      await sleep(STOPPED_MS);
      serve.kill('SIGCONT');
      expect(await credentials.answer).toMatch(/^HTTP\/1\.1 200 [^]*"AccessKeyId"/);
      expect(await health.answer).toMatch(/^HTTP\/1\.1 200 /);
      // Who sends half a request gets no more than a second for the rest.
      expect(await half.answer).toMatch(/^HTTP\/1\.1 408 /);
    } finally {
      serve.kill('SIGKILL');
      await serve.exited;
      await emulator.close();
    }
  },
  60_000,
);
