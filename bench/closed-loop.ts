/** Load on the container route, for the benchmarks of `serve`. */
import { connect } from 'node:net';

const CONNECTIONS = 16;

export interface Load {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** A closed loop over keep-alive connections; answers have one length, so counting bytes tells when one is whole. */
export async function load(port: number, token: string, seconds: number): Promise<Load> {
  const request = `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${token}\r\nAccept: application/json\r\n\r\n`;
  const length = await answerLength(port, request);
  const latencies: number[] = [];
  const end = performance.now() + seconds * 1000;
  const begin = performance.now();
  await Promise.all(
    Array.from(
      { length: CONNECTIONS },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1');
          socket.setNoDelay(true);
          let sent = 0;
          let got = 0;
          const ask = (): void => {
            sent = performance.now();
            socket.write(request);
          };
          socket.on('connect', ask);
          socket.on('error', reject);
          socket.on('data', (chunk) => {
            got += chunk.length;
            if (got < length) return;
            got = 0;
            const now = performance.now();
            latencies.push(now - sent);
            if (now < end) ask();
            else {
              socket.destroy();
              resolve();
            }
          });
        }),
    ),
  );
  const elapsed = (performance.now() - begin) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => latencies[Math.floor(latencies.length * part)] ?? Number.NaN;
  return { perSecond: latencies.length / elapsed, p50: at(0.5), p99: at(0.99) };
}

function answerLength(port: number, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.once('error', reject);
    socket.once('data', (chunk) => {
      const text = chunk.toString('latin1');
      const body = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (text.startsWith('HTTP/1.1 200')) resolve(text.indexOf('\r\n\r\n') + 4 + body);
      else reject(new Error(text));
      socket.destroy();
    });
  });
}
