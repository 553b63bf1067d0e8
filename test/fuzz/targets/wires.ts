/** Protocols between this program and what it talks to: a TPM, a Workload API, a module's helper, proxies, servers of HTTP. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { AnswerReader } from '../../../src/http/answer-reader.ts';
import { directTransport } from '../../../src/http/direct.ts';
import { MAX_HEADER_BYTES, joinFields } from '../../../src/http/exchange.ts';
import type { HttpRequest, HttpResponse } from '../../../src/http/http.ts';
import { createPooledTransport } from '../../../src/http/pooled.ts';
import { openTunnel } from '../../../src/http/tunnel.ts';
import { createBridge } from '../../../src/identity/pkcs11/bridge.ts';
import { explain as explainModule, fromFailure } from '../../../src/identity/pkcs11/failures.ts';
import { readReply } from '../../../src/identity/pkcs11/messages.ts';
import type { Port } from '../../../src/identity/pkcs11/port.ts';
import { Lines, fromLine, readAnswer } from '../../../src/identity/pkcs11/wire.ts';
import { writeTexts, ProtobufError } from '../../../src/identity/spiffe/protobuf.ts';
import {
  fetchJwtSvids,
  fetchX509Svids,
  readJwtAnswer,
  readX509Answer,
} from '../../../src/identity/spiffe/workload-api.ts';
import { inClear } from '../../../src/identity/tpm/authorization.ts';
import * as commands from '../../../src/identity/tpm/commands.ts';
import { explain as explainTpm } from '../../../src/identity/tpm/failures.ts';
import { nameOf, readPublicArea } from '../../../src/identity/tpm/public-area.ts';
import { describeReturnCode } from '../../../src/identity/tpm/return-codes.ts';
import { Tpm, byHandle } from '../../../src/identity/tpm/tpm.ts';
import { AnswerBuffer, closedError } from '../../../src/identity/tpm/transport.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { processAge } from '../../../src/platform/clock.ts';
import { VERSION } from '../../../src/platform/version.ts';
import { DerError } from '../../../src/x509/der.ts';
import { type OpenTarget, check, derOf, files } from '../harness/target.ts';

const WHERE = 'the fuzzer';

const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
const sized = (bytes: Uint8Array): Buffer => Buffer.concat([u16(bytes.length), bytes]);

/** An answer without authorisations, or with that of a password. */
function tpmAnswer(
  parameters: Uint8Array,
  { code = 0, handle, password = false }: { code?: number; handle?: number; password?: boolean } = {},
): Buffer {
  const loaded = handle === undefined ? Buffer.of() : u32(handle);
  const body = password
    ? Buffer.concat([loaded, u32(parameters.length), parameters, sized(Buffer.of()), Buffer.of(1), sized(Buffer.of())])
    : Buffer.concat([loaded, parameters]);
  return Buffer.concat([u16(password ? 0x8002 : 0x8001), u32(10 + body.length), u32(code), body]);
}

const authorization = (): ReturnType<typeof inClear> => inClear(Buffer.from('pw'));

