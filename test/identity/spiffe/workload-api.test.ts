import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { type Server, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { readReference } from '../../../src/identity/spiffe/reference.ts';
import { fetchJwtSvids, fetchX509Svids } from '../../../src/identity/spiffe/workload-api.ts';
import {
  type IssuedSvid,
  type Question,
  type WorkloadApi,
  begin,
  complete,
  field,
  frame,
  freshSocket,
  jwtAnswer,
  makeTrustDomain,
  refuse,
  startWorkloadApi,
  x509Answer,
} from '../../support/workload-api.ts';

const TOKEN = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';

let svid: IssuedSvid;
let api: WorkloadApi | undefined;
let server: Server | undefined;

beforeAll(async () => {
  svid = await (await makeTrustDomain()).issue();
});

afterEach(async () => {
  await api?.close();
  server?.close();
  [api, server] = [undefined, undefined];
});

async function ask(answer: (question: Question) => void, timeoutMs = 10_000) {
  api = await startWorkloadApi(answer);
  return await fetchX509Svids(readReference(`spiffe:${api.address}`, '--certificate', {}), timeoutMs);
}

async function failure(work: Promise<unknown>): Promise<RolesAnywhereError> {
  return await work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: RolesAnywhereError) => error,
  );
}

/** A message that begins and never ends. */
function answerInPart(question: Question): void {
  begin(question);
  question.stream.write(frame(x509Answer(svid)).subarray(0, 50));
}

/** What an agent that is no HTTP/2 server says, and what is asked of it then. */
async function askRaw(onConnect: Parameters<typeof createServer>[1], timeoutMs = 10_000) {
  const path = freshSocket();
  server = createServer({}, (socket) => {
    socket.on('error', () => undefined);
    onConnect?.(socket);
  }).listen(path);
  await once(server, 'listening');
  return await fetchX509Svids(readReference(`spiffe:unix://${path}`, '--certificate', {}), timeoutMs);
}

