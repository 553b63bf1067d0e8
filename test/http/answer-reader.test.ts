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
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const HEAD_LIMIT = 16_384;

/** The fault of bytes that come in pieces of a size; undefined when there is none. */
function faultOf(text: string, size = text.length): { code?: string; message: string } | undefined {
  const reader = new AnswerReader(LIMIT, () => new Error('too long'));
  const bytes = Buffer.from(text, 'latin1');
  try {
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** A line of so many bytes, its end included, that begins so. */
const lineOf = (bytes: number, begin: string): string => `${begin.padEnd(bytes - 2, 'x')}\r\n`;

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
    `${OK}Content-Length:\u00a02\r\n\r\nok`,
    `${OK}Content-Length: 0x2\r\n\r\nok`,
    `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    ...['no colon', ': no name', 'Bad name: x', 'Content-Length: 2'].map(
      (trailer) => `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${trailer}\r\n\r\n`,
    ),
    ...['\u00ff', '', ' a', 'a b', 'a=\u0000', 'a="b'].map(
      (extension) => `${OK}Transfer-Encoding: chunked\r\n\r\n2;${extension}\r\nok\r\n0\r\n\r\n`,
    ),
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`,
    `${OK}X: ${'x'.repeat(17_000)}\r\n\r\n`,
  ])('is refused where Node refuses it: %j', async (text) => {
    expect(await readByNode(text)).toBe('refused');
    for (const size of [1, 3, Math.max(1, text.length)]) expect(read(text, size)).toBe('refused');
  });

  it('is refused where a trailer says how its body was coded, which Node lets pass', () => {
    const text = `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n`;
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

describe('a fault of an answer', () => {
  it.each([
    ['this is not HTTP', ['S', 'HTTP/2', 'HTTPS', '\x15\x03\x01']],
    [
      'a status line that is none',
      [
        'HTTP/1.2 200 OK',
        'HTTP/1.1\t200 OK',
        'HTTP/1.10200 OK',
        'HTTP/1.1 099 Low',
        'HTTP/1.1 ',
        'HTTP/1.1 2',
        'HTTP/1.1 20',
        'HTTP/1.1 20  OK',
        'HTTP/1.1 2/0 OK',
        'HTTP/1.1 2:0 OK',
        'HTTP/1.1 200OK',
        'HTTP/1.1 2000',
      ].map((line) => `${line}\r\n`),
    ],
    [
      'a line does not end in CR LF',
      ['HTTP/1.1 200 OK\n', `${OK}\n`, `${OK}X: a\n\r\n`, `${OK}\n${'x'.repeat(HEAD_LIMIT)}`],
    ],
    [
      'a control character in the head',
      ['\0', '\x01', '\x08', '\x0b', '\r', '\x1f', '\x7f'].flatMap((control) => [
        `${OK}X: ${control}a\r\n`,
        `HTTP/1.1 200 O${control}K\r\n`,
        `${OK}${control}X: a\r\n`,
      ]),
    ],
    [
      'a field without a name',
      [
        'No colon',
        'n',
        ...['', ' X', 'X ', '\tX', '\x80', ...'"(),/;<=>?@[\\]{}'.split('')].map((name) => `${name}: a`),
      ].map((line) => `${OK}${line}\r\n`),
    ],
    [
      'two ways to delimit a body',
      [
        `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`,
        'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      ],
    ],
    ['an interim answer of HTTP/1.0', [100, 101, 103, 199].map((status) => `HTTP/1.0 ${status} Wait\r\n\r\n${OK}\r\n`)],
    [
      'an unknown transfer coding',
      ['gzip', 'gzip, chunked', '', 'chunked\u00a0', 'chunked\r\nTransfer-Encoding: chunked'].map(
        (coding) => `${OK}Transfer-Encoding: ${coding}\r\n\r\n`,
      ),
    ],
    [
      'a length that is none',
      ['', '-1', '+1', '1.0', '0x1', '1 1', '2, 2', '2\r\nContent-Length: 2', '/', ':', '0000000000001'].map(
        (length) => `${OK}Content-Length: ${length}\r\n\r\n`,
      ),
    ],
    [
      'a length that is none',
      [100, 101, 204, 304].map((status) => `HTTP/1.1 ${status} X\r\nContent-Length: -1\r\n\r\n`),
    ],
    ['a chunk without a size', ['', ' 1', '1 ', 'g', '-1', '000000001', ';1'].map((size) => `${CHUNKED}${size}\r\n`)],
    [
      'a chunk that is longer than it says',
      [`${CHUNKED}2\r\nokay`, `${CHUNKED}2\r\nokay\r\n`, `${CHUNKED}2\r\nok.\r\n`],
    ],
  ])('is told: %s', (message, answers) => {
    for (const text of answers)
      for (const size of [text.length, 1]) {
        const { code, message: said } = faultOf(text, size) ?? {};
        expect([text, said, code]).toEqual([text, message, 'HPE_INVALID_CONSTANT']);
      }
  });

  it.each([
    ['status line', '', 'HTTP/1.1 200 '],
    ['first field', 'HTTP/1.1 200\r\n', 'X: '],
    ['line that gives the first chunk its size', CHUNKED, '1;'],
    ['line that gives a further chunk its size', `${CHUNKED}1\r\nx\r\n`, '1;'],
    ['trailer', `${CHUNKED}0\r\n`, 'X: '],
  ])('is a %s that is longer than a head may be, and not one that is as long', (_which, before, begin) => {
    const counted = before.startsWith('HTTP/1.1 200\r\n') ? before.length : 0;
    const most = HEAD_LIMIT - counted;
    const tooLong = { code: 'HPE_HEADER_OVERFLOW', message: 'the head is too long' };
    expect(faultOf(before + lineOf(most, begin))).toBeUndefined();
    expect(faultOf(before + lineOf(most, begin), 4096)).toBeUndefined();
    expect(faultOf(before + lineOf(most, begin).slice(0, -1))).toBeUndefined();
    expect(faultOf(before + lineOf(most + 1, begin))).toMatchObject(tooLong);
    expect(faultOf(before + lineOf(most + 3, begin).slice(0, -2))).toMatchObject(tooLong);
  });

  it('is a body that is too long, and not one of the limit', () => {
    for (const length of ['999999999999', `${LIMIT + 1}`]) {
      expect(faultOf(`${OK}Content-Length: ${length}\r\n\r\n${'x'.repeat(LIMIT)}`)).toBeUndefined();
      expect(faultOf(`${OK}Content-Length: ${length}\r\n\r\n${'x'.repeat(LIMIT + 1)}`)).toMatchObject({
        message: 'too long',
      });
    }
    expect(faultOf(`${CHUNKED}ffffffff\r\n${'x'.repeat(LIMIT)}`)).toBeUndefined();
    expect(faultOf(`${CHUNKED}ffffffff\r\n${'x'.repeat(LIMIT + 1)}`)).toMatchObject({ message: 'too long' });
  });
});

describe('what is no fault', () => {
  it.each(['\t', ' ', '~', '\x80', '\xff', '!'])('%j in the value of a field', (character) => {
    expect(read(`${OK}X: a${character}b\r\nContent-Length: 0\r\n\r\n`)).toMatchObject({
      headers: { x: `a${character}b`, 'content-length': '0' },
    });
  });

  it.each("!#$%&'*+-.^_`|~09az".split(''))('%j in the name of a field', (character) => {
    expect(read(`${OK}${character}: a\r\nContent-Length: 0\r\n\r\n`)).toMatchObject({ headers: { [character]: 'a' } });
  });

  it.each([100, 102, 103, 199])('an answer behind one of %i, of which nothing is left', (status) => {
    const interim = `HTTP/1.1 ${status} Wait\r\nLink: x\r\nContent-Length: 9\r\n`;
    expect(read(`${interim}\r\n${OK}Content-Length: 2\r\n\r\nok`)).toEqual({
      status: 200,
      headers: { 'content-length': '2' },
      body: 'ok',
    });
  });

  it.each([101, 204, 304])('%i with a length and without a body', (status) => {
    expect(read(`HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`)).toEqual({
      status,
      headers: { 'content-length': '5' },
      body: '',
    });
  });

  it.each([200, 203, 205, 303, 305])('%i with a body up to the end', (status) => {
    expect(read(`HTTP/1.1 ${status} X\r\n\r\nbody`)).toEqual({ status, headers: {}, body: 'body' });
  });

  it.each([
    [
      'chunks by either case of digits',
      `${CHUNKED}a\r\n0123456789\r\nA;x=;y\r\nabcdefghij\r\n0\r\n\r\n`,
      '0123456789abcdefghij',
    ],
    ['a chunk of 31 bytes', `${CHUNKED}1f\r\n${'x'.repeat(31)}\r\n0\r\n\r\n`, 'x'.repeat(31)],
    ['a value with nothing before it', `${OK}Content-Length:2\r\n\r\nok`, 'ok'],
    ['a chunk of eight digits', `${CHUNKED}00000002\r\nok\r\n00000000\r\n\r\n`, 'ok'],
    ['a length of twelve digits', `${OK}Content-Length: 000000000002\r\n\r\nok`, 'ok'],
    ['digits of all ten', `${OK}Content-Length: 0000000009\r\n\r\n123456789`, '123456789'],
    ['UTF-8 that is cut in the middle', `${OK}Content-Length: 2\r\n\r\n\xc3\xa4`, 'ä'],
    ['trailers', `${CHUNKED}2\r\nok\r\n0\r\nX: a\r\nY: b: c\r\n\r\n`, 'ok'],
  ])('%s', (_what, text, body) => {
    for (const size of [1, 3, text.length]) expect(read(text, size)).toMatchObject({ status: 200, body });
  });

  it('heads, sizes and trailers that are too long only together', () => {
    const long = lineOf(10_000, 'X: ');
    const text =
      `HTTP/1.1 100 Go on\r\n${long}\r\nHTTP/1.1 200 OK\r\n${long}Transfer-Encoding: chunked\r\n\r\n` +
      `${lineOf(10_000, '1;')}a\r\n${lineOf(10_000, '1;')}b\r\n0\r\n${long}\r\n`;
    for (const size of [1000, text.length]) expect(read(text, size)).toMatchObject({ status: 200, body: 'ab' });
  });

  it('heads, sizes and trailers of which each has all the room there is', () => {
    const status = 'HTTP/1.1 200 OK\r\n';
    const coding = 'Transfer-Encoding: chunked\r\n';
    const text =
      `HTTP/1.1 103\r\n${lineOf(HEAD_LIMIT - 16, 'X: ')}\r\n` +
      `${status}${coding}${lineOf(HEAD_LIMIT - status.length - coding.length - 2, 'X: ')}\r\n` +
      `${lineOf(HEAD_LIMIT, '1;')}a\r\n${lineOf(HEAD_LIMIT, '1;')}b\r\n${lineOf(HEAD_LIMIT, '0;')}` +
      `${lineOf(HEAD_LIMIT - 2, 'X: ')}\r\n`;
    for (const size of [4096, text.length]) expect(read(text, size)).toMatchObject({ status: 200, body: 'ab' });
  });
});

/** A reader that was given this. */
function fed(text: string): AnswerReader {
  const reader = new AnswerReader(LIMIT, () => new Error('too long'));
  reader.push(Buffer.from(text, 'latin1'));
  return reader;
}

/** What closing the connection comes to. */
function ended(reader: AnswerReader): unknown {
  try {
    reader.end();
    return reader.response?.body;
  } catch (error) {
    return error;
  }
}

describe('a reader', () => {
  it.each([
    ['', false],
    [OK, false],
    [`${OK}Content-Length: 2\r\n`, false],
    ['HTTP/1.1 100 Go on\r\n\r\n', false],
    [`${OK}\r\n`, true],
    [`${OK}Content-Length: 2\r\n\r\n`, true],
    [`${OK}Content-Length: 0\r\n\r\n`, true],
    [CHUNKED, true],
  ])('has seen the whole head or not: %j, %s', (text, answered) => {
    expect(fed(text).answered).toBe(answered);
  });

  it.each([
    '',
    OK,
    'HTTP/1.1 100 Go on\r\n\r\n',
    `${OK}Content-Length: 2\r\n\r\n`,
    `${OK}Content-Length: 2\r\n\r\no`,
    CHUNKED,
    `${CHUNKED}2\r\n`,
    `${CHUNKED}2\r\nok`,
    `${CHUNKED}2\r\nok\r`,
    `${CHUNKED}2\r\nok\r\n0\r\n`,
    `${CHUNKED}2\r\nok\r\n0\r\nX: a\r\n`,
  ])('has no answer of what is not whole, and none when the connection is closed: %j', (text) => {
    const made = fed(text);
    expect(made.response).toBeUndefined();
    expect(ended(made)).toMatchObject({ code: 'ECONNRESET', message: 'the connection was closed' });
    expect(made.response).toBeUndefined();
  });

  it('takes what comes up to the end for the body, and has no answer before', () => {
    const made = fed(`${OK}\r\nbo`);
    made.push(Buffer.from('dy'));
    expect(made.response).toBeUndefined();
    expect(ended(made)).toBe('body');
  });

  it.each([`${OK}Content-Length: 2\r\n\r\nok`, `${CHUNKED}2\r\nok\r\n0\r\n\r\n`])(
    'leaves what follows a whole answer: %j',
    (text) => {
      const made = fed(`${text}SSH-2.0\r\n`);
      made.push(Buffer.from('HTTP/1.1 500 Sorry\r\n\r\n'));
      expect(made.response).toMatchObject({ status: 200, body: 'ok' });
      expect(ended(made)).toBe('ok');
    },
  );
});
