import { describe, expect, it } from 'vitest';
import type { HttpResponse } from '../../src/http/http.ts';
import { CHUNKED, chunk, says, saysAndEnds } from './support/manners.ts';
import { serve } from './support/servers.ts';
import type { OnRequest } from './support/servers.ts';
import { OK, send, TRANSPORT_NAMES, up } from './support/transports.ts';

interface AnswerCase {
  name: string;
  does: OnRequest;
  answer: Partial<HttpResponse>;
}

const ANSWERS: readonly AnswerCase[] = [
  { name: 'an ordinary answer', does: says(OK), answer: { status: 200, body: 'ok' } },
  { name: 'an answer in chunks', does: says(`${CHUNKED}${chunk('o')}${chunk('k')}0\r\n\r\n`), answer: { body: 'ok' } },
  {
    name: 'an answer that ends with the connection',
    does: saysAndEnds('HTTP/1.0 200 OK\r\n\r\nok'),
    answer: { body: 'ok' },
  },
  {
    name: 'an answer after 102 and 103',
    does: says(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`),
    answer: { status: 200, body: 'ok' },
  },
  { name: '204', does: says('HTTP/1.1 204 No Content\r\n\r\n'), answer: { status: 204, body: '' } },
  {
    name: 'an empty body',
    does: says('HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'),
    answer: { status: 201, body: '' },
  },
  {
    name: 'a redirect, as it is',
    does: says('HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'),
    answer: { status: 307, headers: { location: 'http://127.0.0.1:1/', 'content-length': '0' } },
  },
  {
    name: 'repeated fields joined, and names in lower case',
    does: says('HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 0\r\nx-a: 2\r\n\r\n'),
    answer: { headers: { 'x-a': '1, 2', 'content-length': '0' } },
  },
  {
    name: 'a compressed body, as it is',
    does: says('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok'),
    answer: { body: 'ok' },
  },
  { name: 'UTF-8', does: says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\né'), answer: { body: 'é' } },
  {
    name: 'a body of exactly the limit',
    does: says(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`),
    answer: { body: 'x'.repeat(1000) },
  },
];

describe.each(TRANSPORT_NAMES)('%s transport', (transport) => {
  it.each(ANSWERS)('returns $name', async ({ does, answer }) => {
    const { port } = await up(serve(does));
    expect(await send(transport, `http://127.0.0.1:${port}/`)).toMatchObject(answer);
  });

  it('sends exactly the path, query, headers and body that it is given', async () => {
    let received = '';
    const server = serve((socket, request) => {
      received = request;
      socket.write(OK);
    });
    const { port } = await up(server);
    const path = "/base%20path/a:b/sessions?role=arn%3Aaws%3Aiam%3A%3A1%3Arole%2FA%2BB%27%28%29%2A~&x=%20&y='";
    const url = new URL(`http://127.0.0.1:${port}${path}`);
    await send(transport, url.href, { headers: { 'x-amz-date': 'D', Authorization: 'A' }, body: 'é' });
    const [head = '', body] = received.split('\r\n\r\n');
    const [start, ...fields] = head.split('\r\n');
    expect(start).toBe(`POST ${url.pathname}${url.search} HTTP/1.1`);
    expect(
      fields
        .filter((field) => !/^connection:/i.test(field))
        .map((field) => field.replace(/^[^:]+/, lower))
        .toSorted(),
    ).toEqual(['authorization: A', 'content-length: 2', `host: 127.0.0.1:${port}`, 'x-amz-date: D']);
    expect(body).toBe(Buffer.from('é').toString('latin1'));
  });
});

function lower(text: string): string {
  return text.toLowerCase();
}