/** The first byte says what the TPM is asked; all others are what it answers, in pieces as a socket gives them. */
const tpm: OpenTarget = () => {
  const area = Buffer.from(`0023000b00040472000000100010000300100020${'11'.repeat(32)}0020${'22'.repeat(32)}`, 'hex');
  const name = Buffer.from(nameOf(readPublicArea(area)));
  const ticket = Buffer.concat([u16(0x8024), u32(0x40000007), sized(Buffer.alloc(4))]);
  const nvArea = Buffer.concat([u32(0x1c00002), u16(0x000b), u32(0x20040004), sized(Buffer.of()), u16(16)]);
  const key = byHandle(0x81000001);
  const asks: readonly ((tpm: Tpm) => Promise<unknown>)[] = [
    (one) => commands.readPublic(one, 0x81000001),
    (one) => commands.createPrimary(one, 0x40000001, authorization(), area),
    (one) =>
      commands.sign(one, key, authorization(), { digest: Buffer.alloc(32), scheme: { algorithm: 0x18, hash: 0xb } }),
    (one) => commands.hash(one, Buffer.from('data'), 0xb),
    (one) =>
      commands.startSession(
        one,
        'hmac',
        { nonceCaller: Buffer.alloc(32), encryptedSalt: Buffer.of(), salt: Buffer.alloc(32) },
        0xb,
      ),
    (one) => commands.readNvPublic(one, 0x1c00002),
    (one) =>
      commands.readNv(one, key, { handle: 0x1c00002, name, attributes: 0, size: 16 }, authorization(), {
        offset: 0,
        length: 16,
      }),
    (one) => one.handles('persistent'),
    (one) => one.properties(0x100, 4),
  ];
  const answers = [
    tpmAnswer(Buffer.concat([sized(area), sized(name), sized(name)])),
    tpmAnswer(Buffer.concat([sized(area), sized(Buffer.alloc(8)), sized(Buffer.alloc(32)), ticket, sized(name)]), {
      handle: 0x80000000,
      password: true,
    }),
    tpmAnswer(Buffer.concat([u16(0x18), u16(0xb), sized(Buffer.alloc(32, 1)), sized(Buffer.alloc(32, 2))]), {
      password: true,
    }),
    tpmAnswer(Buffer.concat([sized(Buffer.alloc(32)), ticket])),
    tpmAnswer(sized(Buffer.alloc(32)), { handle: 0x02000000 }),
    tpmAnswer(Buffer.concat([sized(nvArea), sized(name)])),
    tpmAnswer(sized(Buffer.alloc(16)), { password: true }),
    tpmAnswer(Buffer.concat([Buffer.of(0), u32(1), u32(2), u32(0x81000001), u32(0x81000002)])),
    tpmAnswer(Buffer.concat([Buffer.of(0), u32(6), u32(1), u32(0x100), u32(7)])),
  ];
  return {
    seeds: [
      ...answers.map((answer, index) => Buffer.concat([Buffer.of(index), answer])),
      Buffer.concat([Buffer.of(0), tpmAnswer(Buffer.of(), { code: 0x18b })]),
      Buffer.concat([Buffer.of(2), tpmAnswer(Buffer.of(), { code: 0x98e })]),
      Buffer.concat([Buffer.of(7), Buffer.from('00c40000000a0000001e', 'hex')]),
    ],
    async run(input) {
      const ask = asks[(input[0] ?? 0) % asks.length];
      let rest = input.subarray(1);
      const transport = {
        transmit: (): Promise<Uint8Array> => {
          const buffer = new AnswerBuffer(WHERE);
          // In two pieces, since no answer comes in one for certain; where it ends, its header says.
          const said = rest.length < 6 ? rest.length : Buffer.from(rest).readUInt32BE(2);
          const size = Math.min(rest.length, Math.max(10, said));
          const pieces = [rest.subarray(0, size >> 1), rest.subarray(size >> 1, size)];
          rest = rest.subarray(size);
          for (const piece of pieces) {
            const whole = buffer.add(piece);
            if (whole !== undefined) return Promise.resolve(whole);
          }
          return Promise.reject(closedError(WHERE, buffer.length));
        },
        close: () => Promise.resolve(),
      };
      const one = new Tpm(transport, { where: WHERE, deadline: processAge() + 20, notes: false, stop: () => false });
      try {
        await ask?.(one);
      } catch (error) {
        throw explainTpm(error, { source: '--private-key handle:0x81000001' });
      } finally {
        await one.close();
      }
    },
  };
};

const returnCode: OpenTarget = () => ({
  seeds: ['018b', '098e', '0901', '0000', 'ffffffff'].map((hex) => Buffer.from(hex.padStart(8, '0'), 'hex')),
  maxLength: 4,
  run(input) {
    const code = Buffer.concat([Buffer.alloc(4), input]).readUInt32BE(input.length);
    const text = describeReturnCode(code);
    check(/^[\x20-\x7e]+$/.test(text), `a code is described in ASCII: ${text}`);
  },
});

