import { createServer } from 'node:net';
import { request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../src/http/answer-reader.ts';

const LIMIT = 1000;

/** What comes of bytes that arrive in pieces of a size, and then no more. */
function read(text: string, size = text.length): unknown {
  const reader = new AnswerReader(LIMIT, () => new Error('too long'));
  const bytes = Buffer.from(text, 'latin1');
  try {
    for (let at = 0; at < bytes.length && reader.response === undefined; at += size)
      reader.push(bytes.subarray(at, at + size));
    if (reader.response === undefined) reader.end();
    return reader.response;
  } catch (error) {
    return error instanceof Error ? 'refused' : error;
  }
}

/** The same by Node's parser. */
async function readByNode(text: string): Promise<unknown> {
  const server = createServer((socket) =>
    socket.on('error', () => undefined).once('data', () => socket.end(text, 'latin1')),
  );
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    return await new Promise((resolve) => {
      const outgoing = ask({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false });
      outgoing.on('error', () => resolve('refused'));
      outgoing.on('response', (incoming) => {
        const chunks: Buffer[] = [];
        incoming
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('error', () => resolve('refused'))
          .on('end', () => {
            const headers = Object.fromEntries(
              Object.entries(incoming.headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
            );
            resolve({ status: incoming.statusCode, headers, body: Buffer.concat(chunks).toString('utf8') });
          });
      });
      outgoing.end();
    });
  } finally {
    server.close();
  }
}

const OK = 'HTTP/1.1 200 OK\r\n';

describe('the answer that the executable reads', () => {
  it.each([
    `${OK}Content-Length: 2\r\n\r\nok`,
    `${OK}\r\nuntil the end`,
    'HTTP/1.0 200 OK\r\n\r\nold',
    'HTTP/1.1 201\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n',
    `${OK}X-A:  spaced \t\r\nx-a: again\r\nEmpty:\r\nContent-Length: 0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nA;note=1\r\n0123456789\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n`,
  ])('is what Node reads, in whatever pieces it comes: %j', async (text) => {
    const byNode = await readByNode(text);
    expect(byNode).not.toBe('refused');
    for (const size of [1, 2, 7, text.length]) expect(read(text, size)).toEqual(byNode);
  });

  it.each([
    '',
    'HTTP/1.1 ',
    `${OK}Content-Length: 5\r\n\r\nok`,
    'SSH-2.0-OpenSSH_9.2\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    `${OK}No colon\r\n\r\n`,
    `${OK}: no name\r\n\r\n`,
    `${OK}Bad name: x\r\n\r\n`,
    `${OK}X: a\0b\r\nContent-Length: 0\r\n\r\n`,
    `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`,
    `${OK}Content-Length: -1\r\n\r\n`,
    `${OK}Content-Length: 0x2\r\n\r\nok`,
    `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`,
    `${OK}X: ${'x'.repeat(17_000)}\r\n\r\n`,
  ])('is refused where Node refuses it: %j', async (text) => {
    expect(await readByNode(text)).toBe('refused');
    for (const size of [1, 3, Math.max(1, text.length)]) expect(read(text, size)).toBe('refused');
  });

  it.each([
    `${OK}Content-Length: ${LIMIT + 1}\r\n\r\n${'x'.repeat(LIMIT + 1)}`,
    `${OK}\r\n${'x'.repeat(LIMIT + 1)}`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(LIMIT + 1)}`,
  ])('is no longer than the limit', (text) => {
    expect(read(text, 50)).toBe('refused');
    expect(
      read(
        text
          .replace(`: ${LIMIT + 1}`, `: ${LIMIT}`)
          .replace('1\r\nx\r\n', '')
          .replace('x'.repeat(LIMIT + 1), 'x'.repeat(LIMIT)) + (text.includes('chunked') ? '0\r\n\r\n' : ''),
        50,
      ),
    ).toMatchObject({ status: 200 });
  });
});