describe('asking for X.509-SVIDs', () => {
  it('says who it is as the standard wants it, and takes the first answer', async () => {
    const [found] = await ask((question) => begin(question, x509Answer(svid)));
    expect(found).toMatchObject({ id: svid.id, hint: '' });
    expect(found?.certificates.map((der) => Buffer.from(der))).toEqual(svid.certificates);
    expect(Buffer.from(found?.key ?? [])).toEqual(svid.key);
    const [{ headers, request } = { headers: {}, request: Buffer.from('none') }] = api?.questions ?? [];
    expect(headers).toMatchObject({
      ':method': 'POST',
      ':path': '/SpiffeWorkloadAPI/FetchX509SVID',
      'content-type': 'application/grpc',
      te: 'trailers',
      'workload.spiffe.io': 'true',
    });
    expect(request).toHaveLength(0);
  });

  it('puts a message together from single octets, and ends the call after it', async () => {
    let closed: Promise<unknown> | undefined;
    const found = await ask((question) => {
      begin(question);
      closed = once(question.stream, 'close');
      const bytes = frame(x509Answer(svid));
      const next = (at: number): void => {
        if (at < bytes.length) question.stream.write(bytes.subarray(at, at + 1), () => next(at + 1));
      };
      next(0);
    });
    expect(found).toHaveLength(1);
    await closed;
  });

  it('listens to a port as well', async () => {
    const agent = await startWorkloadApi((question) => begin(question, x509Answer(svid)));
    server = createServer((socket) => {
      // Either side may be gone while the other still writes.
      pipeline(socket, connect(agent.path), socket, () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const reference = readReference('spiffe:', '--certificate', { SPIFFE_ENDPOINT_SOCKET: `tcp://127.0.0.1:${port}` });
    expect(await fetchX509Svids(reference, 10_000)).toHaveLength(1);
    await agent.close();
  });
});

describe('asking for JWT-SVIDs', () => {
  it('sends the audiences and the SPIFFE ID', async () => {
    api = await startWorkloadApi((question) => complete(question, jwtAnswer({ id: 'spiffe://a/b', token: TOKEN })));
    const reference = readReference(
      `spiffe:${api.address}?audience=one&audience=two&id=spiffe://a/b`,
      '--web-identity-token',
      {},
    );
    expect(await fetchJwtSvids(reference, 10_000)).toEqual([{ id: 'spiffe://a/b', hint: '', token: TOKEN }]);
    expect(api.questions[0]?.headers[':path']).toBe('/SpiffeWorkloadAPI/FetchJWTSVID');
    expect(api.questions[0]?.request).toEqual(
      Buffer.concat([field(1, 'one'), field(1, 'two'), field(2, 'spiffe://a/b')]),
    );
  });

  it.each<[string, (question: Question) => void, string]>([
    ['no answer', (question) => complete(question), 'sent no answer'],
    ['an answer that is empty', (question) => complete(question, Buffer.alloc(0)), 'no identity'],
    [
      'two answers',
      (question) => complete(question, jwtAnswer({ id: 'spiffe://a/b', token: TOKEN }), Buffer.alloc(0)),
      'two answers',
    ],
    [
      'something else for a token',
      (question) => complete(question, jwtAnswer({ id: 'spiffe://a/b', token: 'my secret token' })),
      'no JWT',
    ],
  ])('refuses %s', async (_what, answer, message) => {
    api = await startWorkloadApi(answer);
    const reference = readReference(`spiffe:${api.address}?audience=one`, '--web-identity-token', {});
    const error = await failure(fetchJwtSvids(reference, 10_000));
    expect(error).toMatchObject({ code: 'ERR_SPIFFE_ANSWER' });
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('secret');
  });
});

describe('what goes wrong', () => {
  it.each<[string, (question: Question) => void, string, string]>([
    [
      'PermissionDenied',
      (question) => refuse(question, 7, 'no identity issued'),
      'ERR_SPIFFE_DENIED',
      'has no identity for this process: PermissionDenied: no identity issued',
    ],
    [
      'PermissionDenied in trailers, with a message that is percent-encoded',
      ({ stream }) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
        stream.on('wantTrailers', () =>
          stream.sendTrailers({ 'grpc-status': '7', 'grpc-message': '100%25 nicht f%C3%BCr %1B[31mdich%zz' }),
        );
        stream.end();
      },
      'ERR_SPIFFE_DENIED',
      'PermissionDenied: 100% nicht für  [31mdich%zz',
    ],
    [
      'Unimplemented',
      (question) => refuse(question, 12, 'unknown service'),
      'ERR_SPIFFE_FAILED',
      'has not what is asked',
    ],
    ['Unavailable', (question) => refuse(question, 14, ''), 'ERR_SPIFFE_CONNECT', 'is not ready: Unavailable'],
    ['InvalidArgument', (question) => refuse(question, 3, 'header'), 'ERR_SPIFFE_FAILED', 'InvalidArgument: header'],
    [
      'a status that there is not',
      (question) => refuse(question, 99, 'x'),
      'ERR_SPIFFE_ANSWER',
      'status that there is not',
    ],
    [
      'a token in the message of a status',
      (question) => refuse(question, 2, `bad ${TOKEN} and -----BEGIN PRIVATE KEY----- x`),
      'ERR_SPIFFE_FAILED',
      'refused: Unknown: bad <redacted> and <redacted>',
    ],
    ['status OK without an answer', (question) => complete(question), 'ERR_SPIFFE_ANSWER', 'the end of the stream'],
    [
      'a compressed message',
      (question) => {
        begin(question);
        question.stream.write(frame(x509Answer(svid), 1));
      },
      'ERR_SPIFFE_ANSWER',
      'a compressed message',
    ],
    [
      'a message beyond all bounds',
      (question) => {
        begin(question);
        question.stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
      },
      'ERR_SPIFFE_ANSWER',
      'a message of 4294967295 bytes',
    ],
    [
      'a message that is cut off by a status OK',
      (question) => {
        begin(question);
        question.stream.end(frame(x509Answer(svid)).subarray(0, 100));
      },
      'ERR_SPIFFE_ANSWER',
      'cut off',
    ],
    [
      'a message that is none',
      (question) => begin(question, Buffer.from('garbage, and no secret')),
      'ERR_SPIFFE_ANSWER',
      'not well-formed',
    ],
    [
      'another HTTP server',
      ({ stream }) => {
        stream.respond({ ':status': 404, 'content-type': 'text/html' });
        stream.end('<html>');
      },
      'ERR_SPIFFE_ANSWER',
      'HTTP status 404',
    ],
    [
      'an end without a status',
      ({ stream }) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        stream.end();
      },
      'ERR_SPIFFE_CONNECT',
      'ended the connection',
    ],
    ['a stream that is reset', ({ stream }) => stream.close(8), 'ERR_SPIFFE_CONNECT', 'ended the connection'],
    [
      'a session that is closed',
      ({ stream }) => stream.session?.destroy(),
      'ERR_SPIFFE_CONNECT',
      'ended the connection',
    ],
    [
      'a session that goes away',
      ({ stream }) => stream.session?.goaway(11),
      'ERR_SPIFFE_CONNECT',
      'ended the connection',
    ],
  ])('%s', async (_what, answer, code, message) => {
    const error = await failure(ask(answer));
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ code, hint: expect.any(String) });
  });

  it('an agent that never answers', async () => {
    expect(await failure(ask(() => undefined, 300))).toMatchObject({
      code: 'ERR_SPIFFE_TIMEOUT',
      message: expect.stringContaining('did not answer within 300 ms'),
    });
  });

  it('an agent that begins a message and never ends it', async () => {
    expect(await failure(ask(answerInPart, 300))).toMatchObject({ code: 'ERR_SPIFFE_TIMEOUT' });
  });

  it('an agent that gives a token and never ends its answer', async () => {
    api = await startWorkloadApi((question) =>
      begin(question, jwtAnswer({ id: 'spiffe://example.org/web', token: TOKEN })),
    );
    const reference = readReference(`spiffe:${api.address}?audience=a`, '--web-identity-token', {});
    expect(await failure(fetchJwtSvids(reference, 300))).toMatchObject({ code: 'ERR_SPIFFE_TIMEOUT' });
  });

  it('what listens and says nothing', async () => {
    expect(await failure(askRaw(() => undefined, 300))).toMatchObject({ code: 'ERR_SPIFFE_TIMEOUT' });
  });

  it('what is no HTTP/2 server', async () => {
    expect(await failure(askRaw((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))).toMatchObject({
      code: 'ERR_SPIFFE_ANSWER',
      message: expect.stringContaining('something that is not gRPC over HTTP/2'),
    });
  });

  it('what hangs up', async () => {
    expect(await failure(askRaw((socket) => socket.destroy()))).toMatchObject({ code: 'ERR_SPIFFE_CONNECT' });
  });

  it('no socket, and a file that is none', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'ra-spiffe-')), 'file');
    const read = (): Promise<unknown> =>
      fetchX509Svids(readReference(`spiffe:unix://${path}`, '--certificate', {}), 10_000);
    expect(await failure(read())).toMatchObject({
      code: 'ERR_SPIFFE_CONNECT',
      message: `the Workload API at unix://${path} cannot be reached: ENOENT`,
      hint: expect.stringContaining('start the SPIFFE agent'),
    });
    writeFileSync(path, '');
    expect((await failure(read())).message).toMatch(/ECONNREFUSED|ENOTSOCK/);
  });
});