/** A field of bytes. */
function field(number: number, bytes: Uint8Array): Buffer {
  const [key = 0] = writeTexts([[number, '']]);
  const length = bytes.length < 0x80 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
  return Buffer.concat([Buffer.of(key, ...length), bytes]);
}

function svids(): { readonly x509: Buffer; readonly jwt: Buffer } {
  const [leaf = Buffer.of()] = files('certs-dev/out', /^ec-p256\.crt\.der$/);
  const chain = files('certs-dev/out', /^intermediate\.pem$/).flatMap((pem) => derOf(pem));
  const [key = Buffer.of()] = files('certs-dev/out', /^ec-p256\.key\.der$/);
  const id = writeTexts([[1, 'spiffe://example.org/web']]);
  const x509 = field(
    1,
    Buffer.concat([id, field(2, Buffer.concat([leaf, ...chain])), field(3, key), writeTexts([[5, 'internal']])]),
  );
  const jwt = field(1, Buffer.concat([id, writeTexts([[2, 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln']])]));
  return { x509: Buffer.concat([x509, x509]), jwt };
}

const protobuf: OpenTarget = () => {
  const { x509, jwt } = svids();
  return {
    seeds: [
      x509,
      jwt,
      Buffer.concat([jwt, Buffer.of(0x18, 0x96, 0x01, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2d, 1, 2, 3, 4)]),
    ],
    forms: ['der'],
    maxLength: 16_384,
    expects: (error) => error instanceof ProtobufError || error instanceof DerError,
    run(input) {
      const problems: unknown[] = [];
      for (const read of [readX509Answer, readJwtAnswer]) {
        try {
          check(read(input).length > 0, 'an answer has an identity');
        } catch (error) {
          problems.push(error);
        }
      }
      for (const problem of problems) throw problem;
    },
  };
};

/** A server that answers whatever comes with an input, once it was asked something, and then hangs up. */
async function answering(
  path?: string,
): Promise<{ server: Server; port: number; answer: (bytes: Uint8Array) => void }> {
  let bytes: Uint8Array = new Uint8Array();
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    let seen = 0;
    socket.on('data', (data: Buffer) => {
      // Of HTTP/2, the preface and the settings come before the request.
      seen += data.length;
      if (path === undefined || seen > 100) socket.end(bytes);
    });
  });
  await new Promise<void>((done) =>
    path === undefined ? server.listen(0, '127.0.0.1', done) : server.listen(path, done),
  );
  const port = path === undefined ? (server.address() as AddressInfo).port : 0;
  return { server, port, answer: (next) => (bytes = next) };
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0), u16(payload.length), Buffer.of(type, flags), u32(stream), payload]);
}

/** HPACK: a literal field without an index (RFC 7541, section 6.2.2). */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
}

/** A message of gRPC. */
const message = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.of(0), u32(bytes.length), bytes]);

/**
 * What a Workload API answers. The frames around it are well-formed, since Node's own library reads them. The first byte says
 * how long the pieces are that it comes in, the second how the call ends.
 */
const grpc: OpenTarget = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-fuzz-spiffe-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 's');
  const { answer } = await answering(path);
  const { x509, jwt } = svids();
  const head = frame(1, 4, 1, Buffer.concat([Buffer.of(0x88), literal('content-type', 'application/grpc')]));
  const settings = Buffer.concat([frame(4, 0, 0, Buffer.of()), frame(4, 1, 0, Buffer.of())]);
  const reference = { address: { kind: 'unix', path }, where: WHERE, id: undefined, hint: undefined } as const;
  return {
    seeds: [
      Buffer.concat([Buffer.of(0, 0), message(x509)]),
      Buffer.concat([Buffer.of(1, 0), message(jwt)]),
      Buffer.concat([Buffer.of(7, 0), message(jwt), message(jwt)]),
      Buffer.of(0, 7),
    ],
    maxLength: 8192,
    async run(input) {
      const [length = 0, status = 0] = input;
      const data = input.subarray(2);
      const size = length === 0 ? 8192 : Math.max(length, data.length >> 5);
      const pieces = Array.from({ length: Math.ceil(data.length / size) }, (_, index) =>
        frame(0, 0, 1, data.subarray(index * size, (index + 1) * size)),
      );
      const trailers = frame(
        1,
        5,
        1,
        Buffer.concat([literal('grpc-status', `${status}`), literal('grpc-message', 'no%20%')]),
      );
      answer(Buffer.concat([settings, head, ...pieces, trailers]));
      const results = await Promise.allSettled([
        fetchX509Svids({ ...reference, audiences: [] }, 500),
        fetchJwtSvids({ ...reference, audiences: ['a'] }, 500),
      ]);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
  };
};

