/** Load on a server, for the benchmarks of `serve`. */
import { connect } from 'node:net';
import { median } from './measure.ts';

const CONNECTIONS = 16;

export interface Load {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** What each connection asks for, over and over. A request may hold what the answer before it brought. */
export type Steps = readonly ((before: string) => string)[];

/** The container route of `serve`. */
export function containerSteps(port: number, token: string): Steps {
  const text = `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${token}\r\nAccept: application/json\r\n\r\n`;
  return [() => text];
}

/** Without a byte for so long, a server has stopped to answer. */
const STALLED_MS = 10_000;

/**
 * A closed loop over keep-alive connections. The bodies of the answers to a step have one length, so counting bytes tells
 * when one is whole. A round is what is counted: with two steps, both of them.
 */
export async function load(steps: Steps, port: number, seconds: number): Promise<Load> {
  const bodies = await bodyLengths(steps, port);
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1000;
  const begin = performance.now();
  await Promise.all(
    Array.from(
      { length: CONNECTIONS },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1');
          socket.setNoDelay(true);
          const stalled = (): void => void socket.destroy(new Error(`port ${port} answers no more`));
          socket.setTimeout(STALLED_MS, stalled);
          let sent = 0;
          let missing = 0;
          let at = 0;
          let before = '';
          const ask = (): void => {
            if (at === 0) sent = performance.now();
            socket.write(steps[at]!(before));
          };
          socket.on('connect', ask);
          socket.on('error', reject);
          socket.on('data', (chunk) => {
            if (missing === 0) {
              // A head comes in one piece, and so does what a later request needs of an answer: they are small.
              missing = chunk.indexOf('\r\n\r\n') + 4 + bodies[at]!;
              if (at + 1 < steps.length) before = chunk.toString('latin1');
            }
            missing -= chunk.length;
            if (missing > 0) return;
            missing = 0;
            at += 1;
            if (at < steps.length) {
              ask();
              return;
            }
            at = 0;
            const now = performance.now();
            latencies.push(now - sent);
            if (now < until) ask();
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
  const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
  return { perSecond: latencies.length / elapsed, p50: median(latencies), p99 };
}

/** One round of all steps, which tells how long the bodies of their answers are. */
async function bodyLengths(steps: Steps, port: number): Promise<number[]> {
  const lengths: number[] = [];
  let before = '';
  for (const step of steps) {
    before = await answerOf(step(before), port);
    lengths.push(before.length - before.indexOf('\r\n\r\n') - 4);
  }
  return lengths;
}

/** The whole answer to one request on a connection of its own. */
export function answerOf(request: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.once('error', reject);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n') + 4;
      const whole = head + Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (head < 4 || text.length < whole) return;
      socket.destroy();
      if (text.startsWith('HTTP/1.1 200')) resolve(text.slice(0, whole));
      else reject(new Error(text));
    });
  });
}