const REQUEST = { method: 'GET', headers: {}, timeoutMs: 500, maxResponseBytes: 4096 } as const;
const HTTP_SEEDS = [
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n2;x=y\r\nok\r\n0\r\nTrailer: t\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nno',
  'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
  `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(5000)}`,
];
const HTTP_WORDS = [
  '\r\n\r\n',
  '\r\n',
  'HTTP/1.1 ',
  'Content-Length: ',
  'Transfer-Encoding: chunked\r\n',
  '101',
  '204',
  '304',
  '\u0000',
];

/** Answers of HTTP/1.1 to each transport. */
const httpAnswer =
  (transport: (asked: HttpRequest) => Promise<{ status: number; headers: object; body: string }>): OpenTarget =>
  async () => {
    const { port, answer } = await answering();
    return {
      seeds: HTTP_SEEDS,
      forms: ['text'],
      words: HTTP_WORDS,
      maxLength: 40_000,
      async run(input) {
        answer(input);
        const { status, body } = await transport({ ...REQUEST, url: new URL(`http://127.0.0.1:${port}/x`) });
        check(Number.isInteger(status) && status >= 100 && status <= 999, `a status is a number: ${status}`);
        check(body.length <= 4096, 'a body is no longer than what was asked for');
      },
    };
  };

/** A connection on which an answer comes as soon as something was sent. */
class Answering extends Duplex {
  #bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
  }

  override _read(): void {
    // All of it is pushed at once.
  }

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
    if (this.#bytes === undefined) return;
    if (this.#bytes.length > 0) this.push(this.#bytes);
    this.#bytes = undefined;
    this.push(null);
  }
}

/** An answer as Node's parser reads it; undefined for one that it refuses. */
async function readByNode(bytes: Uint8Array): Promise<HttpResponse | undefined> {
  return await new Promise((done) => {
    const refuse = (): void => done(undefined);
    const outgoing = request({
      host: '127.0.0.1',
      maxHeaderSize: MAX_HEADER_BYTES,
      createConnection: () => new Answering(bytes),
    });
    let isAnswered = false;
    outgoing.on('error', refuse).on('close', () => {
      if (!isAnswered) refuse();
    });
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      refuse();
    });
    outgoing.on('response', (incoming) => {
      isAnswered = true;
      const chunks: Buffer[] = [];
      incoming
        .on('error', refuse)
        .on('close', refuse)
        .on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const headers = joinFields(incoming.headersDistinct);
        done({ status: incoming.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    outgoing.end();
  });
}

/** The answer of a one-shot command. What is read is what Node reads, and is the same in whatever pieces it comes. The first byte is their size. */
const answerReader: OpenTarget = () => {
  const limit = 4096;
  /** What comes of bytes in pieces of a size: an answer, or the code that it is refused with. */
  const read = (bytes: Uint8Array, size: number): HttpResponse | string => {
    const reader = new AnswerReader(limit, () => new RolesAnywhereError('ERR_RESPONSE_INVALID', 'too long'));
    try {
      for (let at = 0; at < bytes.length && reader.response === undefined; at += size)
        reader.push(bytes.subarray(at, at + size));
      if (reader.response === undefined) reader.end();
    } catch (error) {
      check(error instanceof Error && 'code' in error, `an answer is refused with a code: ${String(error)}`);
      return String(error.code);
    }
    const { response } = reader;
    check(response !== undefined, 'an answer that has ended is whole');
    return response;
  };
  /** Where a whole answer ends: the fewest bytes that make one, or all, where the connection's end does. */
  const lengthOf = (bytes: Uint8Array): number => {
    const isWhole = (length: number): boolean => {
      const reader = new AnswerReader(limit, () => new Error('too long'));
      reader.push(bytes.subarray(0, length));
      return reader.response !== undefined;
    };
    // Most end with the last byte: the others are worth a search.
    if (bytes.length > 0 && !isWhole(bytes.length - 1)) return bytes.length;
    let [short, long] = [0, bytes.length];
    while (short < long) {
      const middle = (short + long) >> 1;
      if (isWhole(middle)) long = middle;
      else short = middle + 1;
    }
    return long;
  };
  return {
    seeds: HTTP_SEEDS.map((seed) => `\u0005${seed}`),
    forms: ['text'],
    words: HTTP_WORDS,
    maxLength: 40_000,
    async run(input) {
      const bytes = input.subarray(1);
      const whole = read(bytes, Math.max(1, bytes.length));
      // Of long ones not each byte by itself.
      const pieces = read(bytes, Math.max(1, input[0] ?? 1, bytes.length >> 8));
      // What is wrong may be seen sooner in pieces; that something is wrong may not depend on them.
      check(
        typeof whole === 'string' ? typeof pieces === 'string' : isDeepStrictEqual(whole, pieces),
        `in one piece ${JSON.stringify(whole)}, in several ${JSON.stringify(pieces)}`,
      );
      if (typeof whole === 'string') return;
      const { status, body } = whole;
      check(status === 101 || (status >= 200 && status <= 999), `a status is that of an answer: ${status}`);
      check(Buffer.byteLength(body) <= 3 * limit, 'a body is no longer than what was asked for');
      // Its caller refuses what has switched protocols, as Node does.
      if (status === 101) return;
      // What follows is left alone, which Node takes for a fault.
      const theirs = await readByNode(bytes.subarray(0, lengthOf(bytes)));
      check(isDeepStrictEqual(whole, theirs), `${JSON.stringify(whole)}, to Node ${JSON.stringify(theirs)}`);
    },
  };
};

/** What proxies answer. */
const proxyAnswer =
  (scheme: 'http' | 'socks5', seeds: readonly (string | Uint8Array)[]): OpenTarget =>
  async () => {
    const { port, answer } = await answering();
    return {
      seeds,
      words: HTTP_WORDS,
      maxLength: 40_000,
      secrets: ['hunter2-hunter2'],
      async run(input) {
        answer(input);
        const socket = await openTunnel({
          proxy: new URL(`${scheme}://user:hunter2-hunter2@127.0.0.1:${port}`),
          target: { hostname: 'example.com', port: 443 },
          timeoutMs: 500,
        });
        socket.on('error', () => undefined).destroy();
      },
    };
  };

const pooled = createPooledTransport();

/** What the bridge does with what comes through its channel; nonsense is refused with these, and ends the helper. */
function readChannel(input: Uint8Array): void {
  try {
    for (const line of new Lines().push(input)) {
      const reply = readReply(fromLine(line));
      if (reply === undefined) return;
      if ('failure' in reply) explainModule(fromFailure(reply.failure));
      if ('answer' in reply) for (const operation of OPERATIONS) readAnswer(operation, reply.answer);
    }
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError || error instanceof RangeError)) throw error;
  }
}

const OPERATIONS = ['open', 'tokens', 'token', 'certificates', 'keys', 'mechanisms', 'login', 'sign'] as const;

/** The channel of a helper whose module writes into it: whatever that is, the process that asks goes on. */
const bridge: OpenTarget = () => {
  const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-fuzz-bridge-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const helperPath = join(folder, 'helper.cjs');
  // What it writes comes as the bytes of a library's name, each as a letter of Latin-1; ID is the number of the question.
  writeFileSync(
    helperPath,
    String.raw`const { readSync, writeSync } = require('node:fs');
const say = (bytes) => { for (let at = 0; at < bytes.length;) at += writeSync(3, bytes, at); };
say(Buffer.from(${JSON.stringify(JSON.stringify({ ready: VERSION }))} + '
'));
const chunk = Buffer.alloc(65536);
let text = '';
for (let count; (count = readSync(3, chunk)) > 0;) {
  const lines = (text += chunk.toString('utf8', 0, count)).split('
');
  text = lines.pop();
  for (const line of lines) {
    const { id, ask } = JSON.parse(line);
    say(Buffer.from((ask.libraries ?? [''])[0].replaceAll('"ID"', id), 'latin1'));
    const library = { manufacturer: '', description: '', version: { major: 1, minor: 0 } };
    say(Buffer.from(JSON.stringify({ id, answer: library }) + '
'));
  }
}
`,
  );
  const made = createBridge({
    helperPath,
    libraries: [''],
    env: { PATH: '/usr/bin:/bin' },
    backoffMs: 1,
    callTimeoutMs: 500,
  });
  let port: Port | undefined;
  let runs = 0;
  return {
    seeds: [
      '{"id":"ID","answer":{"manufacturer":"x","description":"y","version":{"major":1,"minor":0}}}\n',
      '{"id":"ID","answer":[{"label":"l","id":"AQ==","der":"MAA="}]}\n',
      '{"id":"ID","answer":[{"handle":"1","label":"l","id":"","type":3,"alwaysAuthenticate":false,"publicPart":{"point":"BAE="}}]}\n',
      '{"id":"ID","failure":{"kind":"cryptoki","function":"C_Sign","returnValue":5}}\n',
      '{"id":"ID","failure":{"kind":"not-found","library":"l","reason":"r"}}\n',
      '{"id":"ID","failure":{"kind":"error","error":{"code":"ERR_SIGN","message":"m","hint":"h"}}}\n',
      '{"id":"ID","failure":{"kind":"unexpected","message":"m"}}\n',
      `{"ready":${JSON.stringify(VERSION)}}\n{"id":77,"answer":1}\n`,
      '{"ready":"0.0.0"}\n',
      '{"id":"ID","answer":null}\n{"id"',
    ],
    forms: ['json', 'text'],
    words: ['"ID"', '"failure"', '"kind"', '"ready"', 'null', '[]', '1', '"x"', '\n'],
    async run(input) {
      const text = Buffer.from(input).toString('latin1');
      readChannel(Buffer.from(text.replaceAll('"ID"', '1'), 'latin1'));
      // A helper that says nonsense is ended, and starting another takes a thousand times as long as reading what it said.
      if (runs++ > 20 && runs % 200 !== 0) return;
      try {
        port ??= await made.connect();
        await port.ask('open', { libraries: [text] });
      } catch (error) {
        await port?.close();
        port = undefined;
        throw explainModule(error);
      }
    },
  };
};

export const WIRES: Readonly<Record<string, OpenTarget>> = {
  'tpm-answer': tpm,
  'tpm-return-code': returnCode,
  'spiffe-protobuf': protobuf,
  'spiffe-grpc': grpc,
  'http-answer-reader': answerReader,
  'http-answer': httpAnswer((asked) => directTransport(asked)),
  'http-answer-pooled': httpAnswer((asked) => pooled.request(asked)),
  'proxy-answer': proxyAnswer('http', HTTP_SEEDS),
  'socks-answer': proxyAnswer('socks5', [
    Buffer.from('050005000001000000000000', 'hex'),
    Buffer.from('0502010005000003016100bb', 'hex'),
    Buffer.from('05ff', 'hex'),
    Buffer.from('050205010001', 'hex'),
  ]),
  'pkcs11-bridge': bridge,
};
